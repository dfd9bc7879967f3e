"""The key store's KEK: what an old copy opens (nothing), crashes at every step of a roll, vault keys, tokens."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from orvault.container import vaultkey
from orvault.container.kek import KekSource, PassphraseKek
from orvault.container.keys import Kem, PublicKey, generate_private_key
from orvault.container.keystore import KeyStore, default_anchors
from orvault.errors import ErrorKind
from tests.processes import ready_made
from tests.refusals import refusal
from tests.unit.container_support import CHEAP

PASSPHRASE = "a long passphrase"
PIN = "4711-4711"
MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")]


def make(folder: Path) -> KeyStore:
    return KeyStore.create(folder, PASSPHRASE, CHEAP)


def restored(copy: Path, folder: Path) -> None:
    """Put a back-up in the store's place; the anchor was not part of it."""
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], KekSource]:
    """A private SoftHSM token; the source for a PIN."""
    module = next((path for path in MODULES if path.exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("not installed: softhsm2")
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(configuration))
    made = ["--init-token", "--free", "--label", "orvault-test", "--so-pin", "12345678", "--pin", PIN]
    subprocess.run(["softhsm2-util", *made], check=True, capture_output=True)
    import pkcs11

    pkcs11.unload(str(module))  # the library reads its configuration once
    from orvault.custody.token import TokenKek, TokenPlace

    return lambda pin: TokenKek(TokenPlace(module, "orvault-test"), pin)


def test_a_copy_from_before_a_destruction_opens_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = make(folder)
    doomed, kept = store.new_case_key("doomed"), store.new_case_key("kept")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    store.destroy_case_key("doomed")
    assert refusal(lambda: store.private_key(doomed.thumbprint)).kind is ErrorKind.KEY_MISSING
    assert store.private_key(kept.thumbprint).public() == kept and store.generation == 2
    restored(copy, folder)
    error = refusal(lambda: KeyStore.unlock(folder, PASSPHRASE))
    assert error.kind is ErrorKind.KEY_MISSING and "generation 1" in error.message
    # Neither does it open with the anchor of today under the name of the old one.
    (anchor,) = default_anchors(folder).glob("*.json")
    forged = json.loads(anchor.read_text()) | {"generation": 1}
    anchor.with_name("00000001.json").write_text(json.dumps(forged, sort_keys=True, separators=(",", ":")))
    assert refusal(lambda: KeyStore.unlock(folder, PASSPHRASE)).kind is ErrorKind.WRONG_PASSPHRASE


def test_the_newest_copy_opens(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = make(folder)
    kept = store.new_case_key("kept")
    store.rotate()
    shutil.copytree(folder, tmp_path / "copy")
    restored(tmp_path / "copy", folder)
    assert KeyStore.unlock(folder, PASSPHRASE).private_key(kept.thumbprint).public() == kept


def test_the_store_without_its_anchor_opens_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    make(folder)
    assert not list(folder.rglob("*anchor*"))
    shutil.rmtree(default_anchors(folder))
    assert refusal(lambda: KeyStore.unlock(folder, PASSPHRASE)).kind is ErrorKind.KEY_MISSING


def test_anothers_anchor_is_named_as_such(tmp_path: Path) -> None:
    make(tmp_path / "keys")
    make(tmp_path / "other")
    source = default_anchors(tmp_path / "other") / "00000001.json"
    shutil.copy(source, default_anchors(tmp_path / "keys") / "00000001.json")
    assert refusal(lambda: KeyStore.unlock(tmp_path / "keys", PASSPHRASE)).kind is ErrorKind.DAMAGED


def test_a_new_passphrase_ends_the_old_one_and_every_older_copy(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = make(folder)
    kept = store.new_case_key("kept")
    shutil.copytree(folder, tmp_path / "copy")
    store.rotate("another long passphrase", CHEAP)
    assert refusal(lambda: KeyStore.unlock(folder, PASSPHRASE)).kind is ErrorKind.WRONG_PASSPHRASE
    again = KeyStore.unlock(folder, "another long passphrase")
    assert again.private_key(kept.thumbprint).public() == kept
    assert refusal(lambda: store.rotate("short")).kind is ErrorKind.BAD_REQUEST
    restored(tmp_path / "copy", folder)
    for old_or_new in (PASSPHRASE, "another long passphrase"):
        assert refusal(lambda: KeyStore.unlock(folder, old_or_new)).kind is ErrorKind.KEY_MISSING  # noqa: B023


def test_who_has_it_open_follows_a_rotation_and_locks_at_a_new_passphrase(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store, other = make(folder), KeyStore.unlock(folder, PASSPHRASE)
    store.rotate()
    late = other.new_case_key("late")
    assert store.private_key(late.thumbprint).public() == late
    other.destroy_case_key("late")
    assert refusal(lambda: store.private_key(late.thumbprint)).kind is ErrorKind.KEY_MISSING
    other.rotate("another long passphrase", CHEAP)
    assert refusal(store.refresh).kind is ErrorKind.KEYS_LOCKED
    assert refusal(lambda: store.new_case_key("later")).kind is ErrorKind.KEYS_LOCKED


def test_a_ring_older_than_its_key_files_is_told_and_replaces_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = make(folder)
    ring = (folder / "ring.json").read_bytes()
    store.new_case_key("case-1")
    path = next((folder / "cases").iterdir())
    (folder / "ring.json").write_bytes(ring)
    before = path.read_bytes()
    assert (
        refusal(lambda: KeyStore.unlock(folder, PASSPHRASE).new_case_key("case-1")).kind is ErrorKind.DAMAGED
    )
    assert path.read_bytes() == before


def test_files_are_private_and_nothing_shows_a_secret(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = make(folder)
    store.new_case_key("case-1", Kem.X25519)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 5 and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    error = refusal(lambda: KeyStore.unlock(folder, "Hush-hush-4711"))
    told = repr(store) + repr(PassphraseKek("Hush-hush-4711", folder)) + str(error) + repr(error)
    assert "Hush" not in told and error.__cause__ is not None


def work_until_killed(folder: str, what: str, at: int, module: str, configuration: str) -> None:
    """In a process of its own, which dies before its act number `at`; the token has `module` and `configuration`."""
    secret: str | KekSource = PASSPHRASE
    if module:
        os.environ["SOFTHSM2_CONF"] = configuration
        from orvault.custody.token import TokenKek, TokenPlace

        secret = TokenKek(TokenPlace(Path(module), "orvault-test"), PIN)
    store = KeyStore.unlock(Path(folder), secret)
    acts = count(1)

    def counted(act: Callable[..., object]) -> Callable[..., object]:
        def counting(*arguments: object, **more: object) -> object:
            if next(acts) == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*arguments, **more)

        return counting

    for name in ("fsync", "replace", "rename", "link", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    if module:
        for name in ("prepare", "drop"):
            setattr(TokenKek, name, counted(getattr(TokenKek, name)))
    if what == "destroy":
        store.destroy_case_key("doomed")
    else:
        store.new_case_key("new")


def killed(folder: Path, what: str, at: int, module: str = "") -> bool:
    """Do it in a process that dies before its act number `at`; whether it died."""
    arguments = (str(folder), what, at, module, os.environ.get("SOFTHSM2_CONF", ""))
    child = ready_made().Process(target=work_until_killed, args=arguments)
    child.start()
    child.join(120)
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def check_after_kill(
    folder: Path, secret: Callable[[], str | KekSource], doomed: PublicKey, kept: PublicKey
) -> bool:
    """The store opens whole: the doomed key is there and opens, or it is gone. Whether it is gone."""
    store = KeyStore.unlock(folder, secret())
    assert store.private_key(kept.thumbprint).public() == kept
    gone = not store.holds(doomed.thumbprint)
    if not gone:
        assert store.private_key(doomed.thumbprint).public() == doomed
        store.destroy_case_key("doomed")
    again = KeyStore.unlock(folder, secret())
    assert again.private_key(kept.thumbprint).public() == kept and not again.holds(doomed.thumbprint)
    assert len(list((folder / "cases").glob("*.json"))) == 1
    assert sorted(path.name for path in folder.iterdir() if path.suffix in (".part", ".dropped")) == []
    assert not (folder / "ring.next.json").exists()
    assert again.new_case_key("kept") == kept
    return gone


def test_a_destruction_that_is_killed_at_any_step_is_done_or_not_begun(tmp_path: Path) -> None:
    outcomes = []
    for at in range(1, 60):
        folder = tmp_path / f"{at}" / "keys"
        store = make(folder)
        doomed, kept = store.new_case_key("doomed"), store.new_case_key("kept")
        shutil.copytree(folder, tmp_path / f"{at}" / "copy")
        died = killed(folder, "destroy", at)
        outcomes.append(check_after_kill(folder, lambda: PASSPHRASE, doomed, kept))
        assert len(list(default_anchors(folder).iterdir())) == 1
        restored(tmp_path / f"{at}" / "copy", folder)
        assert refusal(lambda: KeyStore.unlock(folder, PASSPHRASE)).kind is ErrorKind.KEY_MISSING  # noqa: B023
        if not died:
            break
    assert not died and outcomes == sorted(outcomes) and {False, True} == set(outcomes)


def test_a_new_case_key_that_is_killed_at_any_step_is_made_by_the_next_call(tmp_path: Path) -> None:
    for at in range(1, 40):
        folder = tmp_path / f"{at}" / "keys"
        kept = make(folder).new_case_key("kept")
        died = killed(folder, "new", at)
        store = KeyStore.unlock(folder, PASSPHRASE)
        new = store.new_case_key("new")
        assert store.private_key(new.thumbprint).public() == new
        assert store.private_key(kept.thumbprint).public() == kept
        if not died:
            break
    assert not died and at > 5


def test_a_token_holds_the_kek_and_ends_it(tmp_path: Path, token: Callable[[str], KekSource]) -> None:
    folder = tmp_path / "keys"
    store = KeyStore.create(folder, token(PIN))
    doomed, kept = store.new_case_key("doomed"), store.new_case_key("kept")
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    again = KeyStore.unlock(folder, token(PIN))
    assert again.private_key(doomed.thumbprint).public() == doomed
    error = refusal(lambda: KeyStore.unlock(folder, token("Hush-4711")))
    assert error.kind is ErrorKind.WRONG_PASSPHRASE and "Hush" not in str(error) + repr(token("Hush-4711"))
    assert refusal(lambda: KeyStore.unlock(folder, PASSPHRASE)).kind is not ErrorKind.INTERNAL
    again.destroy_case_key("doomed")
    assert KeyStore.unlock(folder, token(PIN)).private_key(kept.thumbprint).public() == kept
    restored(copy, folder)
    assert refusal(lambda: KeyStore.unlock(folder, token(PIN))).kind is ErrorKind.KEY_MISSING


def test_the_tokens_key_cannot_be_read_out(tmp_path: Path, token: Callable[[str], KekSource]) -> None:
    import pkcs11

    KeyStore.create(tmp_path / "keys", token(PIN))
    module = next(str(path) for path in MODULES if path.exists())
    with pkcs11.lib(module).get_token(token_label="orvault-test").open(user_pin=PIN) as session:
        (key,) = session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})
        assert not key[pkcs11.Attribute.EXTRACTABLE] and key[pkcs11.Attribute.SENSITIVE]
        with pytest.raises(pkcs11.PKCS11Error):
            _ = key[pkcs11.Attribute.VALUE]


def test_a_destruction_under_a_token_that_is_killed_is_done_or_not_begun(
    tmp_path: Path, token: Callable[[str], KekSource]
) -> None:
    module = next(str(path) for path in MODULES if path.exists())
    outcomes = []
    for at in range(1, 60):
        folder = tmp_path / f"{at}" / "keys"
        store = KeyStore.create(folder, token(PIN))
        doomed, kept = store.new_case_key("doomed"), store.new_case_key("kept")
        died = killed(folder, "destroy", at, module)
        outcomes.append(check_after_kill(folder, lambda: token(PIN), doomed, kept))
        if not died:
            break
    assert not died and {False, True} == set(outcomes)


def test_a_token_that_is_not_there_says_so(tmp_path: Path, token: Callable[[str], KekSource]) -> None:
    from orvault.custody.token import TokenKek, TokenPlace

    KeyStore.create(tmp_path / "keys", token(PIN))
    for place in (TokenPlace(tmp_path / "none.so", "orvault-test"), TokenPlace(MODULES[0], "another")):
        error = refusal(lambda: KeyStore.unlock(tmp_path / "keys", TokenKek(place, PIN)))  # noqa: B023
        assert error.kind is ErrorKind.UNAVAILABLE


@pytest.fixture
def used(tmp_path: Path) -> Iterator[tuple[Path, PublicKey]]:
    """A store whose vault key was given to case-1 and case-2 while it was locked."""
    folder = tmp_path / "keys"
    make(folder)
    yield folder, vaultkey.hand_out(folder, "case-1")


def test_the_vault_key_is_given_out_without_a_secret_and_changes_after_use(
    used: tuple[Path, PublicKey],
) -> None:
    folder, public = used
    assert vaultkey.hand_out(folder, "case-1") == vaultkey.hand_out(folder, "case-2") == public
    assert [use.case_id for use in vaultkey.uses(folder)] in (["case-1", "case-2"], ["case-2", "case-1"])
    store = KeyStore.unlock(folder, PASSPHRASE)
    assert vaultkey.read(folder) != public and store.is_vault_key(public.thumbprint)
    assert store.private_key(public.thumbprint).public() == public
    assert refusal(lambda: vaultkey.hand_out(folder, "case-1")).kind is ErrorKind.KEYS_LOCKED
    assert refusal(lambda: vaultkey.hand_out(folder, "../x")).kind is ErrorKind.BAD_REQUEST


def test_an_unused_vault_key_stays(tmp_path: Path) -> None:
    make(tmp_path / "keys")
    public = vaultkey.read(tmp_path / "keys")
    KeyStore.unlock(tmp_path / "keys", PASSPHRASE)
    assert vaultkey.read(tmp_path / "keys") == public


def test_a_strangers_vault_key_is_noticed_at_the_unlock(used: tuple[Path, PublicKey]) -> None:
    folder, _ = used
    vaultkey.publish(folder, generate_private_key().public())
    assert refusal(lambda: KeyStore.unlock(folder, PASSPHRASE)).kind is ErrorKind.DAMAGED
    vaultkey.path_in(folder).unlink()
    KeyStore.unlock(folder, PASSPHRASE)
    vaultkey.read(folder)


def test_a_destruction_takes_the_vault_key_with_it_once_nobody_needs_it(used: tuple[Path, PublicKey]) -> None:
    folder, public = used
    vaultkey.hand_out(folder, "case-2")
    store = KeyStore.unlock(folder, PASSPHRASE)
    store.new_case_key("case-1")
    assert refusal(lambda: store.destroy_case_key("case-1")).kind is ErrorKind.CONFLICT
    store.rotate()
    assert store.is_vault_key(public.thumbprint)
    vaultkey.mark(folder, vaultkey.VaultUse("case-2", public.thumbprint, settled=True))
    store.destroy_case_key("case-1")
    assert not store.is_vault_key(public.thumbprint) and vaultkey.uses(folder) == []
    assert refusal(lambda: store.destroy_case_key("case-1")).kind is ErrorKind.KEY_MISSING


def test_a_rotation_drops_vault_keys_that_are_settled(used: tuple[Path, PublicKey]) -> None:
    folder, public = used
    store = KeyStore.unlock(folder, PASSPHRASE)
    vaultkey.mark(folder, vaultkey.VaultUse("case-1", public.thumbprint, settled=True))
    store.rotate()
    assert not store.holds(public.thumbprint) and vaultkey.uses(folder) == []
    assert len(list((folder / "vault").iterdir())) == 1
    assert list((folder / "handed").iterdir()) == []
