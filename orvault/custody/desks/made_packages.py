"""What is checked of packages that a worker says it made, and what history says of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from orvault.custody.request import ExportRequest, PackageFile
from orvault.custody.rows import UnitOfWork
from orvault.errors import ErrorKind, OrvaultError

_SHA256 = re.compile(r"[0-9a-f]{64}")


def checked_path(package_path: str, size: int, sha256: str) -> PurePosixPath:
    """Where a package lies below the packages folder; BAD_REQUEST for a path, size or digest that is none."""
    path = PurePosixPath(package_path)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in package_path:
        message = "The package's path does not lie below the packages folder."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="package_path")
    if not _SHA256.fullmatch(sha256) or size <= 0:
        message = "The package's size or SHA-256 is not usable."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="sha256, size")
    return path


def told_of(made: ExportRequest) -> dict[str, object]:
    """What history says of packages that were made."""
    package, look = made.package, made.second_look
    assert package is not None and look is not None, "put in before"
    detail: dict[str, object] = {
        "package": package.package_id,
        "bytes": package.bytes,
        "sha256": package.sha256,
        "second_look": look.summary(),
    }
    if made.further:
        detail["further"] = {each.package_id: each.sha256 for each in made.further}
    return detail


def check_copies(uow: UnitOfWork, request: ExportRequest, further: Sequence[PackageFile]) -> None:
    """BAD_REQUEST unless there is one package for each recipient, and each can be opened."""
    if tuple(each.package_id for each in further) != request.further_ids:
        message = "These are not the packages of this request's recipients."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="further")
    _check_shares(uow, request)


def _check_shares(uow: UnitOfWork, request: ExportRequest) -> None:
    """BAD_REQUEST unless every copy that is to be activated can be: nobody hands out what nobody can open."""
    if not request.wish.activation.wanted:
        return
    kept = {each.package_id for each in uow.activations.of_request(request.request_id) if each.sealed}
    lacking = len({copy.package_id for copy in request.copies} - kept)
    if lacking:
        message = f"The hospital's half of the key was not kept for {lacking} of the copies."
        raise OrvaultError(ErrorKind.BAD_REQUEST, message, where="activation")
