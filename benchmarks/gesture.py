"""python -m benchmarks.gesture [FOOTAGE_FOLDER] [--variations]: raised hands, found and not invented.

Every clip (.mp4, .mkv, .gif) below the folder, or the repository's own clips, goes through the watcher at five
pictures a second. A JSON of a clip's name says when who raised which hand (`gestures`); in a clip without one nobody
raises a hand. `--variations` shows the clips with such a JSON again: mirrored (which swaps the hands), smaller,
darker, brighter, grey, noisy, blurred, cut, turned, farther away, at other moments and rates. They have fields of
their own; the goal forbids wrong and invented signals there too.

`cores` is processor time for each second of footage: decoding every picture, turning five a second into colours, and
looking at them, on one thread. `latency_p95_s` counts from the truth's start of a raise plus the dwell.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks import report
from orvault.clock import US_PER_S
from orvault.video.codec import Image
from orvault.vision.gesture import GestureRules, Hand, Raise
from orvault.vision.watcher import GestureWatcher

ROOT = Path(__file__).resolve().parents[1]
OWN_CLIPS = ROOT / "tests" / "media"
SUFFIXES = {".mp4", ".mkv", ".gif"}
PER_S = 5.0
LATE_S = 1.5
MOST_CORES = 0.35
RULES = GestureRules()


@dataclass(frozen=True)
class Expected:
    """One raise of the truth."""

    hand: Hand
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Variation:
    """The same scene as another camera might show it; `swaps` where a mirror makes left of right."""

    name: str
    change: Callable[[Image], Image] = lambda bgr: bgr
    swaps: bool = False
    first_s: float = 0.0
    per_s: float = PER_S


@dataclass
class Tally:
    """What was counted over the clips."""

    raises: int = 0
    found: int = 0
    wrong_hand: int = 0
    false_signals: int = 0
    late_s: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)  # wrong hands and false signals, by clip
    processor_s: float = 0.0
    footage_s: float = 0.0

    def judge(self, clip: str, expected: Sequence[Expected], events: Sequence[Raise]) -> None:
        """Compare the signals of one clip with its truth."""
        self.raises += len(expected)
        hit: set[int] = set()
        for event in events:
            at_s = event.at_us / US_PER_S
            during = [i for i, e in enumerate(expected) if e.start_s <= at_s <= e.end_s + LATE_S]
            right = [i for i in during if expected[i].hand == event.hand and i not in hit]
            if right:
                hit.add(right[0])
                self.late_s.append(at_s - expected[right[0]].start_s - RULES.dwell_s)
                continue
            self.invented.append(f"{clip} {event.hand} at {at_s:.1f} s")
            if any(expected[i].hand != event.hand for i in during):
                self.wrong_hand += 1
            else:
                self.false_signals += 1
        self.found += len(hit)
        self.missed += [f"{clip} {e.hand}" for i, e in enumerate(expected) if i not in hit]


def _gamma(exponent: float, gain: float = 1.0) -> Callable[[Image], Image]:
    table = (255 * gain * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return lambda bgr: table[bgr]


def _mirror(bgr: Image) -> Image:
    return np.ascontiguousarray(bgr[:, ::-1])


def _scaled(share: float) -> Callable[[Image], Image]:
    return lambda bgr: np.asarray(
        cv2.resize(bgr, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8
    )


def _grey(bgr: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def _noisy(bgr: Image) -> Image:
    grain = np.random.default_rng(int(bgr[::97, ::89].sum())).normal(0, 18, bgr.shape)
    return np.clip(bgr + grain, 0, 255).astype(np.uint8)


def _turned(degrees: float) -> Callable[[Image], Image]:
    def turn(bgr: Image) -> Image:
        height, width = bgr.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        return np.asarray(cv2.warpAffine(bgr, matrix, (width, height)), np.uint8)

    return turn


def _cut(bgr: Image) -> Image:
    height, width = bgr.shape[:2]
    return np.ascontiguousarray(bgr[height // 30 :, width // 9 : -width // 7])


def _farther(bgr: Image) -> Image:
    canvas = np.full_like(bgr, 110)
    small = _scaled(2 / 3)(bgr)
    top, left = bgr.shape[0] // 6, bgr.shape[1] // 6
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


PLAIN = Variation("plain")
VARIATIONS = (
    Variation("mirrored", _mirror, swaps=True),
    Variation("mirrored, dark", lambda bgr: _gamma(1.0, 0.5)(_mirror(bgr)), swaps=True),
    Variation("mirrored, 4/s", _mirror, swaps=True, per_s=4.0),
    Variation("half size", _scaled(0.5)),
    Variation("a third of the size", _scaled(0.34)),
    Variation("dark", _gamma(1.6, 0.6)),
    Variation("bright", _gamma(0.55)),
    Variation("grey", _grey),
    Variation("noisy", _noisy),
    Variation("blurred", lambda bgr: np.asarray(cv2.GaussianBlur(bgr, (0, 0), 3), np.uint8)),
    Variation("cut", _cut),
    Variation("turned 7 degrees", _turned(7)),
    Variation("turned -7 degrees", _turned(-7)),
    Variation("turned 15 degrees", _turned(15)),
    Variation("farther", _farther),
    Variation("later by 0.07 s", first_s=0.07),
    Variation("later by 0.13 s", first_s=0.13),
    Variation("4/s", per_s=4.0),
    Variation("7.5/s", per_s=7.5),
)


def main() -> int:
    """Look at every clip, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gesture")
    parser.add_argument("folder", nargs="?", type=Path, help="clips; by default those of the repository")
    parser.add_argument("--variations", action="store_true", help="show the clips with a truth in other ways")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    clips = _clips(options.folder)
    if not clips:
        parser.error(f"no clip ({', '.join(sorted(SUFFIXES))}) in {options.folder}")
    tally = Tally()
    for clip in report.steps(clips, "Clips"):
        _watch(clip, PLAIN, tally)
    fields = _fields(tally) | {
        "clips": [clip.name for clip in clips],
        "missed": tally.missed,
        "invented": tally.invented,
    }
    ok = _good(tally) and tally.found == tally.raises
    if options.variations:
        more = Tally()
        for variation in report.steps(VARIATIONS, "Variations"):
            for clip in clips:
                if clip.with_suffix(".json").exists():
                    _watch(clip, variation, more)
        fields["variations"] = _fields(more) | {
            "shown": len(VARIATIONS),
            "missed": more.missed,
            "invented": more.invented,
        }
        ok = ok and not (more.wrong_hand or more.false_signals)
    goal = f"found = raises, wrong_hand = false_signals = 0, latency_p95_s <= {LATE_S}, cores <= {MOST_CORES}"
    libraries = ["onnxruntime", "opencv-python-headless", "av", "numpy"]
    return report.finish("gesture", fields, goal, ok, libraries=libraries)


def _clips(folder: Path | None) -> list[Path]:
    found = OWN_CLIPS.glob("*") if folder is None else folder.rglob("*")
    return sorted(path for path in found if path.suffix in SUFFIXES)


def _watch(clip: Path, variation: Variation, tally: Tally) -> None:
    """One clip through a new watcher."""
    watcher = GestureWatcher(ROOT / "models", rules=RULES)
    events: list[Raise] = []
    last_s, changing_s, started_s = 0.0, 0.0, time.process_time()
    for at_s, bgr in _pictures(clip, variation):
        before_s = time.process_time()
        changed = variation.change(bgr)
        changing_s += time.process_time() - before_s
        events += watcher.look(changed, round(at_s * US_PER_S))
        last_s = at_s
    tally.processor_s += time.process_time() - started_s - changing_s
    tally.footage_s += last_s + 1 / variation.per_s
    tally.judge(f"{clip.stem} ({variation.name})", _truth(clip, variation), events)


def _pictures(clip: Path, variation: Variation) -> Iterator[tuple[float, Image]]:
    """(seconds, picture): the first one that is due, every 1 / per_s."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        due_s = variation.first_s
        for frame in container.decode(stream):
            if frame.time is not None and frame.time + 1e-4 >= due_s:
                due_s += 1 / variation.per_s
                yield frame.time, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _truth(clip: Path, variation: Variation) -> list[Expected]:
    described = clip.with_suffix(".json")
    if not described.exists():
        return []
    gestures = json.loads(described.read_text(encoding="utf-8"))["gestures"]
    swap = {"left": "right", "right": "left"} if variation.swaps else {}
    return [
        Expected(Hand(swap.get(g["hand"], g["hand"])), g["start_s"], g["end_s"])
        for g in gestures
        if g["hand"] in ("left", "right")
    ]


def _fields(tally: Tally) -> dict[str, object]:
    return {
        "raises": tally.raises,
        "found": tally.found,
        "wrong_hand": tally.wrong_hand,
        "false_signals": tally.false_signals,
        "latency_p95_s": round(float(np.percentile(tally.late_s, 95)), 3) if tally.late_s else None,
        "cores": round(tally.processor_s / tally.footage_s, 3),
    }


def _good(tally: Tally) -> bool:
    quick = not tally.late_s or float(np.percentile(tally.late_s, 95)) <= LATE_S
    calm = tally.wrong_hand == tally.false_signals == 0
    return calm and quick and tally.processor_s <= MOST_CORES * tally.footage_s


if __name__ == "__main__":
    sys.exit(main())
