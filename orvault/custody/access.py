"""Who may do what, and where: the one function that decides a right, with its reason; what no rule grants is denied.

Nothing here reads the database or knows HTTP; every entrance (API, command line, actors) asks `may`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from orvault.custody.account import Account, Role
from orvault.custody.directory import DirectoryPolicy
from orvault.custody.scope import Place
from orvault.custody.session import SESSION_US
from orvault.errors import ErrorKind, OrvaultError


class Right(StrEnum):
    """One kind of act; every route and every use case names exactly one."""

    SESSION = "session"
    ACCOUNT_MANAGE = "account-manage"
    CAMERA_VIEW = "camera-view"
    CASE_VIEW = "case-view"
    CASE_PLAN = "case-plan"
    CASE_ARM = "case-arm"
    PATIENT_FIND = "patient-find"
    CASE_CLOSE = "case-close"
    RECORDING_SWITCH = "recording-switch"
    RECORDING_LIST = "recording-list"
    EXPORT_SUBMIT = "export-submit"
    CONSENT_TAKE = "consent-take"
    EXPORT_VIEW = "export-view"
    EXPORT_DECIDE = "export-decide"
    EXPORT_REVOKE = "export-revoke"
    RESULT_ANSWER = "result-answer"
    RESULT_VIEW = "result-view"
    RESULT_ASK = "result-ask"
    ANSWER_WAIVE = "answer-waive"
    EXPORT_DOWNLOAD = "export-download"
    WATERMARK_REMOVE = "watermark-remove"
    HISTORY_VIEW = "history-view"
    LIVE_VIEW = "live-view"
    STORED_VIEW = "stored-view"
    VIEWING_ASK = "viewing-ask"
    VIEWING_LIST = "viewing-list"
    VIEWING_DECIDE = "viewing-decide"
    VIEWING_CONSENT = "viewing-consent"
    MASK_SET = "mask-set"
    MASK_LIFT = "mask-lift"
    RETENTION_VIEW = "retention-view"
    RETENTION_EXTEND = "retention-extend"
    HOLD_PUT = "hold-put"
    HOLD_LIFT = "hold-lift"
    DESTRUCTION_APPROVE = "destruction-approve"


# What every account may: see the masked picture (`viewing.decide_view` says who sees more), and mask in an emergency.
_EVERYBODY = frozenset(
    {Right.SESSION, Right.CAMERA_VIEW, Right.LIVE_VIEW, Right.MASK_SET, Right.VIEWING_LIST}
)
_RIGHTS: dict[Role, frozenset[Right]] = {
    # Runs the machines; least of all may this role reach what the machines hold.
    Role.SYSTEM_ADMINISTRATOR: _EVERYBODY | {Right.ACCOUNT_MANAGE},
    Role.RECORDS_MANAGER: _EVERYBODY
    | frozenset(
        {
            Right.CASE_VIEW,
            Right.CASE_PLAN,
            Right.PATIENT_FIND,
            Right.CASE_ARM,
            Right.CASE_CLOSE,
            Right.RECORDING_SWITCH,
            Right.RECORDING_LIST,
            Right.STORED_VIEW,
            Right.VIEWING_ASK,
            Right.VIEWING_CONSENT,
            Right.EXPORT_SUBMIT,
            Right.CONSENT_TAKE,
            Right.RESULT_ASK,
            Right.RESULT_ANSWER,
            Right.EXPORT_VIEW,
            Right.EXPORT_DOWNLOAD,
            Right.WATERMARK_REMOVE,
            Right.RETENTION_VIEW,
            Right.RETENTION_EXTEND,
            Right.HOLD_PUT,
            Right.HOLD_LIFT,
        }
    ),
    # Decides on requests and may file one for a court; never decides on its own (see `may`).
    Role.PRIVACY_OFFICER: _EVERYBODY
    | frozenset(
        {
            Right.CASE_VIEW,
            Right.RECORDING_LIST,
            Right.STORED_VIEW,
            Right.VIEWING_ASK,
            Right.VIEWING_CONSENT,
            Right.VIEWING_DECIDE,
            Right.EXPORT_SUBMIT,
            Right.CONSENT_TAKE,
            Right.RESULT_ASK,
            Right.RESULT_ANSWER,
            Right.ANSWER_WAIVE,
            Right.EXPORT_VIEW,
            Right.EXPORT_DECIDE,
            Right.EXPORT_REVOKE,
            Right.EXPORT_DOWNLOAD,
            Right.WATERMARK_REMOVE,
            Right.HISTORY_VIEW,
            Right.MASK_LIFT,
            Right.RETENTION_VIEW,
            Right.RETENTION_EXTEND,
            Right.HOLD_PUT,
            Right.HOLD_LIFT,
            Right.DESTRUCTION_APPROVE,
        }
    ),
    # Stands in the operating room: arms, switches and closes, and hands nothing out.
    Role.CLINICAL_STAFF: _EVERYBODY
    | frozenset(
        {
            Right.CASE_VIEW,
            Right.CASE_ARM,
            Right.CASE_CLOSE,
            Right.RECORDING_SWITCH,
            Right.RESULT_VIEW,
            Right.RESULT_ANSWER,
            Right.MASK_LIFT,
        }
    ),
    Role.AUDITOR: _EVERYBODY
    | frozenset(
        {
            Right.CASE_VIEW,
            Right.RECORDING_LIST,
            Right.STORED_VIEW,
            Right.EXPORT_VIEW,
            Right.HISTORY_VIEW,
            Right.RETENTION_VIEW,
        }
    ),
}
# What a machine may at most, whatever its role: plan, switch, watch masked and read. People decide, lift masks, hand
# out and destroy; a new right is theirs until it stands here.
_MACHINES = frozenset(
    {
        Right.SESSION,
        Right.CAMERA_VIEW,
        Right.LIVE_VIEW,
        Right.STORED_VIEW,
        Right.MASK_SET,
        Right.CASE_VIEW,
        Right.CASE_PLAN,
        Right.CASE_ARM,
        Right.CASE_CLOSE,
        Right.RECORDING_SWITCH,
        Right.RECORDING_LIST,
        Right.EXPORT_VIEW,
        Right.HISTORY_VIEW,
        Right.RETENTION_VIEW,
    }
)
# Acts that nobody does to what is their own, and why.
_FOUR_EYES: Mapping[Right, str] = MappingProxyType(
    {
        Right.EXPORT_DECIDE: "A request is approved by somebody other than the person who submitted it.",
        Right.ANSWER_WAIVE: "A participant's answer is waived by nobody who made the request.",
        Right.VIEWING_DECIDE: "A request to view is decided on by nobody who made it or is to see by it.",
        Right.VIEWING_CONSENT: "Consents to a request to view are taken in by nobody who is to see by it.",
    }
)
# Rights that reach only what the account itself asked for, unless the role stands in `_SEES_ALL`.
_OWN_ONLY = frozenset({Right.EXPORT_VIEW, Right.EXPORT_DOWNLOAD, Right.VIEWING_LIST})
_SEES_ALL: dict[Right, frozenset[Role]] = {
    Right.EXPORT_VIEW: frozenset({Role.PRIVACY_OFFICER, Role.AUDITOR}),
    Right.VIEWING_LIST: frozenset({Role.PRIVACY_OFFICER, Role.AUDITOR}),
    # A package is handed over by whoever took the request in; nobody else needs the file.
    Right.EXPORT_DOWNLOAD: frozenset(),
}


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """What a site decides of access: `departments` names each room's department, where it has one; `directory` says
    who is let in through the hospital's; `second_factor`, which roles need a code beside a password kept here;
    `session_us`, how long a person's session lasts.
    """

    departments: Mapping[str, str] = field(default_factory=dict)
    directory: DirectoryPolicy = field(default_factory=DirectoryPolicy)
    second_factor: frozenset[Role] = frozenset()
    session_us: int = SESSION_US


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a right is given, why, and as which kind of error a refusal shows."""

    allowed: bool
    reason: str
    kind: ErrorKind = ErrorKind.FORBIDDEN


def may(
    account: Account, right: Right, *, owner_id: str | None = None, place: Place | None = None
) -> Decision:
    """Decide whether `account` has `right`, over an object owned by `owner_id` and at `place`, where those are named.

    Without them the answer is about the role alone. Raises nothing.
    """
    if account.disabled:
        return Decision(False, f"The account {account.name!r} is disabled.")
    if account.must_change and right is not Right.SESSION:
        return Decision(False, "This password was given by somebody else: change it first.")
    if account.must_enrol and right is not Right.SESSION:
        reason = (
            f"The role {account.role.value} needs a second factor: enrol one, then sign in with its code."
        )
        return Decision(False, reason)
    # Four eyes come before the role: even a role that decides never decides on what it asked for itself.
    if right in _FOUR_EYES and owner_id is not None and owner_id == account.account_id:
        reason = _FOUR_EYES[right]
        return Decision(False, reason, ErrorKind.SELF_APPROVAL)
    if account.machine and right not in _MACHINES:
        return Decision(False, f"A machine never has {right.value}: that takes a person.")
    role = account.role
    if right not in _RIGHTS[role]:
        return Decision(False, f"The role {role.value} does not include {right.value}.")
    foreign = owner_id is not None and owner_id != account.account_id
    if foreign and sees_only_own(account, right):
        return Decision(False, f"The role {role.value} has {right.value} for its own requests only.")
    if place is not None and not any(scope.covers(place) for scope in account.scopes):
        return Decision(False, f"No scope of this account reaches {place.words} now.")
    return Decision(True, f"The role {role.value} includes {right.value}.")


def sees_only_own(account: Account, right: Right) -> bool:
    """Whether lists under this right are narrowed to what the account itself asked for."""
    return right in _OWN_ONLY and account.role not in _SEES_ALL[right]


def require(
    account: Account, right: Right, *, owner_id: str | None = None, place: Place | None = None
) -> None:
    """Raise FORBIDDEN or SELF_APPROVAL, with the reason, unless `may` allows it."""
    decision = may(account, right, owner_id=owner_id, place=place)
    if not decision.allowed:
        advice = (
            "Have somebody else do it whose role includes it."
            if decision.kind is ErrorKind.SELF_APPROVAL
            else "Ask an account whose role and scopes include it, or the person in charge of accounts."
        )
        raise OrvaultError(decision.kind, decision.reason, advice=advice)
