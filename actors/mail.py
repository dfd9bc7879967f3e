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
from orvault.clock import US_PER_S, Clock, SystemClock
from orvault.custody.mails import Audience, Mail
from orvault.errors import ErrorKind, OrvaultError

PERMANENT = 500  # SMTP replies from here on say that trying again changes nothing (RFC 5321, section 4.2.1)

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

    def send(self, mail: Mail) -> bool:
        """Whether there was anybody to write to; returns once the server took the mail.

        An address that the server refuses for good is logged and left out. Errors: UNAVAILABLE (server, sign-in),
        BAD_SETTINGS (password file).
        """
        to = sorted({a for audience in mail.audiences for a in self.addresses.get(audience, ())})
        if not to:
            return False
        try:
            with self._connected() as server:
                refused = server.send_message(self._message(mail, to))
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
            if any(code < PERMANENT for code, _ in refused.values()):
                raise self._failed("does not take the mail now") from error
        except (OSError, smtplib.SMTPException) as error:
            raise self._failed(f"did not take the mail ({type(error).__name__})") from error
        for address, (code, _) in refused.items():
            log.error("mail %d: the server refuses %s (%d); it is left out", mail.number, address, code)
        return True

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self.ca_file) if self.security != "none" else None
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

    def _message(self, mail: Mail, to: Sequence[str]) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, ", ".join(to), mail.subject
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
