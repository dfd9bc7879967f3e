"""python -m benchmarks.mask_seen [--clips N] [--pictures N]: can it be told from the output whether a mask is there.

Pieces of the repository's clips are masked by the plans of the findings kept with them (tests/media/found.json.gz),
marked, encoded as an export does and decoded again; then every planned region is measured (orvault.vision.mask_seen).
Ways: as they are; darker; noisy; under a tiled text; under a text with the time and a tiled image; and coarsely
encoded (ultrafast, CRF 35: the last that settings allow). Modes: head, face and body, in turn.
- `masked`: the most in any planned region of pictures that were masked, by style. `clear`: the least over heads more
  than half visible in pictures that were not, of the region over each that shows most. `limit`: between the two.
- `found`: of heads over which something went wrong, the share whose region is over the limit. `half_cells`,
  `quarter_cells`: cells too small. `moved`: masks a quarter of their width beside. `late`: those of eight pictures
  later (people who stand still stay masked by these). `clear`: no mask.
- `ms_per_picture`: processor time of measuring one picture; `regions_per_picture` with it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from benchmarks import report
from benchmarks.masking_footage import PLAIN, VARIATIONS, Pixels, find_clips, pictures
from orvault.marks.keys import MarkKey
from orvault.marks.painter import MarkPainter
from orvault.video.codec import Frame, Image, decode_fragment
from orvault.video.encoding import Mp4Encoder
from orvault.vision import mask_planes
from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.mask import FixedRegion, FramePlan, MaskMode, MaskPolicy, MaskStyle, cell_px, plan_regions
from orvault.vision.mask_seen import FINEST, fineness
from orvault.vision.watermark import ImageWatermark, Mark, TextWatermark, WatermarkPainter

MEDIA = Path(__file__).resolve().parents[1] / "tests" / "media"
WIDTH, HEIGHT, FPS, STEP_90K = 1280, 720, 15, 6_000
PIECES = (
    ("crossing", 60),
    ("still_patient", 100),
    ("both_up", 60),
    ("lamp_adjust", 50),
    ("raise_right_back", 40),
)
MODES = (MaskMode.HEAD, MaskMode.FACE, MaskMode.BODY)
TABLE = (FixedRegion("table", ((53, 37), (65.5, 35), (68, 48), (51, 50))),)
LATE, LOOK_EVERY = 8, 5  # pictures
MARGIN = 1.2  # how far each population stays from the limit
OVER = 0.3  # of a head that a region has to lie over


@dataclass(frozen=True)
class Way:
    """How the pictures are, what is drawn over them, and how they are encoded."""

    name: str
    change: Callable[[Image], Image] = lambda bgr: bgr
    marks: tuple[Mark, ...] = ()
    crf: int = 21
    preset: str = "superfast"


@dataclass
class Found:
    """What was measured, by style and by what was done to the masks."""

    masked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    over_heads: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    took_s: float = 0.0
    looked: int = 0
    regions: int = 0


def main() -> int:
    """Measure, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mask_seen")
    parser.add_argument("--clips", type=int, default=len(PIECES))
    parser.add_argument("--pictures", type=int, default=16, help="of each clip")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    found = Found()
    for number, (name, first) in enumerate(report.steps(PIECES[: options.clips], "measuring masks")):
        _measure(name, first, options.pictures, MODES[number % len(MODES)], found)
    masked = {style: max(values) for style, values in found.masked.items()}
    clear = {style: min(found.over_heads[style, "clear"]) for style in masked}
    limits = {style.value: limit for style, limit in FINEST.items()}
    fields = {
        "masked": _rounded(masked),
        "limit": limits,
        "clear": _rounded(clear),
        "found": {
            f"{style}, {fault}": round(float(np.mean(np.array(values) > limits[style])), 2)
            for (style, fault), values in sorted(found.over_heads.items())
        },
        "ms_per_picture": round(1000 * found.took_s / found.looked, 2),
        "regions_per_picture": round(found.regions / found.looked, 1),
    }
    good = all(MARGIN * masked[style] <= limits[style] <= clear[style] / MARGIN for style in masked)
    goal = f"{MARGIN} * masked <= limit <= clear / {MARGIN}"
    return report.finish("mask_seen", fields, goal, good, libraries=["opencv-python-headless", "av", "numpy"])


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}


def _ways() -> Iterator[Way]:
    yield Way("plain")
    yield from (Way(v.name, v.change) for v in VARIATIONS if v.name in ("darker", "noisy"))
    yield Way("tiled", marks=(TextWatermark("Copy for Kim Minji 2026-11-23", tiled=True),))
    small = np.random.default_rng(3).integers(0, 256, (8, 20, 4), dtype=np.uint8)
    logo = np.asarray(cv2.resize(small, (160, 60)), np.uint8)
    logo[:, :, 3] = 255
    yield Way("time and image", marks=(TextWatermark("Kim {time}"), ImageWatermark(logo, tiled=True)))
    yield Way("coarse", crf=35, preset="ultrafast")


def _measure(name: str, first: int, count: int, mode: MaskMode, found: Found) -> None:
    policy = MaskPolicy(mode, fixed=TABLE)
    planned = plan_regions(_kept(name), policy, WIDTH, HEIGHT, fps=FPS)[first : first + count + LATE]
    plans, later = planned[:count], planned[LATE : LATE + count]
    source = [
        frame.bgr for frame in itertools.islice(pictures(MEDIA / f"{name}.mp4", PLAIN), first, first + count)
    ]
    heads = _heads(name)[first : first + count]
    for way in _ways():
        images = [way.change(image) for image in source]
        shown = _put_out(images, [FramePlan(False)] * count, MaskStyle.SOLID, way)
        for style in MaskStyle:
            _look(shown, heads, plans, style, way, "clear", found)
            out = _put_out(images, plans, style, way)
            _look(out, heads, plans, style, way, "masked", found)
            if way.name == "plain":
                aside = [replace(plan, boxes=tuple(map(_aside, plan.boxes))) for plan in plans]
                _look(_put_out(images, aside, style, way), heads, plans, style, way, "moved", found)
                _look(_put_out(images, later, style, way), heads, plans, style, way, "late", found)
            if way.name == "plain" and style is not MaskStyle.SOLID:
                for fault, share in (("half_cells", 2), ("quarter_cells", 4)):
                    with patch.object(mask_planes, "cell_px", lambda w, h, by=share: cell_px(w, h) // by):
                        out = _put_out(images, plans, style, way)
                    _look(out, heads, plans, style, way, fault, found)


def _kept(name: str) -> list[FrameDetections]:
    """What the models found in each picture of a clip."""
    kept = json.loads(gzip.decompress((MEDIA / "found.json.gz").read_bytes()))[name]
    return [
        SKIPPED if look is None else [Detection(Kind(kind), *rest) for kind, *rest in look] for look in kept
    ]


def _heads(name: str) -> list[list[Pixels]]:
    """In each picture of a clip, the heads more than half visible."""
    clip = next(each for each in find_clips(MEDIA) if each.path.stem == name)
    return [
        [person.head for person in persons if person.head is not None and person.head_visible > 0.5]
        for persons in PLAIN.truth(clip, (WIDTH, HEIGHT))
    ]


def _aside(box: Pixels) -> Pixels:
    x1, y1, x2, y2 = box
    by = min((x2 - x1) // 4, WIDTH - 2 - x1)
    return x1 + by, y1, min(WIDTH, x2 + by), y2


def _put_out(images: Sequence[Image], plans: Sequence[FramePlan], style: MaskStyle, way: Way) -> list[Image]:
    sink, mark = io.BytesIO(), MarkPainter(MarkKey(b"t" * 32, b"c" * 32), WIDTH, HEIGHT)
    encoder = Mp4Encoder(sink, WIDTH, HEIGHT, FPS, crf=way.crf, preset=way.preset, mark=mark)
    painter = WatermarkPainter(way.marks, WIDTH, HEIGHT) if way.marks else None
    for number, (image, plan) in enumerate(zip(images, plans, strict=True)):
        planes = Frame(image, 0).planes()
        mask_planes.apply_mask_planes(planes, plan, MaskPolicy(MaskMode.HEAD, style))
        if painter is not None:
            painter.paint_planes(planes, number * 66_667)
        encoder.write_planes(planes, number * STEP_90K)
    encoder.close()
    return [frame.bgr for frame in decode_fragment(sink.getvalue())]


def _look(
    shown: Sequence[Image],
    heads: Sequence[list[Pixels]],
    plans: Sequence[FramePlan],
    style: MaskStyle,
    way: Way,
    what: str,
    found: Found,
) -> None:
    marked = WatermarkPainter(way.marks, WIDTH, HEIGHT).boxes if way.marks else ()
    for number in range(0, len(shown), LOOK_EVERY):
        plan, began = plans[number], time.thread_time()
        told = fineness(shown[number], plan, style, marked)
        found.took_s += time.thread_time() - began
        found.looked, found.regions = found.looked + 1, found.regions + len(told)
        if what == "masked":
            found.masked[style.value] += [fine for fine in told if fine is not None]
            continue
        for head in heads[number]:
            over = [
                fine
                for box, fine in zip(plan.boxes, told[: len(plan.boxes)], strict=True)
                if fine is not None and _share(head, box) > OVER
            ]
            found.over_heads[style.value, what] += [max(over)] if over else []


def _share(head: Sequence[int], box: Sequence[int]) -> float:
    wide = max(0, min(head[2], box[2]) - max(head[0], box[0]))
    high = max(0, min(head[3], box[3]) - max(head[1], box[1]))
    return wide * high / max(1, (head[2] - head[0]) * (head[3] - head[1]))


if __name__ == "__main__":
    sys.exit(main())
