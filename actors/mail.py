"""Sends one mail by SMTP, and says whether the server took it. When to try again is notices.py's."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from actors.keys import read_secret
from actors.tls import client_context
from orvault.clock import US_PER_S, Clock, SystemClock
from orvault.custody.mails import Audience, Mail
from orvault.errors import ErrorKind, OrvaultError

PERMANENT = 500  # SMTP replies from here on say that trying again changes nothing (RFC 5321, section 4.2.1)

PATIENCE_US = (
    15 * 60 * US_PER_S
)  # with an address that is put off: servers that do so on purpose ask for minutes

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Post:
    """A mail server and who is written to. `starttls` and `tls` check the server's certificate (`ca_file`, or the
    system's); a password is sent over those alone.
    """

    host: str
    port: int
    sender: str
    addresses: Mapping[Audience, Sequence[str]]
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout_s: float = 20.0
    clock: Clock = field(default_factory=SystemClock)
    _tries: _Tries = field(default_factory=lambda: _Tries(), init=False, repr=False, compare=False)

    def send(self, mail: Mail) -> bool:
        """Whether there was anybody to write to; returns once the server took the mail, for each address.

        Called again after an error, it writes to those alone that the server had put off: nobody gets it twice (but
        after a crash in between). An address that is refused for good, or put off for `PATIENCE_US`, is logged and
        left out. Errors: UNAVAILABLE (server, sign-in, an address put off), BAD_SETTINGS (password file, `ca_file`).
        """
        offices = {a for audience in mail.audiences for a in self.addresses.get(audience, ())}
        to = sorted(offices | {*mail.to})
        if not to:
            return False
        waiting = [address for address in to if address not in self._tries.settled_of(mail.number)]
        refused = self._offer(self._message(mail, sorted(offices)), waiting) if waiting else {}
        put_off = {address for address, code in refused.items() if code < PERMANENT}
        left_out = self._tries.left_out(put_off, self.clock.now_us())
        self._tries.settle(mail.number, set(waiting) - put_off | left_out)
        for address in sorted(refused.keys() - put_off | left_out):
            code = refused[address]
            log.error("mail %d: the server refuses %s (%d); it is left out", mail.number, address, code)
        if put_off - left_out:
            raise self._failed(f"does not take the mail for {len(put_off - left_out)} addresses now")
        return True

    def _offer(self, message: EmailMessage, waiting: Sequence[str]) -> Mapping[str, int]:
        """Hand the mail over for those who wait; the codes of those that the server did not take it for."""
        try:
            with self._connected() as server:
                refused = server.send_message(message, to_addrs=waiting)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except (OSError, smtplib.SMTPException) as error:
            raise self._failed(_why(error)) from error
        return {address: code for address, (code, _) in refused.items()}

    def _connected(self) -> smtplib.SMTP:
        context = client_context(self.ca_file) if self.security != "none" else None
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.password_file is not None:
                server.login(self.username, read_secret(self.password_file))
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, mail: Mail, offices: Sequence[str]) -> EmailMessage:
        """The mail as everybody gets it; it names no participant's address, which are theirs alone to give."""
        to = ", ".join(offices) or "undisclosed-recipients:;"  # RFC 5322, 3.4: a group that names nobody
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, to, mail.subject
        message["Date"] = format_datetime(datetime.fromtimestamp(self.clock.now_us() // US_PER_S, UTC))
        # The same at every repetition: mail programs show it once.
        message["Message-ID"] = f"<history-{mail.number}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body)
        return message

    def _failed(self, what: str) -> OrvaultError:
        return OrvaultError(
            ErrorKind.UNAVAILABLE, f"The mail server {what}.", where=f"mail {self.host}:{self.port}"
        )


def _why(error: OSError | smtplib.SMTPException) -> str:
    """What the server did instead; not what it said: that may repeat what it was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not believed: {error.verify_message} (mail.ca_file)"
    code = f" {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else ""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"refuses the sign-in ({type(error).__name__}{code})"
    return f"did not take the mail ({type(error).__name__}{code})"


class _Tries:
    """What became of the mail under way, address by address, and since when addresses are put off.

    An address that exhausted the patience once gets one try a mail until one is taken: a full mailbox must not hold
    up every mail to everybody.
    """

    def __init__(self) -> None:
        self._number = -1
        self._settled: set[str] = set()
        self._put_off_us: dict[str, int] = {}
        self._exhausted: set[str] = set()

    def settled_of(self, number: int) -> frozenset[str]:
        """Those who took this mail, or are left out of it."""
        if number != self._number:
            self._number, self._settled = number, set()
        return frozenset(self._settled)

    def settle(self, number: int, addresses: set[str]) -> None:
        """These are done with, for this mail."""
        assert number == self._number, "mails come one after the other"
        self._settled |= addresses
        for address in addresses & self._put_off_us.keys():
            if address not in self._exhausted:
                del self._put_off_us[address]

    def left_out(self, put_off: set[str], now_us: int) -> set[str]:
        """Those of the addresses that are put off now for which it is not waited any longer."""
        for address in put_off:
            self._put_off_us.setdefault(address, now_us)
        self._exhausted = {each for each in put_off if now_us - self._put_off_us[each] >= PATIENCE_US}
        return set(self._exhausted)
