"""The one error the product raises on purpose, and the closed list of its kinds.

What a kind looks like from outside stands in one table each: `api/errors.py` (HTTP), `EXIT_CODES` here (programs).
"""

from __future__ import annotations

from enum import StrEnum


class ErrorKind(StrEnum):
    """Why something was not done; callers branch on this, never on a message."""

    # what a person asked for
    BAD_REQUEST = "bad-request"
    UNAUTHENTICATED = "unauthenticated"
    CODE_NEEDED = "code-needed"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    EMPTY_RANGE = "empty-range"
    BASIS_MISSING = "basis-missing"
    SELF_APPROVAL = "self-approval"
    NOT_APPROVED = "not-approved"
    LINK_EXPIRED = "link-expired"
    DESTROYED = "destroyed"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    # how the system was set up
    BAD_SETTINGS = "bad-settings"
    PROVIDER_MISSING = "provider-missing"
    BAD_MODEL = "bad-model"
    NO_PLACE = "no-place"
    # keys
    KEYS_LOCKED = "keys-locked"
    WRONG_PASSPHRASE = "wrong-passphrase"  # noqa: S105 - a kind's name
    KEY_MISSING = "key-missing"
    GRANT_MISSING = "grant-missing"
    # cameras and recording
    CAMERA_UNREACHABLE = "camera-unreachable"
    CAMERA_REFUSED = "camera-refused"
    CAMERA_STALLED = "camera-stalled"
    UNSUPPORTED_CODEC = "unsupported-codec"
    BAD_MEDIA = "bad-media"
    NOT_ARMED = "not-armed"
    STORAGE = "storage"
    # verdicts over what was sealed
    NOT_FOR_YOU = "not-for-you"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a kind's name
    ALTERED = "altered"
    DAMAGED = "damaged"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    NOT_ACTIVATED = "not-activated"
    UNTRUSTED = "untrusted"
    NOT_A_PACKAGE = "not-a-package"
    NEWER_FORMAT = "newer-format"
    # the rest
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


EXIT_CODES: dict[ErrorKind, int] = {
    ErrorKind.ALTERED: 10,
    ErrorKind.DAMAGED: 11,
    ErrorKind.EXPIRED: 12,
    ErrorKind.NOT_YET_VALID: 13,
    ErrorKind.NOT_FOR_YOU: 14,
    ErrorKind.WRONG_PASSWORD: 15,
    ErrorKind.UNTRUSTED: 16,
    ErrorKind.NOT_A_PACKAGE: 17,
    ErrorKind.NOT_FOUND: 18,
    ErrorKind.NOT_ACTIVATED: 19,
    ErrorKind.BAD_SETTINGS: 20,
    ErrorKind.WRONG_PASSPHRASE: 21,
    ErrorKind.KEYS_LOCKED: 22,
    ErrorKind.PROVIDER_MISSING: 23,
    ErrorKind.NEWER_FORMAT: 25,
}
OTHER_FAILURE = 1  # 2 is the command line's own "wrong usage"


class OrvaultError(Exception):
    """What went wrong, where, and what to do about it, in words for a person.

    `message` never holds a secret: it is shown, logged and sent over HTTP as it is.
    """

    def __init__(self, kind: ErrorKind, message: str, *, where: str = "", advice: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.where = where
        self.advice = advice

    def __reduce__(self) -> tuple[object, ...]:
        # Ray pickles errors by calling the class with `args`; keyword-only arguments would be lost.
        return (_rebuild, (type(self), self.kind, self.message, self.where, self.advice))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{place}{self.message}{advice}"

    @property
    def outside_where(self) -> str:
        """`where` as it may leave the server: nothing where it is a place in its file system."""
        return "" if "/" in self.where or "\\" in self.where else self.where

    @property
    def outside_words(self) -> str:
        """The error as `str` words it, for those who are not to know the server's file system."""
        return str(OrvaultError(self.kind, self.message, where=self.outside_where, advice=self.advice))

    @property
    def exit_code(self) -> int:
        """The process exit code of a program that ends on this error."""
        return EXIT_CODES.get(self.kind, OTHER_FAILURE)


def is_away(error: BaseException) -> bool:
    """Whether this passes by itself: what is away (UNAVAILABLE) comes back."""
    return isinstance(error, OrvaultError) and error.kind is ErrorKind.UNAVAILABLE


def _rebuild(cls: type[OrvaultError], kind: ErrorKind, message: str, where: str, advice: str) -> OrvaultError:
    return cls(kind, message, where=where, advice=advice)
