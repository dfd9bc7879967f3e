"""Back-ups of the key store: a copy of its folder that leaves the anchor out, and bringing one back.

A back-up opens as long as the KEK of its generation is there: after a destruction, a new passphrase or a rotation
older ones open nothing, which is what the store is rolled for. So a new one has to be made at once: `follow` does.
Source: docs/format/keystore-v1.md, section 7.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orvault.clock import Clock
from orvault.container.files import flush_to_disk, storage_error, sync_folder
from orvault.container.kek import KekSource
from orvault.container.keyring import NEXT_FILE, RING_FILE, locked
from orvault.container.keystore import KeyStore
from orvault.container.storedkey import FOLDERS
from orvault.container.vaultkey import HANDED, VAULT_FILE
from orvault.errors import ErrorKind, OrvaultError

COPYING, BEFORE = ".copying", ".before"  # endings of folders beside a back-up


def back_up(folder: Path, target: Path) -> None:
    """Copy the store in `folder` to `target`, in place of an older back-up there. Needs no secret, and copies none.

    1. the copy is written beside the target and synced; 2. the older one is moved aside; 3. the copy takes its place;
    4. the older one is removed. After a crash the next call does it again; between 2 and 3 the older one lies in
    TARGET.before.
    Errors: KEY_MISSING (no store), CONFLICT (it is being rolled, or the target is something else), STORAGE.
    """
    if not KeyStore.exists(folder):
        raise OrvaultError(ErrorKind.KEY_MISSING, "There is no key store here.", where=str(folder))
    _check_target(folder, target)
    copying, before = _beside(target, COPYING), _beside(target, BEFORE)
    try:
        shutil.rmtree(copying, ignore_errors=True)
        with locked(folder):
            if (folder / NEXT_FILE).exists():
                raise OrvaultError(
                    ErrorKind.CONFLICT,
                    "The key store was left half-way through a roll; a copy of it might open nothing.",
                    where=str(folder),
                    advice="Unlock it once, then back it up.",
                )
            _copy(folder, copying)  # 1
        shutil.rmtree(before, ignore_errors=True)
        if target.exists():
            target.rename(before)  # 2
        copying.rename(target)  # 3
        sync_folder(target.parent)
        shutil.rmtree(before, ignore_errors=True)  # 4
    except OSError as error:
        raise storage_error(target, error) from error


def follow(folder: Path, target: Path) -> bool:
    """`back_up` if anything was made or destroyed since the last one; whether it was. Errors: those of `back_up`."""
    try:
        fresh = (folder / RING_FILE).read_bytes() == (target / RING_FILE).read_bytes()
    except OSError:
        fresh = False  # there is no back-up yet, or it cannot be read: it is made anew, or that says why not
    if not fresh:
        back_up(folder, target)
    return not fresh


def restore(copy: Path, folder: Path, source: KekSource, clock: Clock) -> Path | None:
    """Bring a back-up back as the store in `folder`, once it is sure that it opens; where the present one is moved.

    Only while nothing has the store open. Errors: KEY_MISSING (no back-up, or its KEK has ended: it is from before a
    destruction), WRONG_PASSPHRASE, DAMAGED, STORAGE.
    """
    if not KeyStore.exists(copy):
        raise OrvaultError(ErrorKind.KEY_MISSING, "There is no back-up of a key store here.", where=str(copy))
    trial = _beside(folder, COPYING)
    try:
        shutil.rmtree(trial, ignore_errors=True)
        _copy(copy, trial)
        _check_opens(trial, source, copy)
        moved = None
        if folder.exists():
            moved = folder.with_name(f"{folder.name}.{clock.now_us()}")
            folder.rename(moved)
        trial.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return moved


def _check_opens(trial: Path, source: KekSource, copy: Path) -> None:
    try:
        KeyStore.unlock(trial, source)
    except OrvaultError as error:  # of the copy of the copy, which nobody knows
        raise OrvaultError(error.kind, error.message, where=str(copy), advice=error.advice) from error


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _check_target(folder: Path, target: Path) -> None:
    inside = target.resolve().is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(
        target.resolve()
    )
    if inside or (target.exists() and not KeyStore.exists(target) and any(target.iterdir())):
        raise OrvaultError(
            ErrorKind.CONFLICT,
            "This is no folder for a back-up: it lies in the store, or holds something else.",
            where=str(target),
            advice="Name a new folder, on another disk.",
        )


def _copy(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, mode=0o700)
    names = [RING_FILE, VAULT_FILE, *(f"{inner}/*.json" for inner in (*FOLDERS.values(), HANDED))]
    for path in [path for name in names for path in sorted(folder.glob(name))]:
        place = target / path.relative_to(folder)
        place.parent.mkdir(exist_ok=True, mode=0o700)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(path.read_bytes())
            flush_to_disk(file)
    for inner in [path for path in target.rglob("*") if path.is_dir()] + [target]:
        sync_folder(inner)
