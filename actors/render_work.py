"""Finished pieces of a rendering on disk, sealed, so that a worker that is restarted goes on where it was.

No key of it is on any disk: each piece lies under a key that follows from those of the segments it was made of, which
the key service opens for a render grant only. So a piece opens for whoever may render, and for nobody once the case's
key is destroyed.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orvault.container.canonical import encode
from orvault.container.files import PrivateFile, write_private
from orvault.container.stream import CHUNK_BYTES, SealingWriter, open_bytes, seal_bytes
from orvault.errors import ErrorKind, OrvaultError

KEY_BYTES = 32
_CONTEXT = b"orvault/render-piece/v1\n"
_RESULT_CONTEXT = b"orvault/render-result/v1\n"
_SPOILED = (ErrorKind.ALTERED, ErrorKind.DAMAGED)

log = logging.getLogger(__name__)


class RenderWork:
    """The pieces of one request. `made_by` is everything that decides what a piece holds, or its digest: with other
    settings, or another version of this program, none of the old pieces opens any more.
    """

    def __init__(self, folder: Path, made_by: Mapping[str, object] | str) -> None:
        self.folder = folder
        self.made_by = made_by if isinstance(made_by, str) else hashlib.sha256(encode(made_by)).hexdigest()

    def key(self, segment_keys: Sequence[bytes]) -> bytes:
        """The key of a piece that is made of the segments with these keys."""
        return _derived(segment_keys, _CONTEXT + self.made_by.encode())

    def put(self, name: str, key: bytes, data: bytes) -> None:
        """Keep a piece, durably; STORAGE where there is no room."""
        write_private(self.folder / name, seal_bytes(data, key, self._bound(name), CHUNK_BYTES))

    @contextmanager
    def putting(self, name: str, key: bytes) -> Iterator[SealingWriter]:
        """As `put`, of what comes bit by bit: kept when the context ends without an error, if anything came."""
        with PrivateFile(self.folder / name) as file:
            with SealingWriter(file, key, self._bound(name), CHUNK_BYTES) as sink:
                yield sink
            if sink.plaintext_bytes:
                file.keep()

    def read(self, name: str, key: bytes) -> bytes:
        """A piece that was kept. Errors: ALTERED, DAMAGED; OSError where it cannot be read."""
        return open_bytes((self.folder / name).read_bytes(), key, self._bound(name), CHUNK_BYTES)

    def get(self, name: str, key: bytes) -> bytes | None:
        """A piece that was kept; None where there is none, or none that can be used (it is made again)."""
        try:
            return self.read(name, key)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a piece of a rendering cannot be read: %s", error.strerror)
        except OrvaultError as error:
            if error.kind not in _SPOILED:
                raise
            log.warning("a piece of a rendering is not usable and is made again: %s", error)
        return None

    def remove(self) -> None:
        """The work is done or given up."""
        remove_work(self.folder)

    def _bound(self, name: str) -> bytes:
        return _CONTEXT + f"{self.made_by}\n{name}".encode()


def result_key(request_id: str, made_by: str, segment_keys: Sequence[bytes]) -> bytes:
    """The key of a piece of a request's result, which participants look at; bound to the request, so that nobody who
    may see one result is given what opens anything else.
    """
    return _derived(segment_keys, _RESULT_CONTEXT + f"{request_id}\n{made_by}".encode())


def _derived(segment_keys: Sequence[bytes], info: bytes) -> bytes:
    # HKDF over keys that are random and 256 bits long: each piece gets a key that tells nothing of them.
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(b"".join(segment_keys))


def work_folder(packages: Path, request_id: str) -> Path:
    """Where a request's pieces lie, and what was found in its footage."""
    return packages / f"{request_id}.work"


def remove_work(folder: Path) -> bool:
    """Remove the pieces of a request; False, and logged, if that is not possible."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return True
    except OSError as error:
        log.warning("%s cannot be removed: %s", folder.name, error.strerror)
        return False
    return True
