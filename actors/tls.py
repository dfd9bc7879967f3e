"""Which certificates an outgoing TLS connection believes: the system's, or those of the settings' `ca_file`."""

from __future__ import annotations

import ssl
from pathlib import Path

from orvault.errors import ErrorKind, OrvaultError


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """A context that verifies the other side. Errors: BAD_SETTINGS, naming the file, if it holds no certificate."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        message = "It holds no certificate that can be used."
        advice = (
            "Put the certificates of who is believed there, in PEM form, where this account may read them."
        )
        raise OrvaultError(
            ErrorKind.BAD_SETTINGS, message, where=f"ca_file {ca_file}", advice=advice
        ) from None
