"""Destructions as history holds them: no row alone ends a recording, for that cannot be taken back.

As `decided`, which see. What stops a destruction by the rows, `retention` decides; this holds it against history.
"""

from __future__ import annotations

from orvault.custody.decided import Told, entries, newest
from orvault.custody.destruction import Destruction, Step
from orvault.custody.history import Act
from orvault.custody.retention import RetentionPolicy
from orvault.custody.rows import UnitOfWork
from orvault.custody.text import show_time
from orvault.errors import ErrorKind, OrvaultError

_MOST = 1000  # holds and extensions of one case that are looked through
_KEPT_BY = (Act.HOLD_PUT, Act.HOLD_LIFTED, Act.RETENTION_EXTENDED)


def history_against(uow: UnitOfWork, case_id: str, policy: RetentionPolicy, now_us: int) -> str:
    """What history has against beginning the destruction of a case now, in words; "" if nothing.

    1. somebody's yes that was not withdrawn since; where the policy asks for none, an old enough notice, and no
    recording that began later than the floor allows; 2. no hold that nobody lifted; 3. no extension that is not over.
    """
    subject = f"case:{case_id}"
    if against := _not_agreed(uow, subject, policy, now_us):
        return against
    told = {act: entries(uow, subject, act, _MOST) for act in _KEPT_BY}
    if any(len(each) == _MOST for each in told.values()):
        return f"history holds {_MOST} holds or extensions and more, and not all of them are looked through"
    put, lifted = (
        {str(each.detail.get("hold")) for each in told[act]} for act in (Act.HOLD_PUT, Act.HOLD_LIFTED)
    )
    if put - lifted:
        return f"history holds {len(put - lifted)} legal holds that nobody lifted"
    for each in told[Act.RETENTION_EXTENDED]:
        until = each.detail.get("until_us")
        if not isinstance(until, int) or now_us < until:
            return "history holds an extension that is not over"
    return ""


def check_begun(uow: UnitOfWork, known: Destruction) -> None:
    """Raise ALTERED unless history holds that it began, and, for a step past the key, that the key is destroyed."""
    subject = f"case:{known.case_id}"
    begun = newest(uow, subject, Act.DESTRUCTION_BEGUN)
    missing = begun is None or _withdrawn(uow, subject) > begun.seq
    if missing or (known.step is not Step.BEGUN and not key_is_destroyed(uow, known.case_id)):
        raise OrvaultError(
            ErrorKind.ALTERED,
            f"The ledger says that this destruction is {known.step.value}, and history does not: nothing is removed.",
            where=known.case_id,
            advice="Somebody wrote into the database: `orvault history verify`, and restore the row.",
        )


def key_is_destroyed(uow: UnitOfWork, case_id: str) -> bool:
    """Whether history holds that the case's key is destroyed: only then its files are rests."""
    return newest(uow, f"case:{case_id}", Act.CASE_KEY_DESTROYED) is not None


def _not_agreed(uow: UnitOfWork, subject: str, policy: RetentionPolicy, now_us: int) -> str:
    withdrawn = _withdrawn(uow, subject)
    if _stands(newest(uow, subject, Act.DESTRUCTION_APPROVED), withdrawn):
        return ""
    noticed = newest(uow, subject, Act.DESTRUCTION_NOTICED)
    if policy.approve or noticed is None or not _stands(noticed, withdrawn):
        return "history holds no approval of it that is in force"
    if now_us < noticed.at_us + policy.notice_us:
        return "history holds no notice of it that is old enough"
    begun = newest(uow, subject, Act.RECORDING_STARTED)
    if begun is not None and now_us < begun.at_us + policy.keep_us:
        return f"history holds a recording that began on {show_time(begun.at_us)}"
    return ""


def _stands(told: Told | None, withdrawn: int) -> bool:
    return told is not None and told.seq > withdrawn


def _withdrawn(uow: UnitOfWork, subject: str) -> int:
    found = newest(uow, subject, Act.DESTRUCTION_WITHDRAWN)
    return -1 if found is None else found.seq
