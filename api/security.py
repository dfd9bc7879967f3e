"""Bearer tokens and download links: JSON Web Tokens (RFC 7519), HS256, each with a key and an audience of its own.

Which session a token names, and whether it is still open, is custody's to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

import jwt

from orvault.clock import US_PER_S, Clock
from orvault.custody.session import Session
from orvault.errors import ErrorKind, OrvaultError

ISSUER = "orvault"
# One algorithm, pinned: a token never chooses how it is checked (RFC 8725, section 3.1).
ALGORITHM = "HS256"
SECRET_BYTES = 32
_API = "orvault-api"
_DOWNLOAD = "orvault-download"
_VIEW = "orvault-view"
_LONGEST = 4096


@dataclass(frozen=True)
class _Signer:
    audience: str
    secret: bytes = field(repr=False)
    clock: Clock = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) < SECRET_BYTES:
            message = f"A signing secret has {len(self.secret)} bytes; {SECRET_BYTES} are needed."
            raise OrvaultError(ErrorKind.BAD_SETTINGS, message, where=self.audience)

    def sign(self, subject: str, token_id: str, expires_us: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": self.audience,
            "sub": subject,
            "jti": token_id,
            "iat": self.clock.now_us() // US_PER_S,
            "exp": expires_us // US_PER_S,
        }
        return jwt.encode(claims, self.secret, algorithm=ALGORITHM)

    def read(self, token: str) -> tuple[str, str] | None:
        """Subject and token id; None once it is over. Raises jwt.InvalidTokenError for any other fault."""
        if len(token) > _LONGEST:
            raise jwt.InvalidTokenError
        claims = jwt.decode(
            token,
            self.secret,
            algorithms=[ALGORITHM],
            audience=self.audience,
            issuer=ISSUER,
            # times are checked below, against the clock that everything else goes by
            options={
                "require": ["iss", "aud", "sub", "jti", "iat", "exp"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        subject, token_id, expires = claims["sub"], claims["jti"], claims["exp"]
        if not (isinstance(subject, str) and isinstance(token_id, str) and isinstance(expires, int)):
            raise jwt.InvalidTokenError
        return None if self.clock.now_us() // US_PER_S >= expires else (subject, token_id)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good bearer token says."""

    account_id: str
    session_id: str


class TokenSigner:
    """Makes and reads bearer tokens; the secret has 32 bytes or more and is shared by all API processes."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._signer = _Signer(_API, secret, clock)

    def sign(self, session: Session) -> str:
        """The token of a session, good until the session's end."""
        return self._signer.sign(session.account_id, session.session_id, session.expires_us)

    def read(self, token: str) -> Claims:
        """What the token says; UNAUTHENTICATED unless it is ours and not over."""
        try:
            found = self._signer.read(token)
        except jwt.InvalidTokenError:
            message = "The bearer token is not one of this system."
            raise OrvaultError(ErrorKind.UNAUTHENTICATED, message, advice="Sign in again.") from None
        if found is None:
            raise OrvaultError(ErrorKind.UNAUTHENTICATED, "This session is over.", advice="Sign in again.")
        return Claims(*found)


class LinkSigner:
    """Makes and reads the signed part of download and view URLs; its secret is not that of the bearer tokens."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._signer = _Signer(_DOWNLOAD, secret, clock)
        self._views = _Signer(_VIEW, secret, clock)

    def sign(self, package_id: str, link_id: str, expires_us: int) -> str:
        """The URL's path and query for this package, to put behind the media server's address."""
        token = self._signer.sign(package_id, link_id, expires_us)
        return f"/media/{package_id}?{urlencode({'token': token})}"

    def read(self, package_id: str, token: str) -> str:
        """The id of the link that this URL belongs to.

        Errors: LINK_EXPIRED once it is over; UNAUTHENTICATED when it is forged or of another package.
        """
        try:
            found = self._signer.read(token)
        except jwt.InvalidTokenError:
            raise _forged() from None
        if found is None:
            message = "This download link is not valid any more."
            raise OrvaultError(ErrorKind.LINK_EXPIRED, message, advice="Ask for a new link.")
        if found[0] != package_id:
            raise _forged()
        return found[1]

    def sign_view(self, view_id: str, expires_us: int) -> str:
        """The URL's path of this view's page, to put behind the viewing server's address."""
        return f"/view/{self._views.sign(view_id, view_id, expires_us)}/"

    def read_view(self, token: str) -> str:
        """The id of the view that this path belongs to. Errors: LINK_EXPIRED, UNAUTHENTICATED (forged)."""
        try:
            found = self._views.read(token)
        except jwt.InvalidTokenError:
            raise _forged() from None
        if found is None:
            message = "This view is over."
            raise OrvaultError(ErrorKind.LINK_EXPIRED, message, advice="Ask for a new one.")
        return found[1]


def _forged() -> OrvaultError:
    message = "This link was not made by this system."
    return OrvaultError(
        ErrorKind.UNAUTHENTICATED, message, advice="Use the link as it was given, or ask again."
    )
