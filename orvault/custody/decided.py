"""Decisions as history holds them: nothing is rendered, shown or destroyed on the word of a row alone.

Rows say how a request stands now, and whoever administers the database can write them. History is signed and kept
elsewhere too: what is held against it can be forged by an act that stands there for ever, and by nothing less.
Who may decide is `access`'s; what follows from a decision is the desks'.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orvault.container.canonical import encode
from orvault.custody.history import Act, Entry, entry_holds
from orvault.custody.request import ExportRequest
from orvault.custody.rows import UnitOfWork
from orvault.custody.terms import Redaction
from orvault.custody.viewing import Showing, ViewingGrant, ViewKind
from orvault.errors import ErrorKind, OrvaultError

_MOST_APPROVALS = 50  # entries of one request that are looked through
# With one of these after it, an approval holds no more: what it allowed was done, or taken back.
_EXPORT_OVER = (
    Act.BASIS_BROKEN,
    Act.EXPORT_REFUSED,
    Act.EXPORT_REVOKED,
    Act.EXPORT_WITHDRAWN,
    Act.EXPORT_EXPIRED,
    Act.RENDER_FAILED,
    Act.RENDER_HELD,
    Act.RENDER_FINISHED,
)
_GRANT_OVER = (Act.BASIS_BROKEN, Act.VIEWING_REFUSED, Act.VIEWING_WITHDRAWN, Act.VIEWING_EXPIRED)


@dataclass(frozen=True, slots=True)
class Told:
    """An entry of history about one object; `detail` read."""

    seq: int
    at_us: int
    actor: str
    detail: Mapping[str, object]

    def names(self, field: str) -> list[str]:
        """The list of identifiers under this name; empty where there is none."""
        found = self.detail.get(field)
        return [str(each) for each in found] if isinstance(found, list) else []


def content_of(request: ExportRequest) -> str:
    """What was asked for, as SHA-256 (hex): every field that decides which pictures leave, how, and for whose keys.

    Consents are not in it: they come and go until the copies are delivered, each with an entry of its own.
    """
    wish, basis = request.wish, request.wish.basis
    told = {
        "activation": [wish.activation.wanted, wish.activation.plays],
        "basis": [basis.kind.value, basis.document_number, basis.proceedings_number],
        "cameras": list(wish.camera_ids),
        "case": wish.case_id,
        "format": "orvault-export-request",
        "period": [wish.from_us, wish.to_us],
        "purpose": wish.purpose,
        "recipients": [recipient.to_json() for recipient in wish.recipients],
        "redaction": _redaction(wish.redaction),
        "requested_by": request.requested_by,
        "terms": wish.terms,
        "validity": [request.validity.from_us, request.validity.until_us],
        "version": 1,
    }
    return hashlib.sha256(encode(told)).hexdigest()


def check_as_submitted(uow: UnitOfWork, request: ExportRequest) -> None:
    """Raise ALTERED unless this is what was submitted, so that nobody approves what somebody else wrote since."""
    submitted = newest(uow, f"export:{request.request_id}", Act.EXPORT_SUBMITTED)
    if submitted is None or submitted.detail.get("content", content_of(request)) != content_of(request):
        message = "This request is not what was submitted: its rows in the ledger were changed since."
        advice = "Have a new request submitted, and find out who writes into the database."
        raise OrvaultError(ErrorKind.ALTERED, message, where=request.request_id, advice=advice)


def not_as_approved(uow: UnitOfWork, request: ExportRequest) -> str:
    """Why nothing may be made for this approved request, in words; "" where history holds its approval.

    1. the newest approval is still in force, and names these copies; 2. it was given by who decided, nobody of those
    who approved had asked, and each of them has an entry; 3. its content is what the rows ask for now (an approval
    from before contents were told has none).
    """
    subject = f"export:{request.request_id}"
    approved, submitted = (
        newest(uow, subject, Act.EXPORT_APPROVED),
        newest(uow, subject, Act.EXPORT_SUBMITTED),
    )
    if approved is None or submitted is None or _over(uow, subject, _EXPORT_OVER) > approved.seq:
        return "history holds no approval of it that is in force"
    copies = [request.package_id or "", *request.further_ids]
    if [str(approved.detail.get("package")), *approved.names("further_packages")] != copies:
        return "its approval names other copies"
    own = {f"account:{request.requested_by}", submitted.actor}
    least = 2 if request.wish.clear else 1
    decided = (f"account:{request.decided_by}", request.decided_us)
    if decided != (approved.actor, approved.at_us) or not _approvers_stand(
        uow, subject, approved, own, least
    ):
        return "those who are said to have approved it did not"
    if approved.detail.get("content", content_of(request)) != content_of(request):
        return "it is not what was approved: its rows in the ledger were changed since"
    return ""


def grant_stands(uow: UnitOfWork, grant: ViewingGrant) -> bool:
    """Whether history holds this grant, as it was asked for and approved, and nothing that ended it."""
    subject = f"viewing:{grant.grant_id}"
    asked, given = newest(uow, subject, Act.VIEWING_ASKED), newest(uow, subject, Act.VIEWING_GRANTED)
    if asked is None or given is None or _over(uow, subject, _GRANT_OVER) > given.seq:
        return False
    wish: dict[str, object] = {
        "viewer": grant.account_id,
        "kind": grant.kind.value,
        "case": grant.case_id,
        "showing": grant.showing.value,
        "until_us": grant.until_us,
    }
    if grant.kind is ViewKind.STORED:
        wish |= {"from_us": grant.footage_from_us, "to_us": grant.footage_to_us}
    as_asked = all(asked.detail.get(name) == value for name, value in wish.items())
    own = {asked.actor, f"account:{grant.account_id}"}
    least = 2 if grant.showing is Showing.CLEAR else 1
    return (
        as_asked
        and grant.camera_id in asked.names("cameras")
        and given.at_us == grant.from_us
        and _approvers_stand(uow, subject, given, own, least)
    )


def newest(uow: UnitOfWork, subject: str, act: Act) -> Told | None:
    """The newest entry of this act about an object. ALTERED for one that is not what was written."""
    found = entries(uow, subject, act, 1)
    return found[0] if found else None


def entries(uow: UnitOfWork, subject: str, act: Act, most: int) -> Sequence[Told]:
    """The newest ones of this act about an object, the newest first. ALTERED as for `newest`."""
    page = uow.history.page(None, most, subject=subject, actor=None, act=act.value)
    return [_told(entry) for entry in page]


def _told(entry: Entry) -> Told:
    if not entry_holds(entry, entry.seq):
        message = "This entry of history is not what was written."
        raise OrvaultError(ErrorKind.ALTERED, message, where=f"history {entry.seq}")
    return Told(entry.seq, entry.at_us, entry.actor, json.loads(entry.detail))


def _over(uow: UnitOfWork, subject: str, acts: Collection[Act]) -> int:
    """The number of the newest of these entries about an object; -1 where there is none."""
    found = (newest(uow, subject, act) for act in acts)
    return max((each.seq for each in found if each is not None), default=-1)


def _approvers_stand(uow: UnitOfWork, subject: str, decided: Told, own: Collection[str], least: int) -> bool:
    """Whether so many approved, each in an entry of their own, the last of them by `decided`, and none of `own`."""
    approvers = {f"account:{each}" for each in decided.names("approvals")}
    broken = newest(uow, subject, Act.BASIS_BROKEN)
    since = -1 if broken is None else broken.seq
    given = entries(uow, subject, Act.APPROVAL_GIVEN, _MOST_APPROVALS)
    standing = {each.actor for each in given if since < each.seq < decided.seq} | {decided.actor}
    return len(approvers) >= least and approvers <= standing and not approvers & set(own)


def _redaction(redaction: Redaction) -> dict[str, object]:
    image, choice = redaction.image, redaction.choice
    return {
        "choice": None if choice is None else choice.to_json(),
        "drawn": redaction.drawn,
        "image": None if image is None else [image.digest, image.position.value, image.layout.to_json()],
        "layout": redaction.layout.to_json(),
        "masking": [redaction.masking.value, redaction.style.value],
        "position": redaction.position.value,
        "text": redaction.watermark,
        "utc_offset_min": redaction.utc_offset_min,
    }
