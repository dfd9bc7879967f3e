"""A KEK that never leaves a PKCS#11 token: an AES-256 key per generation, not extractable, destroyed at a roll.

Server only, and loaded by sites with a token alone: the player must not depend on PKCS#11. Everything that is sealed
under it, and when a generation ends, is `orvault.container.keyring`.
Source: docs/format/keystore-v1.md, 3.4; PKCS #11 v2.40 (CKM_AES_KEY_GEN, CKM_AES_GCM).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import (
    EncryptedDataInvalid,
    EncryptedDataLenRange,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
)

from orvault.container.canonical import Fields
from orvault.container.kek import KekPlace
from orvault.errors import ErrorKind, OrvaultError

KEY_BITS = 256
NONCE_BYTES = 12
GENERATION_BYTES = 4
# One login at a time in a process: PKCS#11 logs an application in, not a session.
_TURN = threading.Lock()


@dataclass(frozen=True)
class TokenPlace:
    """Which token: the vendor's PKCS#11 library, and the token's label."""

    module: Path
    label: str


class TokenKek:
    """See `orvault.container.kek.KekSource`. Each act is a session of its own, so a token may come and go."""

    kind = "pkcs11"

    def __init__(self, place: TokenPlace, pin: str) -> None:
        self._place = place
        self._pin = pin

    def __repr__(self) -> str:
        return f"TokenKek({self._place!r})"

    def fresh(self) -> dict[str, object]:
        """The token's label, for a person who looks for it; which token is used, the settings say."""
        return {"kind": self.kind, "token": self._place.label}

    def present(self, store_id: str) -> frozenset[int]:
        """See `KekSource`. Errors: WRONG_PASSPHRASE (the PIN), UNAVAILABLE."""
        with self._session() as session:
            return frozenset(int.from_bytes(key[Attribute.ID], "big") for key in _keys(session, store_id))

    def prepare(self, store_id: str, generation: int) -> None:
        """See `KekSource`."""
        with self._session() as session:
            for leftover in _keys(session, store_id, generation):
                leftover.destroy()
            session.generate_key(
                KeyType.AES,
                KEY_BITS,
                id=generation.to_bytes(GENERATION_BYTES, "big"),
                label=_label(store_id),
                store=True,
                template={
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    Attribute.ENCRYPT: True,
                    Attribute.DECRYPT: True,
                    Attribute.WRAP: False,
                    Attribute.UNWRAP: False,
                },
            )

    def drop(self, store_id: str, generation: int) -> None:
        """See `KekSource`. A back-up that the token's maker offers has to be made anew after it."""
        with self._session() as session:
            for key in _keys(session, store_id, generation):
                key.destroy()

    def wrap(self, place: KekPlace, key: bytes, context: bytes) -> bytes:
        """See `KekSource`."""
        nonce = os.urandom(NONCE_BYTES)
        with self._session() as session:
            kek = self._one(session, place)
            sealed: bytes = kek.encrypt(
                key, mechanism=Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, context, 128)
            )
        return nonce + sealed

    def unwrap(self, place: KekPlace, sealed: bytes, context: bytes) -> bytes:
        """See `KekSource`."""
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        with self._session() as session:
            kek = self._one(session, place)
            try:
                opened: bytes = kek.decrypt(
                    body, mechanism=Mechanism.AES_GCM, mechanism_param=pkcs11.GCMParams(nonce, context, 128)
                )
            except (EncryptedDataInvalid, EncryptedDataLenRange, ValueError) as error:
                raise OrvaultError(
                    ErrorKind.DAMAGED, "The token's key does not open the key ring.", where=self._where
                ) from error
        return opened

    def _one(self, session: pkcs11.Session, place: KekPlace) -> Any:
        fields = Fields(place.told, f"key store {place.store_id[:8]}", ErrorKind.DAMAGED)
        fields.constant("kind", self.kind)
        fields.text("token", 64)
        fields.end()
        found = _keys(session, place.store_id, place.generation)
        if len(found) != 1:
            raise OrvaultError(
                ErrorKind.KEY_MISSING,
                f"The token has {len(found)} keys of generation {place.generation}, not one.",
                where=self._where,
            )
        return found[0]

    @property
    def _where(self) -> str:
        return f"token {self._place.label}"

    @contextmanager
    def _session(self) -> Iterator[pkcs11.Session]:
        """A read-write session, logged in. What the token's library says becomes words; never the PIN."""
        with _TURN:
            try:
                token = pkcs11.lib(str(self._place.module)).get_token(token_label=self._place.label)
                with token.open(rw=True, user_pin=self._pin) as session:
                    yield session
            except (PinIncorrect, PinInvalid, PinLenRange, PinLocked) as error:
                locked = " It is locked now." if isinstance(error, PinLocked) else ""
                raise OrvaultError(
                    ErrorKind.WRONG_PASSPHRASE,
                    f"The PIN does not open the token.{locked}",
                    where=self._where,
                ) from None
            except PKCS11Error as error:
                raise OrvaultError(
                    ErrorKind.UNAVAILABLE,
                    f"The token does not do what it is asked ({type(error).__name__}).",
                    where=self._where,
                    advice=f"Is it there, and is {self._place.module} its library?",
                ) from None


def _label(store_id: str) -> str:
    return f"orvault-kek-{store_id}"


def _keys(session: pkcs11.Session, store_id: str, generation: int | None = None) -> list[Any]:
    wanted: dict[Attribute, object] = {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.LABEL: _label(store_id),
    }
    if generation is not None:
        wanted[Attribute.ID] = generation.to_bytes(GENERATION_BYTES, "big")
    return [key for key in session.get_objects(wanted) if isinstance(key, pkcs11.SecretKey)]
