"""The history of acts: what one entry holds and how it is hashed into a Merkle leaf.

Entries are written by the use cases in the transaction of the act itself, and never changed. Proofs over many
entries (checkpoints, inclusion) belong to `orvault.container.proof`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orvault.container.canonical import encode
from orvault.container.history import entry_bytes
from orvault.container.proof import leaf_hash
from orvault.errors import OrvaultError

Detail = Mapping[str, object]


class Act(StrEnum):
    """What can happen that must stay provable."""

    SIGNED_IN = "signed-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGN_IN_THROTTLED = "sign-in-throttled"
    SIGNED_OUT = "signed-out"
    SESSION_REVOKED = "session-revoked"
    ENDED_SESSION_USED = "ended-session-used"
    ACCOUNT_CREATED = "account-created"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    ACCOUNT_SCOPED = "account-scoped"
    ACCOUNT_LINKED = "account-linked"
    ACCOUNT_UNLINKED = "account-unlinked"
    ACCOUNT_FOLLOWED = "account-followed"
    DIRECTORY_ADMITTED = "directory-admitted"
    DIRECTORY_REFUSED = "directory-refused"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - an act's name
    PASSWORD_RESET = "password-reset"  # noqa: S105 - an act's name
    KEY_ISSUED = "key-issued"
    KEY_USED = "key-used"
    SECOND_FACTOR_ENROLLED = "second-factor-enrolled"
    SECOND_FACTOR_REMOVED = "second-factor-removed"
    SECOND_FACTOR_RESET = "second-factor-reset"
    RECOVERY_CODE_USED = "recovery-code-used"
    CASE_PLANNED = "case-planned"
    CASE_ARMED = "case-armed"
    CASE_CLOSED = "case-closed"
    CASE_RECORDING_REFUSED = "case-recording-refused"
    PATIENT_SEARCHED = "patient-searched"
    PATIENT_SHOWN = "patient-shown"
    CASE_AMENDED = "case-amended"
    RECORDING_STARTED = "recording-started"
    RECORDING_START_FAILED = "recording-start-failed"
    RECORDING_STOP_ORDERED = "recording-stop-ordered"
    RECORDING_STOPPED = "recording-stopped"
    RECORDING_STRAY = "recording-stray"
    RUN_ADOPTED = "run-adopted"
    RECORDING_LATE = "recording-late"
    CASE_UNRECORDED = "case-unrecorded"
    CAMERA_LOST = "camera-lost"
    CAMERA_BACK = "camera-back"
    CAMERA_REMOVED = "camera-removed"
    TRIGGERS_LOST = "triggers-lost"
    TRIGGERS_BACK = "triggers-back"
    SIGNAL_HEARD = "signal-heard"
    SIGNAL_LAPSED = "signal-lapsed"
    STOP_REASON_GIVEN = "stop-reason-given"
    STOP_REASON_REMINDED = "stop-reason-reminded"
    HEADS_ANCHORED = "heads-anchored"
    CHECKPOINTS_STUCK = "checkpoints-stuck"
    CHECKPOINTS_TAKEN = "checkpoints-taken"
    SEGMENTS_REFUSED = "segments-refused"
    GAPS_REFUSED = "gaps-refused"
    EXPORT_DRAFTED = "export-drafted"
    EXPORT_DRAFT_CHANGED = "export-draft-changed"
    EXPORT_SUBMITTED = "export-submitted"
    CONSENT_GIVEN = "consent-given"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    BASIS_SATISFIED = "basis-satisfied"
    BASIS_BROKEN = "basis-broken"
    APPROVAL_GIVEN = "approval-given"
    EXPORT_APPROVED = "export-approved"
    EXPORT_REFUSED = "export-refused"
    EXPORT_REVOKED = "export-revoked"
    EXPORT_WITHDRAWN = "export-withdrawn"
    EXPORT_DUE = "export-due"
    EXPORT_DELIVERED = "export-delivered"
    EXPORT_EXPIRED = "export-expired"
    SCAN_ORDERED = "scan-ordered"
    SCAN_STARTED = "scan-started"
    SCAN_FINISHED = "scan-finished"
    SCAN_FAILED = "scan-failed"
    MASKING_CHOSEN = "masking-chosen"
    RENDER_STARTED = "render-started"
    RENDER_FINISHED = "render-finished"
    RENDER_HELD = "render-held"
    PARTICIPANTS_NAMED = "participants-named"
    ANSWERS_AWAITED = "answers-awaited"
    ANSWERS_DUE = "answers-due"
    RESULT_SHOWN = "result-shown"
    RESULT_ANSWERED = "result-answered"
    ANSWER_WAIVED = "answer-waived"
    RENDER_RELEASED = "render-released"
    RENDER_FAILED = "render-failed"
    RENDER_POSTPONED = "render-postponed"
    PACKAGE_SEALED = "package-sealed"
    PACKAGE_REMOVED = "package-removed"
    PACKAGE_ACTIVATED = "package-activated"
    ACTIVATION_REFUSED = "activation-refused"
    KEY_STORE_UNLOCKED = "key-store-unlocked"
    KEY_STORE_REFUSED = "key-store-refused"
    KEY_STORE_ROLLED = "key-store-rolled"
    KEYS_OPENED = "keys-opened"
    KEYS_REWRAPPED = "keys-rewrapped"
    COPY_TRACED = "copy-traced"
    LINK_ISSUED = "link-issued"
    DOWNLOADED = "downloaded"
    MASK_SET = "mask-set"
    MASK_LIFTED = "mask-lifted"
    WATERMARK_IMAGE_ADDED = "watermark-image-added"
    WATERMARK_IMAGE_REMOVED = "watermark-image-removed"
    VIEWING_ASKED = "viewing-asked"
    VIEWING_GRANTED = "viewing-granted"
    VIEWING_REFUSED = "viewing-refused"
    VIEWING_WITHDRAWN = "viewing-withdrawn"
    VIEWING_EXPIRED = "viewing-expired"
    VIEW_STARTED = "view-started"
    VIEWED = "viewed"
    HOLD_PUT = "hold-put"
    HOLD_LIFTED = "hold-lifted"
    RETENTION_EXTENDED = "retention-extended"
    DESTRUCTION_NOTICED = "destruction-noticed"
    DESTRUCTION_WITHDRAWN = "destruction-withdrawn"
    DESTRUCTION_APPROVED = "destruction-approved"
    DESTRUCTION_BEGUN = "destruction-begun"
    CASE_KEY_DESTROYED = "case-key-destroyed"
    FILES_DESTROYED = "files-destroyed"
    RECORDINGS_DESTROYED = "recordings-destroyed"


@dataclass(frozen=True, slots=True)
class Entry:
    """One act: its place in history, when, who, what, about which object, and the particulars as canonical
    JSON.
    """

    seq: int
    at_us: int
    actor: str
    act: str
    subject: str
    detail: str
    leaf_hash: str


class HistorySize(Protocol):
    """As much of history's rows as its checkpoints need."""

    def size(self) -> int:
        """The number of entries."""
        ...


def canonical(detail: Detail) -> str:
    """Canonical JSON (docs/format/segment-v1.md, section 1), the one text that is stored and hashed."""
    return encode(detail).decode()


def make_entry(seq: int, at_us: int, actor: str, act: Act, subject: str, detail: Detail) -> Entry:
    """The entry that is number `seq` (from 0) in history, with its leaf hash in hex."""
    text = canonical(detail)
    digest = leaf_hash(entry_bytes(seq, at_us, actor, act.value, subject, text)).hex()
    return Entry(seq, at_us, actor, act.value, subject, text, digest)


def bytes_of(entry: Entry) -> bytes:
    """The entry as it is hashed."""
    return entry_bytes(entry.seq, entry.at_us, entry.actor, entry.act, entry.subject, entry.detail)


def entry_holds(entry: Entry, expected_seq: int) -> bool:
    """Whether a stored entry stands in its place and still has the hash of what it says."""
    try:
        written = bytes_of(entry)
    except OrvaultError:  # nobody can have written this: a number, say, that no entry holds
        return False
    return entry.seq == expected_seq and leaf_hash(written).hex() == entry.leaf_hash
