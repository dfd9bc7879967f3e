"""What a person chose to mask otherwise than usual: parts of tracks left clear, regions drawn by hand; with bounds.

Without a choice everybody is masked. Finding tracks is `orvault.vision`'s; who chooses and when, `desks.scans`'.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from orvault.container.canonical import Fields
from orvault.container.chosen import (
    MAX_CLEAR,
    MAX_KEYS,
    MAX_REGIONS,
    WHOLE,
    BoxMicro,
    ClearPart,
    DrawnKey,
    DrawnRegion,
    ToldChoice,
)
from orvault.custody.text import clean_text
from orvault.errors import ErrorKind, OrvaultError

__all__ = [
    "MAX_CLEAR",
    "MAX_KEYS",
    "MAX_REGIONS",
    "WHOLE",
    "BoxMicro",
    "ClearPart",
    "DrawnKey",
    "DrawnRegion",
    "MaskingChoice",
    "ToldChoice",
    "check_drawn",
]


@dataclass(frozen=True, slots=True)
class MaskingChoice:
    """A choice as it was made, by which account. `digests` say of each camera with clear parts which tracks it was
    made from; `scan_id` is None where nothing is left clear.
    """

    told: ToldChoice
    chosen_by: str
    scan_id: str | None = None
    digests: tuple[tuple[str, str], ...] = ()

    def clear_of(self, camera_id: str) -> tuple[str, ...]:
        """The parts of this camera's tracks that are left clear."""
        return tuple(each.track for each in self.told.clear if each.camera_id == camera_id)

    def drawn_of(self, camera_id: str) -> tuple[DrawnRegion, ...]:
        """The regions drawn into this camera's pictures."""
        return tuple(each for each in self.told.drawn if each.camera_id == camera_id)

    def digest_of(self, camera_id: str) -> str:
        """Which tracks of this camera were chosen from; "" where none were."""
        return dict(self.digests).get(camera_id, "")

    def check_scope(self, camera_ids: Iterable[str], from_us: int, to_us: int) -> None:
        """BAD_REQUEST unless all of it lies in these cameras' pictures of this period."""
        known = set(camera_ids)
        named = [*(part.camera_id for part in self.told.clear), *(each.camera_id for each in self.told.drawn)]
        for camera_id in named:
            if camera_id not in known:
                raise _bad(
                    f"The choice names the camera {camera_id[:64]!r}, which is not asked for.", "masking"
                )
        for region in self.told.drawn:
            if not from_us <= region.keys[0].at_us <= region.keys[-1].at_us <= to_us:
                raise _bad(f"The region {region.name!r} has a key outside the period asked for.", "masking")

    def summary(self) -> str:
        """In words, for history and for people."""
        told = self.told
        return f"{len(told.clear)} tracks left clear, {len(told.drawn)} regions drawn, by {told.by}"

    def to_json(self) -> dict[str, object]:
        """As the ledger keeps it."""
        more = {"account_id": self.chosen_by, "digests": dict(self.digests), "scan_id": self.scan_id or ""}
        return self.told.to_json() | more

    @classmethod
    def read(cls, fields: Fields) -> MaskingChoice:
        """What `to_json` wrote; raises with the kind of `fields`."""
        account_id, scan_id, digests = (
            fields.text("account_id"),
            fields.text("scan_id"),
            fields.take("digests"),
        )
        if not isinstance(digests, dict):
            raise fields.fail("digests", "is not an object")
        known = tuple((str(camera), str(digest)) for camera, digest in digests.items())
        return cls(ToldChoice.read(fields), account_id, scan_id or None, known)


def check_drawn(regions: Iterable[DrawnRegion]) -> tuple[DrawnRegion, ...]:
    """Regions as they were typed, names cleaned. BAD_REQUEST, naming the place, for what is out of bounds."""
    drawn = tuple(_checked(region, f"regions[{i}]") for i, region in enumerate(regions))
    if len(drawn) > MAX_REGIONS or sum(len(region.keys) for region in drawn) > MAX_KEYS:
        message = f"A request has at most {MAX_REGIONS} drawn regions with {MAX_KEYS} key times together."
        raise _bad(message, "regions")
    return drawn


def _checked(region: DrawnRegion, where: str) -> DrawnRegion:
    if not region.keys or any(b.at_us <= a.at_us for a, b in itertools.pairwise(region.keys)):
        raise _bad("A region has at least one key, and each is later than the one before.", f"{where}.keys")
    for key in region.keys:
        x1, y1, x2, y2 = key.box_micro
        if not (0 <= x1 < x2 <= WHOLE and 0 <= y1 < y2 <= WHOLE):
            raise _bad(
                "A box goes from left to right and top to bottom, inside the picture.", f"{where}.keys"
            )
    return replace(region, name=clean_text(region.name, f"{where}.name", longest=80))


def _bad(message: str, where: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_REQUEST, message, where=where)
