"""The second look at a piece of the output, as a detection actor is asked for it; and what it is tried with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orvault.errors import ErrorKind, OrvaultError
from orvault.video.codec import Frame, decode_fragment
from orvault.vision.detection import SKIPPED, Detection, FrameDetections, Kind
from orvault.vision.detector import SOURCE_PERSON_TOP
from orvault.vision.mask import Box, FramePlan, MaskPolicy
from orvault.vision.second_look import Left, SecondLook, Trial

PART_BYTES = 4 << 20  # a few seconds: the sooner a part is whole, the sooner it is looked at
PICKS = 4  # pictures per trial: not every head can be seen in every picture


@dataclass(frozen=True)
class TrialOrder:
    """A clear fragment, and in which of its pictures which box of the plan is left out on purpose."""

    fragment: bytes = field(repr=False)
    picks: tuple[tuple[int, FramePlan, int], ...]  # picture's number, its plan, the box's number
    crf: int
    preset: str


@dataclass(frozen=True)
class LookOrder:
    """A part of the output (MP4) with the plans of its pictures by their times, and where (pixels) its visible
    watermark is; or a trial.

    One or the other. A part has PART_BYTES at most, or one keyframe's pictures: what is clear travels inside the call
    (ADR 0004), and a call has room for no more than 64 MiB.
    """

    output: bytes = field(repr=False)
    plans: Mapping[int, FramePlan] = field(repr=False)
    policy: MaskPolicy
    trial: TrialOrder | None = None
    marked: tuple[Box, ...] = ()


@dataclass(frozen=True)
class LookAnswer:
    """Pictures looked at, what is left in them (times in the piece), and what became of the trial."""

    pictures: int
    left: tuple[Left, ...]
    trial: Trial


def look_again(order: LookOrder, eyes: SecondLook) -> LookAnswer:
    """Carry an order out."""
    if order.trial is None:
        pictures, left = eyes.review(order.output, order.plans, order.policy, order.marked)
        return LookAnswer(pictures, tuple(left), Trial.NOBODY)
    trial = order.trial
    outcome = eyes.try_without(_picked(trial), order.policy, trial.crf, trial.preset)
    return LookAnswer(0, (), outcome)


def together(answers: Sequence[LookAnswer]) -> LookAnswer:
    """One answer about a piece."""
    left = tuple(each for answer in answers for each in answer.left)
    return LookAnswer(sum(answer.pictures for answer in answers), left, Trial.NOBODY)


def _picked(trial: TrialOrder) -> Iterator[tuple[Frame, FramePlan, int]]:
    wanted = {number: (plan, box) for number, plan, box in trial.picks}
    for number, frame in enumerate(decode_fragment(trial.fragment, black_for_damaged=True)):
        if number in wanted:
            yield (frame, *wanted[number])


def picks(
    found: Sequence[FrameDetections], plans: Sequence[FramePlan]
) -> tuple[tuple[int, FramePlan, int], ...]:
    """Pictures of a fragment in which one box alone covers a head that was found for certain, the surest first."""
    if len(found) != len(plans):
        raise OrvaultError(
            ErrorKind.INTERNAL, "A fragment has other pictures than plans.", where="second look"
        )
    rated: list[tuple[float, int, int]] = []
    for number, (findings, plan) in enumerate(zip(found, plans, strict=True)):
        if findings is None or findings is SKIPPED or plan.whole:
            continue
        rated += [
            (head.score, number, boxes[0])
            for head in findings
            if _is_sure(head) and len(boxes := _boxes_over(head, plan)) == 1
        ]
    best: dict[int, int] = {}
    for _, number, box in sorted(rated, reverse=True):
        best.setdefault(number, box)
    return tuple((number, plans[number], box) for number, box in list(best.items())[:PICKS])


def _is_sure(found: Detection) -> bool:
    return not found.faint and found.kind in (Kind.HEAD, Kind.FACE) and found.source != SOURCE_PERSON_TOP


def _boxes_over(head: Detection, plan: FramePlan) -> list[int]:
    x, y = (head.x1 + head.x2) / 2, (head.y1 + head.y2) / 2
    return [n for n, (x1, y1, x2, y2) in enumerate(plan.boxes) if x1 <= x < x2 and y1 <= y < y2]
