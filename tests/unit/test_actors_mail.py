"""Mails about requests reach a real SMTP server that is killed and comes back: none lost, in order, nobody named."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from actors.mail import PATIENCE_US, Post
from actors.notices import MailCourier, NoticeActor
from orvault.custody.mails import Audience, Mail
from orvault.custody.terms import DAY_US
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import NOTHING_LEFT, World, consents_of
from tests.processes import ready_made
from tests.unit.actors_support import CalmClock, eventually

OFFICER, MANAGER = "officer@hospital.test", "records@hospital.test"


class Mailbox:
    """What a mail server does with mails: keeps each in a file, in the order that they came."""

    def __init__(self, folder: Path, refused: str = "") -> None:
        self.folder, self.refused = folder, refused

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.refused:
            return "550 no such mailbox"
        if address.startswith("full") and not (self.folder / "emptied").exists():
            return "452 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        number = len(list(self.folder.glob("*.eml")))
        assert isinstance(envelope.content, bytes)
        to = f"X-Envelope: {' '.join(sorted(envelope.rcpt_tos))}\r\n".encode()
        (self.folder / f"{number:03d}.part").write_bytes(to + envelope.content)
        (self.folder / f"{number:03d}.part").rename(self.folder / f"{number:03d}.eml")
        return "250 kept"


def _serve(folder: Path, port: int, refused: str, told: Connection) -> None:
    async def serve() -> None:
        loop, box = asyncio.get_running_loop(), Mailbox(folder, refused)
        server = await loop.create_server(lambda: SMTP(box, loop=loop), "127.0.0.1", port)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@contextmanager
def _server(folder: Path, port: int = 0, refused: str = "") -> Iterator[int]:
    """A mail server in a process of its own, killed at the end; its port."""
    folder.mkdir(exist_ok=True)
    context = ready_made()
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(folder, port, refused, theirs), daemon=True)
    process.start()
    try:
        assert ours.poll(60)
        yield ours.recv()
    finally:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()


def _post(port: int, *officers: str) -> Post:
    addresses = {Audience.OFFICERS: officers or (OFFICER,), Audience.MANAGERS: (MANAGER,)}
    return Post("127.0.0.1", port, "orvault@hospital.test", addresses, "none")


def _mails(folder: Path) -> list[EmailMessage]:
    files = sorted(folder.glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]  # type: ignore[misc]


@pytest.fixture
def ended() -> Iterator[Callable[[CalmClock], CalmClock]]:
    clocks: list[CalmClock] = []
    yield lambda clock: clocks.append(clock) or clock  # type: ignore[func-returns-value]
    for clock in clocks:
        clock.over = True


def test_mails_outlive_their_server_in_order_and_name_nobody(
    world: World, tmp_path: Path, ended: Callable[[CalmClock], CalmClock]
) -> None:
    box, clock = tmp_path / "box", ended(CalmClock())
    with _server(box) as port:
        actor = NoticeActor(lambda: world.custody, [], clock, _post(port))
        case = world.recorded_case()
        wish = world.wish(case, basis=consents_of("Lee", "Park"), purpose="Dispute of Kim Chulsoo")
        request = world.custody.submit_export(world.manager, wish)
        eventually(lambda: len(_mails(box)) == 2, "submitted and satisfied are told")
    world.custody.approve_export(world.officer, request.request_id)
    job = world.claimed()
    world.custody.finish_render(
        request.request_id, job.epoch, "p.orvault", 10, "f" * 64, second_look=NOTHING_LEFT
    )
    world.custody.revoke_export(world.officer, request.request_id, "Lifted.")
    eventually(lambda: actor.statuses()[0].detail, "that the server is away is told")
    with _server(box, port):
        eventually(lambda: len(_mails(box)) == 4, "what waited arrives")
    mails = _mails(box)
    assert [mail["To"] for mail in mails] == [OFFICER, OFFICER, MANAGER, MANAGER]
    assert ["ready" in m["Subject"] or "revoked" in m["Subject"] for m in mails] == [False, False, True, True]
    assert len({mail["Message-ID"] for mail in mails}) == 4
    for mail in mails:
        text = mail.as_string() + mail.get_content()
        assert request.request_id in text and "서울병원" in mail["Subject"]
        assert not [name for name in ("Lee", "Park", "Han", "Chulsoo", "2026-1", "OR 1") if name in text]


def test_address_refused_for_good_holds_up_nobody(
    world: World, tmp_path: Path, ended: Callable[[CalmClock], CalmClock], caplog: pytest.LogCaptureFixture
) -> None:
    box = tmp_path / "box"
    with _server(box, refused="gone@hospital.test") as port:
        post = _post(port, "gone@hospital.test")
        courier = MailCourier(world.custody, post, ended(CalmClock()))
        world.custody.follow_notices([courier.name])
        number = world.custody.notices_begin(courier.name)
        world.ready(world.recorded_case())
        courier.go_on(number)
        assert [mail["To"] for mail in _mails(box)] == [MANAGER]
        assert "gone@hospital.test" in caplog.text


@pytest.mark.parametrize(("audiences", "shown"), [({Audience.OFFICERS}, OFFICER), (set(), None)])
def test_participants_are_written_to_and_no_mail_shows_their_addresses(
    world: World, tmp_path: Path, audiences: set[Audience], shown: str | None
) -> None:
    box, private = tmp_path / "box", ("lee@home.test", "park@home.test")
    world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    mail = replace(world.custody.mails_from(0).mails[0], audiences=frozenset(audiences), to=private)
    with _server(box) as port:
        assert _post(port).send(mail)
    (sent,) = _mails(box)
    assert sent["X-Envelope"] == " ".join(sorted([*private, *([shown] if shown else [])]))
    del sent["X-Envelope"]
    assert sent["To"] == (shown or "undisclosed-recipients:;") and "home.test" not in sent.as_string()


def test_who_took_a_mail_does_not_get_it_again_while_another_is_put_off(world: World, tmp_path: Path) -> None:
    box, full = tmp_path / "box", "full@hospital.test"
    world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    first, second = world.custody.mails_from(0).mails
    with _server(box) as port:
        post = _post(port, OFFICER, full)
        for _ in range(2):
            with pytest.raises(OrvaultError) as caught:
                post.send(first)
            assert caught.value.kind is ErrorKind.UNAVAILABLE
        assert [mail["X-Envelope"] for mail in _mails(box)] == [OFFICER]
        (box / "emptied").touch()
        assert post.send(first) and post.send(second)
    assert [mail["X-Envelope"] for mail in _mails(box)] == [OFFICER, full, f"{full} {OFFICER}"]


def test_an_address_that_is_put_off_for_long_holds_up_nobody(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = tmp_path / "box"
    world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    first, second = world.custody.mails_from(0).mails
    with _server(box) as port:
        post = replace(_post(port, OFFICER, "full@hospital.test"), clock=world.clock)
        with pytest.raises(OrvaultError):
            post.send(first)
        world.clock.us += PATIENCE_US
        assert post.send(first) and post.send(second), "one try each from then on"
    assert [mail["X-Envelope"] for mail in _mails(box)] == [OFFICER, OFFICER]
    assert caplog.text.count("full@hospital.test") == 2


def test_certificates_that_cannot_be_used_are_named_before_anything_is_sent(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    mail = Mail(1, frozenset({Audience.OFFICERS}), "Subject", "Body")
    for ca_file in (empty, tmp_path / "none.pem", tmp_path):
        with pytest.raises(OrvaultError) as caught:
            replace(_post(1), security="tls", ca_file=ca_file).send(mail)
        assert caught.value.kind is ErrorKind.BAD_SETTINGS and str(ca_file) in str(caught.value)


def test_encryption_that_the_server_does_not_offer_sends_nothing(world: World, tmp_path: Path) -> None:
    with _server(tmp_path / "box") as port:
        post = Post("127.0.0.1", port, "a@b.test", {Audience.OFFICERS: (OFFICER,)}, "starttls")
        world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
        mail = world.custody.mails_from(0).mails[0]
        with pytest.raises(OrvaultError) as caught:
            post.send(mail)
        assert caught.value.kind is ErrorKind.UNAVAILABLE and not _mails(tmp_path / "box")


def test_due_dates_are_reminded_of_once_each_until_somebody_decides(world: World) -> None:
    request = world.custody.submit_export(world.manager, world.wish(world.recorded_case()))
    told = []
    for _ in range(13):
        told.append(world.custody.remind_due())
        assert world.custody.remind_due() == 0
        world.clock.us += DAY_US
    assert [day for day, noted in enumerate(told) if noted] == [7, 9, 10]
    mails = [mail for mail in world.custody.mails_from(0).mails if "due" in mail.subject]
    assert len(mails) == 3 and all(mail.audiences == set(Audience) for mail in mails)
    other = world.custody.submit_export(world.manager, world.wish(world.recorded_case(number="2026-2")))
    world.custody.refuse_export(world.officer, other.request_id, "No order.")
    world.custody.approve_export(world.officer, request.request_id)
    world.clock.us += 20 * DAY_US
    assert world.custody.remind_due() == 0
