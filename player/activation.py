"""Asks the hospital for its half of a package's key, where the package wants that.

Speaks HTTPS by the standard library, through the system's proxies (HTTPS_PROXY too). Nothing of it touches a disk.
Source: docs/format/package-v1.md, 6.3 to 6.5.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from orvault.clock import US_PER_S, Clock, utc_iso
from orvault.container.activation import Activation, ActivationAnswer, ActivationRequest
from orvault.container.canonical import Fields
from orvault.container.keys import PrivateKey, generate_private_key
from orvault.container.trust import Issuer
from orvault.errors import ErrorKind, OrvaultError
from orvault.text import printable

PATH = "/api/v1/activations"
ACTIVATION = "activation"  # where an error names the lease, and not the package's own time
TIMEOUT_S = 15.0
TRIES = 3  # the same question: a lost answer costs no play
PAUSE_S = 2.0
_MOST_BYTES = 64 << 10
_BUSY, _FAULTS = 429, 500  # from there on it is the server's own fault
_AWAY = frozenset({_BUSY, 502, 503, 504})
# Kinds of a refusal that mean the same here; any other is "not activated".
_KEPT = {str(kind): kind for kind in (ErrorKind.EXPIRED, ErrorKind.NOT_YET_VALID)}
# Keys of questions that were asked and never answered, by package and address: opened again in this process, the same
# question is asked, for the hospital may have counted it.
_UNANSWERED: dict[tuple[str, str], PrivateKey] = {}


def _elapsed_s() -> float:
    """Seconds on a clock that nobody sets back, and that goes on while the computer sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # time.monotonic stands still in sleep there
    return time.monotonic()  # Windows' counts sleep, too


@dataclass
class HospitalLease:
    """The hospital's half; it is dropped once its time is over, on a clock that nobody sets back."""

    share: bytes = field(repr=False)
    until_us: int
    plays_left: int | None
    ends_s: float
    elapsed_s: Callable[[], float] = field(default=_elapsed_s, repr=False)

    def check(self) -> None:
        """EXPIRED once it is over."""
        if self.elapsed_s() < self.ends_s:
            return
        self.share = b""
        raise OrvaultError(
            ErrorKind.EXPIRED,
            f"What the hospital allowed ended at {utc_iso(self.until_us)}.",
            where=ACTIVATION,
            advice="Open the package again: the hospital is asked anew.",
        )

    def in_words(self) -> str:
        """Until when, and how often again."""
        left = "any number of" if self.plays_left is None else str(self.plays_left)
        return f"until {utc_iso(self.until_us)}; {left} more plays after this one"


@dataclass(frozen=True)
class Activator:
    """Who asks, for one opened package: `issuer` is its own; `say` is told whom before it is asked.

    `allow_unknown`: ask for a package whose issuer is not pinned, too.
    """

    issuer: Issuer
    clock: Clock
    say: Callable[[str], None]
    allow_unknown: bool = False

    def __call__(self, package_id: str, asked: Activation, half: bytes) -> HospitalLease:
        """Ask the hospital. Errors: NOT_ACTIVATED (nobody asked, not reached, refused), EXPIRED, NOT_YET_VALID."""
        if not self.issuer.pinned and not self.allow_unknown:
            raise OrvaultError(
                ErrorKind.NOT_ACTIVATED,
                f"The package wants {asked.address} asked before it opens, and who issued it is not known here."
                " Nobody was asked: whoever made it would learn who opens it, from where and when.",
                advice="Pin the hospital's root certificate (`orvault-player trust add`), or allow it for this run"
                " (--allow-unknown-issuer).",
            )
        self.say(f"asking {asked.address} to open this package")
        name = package_id, asked.address
        ephemeral = _UNANSWERED.setdefault(name, generate_private_key())
        question = ActivationRequest.make(package_id, ephemeral.public(), half)
        try:
            answer, asked_s, answered_us = self._answer(asked, question)
            share = answer.open(question, ephemeral)
        except _RefusedError as refused:
            _UNANSWERED.pop(name, None)
            raise refused.told from refused
        _UNANSWERED.pop(name, None)
        ends_s = asked_s + (answer.until_us - answered_us) / US_PER_S
        lease = HospitalLease(share, answer.until_us, answer.plays_left, ends_s)
        lease.check()
        self.say(lease.in_words())
        return lease

    def _answer(self, asked: Activation, question: ActivationRequest) -> tuple[ActivationAnswer, float, int]:
        """The answer; when it was asked for (`_elapsed_s`) and what time it was there (UTC microseconds)."""
        opener = _opener(asked)
        for left in reversed(range(TRIES)):
            asked_s = _elapsed_s()
            try:
                body, date = _post(opener, asked.address + PATH, question)
                return _read_answer(body, asked), asked_s, self._time_there(date)
            except _AwayError as away:
                if not left:
                    raise (away.told or _unreachable(asked, away.reason)) from away
            self.clock.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _time_there(self, date: str | None) -> int:
        # By the hospital's own clock: a recipient's wrong one neither shortens nor lengthens what was allowed.
        try:
            return round(parsedate_to_datetime(date or "").timestamp() * US_PER_S)
        except (ValueError, OverflowError, OSError):  # none, or one that no clock shows
            return self.clock.now_us()


class _AwayError(Exception):
    """Nobody answered; another try may help. `told`: the hospital's own words, where it said to come again."""

    def __init__(self, reason: str, told: OrvaultError | None = None) -> None:
        super().__init__(reason)
        self.reason, self.told = reason, told


class _RefusedError(Exception):
    """The hospital itself said no: the same question would be refused again."""

    def __init__(self, told: OrvaultError) -> None:
        super().__init__(told.message)
        self.told = told


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The person was told whom is asked; nobody else is."""

    def redirect_request(self, *_args: object) -> None:
        """Follow none."""
        return None


def _opener(asked: Activation) -> urllib.request.OpenerDirector:
    try:
        pem = None if asked.ca is None else ssl.DER_cert_to_PEM_cert(asked.ca)
        context = ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        message = (
            f"The package names no usable certificate of its hospital's server ({printable(str(error))})."
        )
        raise OrvaultError(ErrorKind.NOT_ACTIVATED, message, where=asked.address) from error
    return urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=context))


def _post(
    opener: urllib.request.OpenerDirector, url: str, question: ActivationRequest
) -> tuple[bytes, str | None]:
    """The body of a good answer, and its date. Errors: `_AwayError`, `_RefusedError`, NOT_ACTIVATED."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, application/problem+json"}
    body = json.dumps(question.to_json()).encode()
    asking = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - the label's address is HTTPS
    try:
        with opener.open(asking, timeout=TIMEOUT_S) as answer:
            said, date = answer.read(_MOST_BYTES), answer.headers.get("Date")
            if answer.length and len(said) < _MOST_BYTES:
                raise _AwayError("the answer broke off")
            return said, date
    except urllib.error.HTTPError as error:
        raise _not_given(url.removesuffix(PATH), error) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise _stranger(url.removesuffix(PATH), error.reason) from error
        raise _AwayError(str(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # also of a proxy that is no address
        raise _AwayError(str(error) or type(error).__name__) from error


def _read_answer(body: bytes, asked: Activation) -> ActivationAnswer:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = "What answers there is no hospital's server."
        raise OrvaultError(ErrorKind.NOT_ACTIVATED, message, where=asked.address) from error
    return ActivationAnswer.read(Fields(value, asked.address, ErrorKind.NOT_ACTIVATED))


def _not_given(address: str, error: urllib.error.HTTPError) -> Exception:
    """What an answer that is none means: come again, no, or that somebody else than the hospital answers."""
    problem = _problem(error)
    kind, detail, advice = problem or ("", f"The server there answers {error.code}.", "")
    told = _refusal(address, kind, detail, advice)
    if error.code in _AWAY:
        busy = problem is not None and error.code == _BUSY
        return _AwayError(f"the server answers {error.code}", told if busy else None)
    return told if problem is None or error.code >= _FAULTS else _RefusedError(told)


def _problem(error: urllib.error.HTTPError) -> tuple[str, str, str] | None:
    """Kind, detail and advice of the hospital's problem document; None for anything else."""
    try:
        problem = json.loads(error.read(_MOST_BYTES))
        advice = str(problem.get("advice", ""))
        return str(problem["type"]).rpartition(":")[2], str(problem["detail"]), advice
    except (
        ValueError,
        RecursionError,
        KeyError,
        TypeError,
        AttributeError,
        OSError,
        http.client.HTTPException,
    ):
        return None


def _refusal(address: str, kind: str, detail: str, advice: str) -> OrvaultError:
    return OrvaultError(
        _KEPT.get(kind, ErrorKind.NOT_ACTIVATED),
        printable(f"The hospital refuses: {detail}"[:500]),
        where=address,
        advice=printable(advice[:300]),
    )


def _stranger(address: str, reason: ssl.SSLCertVerificationError) -> OrvaultError:
    return OrvaultError(
        ErrorKind.NOT_ACTIVATED,
        f"The server there does not show the certificate that it should: {reason.verify_message}.",
        where=address,
        advice="Somebody between may read along (a company's proxy, say). Use another network, or ask the hospital.",
    )


def _unreachable(asked: Activation, reason: str) -> OrvaultError:
    return OrvaultError(
        ErrorKind.NOT_ACTIVATED,
        printable(f"The hospital's server cannot be reached: {reason}."[:300]),
        where=asked.address,
        advice="Look at the network; behind a proxy set HTTPS_PROXY, with name and password where it asks for them.",
    )
