"""What a second look at the pictures that would leave has found, and whether somebody has to look before they do.

The looking is `orvault.vision.second_look`'s; here is the rule that follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MAX_KEPT = 100  # findings that are kept one by one; all are counted


class Trial(StrEnum):
    """What became of the mask that was left out on purpose, over all cameras: the worst of it."""

    SEEN = "seen"
    MISSED = "missed"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something left: on which camera, when (UTC microseconds), where (pixels), how sure (thousandths)."""

    camera_id: str
    taken_us: int
    box: tuple[int, int, int, int]
    score_permille: int
    source: str


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Pictures looked at, how many findings in them, the first of those, and the self-test."""

    pictures: int
    left: int
    findings: tuple[Finding, ...]
    trial: Trial

    @property
    def waits(self) -> bool:
        """Whether a reviewer has to decide: nothing was looked at, anything is left, or the looker did not see what
        it should have.
        """
        return self.pictures == 0 or self.left > 0 or self.trial is Trial.MISSED

    def summary(self) -> str:
        """In words, for history and for people."""
        tried = {
            Trial.SEEN: "a mask left out on purpose was seen",
            Trial.MISSED: "a mask left out on purpose was not seen",
            Trial.NOBODY: "there was no mask to leave out",
        }
        return f"{self.left} findings in {self.pictures} pictures; {tried[self.trial]}"

    def to_json(self) -> dict[str, object]:
        """As the ledger keeps it."""
        return {
            "findings": [
                {
                    "box": list(f.box),
                    "camera_id": f.camera_id,
                    "score_permille": f.score_permille,
                    "source": f.source,
                    "taken_us": f.taken_us,
                }
                for f in self.findings[:MAX_KEPT]
            ],
            "left": self.left,
            "pictures": self.pictures,
            "trial": self.trial.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> SecondLook:
        """What `to_json` wrote; KeyError, TypeError or ValueError for anything else."""
        findings = _of_list(value["findings"])
        return cls(
            _int(value["pictures"]),
            _int(value["left"]),
            tuple(_finding(item) for item in findings),
            Trial(str(value["trial"])),
        )


def worst(trials: list[Trial]) -> Trial:
    """Of several cameras: missed before seen before nobody."""
    for each in (Trial.MISSED, Trial.SEEN):
        if each in trials:
            return each
    return Trial.NOBODY


def _finding(item: object) -> Finding:
    if not isinstance(item, dict):
        raise TypeError("not an object")
    x1, y1, x2, y2 = (_int(side) for side in _of_list(item["box"]))
    camera_id, source = str(item["camera_id"]), str(item["source"])
    return Finding(camera_id, _int(item["taken_us"]), (x1, y1, x2, y2), _int(item["score_permille"]), source)


def _of_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _int(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value
