"""What a screen reader is told of the windows on a message bus, as JSON: run by the system's Python, which has GLib.

Usage: screen_reader.py BUS_ADDRESS. Asks by AT-SPI, the way of every screen reader on Linux, and prints one list:
per visible control its role, name, description and place on the screen (x, y, width, height, in pixels).
"""

import json
import sys
from collections.abc import Iterator

from gi.repository import Gio, GLib

ROOT = "/org/a11y/atspi/accessible/root"
ACCESSIBLE = "org.a11y.atspi.Accessible"
SHOWING = 25  # of AtspiStateType
ON_SCREEN = 0  # AtspiCoordType
WAIT_MS = 20_000
KIND = Gio.DBusConnectionFlags


class Bus:
    """The bus, as a client of it."""

    def __init__(self, address: str) -> None:
        flags = KIND.AUTHENTICATION_CLIENT | KIND.MESSAGE_BUS_CONNECTION
        self._connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)

    def ask(self, whom: tuple[str, str], method: str, arguments: GLib.Variant | None = None) -> tuple:
        """Call `interface.Method` of an object (owner, path)."""
        interface, _, name = method.rpartition(".")
        call = (*whom, interface, name, arguments, None, Gio.DBusCallFlags.NO_AUTO_START, WAIT_MS, None)
        return self._connection.call_sync(*call).unpack()

    def programs(self) -> Iterator[str]:
        """Who else is on the bus and has windows."""
        (names,) = self.ask(
            ("org.freedesktop.DBus", "/org/freedesktop/DBus"), "org.freedesktop.DBus.ListNames"
        )
        own = self._connection.get_unique_name()
        yield from (name for name in names if name.startswith(":") and name != own)

    def controls(self, whom: tuple[str, str]) -> Iterator[dict]:
        """Every visible control below this one."""
        for child in self.ask(whom, f"{ACCESSIBLE}.GetChildren")[0]:
            try:
                low, _ = self.ask(child, f"{ACCESSIBLE}.GetState")[0]
                if low >> SHOWING & 1:
                    yield self._told(child)
                    yield from self.controls(child)
            except GLib.Error:
                continue  # it went away meanwhile

    def _told(self, whom: tuple[str, str]) -> dict:
        place = self.ask(whom, "org.a11y.atspi.Component.GetExtents", GLib.Variant("(u)", (ON_SCREEN,)))[0]
        return {
            "role": self.ask(whom, f"{ACCESSIBLE}.GetRoleName")[0],
            "name": self._property(whom, "Name"),
            "description": self._property(whom, "Description"),
            "place": place,
        }

    def _property(self, whom: tuple[str, str], name: str) -> str:
        wish = GLib.Variant("(ss)", (ACCESSIBLE, name))
        return self.ask(whom, "org.freedesktop.DBus.Properties.Get", wish)[0]


def main() -> None:
    """Look once."""
    bus = Bus(sys.argv[1])
    seen = []
    for program in bus.programs():
        try:
            seen += bus.controls((program, ROOT))
        except GLib.Error:
            continue  # has no windows yet
    json.dump(seen, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
