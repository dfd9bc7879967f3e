#!/usr/bin/python3
"""Real RTSP cameras for the tests, from Debian's GStreamer RTSP server; run by the system's Python.

Each mount sends one clip (MP4 or MKV, H.264 or H.265) at real pace, over and over, as it is: nothing is
encoded anew. It listens on the loopback address and a free port, and prints `ready PORT` when it serves.
`tests/rtsp.py` starts and ends it; what a client makes of the streams is tested there.

    rtsp_camera.py --mount cam0=clip.mp4 [--mount cam1=other.mkv] [--mjpeg NAME] [--sound NAME] [--port N]
                   [--noise NAME] [--once NAME] [--jump NAME=MS] [--wrap NAME] [--digest] [--tls DIR] [--sent DIR]

A mount of several clips (CLIP+CLIP) sends one after the other in one stream.
With --sent, DIR/NAME.sent holds what one round of a clip sends: per picture its size (4 bytes, big-endian)
and bytes. The user name and password that clients must show come from the environment (RTSP_CAMERA_USER,
RTSP_CAMERA_PASSWORD), because other users of the machine can read a command line.
"""

from __future__ import annotations

import argparse
import os
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
# GstApp is never named below: without it an appsrc has no `push-buffer`.
from gi.repository import Gio, GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402, F401

ROLE = "viewer"
TICK_MS = 10
WRAP = f"timestamp-offset={2**32 - 5 * 90_000}"  # the 32 bits of RTP's time are used up after 5 s
NAMES = {"video/x-h264": "h264", "video/x-h265": "h265"}


@dataclass(frozen=True)
class AccessUnit:
    """One coded picture, with its times in nanoseconds from the start of the clip."""

    data: bytes
    pts_ns: int
    dts_ns: int
    keyframe: bool


@dataclass(frozen=True)
class Clip:
    """A whole clip in memory."""

    codec: str
    units: list[AccessUnit]
    duration_ns: int


def load(path: str) -> Clip:
    """Read a clip's access units in Annex B, in decoding order."""
    pipeline = Gst.parse_launch(
        "filesrc name=file ! parsebin name=bin appsink name=sink sync=false max-buffers=0"
    )
    pipeline.get_by_name("file").set_property("location", path)
    sink = pipeline.get_by_name("sink")

    def link(_bin, pad):
        caps = pad.get_current_caps() or pad.query_caps(None)
        codec = NAMES.get(caps.get_structure(0).get_name())
        if codec is None:
            return
        # The parser that turns MP4's length prefixes into start codes; parameter sets go before every
        # keyframe.
        parser = Gst.ElementFactory.make(f"{codec}parse")
        parser.set_property("config-interval", -1)
        form = Gst.ElementFactory.make("capsfilter")
        form.set_property(
            "caps", Gst.Caps.from_string(f"video/x-{codec},stream-format=byte-stream,alignment=au")
        )
        for element in (parser, form):
            pipeline.add(element)
            element.sync_state_with_parent()
        parser.link(form)
        form.link(sink)
        pad.link(parser.get_static_pad("sink"))

    pipeline.get_by_name("bin").connect("pad-added", link)
    pipeline.set_state(Gst.State.PLAYING)
    units, codec = [], ""
    while (sample := sink.emit("pull-sample")) is not None:
        codec = NAMES[sample.get_caps().get_structure(0).get_name()]
        buffer = sample.get_buffer()
        units.append(
            AccessUnit(
                buffer.extract_dup(0, buffer.get_size()),
                buffer.pts,
                buffer.dts if buffer.dts != Gst.CLOCK_TIME_NONE else buffer.pts,
                not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT),
            )
        )
    pipeline.set_state(Gst.State.NULL)
    if not units:
        sys.exit(f"{path}: no H.264 or H.265 video in it")
    first = min(unit.dts_ns for unit in units)
    units = [AccessUnit(u.data, u.pts_ns - first, u.dts_ns - first, u.keyframe) for u in units]
    frame_ns = (units[-1].dts_ns - units[0].dts_ns) // max(1, len(units) - 1)
    return Clip(codec, units, units[-1].dts_ns + frame_ns)


def joined(clips: list[Clip]) -> Clip:
    """One clip after the other."""
    units, at_ns = [], 0
    for clip in clips:
        units += [AccessUnit(u.data, u.pts_ns + at_ns, u.dts_ns + at_ns, u.keyframe) for u in clip.units]
        at_ns += clip.duration_ns
    return Clip(clips[0].codec, units, at_ns)


class Feeder:
    """Pushes one clip's access units into one appsrc when each is due, for as long as the media lives.

    `jump_ms`: by how much the camera's clock is set after the first round.
    """

    def __init__(self, clip, appsrc, noise=False, once=False, jump_ms=0):
        self.clip, self.appsrc, self.jump_ms = clip, appsrc, jump_ms
        self.next, self.loops = 0, 0
        self.noise, self.once = noise, once
        self.started_us = None
        self.timer = GLib.timeout_add(TICK_MS, self.tick)

    def tick(self):
        """Send what is due by now."""
        now = GLib.get_monotonic_time()
        if self.started_us is None:
            self.started_us = now
        while (unit := self.clip.units[self.next]) and self.due_us(unit) <= now:
            if not self.push(unit):
                self.timer = None
                return False
            self.next += 1
            if self.next == len(self.clip.units):
                self.next, self.loops = 0, self.loops + 1
                if self.once:
                    self.appsrc.emit("end-of-stream")
                    self.timer = None
                    return False
        return True

    def due_us(self, unit):
        """When this unit is to be sent, by the monotonic clock."""
        return self.started_us + (self.loops * self.clip.duration_ns + unit.dts_ns) // 1000

    def push(self, unit):
        """Hand one unit over; False when the media is gone."""
        offset = self.loops * self.clip.duration_ns
        data = damaged(unit.data) if self.noise and self.next % 20 == 7 else unit.data
        buffer = Gst.Buffer.new_wrapped(data)
        if self.loops:
            offset += self.jump_ms * 1_000_000
        buffer.pts, buffer.dts = offset + unit.pts_ns, offset + unit.dts_ns
        if not unit.keyframe:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        return self.appsrc.emit("push-buffer", buffer) == Gst.FlowReturn.OK

    def stop(self):
        """Send no more."""
        if self.timer is not None:
            GLib.source_remove(self.timer)
            self.timer = None


def damaged(data):
    """A picture of which the second half is noise."""
    half = len(data) // 2
    return data[:half] + bytes((31 * at + 7) % 251 + 2 for at in range(len(data) - half))


class ClipFactory(GstRtspServer.RTSPMediaFactory):
    """Makes the media of one mount: a clip, with or without a sound track beside it."""

    def __init__(self, clip, sound, noise, once, jump_ms, wrap):
        super().__init__()
        self.clip, self.sound, self.noise, self.once = clip, sound, noise, once
        self.jump_ms, self.wrap = jump_ms, wrap
        self.set_shared(False)  # every client starts at the clip's beginning
        self.set_protocols(GstRtsp.RTSPLowerTrans.TCP)

    def do_create_element(self, _url):
        codec = self.clip.codec
        video = (
            f"appsrc name=feed is-live=true format=time block=false "
            f"caps=video/x-{codec},stream-format=byte-stream,alignment=au ! {codec}parse ! "
            f"rtp{codec}pay name=pay0 pt=96 config-interval=0 {WRAP if self.wrap else ''}"
        )
        sound = "audiotestsrc is-live=true ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay1 pt=8"
        return Gst.parse_launch(f"( {video} {sound if self.sound else ''} )")

    def do_configure(self, media):
        feed = media.get_element().get_by_name_recurse_up("feed")
        feeder = Feeder(self.clip, feed, self.noise, self.once, self.jump_ms)
        media.connect("unprepared", lambda _media: feeder.stop())


def mjpeg_factory():
    """A mount in a codec that the product does not record."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 ! jpegenc ! "
        "rtpjpegpay name=pay0 pt=26 )"
    )
    factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
    return factory


def protect(server, factories, tls, digest):
    """Let in only who shows the environment's name and password, if it has any; speak TLS if `tls`.

    With `digest` it takes the Digest scheme and no other, else Basic.
    """
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth = GstRtspServer.RTSPAuth()
    if user := os.environ.get("RTSP_CAMERA_USER"):
        password = os.environ["RTSP_CAMERA_PASSWORD"]
        if digest:
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    else:
        auth.set_default_token(token)
    if tls:
        auth.set_tls_certificate(
            Gio.TlsCertificate.new_from_files(str(tls / "certificate.pem"), str(tls / "key.pem"))
        )
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for right in ("access", "construct"):
        permissions.add_permission_for_role(ROLE, f"media.factory.{right}", True)
    for factory in factories:
        factory.set_permissions(permissions)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mount", action="append", default=[], metavar="NAME=CLIP")
    parser.add_argument("--mjpeg", action="append", default=[], metavar="NAME")
    parser.add_argument(
        "--sound", action="append", default=[], metavar="NAME", help="this mount has a sound track too"
    )
    parser.add_argument(
        "--noise", action="append", default=[], metavar="NAME", help="this mount sends damaged pictures too"
    )
    parser.add_argument(
        "--once", action="append", default=[], metavar="NAME", help="this mount ends after one round"
    )
    parser.add_argument(
        "--jump",
        action="append",
        default=[],
        metavar="NAME=MS",
        help="this mount's clock is set after a round",
    )
    parser.add_argument(
        "--wrap", action="append", default=[], metavar="NAME", help="this mount's RTP time wraps after 5 s"
    )
    parser.add_argument("--digest", action="store_true", help="take a password by Digest only")
    parser.add_argument("--port", default="0", help="0: a free one")
    parser.add_argument("--tls", type=Path, help="folder with certificate.pem and key.pem: speak rtsps")
    parser.add_argument("--sent", type=Path, help="folder for what one round of each clip sends")
    return parser.parse_args()


def main():
    """Serve until told to stop."""
    options = arguments()
    Gst.init(None)
    factories = {name: mjpeg_factory() for name in options.mjpeg}
    jumps = {name: int(ms) for name, _, ms in (jump.partition("=") for jump in options.jump)}
    for mount in options.mount:
        name, _, path = mount.partition("=")
        clip = joined([load(each) for each in path.split("+")])
        factories[name] = ClipFactory(
            clip,
            name in options.sound,
            name in options.noise,
            name in options.once,
            jumps.get(name, 0),
            name in options.wrap,
        )
        if options.sent:
            sent = b"".join(struct.pack(">I", len(unit.data)) + unit.data for unit in clip.units)
            (options.sent / f"{name}.sent").write_bytes(sent)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    if options.tls or os.environ.get("RTSP_CAMERA_USER"):
        protect(server, factories.values(), options.tls, options.digest)
    for name, factory in factories.items():
        server.get_mount_points().add_factory(f"/{name}", factory)
    if not server.attach(None):
        sys.exit(f"port {options.port} cannot be listened on")
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    loop.run()


if __name__ == "__main__":
    main()
