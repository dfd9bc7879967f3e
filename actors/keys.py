"""The key service: makes case keys, and opens segment keys only on a grant that the ledger confirms.

After a restart without its passphrase it stays locked: recording goes on with public keys - a case that is armed now
gets the standing vault key - and opening waits. After the unlock what was sealed to the vault key is re-wrapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from actors.render_work import result_key
from actors.repeating import repeat
from actors.rewrapping import Rewrapper, Sidecars
from orvault.container import vaultkey
from orvault.container.kek import KekSource, PassphraseKek
from orvault.container.keybackup import follow
from orvault.container.keys import Kem, KeySlot, PublicKey, wrap_key
from orvault.container.keystore import KeyStore, default_anchors
from orvault.container.segment import slot_info, unwrap_dek
from orvault.container.vaultkey import VaultUse
from orvault.custody.history import Act
from orvault.custody.recorded import SegmentLike
from orvault.custody.service import CustodyService
from orvault.custody.viewing import Showing
from orvault.errors import ErrorKind, OrvaultError
from orvault.marks.keys import MarkKey, mark_key

if TYPE_CHECKING:
    from orvault.custody.token import TokenPlace

MAX_SECRET_BYTES = 4096
BACKUP_S = 60.0  # how far the back-up of the key store may be behind
REWRAP_S = 10.0  # between looks at what is still sealed to a vault key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StorePlace:
    """Where the key store is and what opens it: a passphrase with its anchor, or a key in a token."""

    folder: Path
    anchors: Path | None = None  # beside the folder when None
    token: TokenPlace | None = None
    backup: Path | None = None  # a copy that follows every change, without the anchor

    def source(self, secret: str) -> KekSource:
        """The KEK that this passphrase, or the token's PIN, stands for."""
        if self.token is None:
            return PassphraseKek(secret, self.anchors or default_anchors(self.folder))
        from orvault.custody.token import TokenKek  # only sites with a token load its library

        return TokenKek(self.token, secret)


class KeyActor:
    """One per cluster, on the export server."""

    def __init__(
        self,
        place: StorePlace | Path,
        secret_file: Path | None,
        open_custody: Callable[[], CustodyService],
        sidecars: Sidecars | None = None,
        kem: Kem = Kem.MLKEM768_X25519,
    ) -> None:
        self._place = place if isinstance(place, StorePlace) else StorePlace(place)
        self._kem = kem
        self._custody = open_custody()
        self._rewrapper = None if sidecars is None else Rewrapper(self._custody, self, sidecars)
        self._store: KeyStore | None = None
        self._locked_because = ""
        if secret_file is not None:
            self._unlock_at_start(secret_file)
        if self._place.backup is not None:
            repeat("key back-up", self._follow, BACKUP_S)

    def _unlock_at_start(self, secret_file: Path) -> None:
        # Ray gives an actor up for good when this raises: whatever keeps the store from opening (a wrong passphrase
        # file, a token or a disk that does not answer) must not keep anybody from recording.
        try:
            self._unlock(read_secret(secret_file), by_itself=True)
        except OrvaultError as error:
            self._locked_because = str(error)
            log.error("the key store stays locked: %s", error)

    def _follow(self) -> None:
        """Keep the back-up at what the store is now: after a destruction older ones open nothing. Needs no secret."""
        assert self._place.backup is not None, "asked for where there is one"
        if follow(self._place.folder, self._place.backup):
            log.info("the key store is backed up to %s", self._place.backup)

    def unlock(self, secret: str) -> None:
        """Open the key store with its passphrase or the token's PIN; history is told, of a wrong one too.

        Errors: WRONG_PASSPHRASE, KEY_MISSING, DAMAGED, UNAVAILABLE (a token or a ledger that does not answer).
        """
        self._unlock(secret, by_itself=False)

    def _unlock(self, secret: str, *, by_itself: bool) -> None:
        try:
            store = KeyStore.unlock(self._place.folder, self._place.source(secret))
        except OrvaultError as error:
            if error.kind is ErrorKind.WRONG_PASSPHRASE:
                self._custody.note_key_store(Act.KEY_STORE_REFUSED, by_itself=by_itself)
            raise
        self._custody.note_key_store(Act.KEY_STORE_UNLOCKED, by_itself=by_itself)
        self._store = store
        self._locked_because = ""
        if self._rewrapper is not None:
            self._rewrapper.start(REWRAP_S)

    def unlocked(self) -> bool:
        """Whether segment keys can be opened now."""
        try:
            self._opened()
        except OrvaultError as error:
            if error.kind is not ErrorKind.KEYS_LOCKED:
                raise
            return False
        return True

    def locked_because(self) -> str:
        """Why it did not open by itself at its last start; empty where nothing was to open it, or it is open."""
        return self._locked_because

    def create(self, case_id: str) -> PublicKey:
        """The public half of a case's key, made at the first call; while the store is locked, of the vault key.

        Errors: KEY_MISSING (there is no key store), BAD_REQUEST, STORAGE.
        """
        try:
            return self._opened().new_case_key(case_id, self._kem)
        except OrvaultError as error:
            if error.kind is not ErrorKind.KEYS_LOCKED:
                raise
        return vaultkey.hand_out(self._place.folder, case_id)

    def open_for_render(self, request_id: str, records: Sequence[SegmentLike]) -> list[bytes]:
        """The segment keys of an approved request that is being rendered, in the order of `records`.

        1. the ledger confirms the grant: this request is being rendered, and covers these segments;
        2. the opening stands in history, committed;
        3. only then the keys leave.
        Errors: KEYS_LOCKED, GRANT_MISSING, KEY_MISSING, ALTERED.
        """
        store = self._opened()
        self._custody.log_key_opening(request_id, [record.header.meta.segment_id for record in records])
        return [_open(store, record) for record in records]

    def mark_keys(self, request_id: str, camera_id: str, copy_ids: Sequence[str]) -> list[MarkKey]:
        """What marks one camera's pictures in each of these copies of a request that is being rendered.

        The site's own mark key does not leave. Errors: KEYS_LOCKED, GRANT_MISSING, STORAGE.
        """
        store = self._opened()
        self._custody.check_marking(request_id, camera_id, copy_ids)
        site_key = store.site_mark_key()
        return [mark_key(site_key, copy_id, camera_id) for copy_id in copy_ids]

    def open_for_view(self, view_id: str, records: Sequence[SegmentLike]) -> tuple[Showing, list[bytes]]:
        """How much a stored view may show now, and the keys of these segments, in the order of `records`.

        Steps as for `open_for_render`; the ledger decides the view anew. Errors: the same.
        """
        store = self._opened()
        ids = [record.header.meta.segment_id for record in records]
        showing = self._custody.log_view_opening(view_id, ids)
        return showing, [_open(store, record) for record in records]

    def open_for_result(self, view_id: str, made_by: str, records: Sequence[SegmentLike]) -> bytes:
        """What opens the piece of a masked result that was made of these segments, for a view of it.

        Steps as for `open_for_render`; no segment's key leaves. Errors: the same.
        """
        store = self._opened()
        ids = [record.header.meta.segment_id for record in records]
        request_id = self._custody.log_result_opening(view_id, ids)
        return result_key(request_id, made_by, [_open(store, record) for record in records])

    def rewrap(self, records: Sequence[SegmentLike]) -> list[tuple[KeySlot, ...]]:
        """New slots for segments sealed to a vault key: each for its own case's key. No key leaves.

        A segment that is not sealed to a vault key keeps the slots it has. Errors: KEYS_LOCKED, ALTERED.
        """
        store = self._opened()
        return [self._rewrapped(store, record) for record in records]

    def _rewrapped(self, store: KeyStore, record: SegmentLike) -> tuple[KeySlot, ...]:
        sealed = [slot for slot in record.slots if store.is_vault_key(slot.key_thumbprint)]
        if not sealed:
            return record.slots
        private = store.private_key(sealed[0].key_thumbprint)
        dek = unwrap_dek(sealed, private, record.header)
        own = store.new_case_key(record.header.meta.case_id, self._kem)
        others = {*(slot.key_thumbprint for slot in sealed), own.thumbprint}
        kept = (slot for slot in record.slots if slot.key_thumbprint not in others)
        return (*kept, wrap_key(dek, own, slot_info(record.header.meta)))

    def vault_uses(self) -> list[VaultUse]:
        """Cases that were given a vault key, and whether all that they recorded is re-wrapped."""
        return vaultkey.uses(self._place.folder)

    def settle(self, case_id: str, thumbprint: str) -> None:
        """Write down that nothing of this case is sealed to that vault key any more."""
        vaultkey.mark(self._place.folder, VaultUse(case_id, thumbprint, settled=True))

    def destroy_case_key(self, case_id: str) -> None:
        """Destroy a case's key for good, once the ledger confirms that its destruction has begun; again is no error.

        Errors: KEYS_LOCKED, GRANT_MISSING, CONFLICT (other cases still need the same vault key).
        """
        store = self._opened()
        self._custody.check_key_destruction(case_id)
        if store.knows_case(case_id):
            store.destroy_case_key(case_id)

    def rotate(self, secret: str | None = None) -> int:
        """A new KEK, with a new passphrase if one is given; older copies of the store end. The new generation.

        Errors: KEYS_LOCKED, BAD_REQUEST.
        """
        store = self._opened()
        store.rotate(None if secret is None else self._place.source(secret))
        self._custody.note_key_store(Act.KEY_STORE_ROLLED, by_itself=False)
        return store.generation

    def _opened(self) -> KeyStore:
        if self._store is None:
            raise OrvaultError(
                ErrorKind.KEYS_LOCKED,
                "the key store is locked since its last start.",
                advice="Unlock it with `orvault keys unlock`.",
            )
        try:
            self._store.refresh()
        except OrvaultError as error:
            if error.kind is ErrorKind.KEYS_LOCKED:  # its passphrase was changed from outside
                self._store = None
            raise
        return self._store


def _open(store: KeyStore, record: SegmentLike) -> bytes:
    """A segment's key by whichever of its slots this store has the key to; re-wrapping may come in between."""
    for slot in record.slots:
        if store.holds(slot.key_thumbprint):
            return unwrap_dek((slot,), store.private_key(slot.key_thumbprint), record.header)
    return unwrap_dek(record.slots, store.private_key(record.header.key_thumbprint), record.header)


def read_secret(path: Path) -> str:
    """The one line in a secret file. Errors: BAD_SETTINGS when it is absent, empty, longer or open to others."""
    try:
        if path.stat().st_mode & 0o077:
            raise OrvaultError(
                ErrorKind.BAD_SETTINGS,
                "is open to other accounts.",
                where=str(path),
                advice="Take the others' rights away: chmod 600.",
            )
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES + 1).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OrvaultError(ErrorKind.BAD_SETTINGS, f"cannot be read: {reason}.", where=str(path)) from None
    if not text:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "is empty.", where=str(path))
    if len(text.encode()) > MAX_SECRET_BYTES or len(text.splitlines()) > 1:
        raise OrvaultError(ErrorKind.BAD_SETTINGS, "holds more than one secret.", where=str(path))
    return text
