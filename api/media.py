"""Serves finished packages: GET and HEAD with Range, by a signed link and nothing else.

It runs under uvicorn inside the media actor; who may have a link is decided in custody before one is made. Switch
uvicorn's access log off there: the link's token stands in the query.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from api import errors
from api.middleware import SecurityHeaders
from api.security import LinkSigner
from api.services import client_of
from api.types import ObjectId
from orvault.custody.request import PackageFile
from orvault.errors import ErrorKind, OrvaultError

MEDIA_TYPE = "application/octet-stream"
_LONGEST_RANGE = 64
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Downloads(Protocol):
    """What custody says of a link that was used; `CustodyService` is one."""

    def look_up(self, package_id: str, link_id: str) -> PackageFile:
        """The package behind the link; nothing is written."""
        ...

    def open_download(self, package_id: str, link_id: str, client: str = "") -> PackageFile:
        """The package behind the link, its first use written into history."""
        ...


def build_media_app(links: LinkSigner, packages_folder: Path, downloads: Downloads) -> FastAPI:
    """The byte server's ASGI application: `GET /media/{package_id}?token=...`.

    A download is in history, and its copy delivered, only once nothing can refuse the bytes any more; HEAD is none.
    Answers 200, 206, 416; 401 to a forged link, 410 to one that is over or whose export is over.
    """
    app = FastAPI(title="OR Vault media", openapi_url=None, docs_url=None, redoc_url=None)
    folder = packages_folder.resolve()

    def send_package(
        request: Request, package_id: ObjectId, token: Annotated[str, Query(max_length=4096)] = ""
    ) -> Response:
        link_id = links.read(package_id, token)
        package = downloads.look_up(package_id, link_id)
        path = _inside(folder, package)
        _check_range(request, package)
        answer = FileResponse(
            path,
            media_type=MEDIA_TYPE,
            filename=f"orvault-{package.package_id}.orvault",
            headers={"ETag": _etag(package), "Cache-Control": "private, no-store"},
            stat_result=path.stat(),
        )
        if request.method == "GET":
            downloads.open_download(package_id, link_id, client_of(request))
        return answer

    app.add_api_route("/media/{package_id}", send_package, methods=["GET", "HEAD"], response_model=None)
    errors.install(app)
    app.add_middleware(SecurityHeaders)
    return app


def _inside(folder: Path, package: PackageFile) -> Path:
    path = (folder / package.path).resolve()
    if not path.is_relative_to(folder) or not path.is_file() or path.stat().st_size != package.bytes:
        raise OrvaultError(
            ErrorKind.STORAGE,
            "The package's file is not there as it was made.",
            where=package.package_id,
            advice="Ask the administrator; the export can be requested again.",
        )
    return path


def _check_range(request: Request, package: PackageFile) -> None:
    # The file response would answer these in plain text; here they are problems like all others.
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", _etag(package)) != _etag(package):
        return
    found = _RANGE.fullmatch(asked.replace(" ", "")[:_LONGEST_RANGE])
    if found is None or not _runs_forwards(*found.groups()):
        message = "The range is not readable; one range of bytes is taken, such as bytes=0-1023."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="Range")
    first = int(found.group(1) or 0)
    if first >= package.bytes or (found.group(1) == "" and int(found.group(2)) == 0):
        raise HTTPException(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers={"Content-Range": f"bytes */{package.bytes}"}
        )


def _runs_forwards(first: str, last: str) -> bool:
    return bool(first or last) and not (first and last and int(last) < int(first))


def _etag(package: PackageFile) -> str:
    # the content's own digest: a download that is resumed never mixes two files
    return f'"{package.sha256}"'
