"""The camera's connection is found where it is certain, lets more wait than a fresh one, and ends in silence."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from orvault.video.connection import connected_since, let_wait, open_sockets
from orvault.video.pacing import FRESH_BYTES
from orvault.video.silence import SilenceWatch

HOST = "127.0.0.1"
LIMIT_S = 0.3
BURST = 1_400


class Camera:
    """A listener, and whoever has connected to it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = stack.enter_context(socket.create_server((HOST, 0)))
        self.port: int = self._listener.getsockname()[1]

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """The reader's side and the camera's."""
        reader = self._stack.enter_context(socket.create_connection((HOST, self.port)))
        return reader, self._stack.enter_context(self._listener.accept()[0])


@pytest.fixture
def new_camera() -> Iterator[Callable[[], Camera]]:
    with ExitStack() as stack:
        yield lambda: Camera(stack)


def pictures(reader: socket.socket) -> Iterator[bytes]:
    while picture := reader.recv(1):
        yield picture


def test_a_reader_whose_camera_falls_silent_comes_back(new_camera: Callable[[], Camera]) -> None:
    reader, camera = new_camera().connect()
    watch = SilenceWatch(reader.dup(), LIMIT_S)
    camera.sendall(b"ab")
    assert list(watch.over(pictures(reader))) == [b"a", b"b"]
    assert watch.hung_up
    watch.close()
    assert camera.recv(1) == b"", "the camera sees it too"


def test_the_time_of_whoever_takes_the_pictures_is_no_silence(new_camera: Callable[[], Camera]) -> None:
    reader, camera = new_camera().connect()
    watch = SilenceWatch(reader.dup(), LIMIT_S)
    camera.sendall(b"abc")
    camera.shutdown(socket.SHUT_WR)
    taken = []
    for picture in watch.over(pictures(reader)):
        time.sleep(2 * LIMIT_S)
        taken.append(picture)
    assert taken == [b"a", b"b", b"c"] and not watch.hung_up
    watch.close()


def test_a_watch_that_is_closed_hangs_up_on_nobody(new_camera: Callable[[], Camera]) -> None:
    reader, camera = new_camera().connect()
    watch = SilenceWatch(reader.dup(), LIMIT_S)
    reading = watch.over(pictures(reader))
    camera.sendall(b"a")
    assert next(reading) == b"a"
    watch.close()
    time.sleep(2 * LIMIT_S)
    camera.sendall(b"b")
    assert next(reading) == b"b" and not watch.hung_up


def test_the_connection_that_is_new_is_found_under_any_name_and_is_the_same_one(
    new_camera: Callable[[], Camera],
) -> None:
    made = new_camera()
    made.connect()
    before = open_sockets()
    assert connected_since(before, HOST, made.port) is None
    reader, camera = made.connect()
    twice = os.dup(reader.fileno())  # one connection all the same
    found = connected_since(before, "localhost", made.port)
    os.close(twice)
    assert found is not None
    with found:
        assert found.getsockname() == reader.getsockname()
        found.shutdown(socket.SHUT_RDWR)
    assert reader.recv(1) == b"" and camera.recv(1) == b""


def test_what_is_not_certainly_the_cameras_connection_is_not_taken(new_camera: Callable[[], Camera]) -> None:
    before = open_sockets()
    made, other = new_camera(), new_camera()
    other.connect()
    left, right = socket.socketpair()
    with left, right:
        assert connected_since(before, HOST, made.port) is None, "another's, a listener, no TCP"
        assert connected_since(before, "no-such-host.invalid", made.port) is None
        made.connect()
        made.connect()
        sockets = open_sockets()
        assert connected_since(before, HOST, made.port) is None, "two: which is it?"
        assert open_sockets() == sockets, "and none stays open"


def test_more_waits_for_a_reader_than_in_a_fresh_connection(new_camera: Callable[[], Camera]) -> None:
    reader, camera = new_camera().connect()
    camera.setsockopt(
        socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096
    )  # what is under way waits at the reader, not here
    room = let_wait(reader)
    assert room > 2 * FRESH_BYTES
    camera.settimeout(1)
    sent = 0
    while sent < room:
        sent += camera.send(bytes(BURST))
    assert len(reader.recv(BURST)) == BURST
