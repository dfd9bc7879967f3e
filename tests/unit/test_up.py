"""`orvault up` beside the key store: whatever happens to its passphrase, the site and its recording go on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from actors import facades, handles
from cluster import unlocking
from cluster.console import err
from orvault.errors import ErrorKind, OrvaultError

RIGHT = "correct horse battery staple"
SETTINGS: Any = SimpleNamespace(keys=SimpleNamespace(kek="pkcs11"))


@dataclass
class FakeSite:
    """Opens with RIGHT; `away` is a token that does not answer."""

    unlocked: bool = False
    locked_because: str = ""
    away: bool = False
    tried: list[str] = field(default_factory=list)

    def unlock(self, passphrase: str) -> None:
        self.tried.append(passphrase)
        if self.away:
            raise OrvaultError(ErrorKind.UNAVAILABLE, "the token does not answer.")
        if passphrase != RIGHT:
            raise OrvaultError(ErrorKind.WRONG_PASSPHRASE, "The passphrase does not open the key store.")
        self.unlocked = True


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(
    monkeypatch: pytest.MonkeyPatch, site: FakeSite, answers: list[str] | None, settings: Any = SETTINGS
) -> str:
    """What is said while these answers are typed, then Ctrl-D; None: nobody sits there."""
    typed: Iterator[str] = iter(answers or [])

    def prompt(text: str, **_more: object) -> str:
        prompts.append(text)
        try:
            return next(typed)
        except StopIteration:
            raise typer.Abort from None

    prompts: list[str] = []
    monkeypatch.setattr("sys.stdin", io.StringIO() if answers is None else Terminal())
    monkeypatch.setattr(typer, "prompt", prompt)
    with err.capture() as capture:
        unlocking.open_keys(site, settings)
    assert answers is not None or not prompts
    return " ".join(prompts) + " " + " ".join(capture.get().split())


LOCKED = "recording works, exports wait"


def test_a_mistyped_passphrase_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    site = FakeSite()
    said = told(monkeypatch, site, ["corect horse", RIGHT])
    assert site.unlocked and "does not open" in said and LOCKED not in said


def test_who_gives_up_keeps_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    site = FakeSite()
    said = told(monkeypatch, site, ["wrong"])
    assert not site.unlocked and site.tried == ["wrong"] and LOCKED in said and "orvault keys unlock" in said


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    site = FakeSite()
    assert LOCKED in told(monkeypatch, site, None) and site.tried == []


def test_a_token_that_is_away_does_not_end_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    said = told(monkeypatch, FakeSite(away=True), ["1234"])
    assert "PIN of the token" in said and "does not answer" in said and LOCKED in said


def test_why_it_did_not_open_by_itself_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = told(monkeypatch, FakeSite(locked_because="keys/passphrase: is empty."), None)
    assert "keys/passphrase: is empty." in said and LOCKED in said


def test_an_open_store_is_not_talked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, FakeSite(unlocked=True), []).strip() == ""


def test_cameras_that_do_not_answer_are_waited_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]

    def nothing(_reference: object, timeout: float) -> None:
        clock[0] += timeout
        raise handles.GetTimeoutError

    for module in (handles, facades):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(handles.ray, "get", nothing)
    monkeypatch.setattr(facades, "submit", lambda *_call: object())
    statuses = facades.CamerasHandle(tuple(f"cam-{n}" for n in range(12))).statuses()
    assert clock[0] - 100.0 == handles.CALL_S
    assert {(status.state, status.detail.split(" ", 1)[1]) for status in statuses} == {
        ("lost", "did not answer in 15 s.")
    }
