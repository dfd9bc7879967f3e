"""The HTTP face of a witness (docs/format/history-v1.md, section 4): two routes, a bearer token, plain text.

What is taken and what is refused decides orvault/custody/witness.py.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from api.middleware import BodyLimit, SecurityHeaders
from orvault.custody.witness import MAX_REQUEST_BYTES, OtherSizeError, Witness
from orvault.errors import ErrorKind, OrvaultError

_STATUS = {
    ErrorKind.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    ErrorKind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorKind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    ErrorKind.CONFLICT: HTTPStatus.CONFLICT,
    ErrorKind.ALTERED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorKind.STORAGE: HTTPStatus.INSUFFICIENT_STORAGE,
}


def build_witness_app(witness: Witness, token: str) -> FastAPI:
    """The app; `token` is what every caller shows."""
    app = FastAPI(title="OR Vault witness", openapi_url=None)
    app.add_middleware(BodyLimit, max_bytes=MAX_REQUEST_BYTES)
    app.add_middleware(SecurityHeaders)

    def known(request: Request) -> bool:
        shown = request.headers.get("authorization", "").encode()
        return hmac.compare_digest(shown, f"Bearer {token}".encode())

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        """Take one checkpoint."""
        if not known(request):
            return _unknown()
        body = await request.body()
        try:
            return PlainTextResponse(await run_in_threadpool(witness.take, body))
        except OtherSizeError as other:
            headers = {"content-type": "text/x.tlog.size"}  # to the letter: other logs' clients compare it
            return Response(f"{other.size}\n", HTTPStatus.CONFLICT, headers)
        except OrvaultError as error:
            return _refused(error)

    @app.get("/checkpoint")
    def checkpoint(request: Request, origin: Annotated[str, Query(max_length=255)]) -> Response:
        """The newest checkpoint of a log."""
        if not known(request):
            return _unknown()
        try:
            kept = witness.newest(origin)
        except OrvaultError as error:
            return _refused(error)
        if kept is None:
            return PlainTextResponse("None is kept here.\n", HTTPStatus.NOT_FOUND)
        return PlainTextResponse(kept)

    return app


def _refused(error: OrvaultError) -> Response:
    status = _STATUS.get(error.kind, HTTPStatus.INTERNAL_SERVER_ERROR)
    return PlainTextResponse(error.outside_words + "\n", status)


def _unknown() -> Response:
    headers = {"www-authenticate": "Bearer"}
    return PlainTextResponse("The token is not the one.\n", HTTPStatus.UNAUTHORIZED, headers=headers)
