"""Proves that a card finds what the processor finds, before anything is masked by what it finds.

A card that reckons otherwise (its driver, its libraries, a provider's fault, too little memory) is a camera without a
mask, and nobody would see it before the second look. It is held against the processor on pictures of which every
model finds something, by all that is looked for with it; it is not watched afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from orvault.errors import OrvaultError
from orvault.video.codec import Image
from orvault.vision.boxes import overlap
from orvault.vision.detection import Detection
from orvault.vision.session import no_cuda

# What is the same finding: a box that shares so much with the other, of a score so near. A box that shares 0.9 lies
# off by a twentieth of its size; a mask is larger by more than the double of that on every side. Other ways to reckon
# in 32 bits were seen to stay above 0.9999, numbers rounded to 11 bits above 0.92 (docs/perf/2026-11-export.md).
LEAST_OVERLAP = 0.9
MOST_SCORE = 0.02
# A made-up room, of tests/media: raise_left, picture 61.
_REFERENCE = Path(__file__).with_name("reference.jpg")
_SHIFT = 32  # pixels

# What a model's wild answers come to while they are read, besides a run that fails.
_FAILURES = (OrvaultError, ValueError, ArithmeticError, LookupError, MemoryError)

Proof = Callable[[Sequence[Image]], list[list[Detection]]]


def prove_alike(what: str, count: int, on_device: Proof, on_cpu: Proof) -> None:
    """Nothing, if both find the same in `count` pictures.

    PROVIDER_MISSING: they do not, the device fails, or the processor finds nothing that could be compared.
    """
    pictures = reference_pictures(count)
    expected = on_cpu(pictures)
    try:
        found = on_device(pictures)
    except _FAILURES as error:
        raise no_cuda(what, f"it failed on the reference pictures: {error}") from error
    if not any(_sure(each) for each in expected):
        raise no_cuda(what, "the processor finds nobody in the reference pictures either")
    told = [] if len(found) == len(expected) else [f"{len(found)} answers in place of {len(expected)}"]
    for one, other in zip(expected, found, strict=False):
        told += differences(one, other)
    if told:
        raise no_cuda(
            what, f"it does not find what the processor finds ({len(told)} times; first: {told[0]})"
        )


def differences(expected: Sequence[Detection], found: Sequence[Detection]) -> list[str]:
    """What two lists of findings of one picture do not have in common, in words; empty: they are alike.

    Every finding that is not faint has one of its kind, source, box and score in the other list, where it may be
    faint: whether one just counts or just does not is no difference. A box that is no numbers always is one.
    """
    lost = [f"no {_words(each)}" for each in _sure(expected) if not _is_among(each, found)]
    more = [f"a {_words(each)}" for each in _sure(found) if not _is_among(each, expected)]
    return [*lost, *more, *(f"a broken {_words(each)}" for each in found if not each.plausible)]


def reference_pictures(count: int) -> list[Image]:
    """So many pictures (h, w, 3), no two alike: every other one is a mirror image, each pair is moved sideways."""
    data = np.frombuffer(_REFERENCE.read_bytes(), np.uint8)
    picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    moved = (np.roll(picture, _SHIFT * (number // 2), axis=1) for number in range(count))
    return [np.ascontiguousarray(each[:, :: -1 if number % 2 else 1]) for number, each in enumerate(moved)]


def _sure(findings: Sequence[Detection]) -> list[Detection]:
    return [each for each in findings if not each.faint]


def _is_among(wanted: Detection, others: Sequence[Detection]) -> bool:
    box = np.array(wanted.box, np.float32)
    return any(
        (other.kind, other.source) == (wanted.kind, wanted.source)
        and abs(other.score - wanted.score) <= MOST_SCORE
        and bool(overlap(box, np.array([other.box], np.float32))[0] >= LEAST_OVERLAP)
        for other in others
    )


def _words(found: Detection) -> str:
    x1, y1, x2, y2 = found.box
    return f"{found.kind} of {found.source} at {x1:.0f}, {y1:.0f} to {x2:.0f}, {y2:.0f} ({found.score:.3f})"
