"""Places outside the ledger that take checkpoints: a folder, another machine's witness, an authority of time.

Each says whether it took what it was given, and whether what it has still agrees with history. When to try again is
witnessing.py's. What a place has is asked of the place, or remembered by this process: receipts in the ledger are for
people to read, and who may write the ledger could write one for what never went out.
"""

from __future__ import annotations

import ssl
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

import httpx

from actors.http_answer import ask, why_not
from actors.keys import read_secret
from actors.tls import client_context
from orvault.clock import US_PER_S, Clock
from orvault.container.canonical import to_base64
from orvault.container.checkpoint import Checkpoint
from orvault.container.checkpoint_files import CheckpointFolder, KeptCheckpoint
from orvault.container.note import NoteKey, parse_line
from orvault.custody.checkpoints import StoredCheckpoint
from orvault.custody.service import CustodyService
from orvault.custody.time_stamps import StampTrust, stamp_request
from orvault.custody.witness import Submission
from orvault.errors import ErrorKind, OrvaultError

_MAX_ANSWER_BYTES = 64 << 10
# By folder: two places write into one, each from a thread of its own, and sizes in it may never go down.
_turns: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


class Place(Protocol):
    """One place outside."""

    @property
    def name(self) -> str:
        """Under which its receipts are kept."""
        ...

    @property
    def every_s(self) -> float:
        """How long it may rest although history grew."""
        ...

    def bring(self, custody: CustodyService) -> int:
        """Give it what it has not taken yet; how many entries are covered by what it has then.

        Errors: ALTERED (it knows another history); others pass.
        """
        ...


@dataclass(frozen=True)
class FolderPlace:
    """A folder; takes every checkpoint."""

    folder: Path
    name: str = "folder"
    every_s: float = 0.0

    def bring(self, custody: CustodyService) -> int:
        """1. what lies there agrees; 2. write what is new, durably; 3. note that it was taken.

        A crash between 2. and 3. leaves a line that is found there and not written twice.
        """
        with _turns[self.folder]:
            return self._bring(custody)

    def _bring(self, custody: CustodyService) -> int:
        folder = CheckpointFolder(self.folder)
        kept = folder.newest_readable()
        known = 0 if kept is None else _agreed(custody, kept.checkpoint)
        for each in custody.checkpoints_after(known):
            folder.append(KeptCheckpoint(each.at_us, each.parsed()))
            known = each.size
            custody.checkpoint_taken(self.name, known)
        taken = custody.newest_taken(self.name)
        if known and (taken is None or taken.size < known):
            custody.checkpoint_taken(self.name, known)
        return known


@dataclass
class WitnessPlace:
    """A witness; takes the newest checkpoint, and cosigns it. `ca_file` pins its certificate (PEM)."""

    witness: str
    url: str
    key: NoteKey
    token_file: Path
    ca_file: Path | None = None
    timeout_s: float = 10.0
    every_s: float = 0.0
    _held: Checkpoint | None = field(default=None, init=False)  # what it cosigned for this process

    @property
    def name(self) -> str:
        """Under which its receipts are kept."""
        return f"witness:{self.witness}"

    def bring(self, custody: CustodyService) -> int:
        """1. send the newest with its proof; 2. its cosignature holds; 3. note it."""
        newest, held = custody.newest_checkpoint(), self._held
        if held is not None and (newest is None or newest.size <= held.size):
            return _agreed(custody, held, newest)
        if newest is None:
            return 0
        checkpoint = newest.parsed()
        answer = self._submit(custody, checkpoint, 0 if held is None else held.size)
        if answer.headers.get("content-type", "").startswith("text/x.tlog.size"):
            # This process has asked nothing yet, its answer was lost, or it is another ledger that speaks.
            answer = self._submit(custody, checkpoint, self._size(answer))
        if answer.status_code != HTTPStatus.OK:
            raise self._refusal(answer)
        custody.checkpoint_taken(self.name, newest.size, self._cosignature(answer, checkpoint))
        self._held = checkpoint
        return checkpoint.size

    def newest(self, origin: str) -> Checkpoint | None:
        """What it keeps of this history; None for nothing. Errors: UNAVAILABLE, ALTERED (it did not cosign that)."""
        answer = self._ask("GET", "/checkpoint", params={"origin": origin})
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code != HTTPStatus.OK:
            raise self._refusal(answer)
        kept = Checkpoint.parse(answer.text, self.name)
        if kept.note.signed_at(self.key) is None:
            raise OrvaultError(ErrorKind.ALTERED, "It is not signed with the witness's key.", where=self.name)
        return kept

    def _submit(self, custody: CustodyService, checkpoint: Checkpoint, old_size: int) -> httpx.Response:
        steps = tuple(custody.grown_from(old_size, checkpoint.size))
        return self._ask("POST", "/add-checkpoint", content=Submission(old_size, steps, checkpoint).body())

    def _ask(
        self, method: str, path: str, params: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {read_secret(self.token_file)}"}
        try:
            return ask(
                method,
                self.url.rstrip("/") + path,
                trust=self._trust(),
                timeout_s=self.timeout_s,
                max_bytes=_MAX_ANSWER_BYTES,
                headers=headers,
                params=params,
                content=content,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"The witness {why_not(error)}."
            raise OrvaultError(ErrorKind.UNAVAILABLE, message, where=self.name) from None

    def _trust(self) -> ssl.SSLContext:
        context = client_context(self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context

    def _size(self, answer: httpx.Response) -> int:
        text = answer.text.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 16):
            raise OrvaultError(ErrorKind.UNAVAILABLE, "It answered something unreadable.", where=self.name)
        return int(text)

    def _refusal(self, answer: httpx.Response) -> OrvaultError:
        if answer.status_code in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY):
            message = "The witness keeps another history than this ledger has."
            return OrvaultError(
                ErrorKind.ALTERED, message, where=self.name, advice="Run orvault history verify."
            )
        return OrvaultError(ErrorKind.UNAVAILABLE, f"It answered {answer.status_code}.", where=self.name)

    def _cosignature(self, answer: httpx.Response, checkpoint: Checkpoint) -> str:
        error = OrvaultError(ErrorKind.UNAVAILABLE, "It answered without its cosignature.", where=self.name)
        for text in answer.text[:_MAX_ANSWER_BYTES].splitlines():
            line = parse_line(text, error)
            if (line.name, line.key_id) == (self.key.name, self.key.key_id):
                checkpoint.note.also(line).signed_at(self.key)
                return line.text
        raise error


@dataclass
class TimeStampPlace:
    """An RFC 3161 authority; stamps the newest checkpoint now and then, and the stamp goes into the folder too."""

    url: str
    roots: Path
    folder: Path
    every_s: float
    clock: Clock
    timeout_s: float = 10.0
    name: str = "time-stamp"
    _last: tuple[int, int] = field(default=(0, 0), init=False)  # entries, UTC microseconds: by this process

    def bring(self, custody: CustodyService) -> int:
        """1. ask for a stamp; 2. it holds; 3. the line with it is durable; 4. note it.

        A stamp that comes after a larger checkpoint was written is dropped: the next look has that one stamped.
        """
        newest, (stamped, at_us) = custody.newest_checkpoint(), self._last
        early = self.clock.now_us() - at_us < self.every_s * US_PER_S
        if newest is None or newest.size <= stamped or (stamped and early):
            return stamped
        checkpoint = newest.parsed()
        stamp = self._stamped(checkpoint.note.text)
        StampTrust.load(self.roots).check(stamp, checkpoint.note.text)
        with _turns[self.folder]:
            folder = CheckpointFolder(self.folder)
            kept = folder.newest_readable()
            if kept is not None and kept.checkpoint.size > newest.size:
                self._last = (stamped, self.clock.now_us())
                return stamped
            folder.append(KeptCheckpoint(newest.at_us, checkpoint, stamp))
        custody.checkpoint_taken(self.name, newest.size, to_base64(stamp))
        self._last = (newest.size, self.clock.now_us())
        return newest.size

    def _stamped(self, text: str) -> bytes:
        headers = {"content-type": "application/timestamp-query"}
        try:
            answer = ask(
                "POST",
                self.url,
                trust=client_context(None),
                timeout_s=self.timeout_s,
                max_bytes=_MAX_ANSWER_BYTES,
                headers=headers,
                content=stamp_request(text),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._failed(why_not(error)) from None
        if answer.status_code != HTTPStatus.OK:
            raise self._failed(f"answered {answer.status_code}")
        return answer.content

    def _failed(self, what: str) -> OrvaultError:
        return OrvaultError(ErrorKind.UNAVAILABLE, f"The time stamp authority {what}.", where=self.name)


def _agreed(custody: CustodyService, held: Checkpoint, newest: StoredCheckpoint | None = None) -> int:
    """How many entries are covered by what a place has, if history begins with them. Errors: ALTERED."""
    newest = newest or custody.newest_checkpoint()
    if newest is None or (newest.size, newest.root) != (held.size, held.root.hex()):
        custody.check_outside(held.size, held.root)
    return held.size
