"""python -m benchmarks.masking [FOLDER] [--variations] [--sheet FOLDER] [--work FOLDER]: are all people covered.

Every clip with an exact truth (a JSON of its name, as in tests/media) goes through detection and planning as in an
export of it alone: looked at in stretches of two seconds, a short clip three times thoroughly, planned over the whole
clip, mode `head`, no site regions. The figures with a site's region (the head of the operating table, SITE_REGIONS)
stand beside them.

A head counts where more than half of it is visible, and is covered where at least 90 % of its visible box is
masked.
- `worst_head_coverage`: covered heads / heads, staff and patient, in the worst clip. `patient_coverage`: the
  patient's alone, the worst clip. `longest_leak_frames`: the longest run of pictures in which one person's head is
  not covered.
- `over_mask_share`: of the pixels outside every person's visible box, the share masked; mean over a clip's
  pictures, the worst clip. `whole_frame_share`: pictures masked whole, of all clips.
- `core_s_per_video_s`: processor time of detection for each second of footage, on one thread, the worst clip.
- `modes`: `over_mask_share` and the coverage of heads in the modes `face` and `body` too. In mode `face` a head whose
  face was found is covered by the face's region, so its coverage is told and no goal.
- `live`: the figures of a people-masked live view of the same clips (benchmarks/masking_live.py), bodies whole.
- `configuration`: a digest of all settings that decide what is masked. An export's speed counts with the same one.

`--variations` shows the clips again, in all ways or those named: mirrored, at half the size, darker, noisy, cut, at
30 pictures a second. They have figures of their own. `--sheet` writes a sheet of pictures, before and after, for a
person to look at; for footage without a truth that is all there is. `--work` keeps every look: a run that was ended
goes on where it was, and one over other rules of following looks at nothing again (benchmarks/masking_looks.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2

from benchmarks import report
from benchmarks.masking_footage import PLAIN, VARIATIONS, Clip, Variation, find_clips, pictures
from benchmarks.masking_live import live_plans
from benchmarks.masking_looks import Looks
from benchmarks.masking_score import Score, share_of
from orvault.clock import US_PER_S
from orvault.video.codec import CLOCK_90K, Frame
from orvault.vision.configuration import configuration_digest
from orvault.vision.detector import EnsembleDetector
from orvault.vision.looking import detect_frames, thorough_times
from orvault.vision.mask import (
    FixedRegion,
    FrameDetections,
    FramePlan,
    MaskMode,
    MaskPolicy,
    apply_mask,
    plan_regions,
)
from orvault.vision.sheet import contact_sheet

ROOT = Path(__file__).resolve().parents[1]
OWN_CLIPS = ROOT / "tests" / "media"
POLICY = MaskPolicy(MaskMode.HEAD)
# What the site of the repository's own clips would set: where the patient's head lies, for both of its cameras.
SITE_REGIONS = (FixedRegion("head of the table", ((53.0, 37.0), (65.5, 48.0))),)
MODELS = ROOT / "models"
OTHER_MODES = (MaskMode.FACE, MaskMode.BODY)
STRETCH_90K = 2 * CLOCK_90K  # as recordings are cut
SHEET_ROWS = 6
GOALS = {"worst_head_coverage": 0.995, "patient_coverage": 1.0}
LIMITS = {"longest_leak_frames": 0, "over_mask_share": 0.05, "whole_frame_share": 0.01}


def main() -> int:
    """Look at every clip, report, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.masking")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=OWN_CLIPS, help="clips; else the repository's"
    )
    names = [variation.name for variation in VARIATIONS]
    parser.add_argument(
        "--variations", nargs="*", choices=names, help="show the clips in other ways too; all without a name"
    )
    parser.add_argument("--sheet", type=Path, help="a folder for sheets of pictures, before and after")
    parser.add_argument("--work", type=Path, help="a folder that keeps what was seen in each picture")
    options = parser.parse_args()
    if options.variations == []:
        options.variations = names
    cv2.setNumThreads(1)
    clips = find_clips(options.folder)
    if not clips:
        parser.error(f"no clip in {options.folder}")
    ensemble = EnsembleDetector(MODELS, "cpu")
    detector = Looks(ensemble, options.work, MODELS)
    scores = _measure(clips, PLAIN, detector, options.sheet)
    fields: dict[str, object] = {**_summary(scores["plain"]), "with_site_regions": _summary(scores["sited"])}
    fields["modes"] = {mode.value: _summary(scores[mode.value]) for mode in OTHER_MODES}
    fields["live"] = _summary(_live(clips, detector))
    if options.variations:
        fields["variations"] = {
            variation.name: _summary(
                _measure([c for c in clips if c.truth], variation, detector, None)["plain"]
            )
            for variation in VARIATIONS
            if variation.name in options.variations
        }
    fields |= {"configuration": configuration(ensemble)}
    fields["clips"] = {name: score.fields() for name, score in scores["plain"].items()}
    goal = ", ".join([f"{k} >= {v}" for k, v in GOALS.items()] + [f"{k} <= {v}" for k, v in LIMITS.items()])
    libraries = ["onnxruntime", "opencv-python-headless", "av", "numpy"]
    return report.finish("masking", fields, goal, _good(fields), libraries=libraries)


def configuration(detector: EnsembleDetector, policy: MaskPolicy = POLICY) -> str:
    """The digest of what masks: benchmarks.export counts with the same one."""
    return configuration_digest(policy, detector.profile, MODELS)


def _measure(
    clips: Sequence[Clip], variation: Variation, detector: Looks, sheet: Path | None
) -> dict[str, dict[str, Score]]:
    """The scores of each clip that has a truth: plain, with the site's regions, and in the other modes."""
    regions = tuple(variation.region(region) for region in SITE_REGIONS)
    ways = {"plain": POLICY, "sited": replace(POLICY, fixed=regions)}
    ways |= {mode.value: replace(POLICY, mode=mode) for mode in OTHER_MODES}
    scores: dict[str, dict[str, Score]] = {way: {} for way in ways}
    for clip in report.steps(clips, f"Clips ({variation.name})"):
        found, seconds, size, fps = detected(clip, variation, detector)
        if sheet is not None:
            write_sheet(sheet / f"{clip.path.stem}.png", clip, plan_regions(found, POLICY, *size, fps=fps))
        if clip.truth is None:
            continue
        for way, policy in ways.items():
            score = scores[way].setdefault(clip.path.stem, Score())
            score.detection_s, score.seconds = seconds, len(found) / fps
            plans = plan_regions(found, policy, *size, fps=fps)
            for persons, plan in zip(variation.truth(clip, size), plans, strict=True):
                score.judge(persons, plan, size)
    return scores


def _live(clips: Sequence[Clip], detector: Looks) -> dict[str, Score]:
    """The scores of a people-masked live view of each clip that has a truth."""
    scores: dict[str, Score] = {}
    for clip in report.steps([clip for clip in clips if clip.truth], "Clips (live)"):
        spent_s = detector.spent_s
        plans, size = live_plans(clip, PLAIN, detector)
        score = scores.setdefault(clip.path.stem, Score())
        score.detection_s, score.seconds = detector.spent_s - spent_s, len(plans) / clip.fps
        # The last pictures wait for a look that does not come any more: they are not shown.
        for persons, plan in zip(PLAIN.truth(clip, size), plans, strict=False):
            score.judge(persons, plan, size)
    return scores


def detected(
    clip: Clip, variation: Variation, detector: Looks
) -> tuple[list[FrameDetections], float, tuple[int, int], float]:
    """Findings per picture, processor seconds of detection, picture size, pictures a second."""
    found: list[FrameDetections] = []
    size, spent_s = (0, 0), detector.spent_s
    stretch: list[Frame] = []
    thorough = iter(thorough_times(_recorded_us(clip)))

    def look() -> None:
        nonlocal stretch
        seed = _seed(stretch)
        found.extend(
            detect_frames(stretch, detector, detector.profile, first_look=seed, thorough_s=next(thorough))
        )
        stretch = []

    for frame in pictures(clip.path, variation):
        if stretch and frame.pts_90k - stretch[0].pts_90k >= STRETCH_90K:
            look()
        stretch.append(frame)
        size = (frame.bgr.shape[1], frame.bgr.shape[0])
    if stretch:
        look()
    return found, detector.spent_s - spent_s, size, clip.fps * variation.repeat


def _recorded_us(clip: Clip) -> list[tuple[int, int]]:
    """From when to when each of the clip's stretches is."""
    each_us, end_us = STRETCH_90K * US_PER_S // CLOCK_90K, round(clip.seconds * US_PER_S)
    return [(begin, min(begin + each_us, end_us)) for begin in range(0, end_us, each_us)]


def _seed(stretch: Sequence[Frame]) -> int:
    """Which look is the first: in an export the fragment's bytes say so; here the picture's, which vary as much."""
    return int(stretch[0].bgr[::16, ::16].sum())


def write_sheet(path: Path, clip: Clip, plans: Sequence[FramePlan]) -> None:
    """Pictures of a clip, before and after masking, evenly over its length."""
    wanted = {round(k * (len(plans) - 1) / (SHEET_ROWS - 1)) for k in range(SHEET_ROWS)}
    rows = []
    for index, frame in enumerate(pictures(clip.path, PLAIN)):
        if index in wanted:
            after = frame.bgr.copy()
            apply_mask(after, plans[index], POLICY)
            rows.append((frame.bgr, after))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), contact_sheet(rows))


def _summary(scores: dict[str, Score]) -> dict[str, float | int | None]:
    """The worst over the clips."""
    rows = [score.fields() for score in scores.values()]
    frames = sum(len(score.over) for score in scores.values())

    def worst(name: str, choose: Callable[[list[float]], float]) -> float | None:
        values = [value for row in rows if (value := row[name]) is not None]
        return choose(values) if values else None

    return {
        "worst_head_coverage": worst("head_coverage", min),
        "patient_coverage": worst("patient_coverage", min),
        "longest_leak_frames": worst("longest_leak_frames", max),
        "over_mask_share": worst("over_mask_share", max),
        "whole_frame_share": share_of(sum(score.whole for score in scores.values()), frames),
        "core_s_per_video_s": worst("core_s_per_video_s", max),
    }


def _good(fields: dict[str, object]) -> bool:
    def number(name: str) -> float:
        value = fields[name]
        return float(value) if isinstance(value, int | float) else float("nan")

    return all(number(k) >= v for k, v in GOALS.items()) and all(number(k) <= v for k, v in LIMITS.items())


if __name__ == "__main__":
    sys.exit(main())
