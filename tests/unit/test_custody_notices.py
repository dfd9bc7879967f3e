"""Events for outside recorders: what they say, how they are signed, and that history holds each of them once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from orvault.clock import US_PER_S, utc_iso
from orvault.custody.account import Role
from orvault.custody.notices import LineTemplate, Notice, NoticeKind, Secret, body_of, is_plain
from orvault.errors import ErrorKind, OrvaultError
from tests.fakes import World

NOTICE = Notice(7, NoticeKind.RECORDING_ON, 1_800_000_000_250_000, "OR 1", "or1-wall", "case-1", "run-1")
KEY = bytes(range(24))
SECRET = Secret.parse("whsec_" + base64.b64encode(KEY).decode(), "here")


def test_every_run_is_one_on_and_one_off_even_one_whose_camera_did_not_follow(world: World) -> None:
    world.custody.follow_notices(["nvr"])
    begin = world.custody.notices_begin("nvr")
    world.recorders.unreachable = {"or1-lamp"}
    case = world.armed_case()
    world.custody.start_recording(world.manager, case.case_id)
    world.custody.stop_recording(world.manager, case.case_id, "the patient left")
    page = world.custody.notices_from(begin)
    told = [(notice.camera_id, notice.kind.value) for notice in page.notices]
    assert sorted(told) == [(c, f"recording-{s}") for c in ("or1-lamp", "or1-wall") for s in ("off", "on")]
    assert len({notice.notice_id for notice in page.notices}) == 4
    assert {(notice.room, notice.case_id) for notice in page.notices} == {("OR 1", case.case_id)}
    assert [n.number for n in page.notices] == sorted(n.number for n in page.notices)
    assert "the patient left" not in str(page) and case.number not in str(page)
    assert world.custody.notices_from(page.next_number).notices == ()


def test_an_event_is_there_exactly_when_its_act_is(world: World) -> None:
    world.custody.follow_notices(["nvr"])
    begin = world.custody.notices_begin("nvr")
    case = world.armed_case()
    with pytest.raises(OrvaultError):
        world.custody.start_recording(world.manager, case.case_id, ["or1-wall", "nowhere"])
    assert world.custody.notices_from(begin).notices == ()
    world.custody.start_recording(world.manager, case.case_id, ["or1-wall"])
    (notice,) = world.custody.notices_from(begin).notices
    entry = next(
        e for e in world.custody.history(world.accounts[Role.AUDITOR], limit=50) if e.seq == notice.number
    )
    assert entry.act == "recording-started" and entry.at_us == notice.at_us


def test_pages_go_on_where_the_last_one_ended(world: World) -> None:
    world.recorded_case(1)
    whole = world.custody.notices_from(0).notices
    assert len(whole) == 4
    found, number = [], 0
    for _ in range(4):
        page = world.custody.notices_from(number, limit=1)
        found += page.notices
        number = page.next_number
    assert tuple(found) == whole


def test_a_target_follows_from_now_on_and_never_goes_back(world: World) -> None:
    world.recorded_case(1)
    assert world.custody.follow_notices(["nvr", "vms"]) == []
    begin = world.custody.notices_begin("nvr")
    assert world.custody.notices_from(begin).notices == ()
    world.custody.notice_taken("nvr", begin + 5)
    world.custody.notice_taken("nvr", begin + 2)  # an older sender that is still at it
    assert world.custody.notices_begin("nvr") == begin + 6
    assert world.custody.notices_begin("vms") == begin
    assert world.custody.follow_notices(["nvr"]) == ["vms"]
    world.custody.notice_taken("vms", begin + 9)
    assert world.custody.follow_notices(["nvr", "vms"]) == []
    assert world.custody.notices_begin("nvr") == begin + 6  # a restart moves nothing
    assert world.custody.notices_begin("vms") < begin + 9  # what was dropped stays dropped


def test_the_body_is_the_same_each_time_and_says_what_the_format_says() -> None:
    body = body_of(NOTICE, "Test Hospital", "3")
    assert body == body_of(NOTICE, "Test Hospital", "3")
    assert json.loads(body) == {
        "format": "orvault-event/1",
        "id": "run-1-on",
        "kind": "recording-on",
        "number": 7,
        "at": utc_iso(NOTICE.at_us),
        "at_us": NOTICE.at_us,
        "site": "Test Hospital",
        "room": "OR 1",
        "camera": "or1-wall",
        "channel": "3",
        "case": "case-1",
        "run": "run-1",
    }


def test_the_signature_is_verified_by_the_words_of_the_format_alone() -> None:
    body = body_of(NOTICE, "Test Hospital", "3")
    headers = SECRET.sign_webhook(NOTICE.notice_id, 1_800_000_001, body)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("run-1-on", "1800000001")


def test_a_known_signature_of_standard_webhooks() -> None:
    # The example of the specification's own documentation.
    secret = Secret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "here")
    headers = secret.sign_webhook("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "text", ["", "whsec_=", "whsec_dGVzdA==", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%"]
)
def test_a_bad_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        Secret.parse(text, "the file")
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
    assert not text or text not in str(caught.value)
    assert "b'" not in repr(SECRET)


def test_a_line_for_zoneminder_and_one_with_everything() -> None:
    zone = LineTemplate("{channel}|{state}|255|OR Vault|{room}|{run}")
    assert zone.render(NOTICE, "Site", "3", None) == b"3|on|255|OR Vault|OR 1|run-1\n"
    full = LineTemplate(
        "{{{id} {kind} {number} {at} {at_us} {time} {camera} {case} {site} {format} {signature}}}", "\r\n"
    )
    line = full.render(NOTICE, "Site", "3", SECRET).decode()
    expected = hmac.new(KEY, f"run-1-on.{NOTICE.at_us}.recording-on.3".encode(), hashlib.sha256).hexdigest()
    assert line.startswith("{run-1-on recording-on 7 2027-") and line.endswith(
        f"orvault-event/1 {expected}}}\r\n"
    )


def test_no_value_can_end_a_field_or_the_line() -> None:
    hostile = Notice(7, NoticeKind.RECORDING_ON, 0, "a|b\r\nc\x00{id}", "수술", "c", "r")
    line = LineTemplate("{room}|{camera}").render(hostile, "s", "3", None)
    assert line.decode() == "a_b__c__id_|수술\n"
    assert not is_plain("a|b") and is_plain("Lamp 3-a")


def test_a_line_is_bounded_and_keeps_its_end() -> None:
    notice = Notice(7, NoticeKind.RECORDING_ON, 0, "가" * 500, "c", "c", "r")
    line = LineTemplate("{room}" * 5, "\r\n").render(notice, "s", "3", None)
    assert len(line) <= 1024 and line.endswith("가\r\n".encode())


@pytest.mark.parametrize(
    "template", ["{nothing}", "{room.x}", "{room[0]}", "{room!r}", "{room:>9}", "{", "{}", "a\nb"]
)
def test_a_template_that_cannot_work_is_refused(template: str) -> None:
    with pytest.raises(OrvaultError) as caught:
        LineTemplate(template)
    assert caught.value.kind is ErrorKind.BAD_SETTINGS


def test_times_are_whole_seconds_where_the_line_wants_them() -> None:
    assert LineTemplate("{time}").render(NOTICE, "s", "3", None) == f"{NOTICE.at_us // US_PER_S}\n".encode()
