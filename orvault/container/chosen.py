"""A choice of masking as a package tells of it: who is left clear, what is covered besides, by whom and when.

Which choices are allowed is custody's. Source: docs/format/package-v1.md, 4.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from orvault.container.canonical import Fields

MAX_CLEAR = 500  # parts of tracks, over all cameras
MAX_REGIONS, MAX_KEYS = 64, 1_000  # drawn regions, and key times of all of them together
WHOLE = 1_000_000  # a picture's width, or height, in the units of `box_micro`

BoxMicro = tuple[int, int, int, int]  # x1, y1, x2, y2 in millionths of the picture's width and height


@dataclass(frozen=True, slots=True)
class ClearPart:
    """A part of a track that is left clear: its name in the scan, what it follows, from when until when (UTC us)."""

    camera_id: str
    track: str
    kind: str
    from_us: int
    to_us: int

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "camera_id": self.camera_id,
            "from_us": self.from_us,
            "kind": self.kind,
            "to_us": self.to_us,
            "track": self.track,
        }

    @classmethod
    def read(cls, fields: Fields) -> ClearPart:
        """Check every field; raises with the kind of `fields`."""
        part = cls(
            camera_id=fields.identifier("camera_id"),
            track=fields.text("track", 32),
            kind=fields.text("kind", 32),
            from_us=fields.integer("from_us"),
            to_us=fields.integer("to_us"),
        )
        fields.end()
        return part


@dataclass(frozen=True, slots=True)
class DrawnKey:
    """Where a drawn region is at one time (UTC microseconds)."""

    at_us: int
    box_micro: BoxMicro


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """A region of one camera's pictures, covered from its first key to its last; with one key, all the time."""

    camera_id: str
    name: str
    keys: tuple[DrawnKey, ...]

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        keys = [{"at_us": key.at_us, "box_micro": list(key.box_micro)} for key in self.keys]
        return {"camera_id": self.camera_id, "keys": keys, "name": self.name}

    @classmethod
    def read(cls, fields: Fields) -> DrawnRegion:
        """Check every field; raises with the kind of `fields`."""
        items = fields.items("keys", 1, MAX_KEYS)
        keys = tuple(_key(Fields(item, f"{fields.where}, keys", fields.kind)) for item in items)
        region = cls(fields.identifier("camera_id"), fields.text("name"), keys)
        fields.end()
        return region


@dataclass(frozen=True, slots=True)
class ToldChoice:
    """What history and a package's manifest say of a choice; `by` is how people call who made it."""

    by: str
    chosen_us: int
    clear: tuple[ClearPart, ...]
    drawn: tuple[DrawnRegion, ...]

    def to_json(self) -> dict[str, object]:
        """Canonical JSON fields."""
        return {
            "by": self.by,
            "chosen_us": self.chosen_us,
            "clear": [part.to_json() for part in self.clear],
            "drawn": [region.to_json() for region in self.drawn],
        }

    @classmethod
    def read(cls, fields: Fields) -> ToldChoice:
        """Check every field; raises with the kind of `fields`."""

        def inner(name: str, most: int) -> list[Fields]:
            return [Fields(i, f"{fields.where}, {name}", fields.kind) for i in fields.items(name, 0, most)]

        choice = cls(
            by=fields.text("by"),
            chosen_us=fields.integer("chosen_us"),
            clear=tuple(map(ClearPart.read, inner("clear", MAX_CLEAR))),
            drawn=tuple(map(DrawnRegion.read, inner("drawn", MAX_REGIONS))),
        )
        fields.end()
        return choice


def _key(fields: Fields) -> DrawnKey:
    at_us, box = fields.integer("at_us"), fields.items("box_micro", 4, 4)
    fields.end()
    match box:
        case [int(x1), int(y1), int(x2), int(y2)] if 0 <= x1 < x2 <= WHOLE and 0 <= y1 < y2 <= WHOLE:
            return DrawnKey(at_us, (x1, y1, x2, y2))
    raise fields.fail("box_micro", "is not a box inside the picture")
