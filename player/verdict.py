"""The one verdict over a package, in plain words, and the exit code that goes with it.

Finds nothing out: it words what verification found (orvault.container) and who is pinned (roots.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from orvault.clock import utc_iso
from orvault.container.history import Proven
from orvault.container.trust import Issuer
from orvault.errors import EXIT_CODES, ErrorKind, OrvaultError
from orvault.text import grouped, printable
from player.roots import PINNED

GENUINE = "genuine"
ISSUER_UNKNOWN = "intact, issuer unknown"
LABEL_INTACT = "label intact"
LABEL_ISSUER_UNKNOWN = "label intact, issuer unknown"

_WORDS: dict[ErrorKind, str] = {
    ErrorKind.ALTERED: "Altered",
    ErrorKind.DAMAGED: "Damaged",
    ErrorKind.EXPIRED: "Expired",
    ErrorKind.NOT_YET_VALID: "Not yet valid",
    ErrorKind.NOT_ACTIVATED: "Not activated",
    ErrorKind.NOT_FOR_YOU: "Not for you",
    ErrorKind.WRONG_PASSWORD: "Wrong password",
    ErrorKind.UNTRUSTED: "Untrusted",
    ErrorKind.NOT_A_PACKAGE: "Not a package",
    ErrorKind.NEWER_FORMAT: "Newer player needed",
    ErrorKind.NOT_FOUND: "Not found",
    ErrorKind.BAD_MEDIA: "Cannot be played",
}


@dataclass(frozen=True)
class Verdict:
    """`name` is for programs, `sentence` for people; `exit_code` 0 means what `name` says, under a pinned root."""

    name: str
    sentence: str
    exit_code: int


def of_issuer(issuer: Issuer, checked: str, pin: str = PINNED) -> Verdict:
    """The verdict over a package in which nothing was wrong; `checked` says how far that was looked into, `pin` why
    the root of a believed issuer is believed.
    """
    name = printable(issuer.name)
    if issuer.pinned:
        words = f"Genuine: issued by {name}, whose root certificate {pin}; {checked}."
        return Verdict(GENUINE, words + _revoked_since(issuer), 0)
    return _unknown(ISSUER_UNKNOWN, f"Intact, issuer unknown: {checked}, but", issuer)


def of_label(issuer: Issuer, pin: str = PINNED) -> Verdict:
    """The verdict of who read the label alone: nothing that lies behind it, papers or video, was verified."""
    name = printable(issuer.name)
    rest = "Of its papers and its video nothing was verified: `orvault-player verify` does that."
    if issuer.pinned:
        words = f"Label intact: as {name}, whose root certificate {pin}, signed it. {rest}"
        return Verdict(LABEL_INTACT, words + _revoked_since(issuer), 0)
    return _unknown(LABEL_ISSUER_UNKNOWN, f"Label intact, issuer unknown. {rest} And", issuer)


def _revoked_since(issuer: Issuer) -> str:
    if issuer.revoked_us is None:
        return ""
    return (
        f" The hospital has since revoked the certificate that signed it, from {utc_iso(issuer.revoked_us)}"
        " on: the package says that it is older; ask the hospital if that matters."
    )


def _unknown(verdict: str, begin: str, issuer: Issuer) -> Verdict:
    return Verdict(
        verdict,
        f"{begin} whether {printable(issuer.name)} issued it cannot be told: the root certificate"
        f" {grouped(issuer.fingerprint)} is not pinned here. Compare it with paper, then `orvault-player trust add`.",
        EXIT_CODES[ErrorKind.UNTRUSTED],
    )


def of_history(proven: Proven | None) -> str:
    """What the package proves of the hospital's history, as the end of what was checked."""
    if proven is None:
        return "it carries no proof of the hospital's history (it was made before packages did)"
    return (
        f"the hospital's history holds its approval ({utc_iso(proven.approved_us)[:10]}, entry {proven.approved_seq})"
        f" and its sealing (entry {proven.sealed_seq}), proven under a signed checkpoint of {proven.size} entries"
    )


def of_error(error: OrvaultError) -> Verdict:
    """The verdict that an error stands for."""
    word = _WORDS.get(error.kind, "Failed")
    return Verdict(str(error.kind), printable(f"{word}: {error}"), error.exit_code)
