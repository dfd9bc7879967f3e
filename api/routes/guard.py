"""How a route names its right and its failures; a test refuses a route without one."""

from __future__ import annotations

from typing import Any

from fastapi import Depends

from api.errors import MEDIA_TYPE, PROBLEMS
from api.services import CallerHere
from orvault.custody.access import Right, require
from orvault.errors import ErrorKind

_ALWAYS = (ErrorKind.BAD_REQUEST, ErrorKind.UNAVAILABLE, ErrorKind.INTERNAL)
_SIGNED_IN = (ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN)
PUBLIC = "public"


def guarded(right: Right, *kinds: ErrorKind, by_service: bool = False) -> dict[str, Any]:
    """Arguments of a route that needs `right`: checked before the body is looked at, and again in custody.

    `by_service` leaves it to custody alone, where the answer depends on the object (nobody approves their own).
    """

    def check(caller: CallerHere) -> None:
        if not by_service:
            require(caller.account, right)

    return {
        "dependencies": [Depends(check)],
        "openapi_extra": {"x-right": right.value},
        "responses": _responses(*_SIGNED_IN, *kinds),
    }


def public(*kinds: ErrorKind) -> dict[str, Any]:
    """Arguments of a route that needs no sign-in."""
    return {"openapi_extra": {"x-right": PUBLIC}, "responses": _responses(*kinds)}


def _responses(*kinds: ErrorKind) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    titles: dict[int, list[str]] = {413: ["The body is too large"]}
    for kind in (*_ALWAYS, *kinds):
        status, title = PROBLEMS[kind]
        titles.setdefault(int(status), []).append(f"{title} (`{kind.value}`)")
    return {
        status: {"description": "; ".join(dict.fromkeys(words)), "content": {MEDIA_TYPE: schema}}
        for status, words in sorted(titles.items())
    }
