"""Settings of triggers and outside recorders: good ones become what actors take, bad ones are refused in words."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from actors.feedback import HttpLamp, SerialLamp, Sign
from actors.notice_targets import TcpLine, UdpLine, Webhook
from cluster.feeds import trigger_plan
from cluster.roster import actor_names
from cluster.settings import Settings, load_settings
from orvault.clock import SystemClock
from orvault.errors import ErrorKind, OrvaultError
from orvault.recording.pedal import PedalMode
from orvault.recording.serial_pedal import ModemLine, UsbIdentity

GOOD = """\
site: Test Hospital
nodes:
  - {name: server-1, roles: [server, detection]}
  - {name: client-1, roles: [client]}
  - {name: client-2, roles: [client]}
cameras:
  - {id: cam-1, title: One, room: OR-1, node: client-1, source: "rtsp://c/1", sub_source: "rtsp://c/1s", username: u}
  - {id: cam-2, title: Two, room: OR-1, node: client-2, source: "rtsp://c/2"}
triggers:
  - room: OR-1
    node: client-1
    pedal: {usb: "0403:6001:A50285BI", line: cts, mode: momentary, name: foot-1}
    gesture: {camera: cam-1, dwell_s: 1.5}
    feedback: {port: /dev/ttyS1, started: "\\xA0\\x01", refused: "no"}
events:
  - {name: hook, kind: webhook, url: "https://nvr.example/orvault", secret_file: keys/hook}
  - {name: zm, kind: tcp, host: zm.example, port: 6802, template: "{channel}|{state}", channels: {cam-1: "3"}}
  - {name: vms, kind: udp, host: vms.example, port: 1234, template: "{state}", line_end: crlf}
"""


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "ray_config.yaml"
    path.write_text(text)
    return load_settings(path)


def test_a_rooms_triggers_become_a_plan_that_can_travel(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    (trigger,) = settings.triggers
    assert trigger.home(settings.places()) == "client-1"
    assert "trigger:OR-1" in actor_names(settings) and "notices" in actor_names(settings)
    plan = pickle.loads(pickle.dumps(trigger_plan(trigger, settings)))
    assert plan.pedal.line is ModemLine.CTS and plan.pedal.rules.mode is PedalMode.MOMENTARY
    assert plan.pedal.port.usb == UsbIdentity(0x0403, 0x6001, "A50285BI")
    assert plan.gesture.feed.source == "rtsp://c/1s" and plan.gesture.feed.username == "u"
    assert plan.gesture.rules.dwell_s == 1.5
    assert isinstance(plan.feedback.lamp, SerialLamp)
    assert plan.feedback.words[Sign.STARTED].encode("latin-1") == b"\xa0\x01"
    assert plan.dwell_us == 3_000_000  # control.stop_by_pedal is a dwell


def test_targets_can_travel_and_know_their_files(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    made = [target.target(settings.site, SystemClock()) for target in settings.events]
    hook, zm, vms = pickle.loads(pickle.dumps(made))
    assert isinstance(hook, Webhook) and hook.secret_file == tmp_path / "var/keys/hook"
    assert (
        isinstance(zm, TcpLine)
        and zm.until_close
        and zm.channel("cam-1") == "3"
        and zm.channel("cam-2") is None
    )
    assert isinstance(vms, UdpLine) and vms.channel("cam-2") == "cam-2"


def test_a_site_without_any_starts_no_actor_for_them(tmp_path: Path) -> None:
    names = actor_names(load(tmp_path, GOOD.split("triggers:")[0]))
    assert not [name for name in names if name.startswith(("trigger", "notices"))]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"0403:6001:A50285BI"', '"403:6001"', "VENDOR:PRODUCT"),
        ("line: cts", "line: ri", "'cts'"),
        ("line: cts, ", "", "either a line"),
        ("line: cts, mode: momentary", 'pressed: "1"', "when it is released"),
        ("line: cts", 'pressed: "1", released: "1"', "differ"),
        ('usb: "0403:6001:A50285BI"', 'usb: "0403:6001", port: /dev/ttyS0', "either a port"),
        ("name: foot-1", "debounce: 3", "debounce_ms"),
        ("    node: client-1\n    pedal", "    node: client-9\n    pedal", "client-1, client-2"),
        ("camera: cam-1", "camera: cam-9", "cam-1"),
        ("  - room: OR-1\n", "  - room: OR-7\n", "OR-7"),
        ("port: /dev/ttyS1", 'url: "http://lamp/x"', "{word}"),
        ("port: /dev/ttyS1, ", "", "one of port, usb, url"),
        ('refused: "no"', 'refused: "아니"', "Latin-1"),
        (", secret_file: keys/hook", "", "secret_file"),
        ("{channel}|{state}", "{chanel}|{state}", "channel"),
        ('{cam-1: "3"}', '{cam-1: "3|4"}', "3|4"),
        ('{cam-1: "3"}', '{cam-7: "3"}', "cam-7"),
        ("host: zm.example, ", "", "host, port"),
        ("rtsp://c/1s", "rtsp://u:hunter2@c/1s", "password_file"),
    ],
)
def test_what_cannot_work_is_refused_in_words(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(OrvaultError) as caught:
        load(tmp_path, GOOD.replace(old, new))
    assert caught.value.kind is ErrorKind.BAD_SETTINGS
    assert expected in str(caught.value) and "hunter2" not in str(caught.value)


def test_a_lamp_over_http(tmp_path: Path) -> None:
    text = GOOD.replace("port: /dev/ttyS1", 'url: "http://lamp/{word}", method: GET')
    (trigger,) = load(tmp_path, text).triggers
    assert trigger.feedback is not None and trigger.feedback.plan().lamp == HttpLamp(
        "http://lamp/{word}", "GET"
    )


def test_a_room_on_two_nodes_has_to_say_where_its_pedal_is(tmp_path: Path) -> None:
    text = GOOD.replace("    node: client-1\n    pedal", "    pedal")
    assert load(tmp_path, text).triggers[0].node == ""  # the gesture's camera says it
    text = text.replace("    gesture: {camera: cam-1, dwell_s: 1.5}\n", "")
    with pytest.raises(OrvaultError, match="name one of its nodes"):
        load(tmp_path, text)
