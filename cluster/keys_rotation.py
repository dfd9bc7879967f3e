"""Gives a site's key store a new KEK, through its key service if it runs in a cluster, else over its files.

A site that runs inside `orvault up` notices by itself: its key service reads the ring again, or locks itself when the
passphrase changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actors.keys import read_secret
from cluster import services
from cluster.settings import Settings
from orvault.container.files import sync_folder, write_private
from orvault.container.keystore import KeyStore


def rotate(settings: Settings, secret: str | None, ask: Callable[[Settings], str]) -> int:
    """The store's new generation. `secret`: a new passphrase; `ask` is asked for the present one.

    Where a file unlocks the store: 1. the new passphrase is written to FILE.next; 2. the store is rolled;
    3. FILE.next takes FILE's place. After a crash between 2 and 3 the passphrase is in FILE.next.
    Errors: WRONG_PASSPHRASE, KEYS_LOCKED, UNAVAILABLE, STORAGE.
    """
    file = services.secret_file(settings)
    following = None if file is None or secret is None else file.with_name(f"{file.name}.next")
    if following is not None and secret is not None:
        write_private(following, secret.encode())  # 1
    generation = _roll(settings, secret, file, ask)  # 2
    if following is not None and file is not None:
        following.replace(file)  # 3
        sync_folder(file.parent)
    return generation


def _roll(settings: Settings, secret: str | None, file: Path | None, ask: Callable[[Settings], str]) -> int:
    if settings.cluster.address is not None:
        from cluster.bringup import rotate_running

        return rotate_running(settings, secret)
    place = services.store_place(settings)
    present = read_secret(file) if file is not None else ask(settings)
    store = KeyStore.unlock(place.folder, place.source(present))
    store.rotate(None if secret is None else place.source(secret))
    return store.generation
