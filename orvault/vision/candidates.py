"""What one picture's findings say about where masks are needed: several findings of one head become one candidate.

It sees a single picture; who is whom in the next one is for following.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orvault.vision.detection import Detection, Kind
from orvault.vision.detector import SOURCE_PERSON_TOP, UPRIGHT_FACES
from orvault.vision.modes import MaskMode
from orvault.vision.tracks import Region
from orvault.vision.turned import SOURCE as SOURCE_TURNED

_FACE_GROWTH = 0.25
_FACE_OFF = 0.25  # of a head's size: a face's centre lies that near to its own head's, hair and cap and all
_SIZE_RATIO = 2.0  # a finding much larger than another is of something else
_SURE_TURNED = 0.7  # score
_IN_THE_MIDDLE = 0.25  # of the larger one's size
_ABOVE = 0.25  # of the strip's height: a head may stick out of the top of its person's box by this much


@dataclass(frozen=True, slots=True)
class Candidate:
    """One region that has to be covered in this picture.

    `sure`: the region is the thing itself. Otherwise it is the upper part of a body whose head was not found:
    the head is somewhere inside. `turned`: found in a turned picture only.
    """

    box: Region
    score: float
    sure: bool
    turned: bool
    is_face: bool
    sources: frozenset[str]
    faint: bool = False  # it may be nothing, unless somebody is known to be there
    body: Region | None = None  # mode `body`: the person's box, where one was found

    @property
    def size(self) -> float:
        """The longer side in pixels."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self) -> tuple[float, float]:
        """Pixels."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def candidates(found: Sequence[Detection], mode: MaskMode) -> list[Candidate]:
    """The people to cover in one picture.

    Every sure finding that the mode covers lies inside a candidate, but one: the top of a person's box gives way to
    the head that was found in it. Faint ones are candidates where no sure one is.
    """
    found = _without_askew(found)
    sure = _of_mode([d for d in found if not d.faint], mode)
    faint = [replace(c, faint=True) for c in _of_mode([d for d in found if d.faint], mode)]
    return [*sure, *(c for c in faint if not any(_same_head(c, other) for other in sure))]


def _without_askew(found: Sequence[Detection]) -> list[Detection]:
    """Without the large finds of turned looks in whose middle a head lies that is less than half as large.

    Such a find is of that head and what is round it: a cap, a collar, cloth. True faces of such a size are sure, and
    no face model is surer that the face there is a smaller one.
    """
    heads = [d for d in _of_heads(found) if not d.faint]
    turned = [d for d in found if d.kind is Kind.HEAD and d.source == SOURCE_TURNED]
    askew = {d.score for d in turned if any(_is_askew(d, head) for head in heads)}  # of face and head alike
    return [d for d in found if d.source != SOURCE_TURNED or d.score not in askew]


def _is_askew(turned: Detection, head: Detection) -> bool:
    large, small = _one(turned), _one(head)
    if large.size <= _SIZE_RATIO * small.size or _distance(large, small) > _IN_THE_MIDDLE * large.size:
        return False
    surer = head.score > turned.score
    if turned.score < _SURE_TURNED:
        return head.source != SOURCE_TURNED or surer
    return head.source in UPRIGHT_FACES and surer


def _of_mode(found: Sequence[Detection], mode: MaskMode) -> list[Candidate]:
    if mode is MaskMode.BODY:
        return _bodies(found)
    if mode is MaskMode.FACE:
        faces = [_face(d) for d in found if d.kind is Kind.FACE]
        # Judged before heads that lie close are joined: one person's face must not excuse another's head.
        faceless = _joined([d for d in _of_heads(found) if not any(_is_face_of(f, _one(d)) for f in faces)])
        return [*faces, *faceless, *_headless(found, [*faces, *faceless])]
    heads = _heads(found)
    return [*heads, *_headless(found, heads)]


def _of_heads(found: Sequence[Detection]) -> list[Detection]:
    return [d for d in found if d.kind is Kind.HEAD and d.source != SOURCE_PERSON_TOP]


def _is_face_of(face: Candidate, head: Candidate) -> bool:
    """Whether the face lies in the head's middle; at its edge it is a neighbour's."""
    return _distance(face, head) <= _FACE_OFF * head.size


def things_in(found: Sequence[Detection], classes: frozenset[str]) -> dict[str, list[Candidate]]:
    """The objects of these classes, by class."""
    result: dict[str, list[Candidate]] = {}
    for d in found:
        if d.kind is Kind.OBJECT and d.source in classes:
            result.setdefault(d.source, []).append(_one(d))
    return result


def _heads(found: Sequence[Detection]) -> list[Candidate]:
    """One candidate for each head; a face is the head's if one lies round it."""
    heads = _of_heads(found)
    bare = [d for d in found if d.kind is Kind.FACE and not any(_holds(h.box, d.box) for h in heads)]
    return _joined([*heads, *bare])


def _holds(outer: Region, inner: Region) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]


def _one(found: Detection) -> Candidate:
    return Candidate(
        found.box,
        found.score,
        sure=True,
        turned=found.source == SOURCE_TURNED,
        is_face=found.kind is Kind.FACE,
        sources=frozenset({found.source}),
    )


def _face(found: Detection) -> Candidate:
    # Face models box eyes to mouth; who knows a face knows it by forehead, ears and chin too.
    wide, high = _FACE_GROWTH * (found.x2 - found.x1), _FACE_GROWTH * (found.y2 - found.y1)
    grown = replace(found, x1=found.x1 - wide, y1=found.y1 - high, x2=found.x2 + wide, y2=found.y2 + high)
    return _one(grown)


def _joined(heads: Sequence[Detection]) -> list[Candidate]:
    """One candidate for each head: what several models said of it, together.

    Two findings of one model are two heads, unless one lies in the other's middle: models suppress their own
    doubles.
    """
    result: list[Candidate] = []
    for one in sorted(map(_one, heads), key=lambda c: c.size):
        same = [i for i, other in enumerate(result) if _same_head(one, other)]
        if not same:
            result.append(one)
            continue
        nearest = min(same, key=lambda i: _distance(one, result[i]))
        result[nearest] = _union(one, result[nearest])
    return result


def _same_head(one: Candidate, other: Candidate) -> bool:
    near = 0.25 if one.sources & other.sources else 0.5
    if max(one.size, other.size) > _SIZE_RATIO * min(one.size, other.size):
        return False
    return _distance(one, other) <= near * max(one.size, other.size)


def _distance(one: Candidate, other: Candidate) -> float:
    (x1, y1), (x2, y2) = one.centre, other.centre
    return max(abs(x1 - x2), abs(y1 - y2))


def _union(one: Candidate, other: Candidate) -> Candidate:
    a, b = one.box, other.box
    return Candidate(
        (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])),
        max(one.score, other.score),
        sure=one.sure or other.sure,
        turned=one.turned and other.turned,
        is_face=one.is_face and other.is_face,
        sources=one.sources | other.sources,
    )


def _headless(found: Sequence[Detection], heads: Sequence[Candidate]) -> list[Candidate]:
    """The tops of those persons of whom no head was found."""
    tops = [d for d in found if d.kind is Kind.HEAD and d.source == SOURCE_PERSON_TOP]
    owned = _heads_of(tops, heads)
    return [replace(_one(top), sure=False) for t, top in enumerate(tops) if t not in owned]


def _heads_of(tops: Sequence[Detection], heads: Sequence[Candidate]) -> dict[int, int]:
    """Which head is in which person's top, by their places in the lists; one head is one person's."""
    pairs = sorted(
        (_from_crown(head, top), t, h)
        for t, top in enumerate(tops)
        for h, head in enumerate(heads)
        if _in_top(head, top)
    )
    owned: dict[int, int] = {}
    for _, t, h in pairs:
        if t not in owned and h not in owned.values():
            owned[t] = h
    return owned


def _in_top(head: Candidate, top: Detection) -> bool:
    high = top.y2 - top.y1
    return _inside(head.centre, (top.x1, top.y1 - _ABOVE * high, top.x2, top.y2))


def _from_crown(head: Candidate, top: Detection) -> float:
    """How far the head is from where it is expected, in widths of the person."""
    x, y = head.centre
    return (abs(x - (top.x1 + top.x2) / 2) + abs(y - top.y1)) / max(top.x2 - top.x1, 1.0)


def _bodies(found: Sequence[Detection]) -> list[Candidate]:
    """Heads as in mode `head`, and what their bodies take of the picture: people are followed by their heads.

    Bodies are not found in each look, and a body's box is not where a head's is: followed by both, people would seem
    to jump. A body without a top, which is mostly the draped table, is nobody's: it stays for itself.
    """
    heads = _heads(found)
    pairs = [(d, _top_of(d, found)) for d in found if d.kind is Kind.PERSON]
    bodies = [(body, top) for body, top in pairs if top is not None]
    owned = _heads_of([top for _, top in bodies], heads)
    body_of = {h: bodies[t][0].box for t, h in owned.items()}
    rest = [pair for t, pair in enumerate(bodies) if t not in owned]
    alone = [replace(_one(body), sure=False) for body, top in pairs if top is None]
    return [
        *(replace(head, body=body_of.get(h)) for h, head in enumerate(heads)),
        *(replace(_one(top), sure=False, body=body.box) for body, top in rest),
        *alone,
        *_headless([d for d in found if d not in [top for _, top in bodies]], heads),
    ]


def _top_of(person: Detection, found: Sequence[Detection]) -> Detection | None:
    """The top that was taken of this person's box; None where none was."""
    sides = (person.x1, person.y1, person.x2)
    tops = (d for d in found if d.source == SOURCE_PERSON_TOP)
    return next((d for d in tops if (d.x1, d.y1, d.x2) == sides), None)


def _inside(point: tuple[float, float], box: Region) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]
