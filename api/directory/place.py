"""Where a site's directory is and what is believed of it, as plain values that travel to the API's processes.

The secret stays in its file until it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from orvault.custody.directory import ClaimNames

# Signatures of a key that the directory alone has. No HS*: its key is the client's secret, or taken for one that is
# public; no "none" (RFC 8725, section 3.1).
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class ProviderPlace:
    """A site's directory; `redirect_uri` is the API's own address for those who come back from it.

    `levels` are asked for (acr_values); `max_age_s` is how long somebody may have been signed in there.
    """

    issuer: str
    client_id: str
    redirect_uri: str
    algorithms: tuple[str, ...] = ALGORITHMS
    client_secret_file: Path | None = None
    ca_file: Path | None = None
    scopes: tuple[str, ...] = ("openid", "profile")
    claims: ClaimNames = field(default_factory=ClaimNames)
    max_age_s: int | None = None
    levels: tuple[str, ...] = ()
    timeout_s: float = 5.0
    return_addresses: tuple[str, ...] = ()

    @property
    def here(self) -> bool:
        """Whether the directory is on this machine, where nobody listens on the way."""
        return is_safe(self.issuer, loopback=True) and not self.issuer.startswith("https:")


def is_safe(url: str, *, loopback: bool) -> bool:
    """Whether what is sent there is seen by nobody else: https, or http to this machine where that is allowed."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    here = loopback and parts.scheme == "http" and host in _LOOPBACK
    return bool(host) and "@" not in parts.netloc and (parts.scheme == "https" or here)
