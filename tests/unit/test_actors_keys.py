"""The key service: locked or open, what it gives out and only after history says so; and reading secret files."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from actors.keys import MAX_SECRET_BYTES, KeyActor, read_secret
from orvault.container.keys import PrivateKey
from orvault.container.keystore import KeyStore
from orvault.container.segment import open_segment
from orvault.custody.case import Case
from orvault.custody.request import RequestState
from orvault.custody.service import CustodyService, RenderJob
from orvault.errors import ErrorKind, OrvaultError
from tests.refusals import refusal
from tests.unit.actors_support import PASSPHRASE, Site, fragments, make_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path)


@pytest.fixture
def unwraps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The private keys that were fetched to unwrap with."""
    fetched: list[str] = []
    fetch = KeyStore.private_key

    def watched(self: KeyStore, thumbprint: str) -> PrivateKey:
        fetched.append(thumbprint)
        return fetch(self, thumbprint)

    monkeypatch.setattr(KeyStore, "private_key", watched)
    return fetched


def rendering(site: Site, case: Case) -> RenderJob:
    site.approved(case)
    return site.world.claimed()


def test_a_key_actor_without_its_passphrase_is_locked(site: Site) -> None:
    actor = KeyActor(site.folder / "keys", None, lambda: site.world.custody)
    assert not actor.unlocked()
    assert refusal(actor.rewrap, []).kind is ErrorKind.KEYS_LOCKED
    case = site.record(count=1)
    job = rendering(site, case)
    error = refusal(actor.open_for_render, job.request.request_id, job.tracks[0].segments)
    assert error.kind is ErrorKind.KEYS_LOCKED and "unlock" in error.advice
    assert "keys-opened" not in site.world.acts()


def test_a_wrong_passphrase_leaves_it_locked_and_a_right_one_opens_it(site: Site) -> None:
    actor = KeyActor(site.folder / "keys", None, lambda: site.world.custody)
    error = refusal(actor.unlock, "an entirely wrong one")
    assert error.kind is ErrorKind.WRONG_PASSPHRASE and "entirely" not in str(error)
    assert not actor.unlocked()
    actor.unlock(PASSPHRASE)
    assert actor.unlocked()
    assert site.world.acts()[-2:] == ["key-store-refused", "key-store-unlocked"]


def test_a_store_that_is_rolled_is_in_history(site: Site) -> None:
    before = site.keys.rotate()
    assert site.keys.rotate() == before + 1 and site.world.acts()[-1] == "key-store-rolled"


def test_a_wrong_passphrase_does_not_lock_what_is_open(site: Site) -> None:
    refusal(site.keys.unlock, "an entirely wrong one")
    assert site.keys.unlocked()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda site: (site.folder / "passphrase").write_text("an entirely wrong one"), "does not open"),
        (lambda site: (site.folder / "passphrase").unlink(), "cannot be read"),
        (lambda site: (site.folder / "passphrase").chmod(0o644), "open to other accounts"),
        (lambda site: (site.folder / "keys/ring.json").write_text("{"), "ring"),
        (lambda site: (site.folder / "keys").rename(site.folder / "unmounted"), "no key store"),
    ],
)
def test_whatever_keeps_the_store_shut_at_the_start_does_not_end_the_actor(
    site: Site, spoil: Callable[[Site], object], reason: str
) -> None:
    secret = site.folder / "passphrase"
    actor = KeyActor(site.folder / "keys", secret, lambda: site.world.custody)
    assert actor.unlocked() and actor.locked_because() == ""
    spoil(site)
    actor = KeyActor(site.folder / "keys", secret, lambda: site.world.custody)
    assert not actor.unlocked() and reason in actor.locked_because()
    assert "entirely" not in actor.locked_because()


def test_a_case_is_armed_though_the_passphrase_file_is_wrong(site: Site) -> None:
    (site.folder / "passphrase").write_text("an entirely wrong one")
    actor = KeyActor(site.folder / "keys", site.folder / "passphrase", lambda: site.world.custody)
    assert actor.create("case-of-the-night").raw
    actor.unlock(PASSPHRASE)
    assert actor.unlocked() and actor.locked_because() == ""


def test_a_cases_key_is_made_once_and_outlives_a_restart(site: Site) -> None:
    public = site.keys.create("case-1")
    again = KeyActor(site.folder / "keys", site.folder / "passphrase", lambda: site.world.custody)
    assert site.keys.create("case-1") == again.create("case-1") == public
    assert again.create("case-2") != public


def test_keys_open_the_segments_they_were_asked_for_in_order(site: Site) -> None:
    case = site.record()
    job = rendering(site, case)
    (track,) = job.tracks
    keys = site.keys.open_for_render(job.request.request_id, tuple(reversed(track.segments)))
    opened = [
        open_segment(site.node.actor.read(segment.path), key)
        for segment, key in zip(reversed(track.segments), keys, strict=True)
    ]
    assert opened == [fragments()[1].data, fragments()[0].data]


def test_history_says_it_before_a_key_is_even_unwrapped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    job = rendering(site, site.record())
    known: list[list[str]] = []
    fetch = KeyStore.private_key

    def watched(self: KeyStore, thumbprint: str) -> PrivateKey:
        known.append(site.world.acts())  # over another connection: only what is committed
        return fetch(self, thumbprint)

    monkeypatch.setattr(KeyStore, "private_key", watched)
    site.keys.open_for_render(job.request.request_id, job.tracks[0].segments)
    assert len(known) == 2 and all(acts[-1] == "keys-opened" for acts in known)


def test_the_history_entry_names_the_segments(site: Site) -> None:
    job = rendering(site, site.record())
    site.keys.open_for_render(job.request.request_id, job.tracks[0].segments)
    with site.world.ledger.uow(read_only=True) as uow:
        (entry,) = uow.history.page(None, 1, subject=None, actor=None, act="keys-opened")
    assert entry.subject == f"export:{job.request.request_id}"
    told = json.loads(entry.detail)
    assert told["segments"] == [s.header.meta.segment_id for s in job.tracks[0].segments]


def test_no_key_leaves_when_history_cannot_be_written(site: Site, unwraps: list[str]) -> None:
    job = rendering(site, site.record())

    class Away(CustodyService):
        def log_key_opening(self, request_id: str, segment_ids: object) -> None:
            raise OrvaultError(ErrorKind.UNAVAILABLE, "The ledger's database did not answer.")

    world = site.world
    away = Away(world.ledger.uow, world.clock, world.recorders, site.keys, world.renderers)
    actor = KeyActor(site.folder / "keys", site.folder / "passphrase", lambda: away)
    error = refusal(actor.open_for_render, job.request.request_id, job.tracks[0].segments)
    assert error.kind is ErrorKind.UNAVAILABLE and unwraps == []


def test_without_a_grant_nothing_is_unwrapped_or_written(site: Site, unwraps: list[str]) -> None:
    case = site.record()
    request = site.approved(case)  # approved, but nobody renders it
    with site.world.ledger.uow(read_only=True) as uow:
        segments = uow.segments.of(case.case_id, "or1-wall", 0, site.world.clock.now_us())
    assert len(segments) == 2
    for request_id in (request.request_id, "made-up"):
        assert refusal(site.keys.open_for_render, request_id, segments).kind is ErrorKind.GRANT_MISSING
    assert unwraps == [] and "keys-opened" not in site.world.acts()


def test_a_grant_for_one_case_opens_no_segment_of_another(site: Site, unwraps: list[str]) -> None:
    case, other = site.record(), site.record("2026-2")
    job = rendering(site, case)
    with site.world.ledger.uow(read_only=True) as uow:
        foreign = uow.segments.of(other.case_id, "or1-wall", 0, site.world.clock.now_us())
    asked = [*job.tracks[0].segments, foreign[0]]
    assert refusal(site.keys.open_for_render, job.request.request_id, asked).kind is ErrorKind.GRANT_MISSING
    assert unwraps == []


def test_a_grant_that_ended_opens_nothing_more(site: Site, unwraps: list[str]) -> None:
    job = rendering(site, site.record(count=1))
    site.world.custody.fail_render(job.request.request_id, job.epoch, "enough")
    assert site.request(job.request.request_id).state is RequestState.FAILED
    error = refusal(site.keys.open_for_render, job.request.request_id, job.tracks[0].segments)
    assert error.kind is ErrorKind.GRANT_MISSING and unwraps == []


def test_another_segments_slots_under_a_covered_name_do_not_open(site: Site) -> None:
    """Who asks cannot smuggle a foreign segment in under the name of one that is granted."""
    case, other = site.record(), site.record("2026-2")
    job = rendering(site, case)
    with site.world.ledger.uow(read_only=True) as uow:
        foreign = uow.segments.of(other.case_id, "or1-wall", 0, site.world.clock.now_us())[0]
    granted = job.tracks[0].segments[0]
    forged = replace(
        foreign,
        header=replace(
            foreign.header,
            meta=replace(foreign.header.meta, segment_id=granted.header.meta.segment_id),
        ),
    )
    error = refusal(site.keys.open_for_render, job.request.request_id, [forged])
    assert error.kind is ErrorKind.ALTERED


def test_a_key_that_is_gone_is_told_as_such(site: Site) -> None:
    job = rendering(site, site.record(count=1))
    for path in (site.folder / "keys" / "cases").iterdir():
        path.unlink()
    actor = KeyActor(site.folder / "keys", site.folder / "passphrase", lambda: site.world.custody)
    error = refusal(actor.open_for_render, job.request.request_id, job.tracks[0].segments)
    assert error.kind is ErrorKind.KEY_MISSING


SECRET = "Hush-hush-4711"


def secret_file(folder: Path, data: bytes = SECRET.encode() + b"\n", mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_a_secret_is_the_one_line_of_its_file(tmp_path: Path) -> None:
    assert read_secret(secret_file(tmp_path)) == SECRET
    assert read_secret(secret_file(tmp_path, "비밀번호-4711\r\n".encode(), 0o400)) == "비밀번호-4711"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_secret_that_others_may_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, mode=mode)
    error = refusal(read_secret, path)
    assert error.kind is ErrorKind.BAD_SETTINGS
    assert str(path) in str(error) and "chmod 600" in error.advice


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (SECRET.encode() + b"\nsecond line\n", "more than one"),
        (SECRET.encode() * (MAX_SECRET_BYTES // 4), "more than one"),
        (b"\xff\xfe" + SECRET.encode(), "UTF-8"),
    ],
)
def test_a_file_that_holds_no_single_secret_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    error = refusal(read_secret, secret_file(tmp_path, data))
    assert error.kind is ErrorKind.BAD_SETTINGS and words in str(error)


def test_a_secret_file_that_is_absent_or_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(read_secret, tmp_path / "none").kind is ErrorKind.BAD_SETTINGS
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    assert refusal(read_secret, folder).kind is ErrorKind.BAD_SETTINGS


@pytest.mark.parametrize("data", [SECRET.encode() + b"\nsecond", b"\xff" + SECRET.encode()])
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_no_error_shows_what_is_in_a_secret_file(tmp_path: Path, data: bytes, mode: int) -> None:
    error = refusal(read_secret, secret_file(tmp_path, data, mode))
    told = "".join(traceback.format_exception(error))
    assert SECRET not in told and SECRET not in repr(error)
