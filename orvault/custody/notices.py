"""What outside recorders are told of recordings: events, their bytes and lines, and what signs them.

Pure; docs/format/events-v1.md specifies it. History is the outbox: an event is an entry of it, committed with the act
itself. How far each target has taken them is desks/notices.py's, sending them actors/notices.py's.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from string import Formatter
from types import MappingProxyType
from typing import Protocol

from orvault.clock import US_PER_S, utc_iso
from orvault.container.canonical import encode
from orvault.custody.history import Act, Entry
from orvault.errors import ErrorKind, OrvaultError

FORMAT = "orvault-event/1"
MOST_FIELD = 128
MOST_LINE_BYTES = 1024
_PLAIN = frozenset(" ._:@+-")
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what Standard Webhooks begins secrets with
_SECRET_BYTES = (24, 64)


class NoticeKind(StrEnum):
    """What happened."""

    RECORDING_ON = "recording-on"
    RECORDING_OFF = "recording-off"


ACTS: Mapping[Act, NoticeKind] = MappingProxyType(
    {
        Act.RECORDING_STARTED: NoticeKind.RECORDING_ON,
        Act.RECORDING_STOP_ORDERED: NoticeKind.RECORDING_OFF,
    }
)
_STATES = {NoticeKind.RECORDING_ON: "on", NoticeKind.RECORDING_OFF: "off"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One event; `number` is its entry's in history. It says nothing about the patient or the reason of a stop."""

    number: int
    kind: NoticeKind
    at_us: int
    room: str
    camera_id: str
    case_id: str
    run_id: str

    @property
    def notice_id(self) -> str:
        """The same at every repetition: a run begins once and ends once."""
        return f"{self.run_id}-{_STATES[self.kind]}"

    def fields(self, site: str, channel: str) -> dict[str, object]:
        """Section 1.2; texts cut to their length."""
        texts = {
            "format": FORMAT,
            "id": self.notice_id,
            "kind": self.kind.value,
            "at": utc_iso(self.at_us),
            "site": site,
            "room": self.room,
            "camera": self.camera_id,
            "channel": channel,
            "case": self.case_id,
            "run": self.run_id,
        }
        short = {name: text[:MOST_FIELD] for name, text in texts.items()}
        return {**short, "number": self.number, "at_us": self.at_us}


def run_case(entry: Entry) -> str:
    """The case that an entry of `ACTS` is about."""
    return entry.subject.removeprefix("case:")


def notice_of(entry: Entry, room: str) -> Notice:
    """The event that an entry of `ACTS` is. Errors: INTERNAL for an entry that this version did not write."""
    try:
        detail = json.loads(entry.detail)
        camera, run, kind = detail["camera"], detail["run"], ACTS[Act(entry.act)]
    except (ValueError, KeyError, TypeError):
        where = f"history entry {entry.seq}"
        raise OrvaultError(ErrorKind.INTERNAL, "It is no start or stop of a run.", where=where) from None
    return Notice(entry.seq, kind, entry.at_us, room, str(camera), run_case(entry), str(run))


def body_of(notice: Notice, site: str, channel: str) -> bytes:
    """What a webhook is sent; the same bytes each time (section 3.1)."""
    return encode(notice.fields(site, channel))


@dataclass(frozen=True)
class Secret:
    """What a target verifies events with."""

    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str, where: str) -> Secret:
        """Read `whsec_` and base64. Errors: BAD_SETTINGS, which does not repeat it."""
        try:
            key = base64.b64decode(text.strip().removeprefix(_SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not text.startswith(_SECRET_PREFIX) or not _SECRET_BYTES[0] <= len(key) <= _SECRET_BYTES[1]:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "It holds no secret of a target: whsec_ and the base64 of 24 to 64 random bytes.",
                where=where,
                advice='Make one with: echo "whsec_$(openssl rand -base64 32)"',
            )
        return cls(key)

    def sign_webhook(self, notice_id: str, at_s: int, body: bytes) -> dict[str, str]:
        """The headers of section 3.2. Source: Standard Webhooks 1.0, symmetric signatures."""
        mac = hmac.digest(self.key, f"{notice_id}.{at_s}.".encode() + body, "sha256")
        signature = f"v1,{base64.b64encode(mac).decode()}"
        return {"webhook-id": notice_id, "webhook-timestamp": str(at_s), "webhook-signature": signature}

    def sign_line(self, notice: Notice, channel: str) -> str:
        """The field `signature` of section 4.1."""
        signed = f"{notice.notice_id}.{notice.at_us}.{notice.kind.value}.{channel}"
        return hmac.new(self.key, signed.encode(), "sha256").hexdigest()


class LineTemplate:
    """A text line with fields (section 4.1), checked when it is made. Errors: BAD_SETTINGS."""

    def __init__(self, template: str, line_end: str = "\n") -> None:
        self._template, self._end = template, line_end
        sample = Notice(2**53 - 1, NoticeKind.RECORDING_OFF, 0, "", "", "", "")
        known = self._values(sample, "", "", None)
        try:
            parts = list(Formatter().parse(template))
        except ValueError as error:
            raise _bad_template(str(error)) from None
        for literal, name, form, conversion in parts:
            if any(char < " " or char == "\x7f" for char in literal):
                raise _bad_template("it holds a control character; line_end sets the end of the line")
            if name is not None and (name not in known or form or conversion):
                raise _bad_template(f"{{{name}}} is no field; there are: {', '.join(sorted(known))}")

    def render(self, notice: Notice, site: str, channel: str, secret: Secret | None) -> bytes:
        """The line with its end, at most 1024 bytes: what is longer is cut before the end."""
        line = self._template.format_map(self._values(notice, site, channel, secret))
        end = self._end.encode()
        return line.encode()[: MOST_LINE_BYTES - len(end)].decode(errors="ignore").encode() + end

    @staticmethod
    def _values(notice: Notice, site: str, channel: str, secret: Secret | None) -> dict[str, str]:
        plain = {name: _plain(str(value)) for name, value in notice.fields(site, channel).items()}
        # The channel as it was signed: a name that had to be changed would not verify, so settings refuse it.
        signature = "" if secret is None else secret.sign_line(notice, channel)
        time = str(notice.at_us // US_PER_S)
        return {
            **plain,
            "format": FORMAT,
            "state": _STATES[notice.kind],
            "time": time,
            "signature": signature,
        }


def is_plain(text: str) -> bool:
    """Whether a value stands in lines as it is."""
    return _plain(text) == text


def _plain(text: str) -> str:
    return "".join(char if char.isalnum() or char in _PLAIN else "_" for char in text)


def _bad_template(message: str) -> OrvaultError:
    return OrvaultError(ErrorKind.BAD_SETTINGS, f"The template cannot be used: {message}.", where="template")


class NoticeRows(Protocol):
    """How far each target has taken the events."""

    def next_number(self, target: str) -> int | None:
        """The number in history from which on nothing was taken yet; None: the target is not known."""
        ...

    def put(self, target: str, number: int, at_us: int) -> None: ...
    def keep(self, targets: Collection[str]) -> Sequence[str]:
        """Forget all others; the names of those forgotten."""
        ...
