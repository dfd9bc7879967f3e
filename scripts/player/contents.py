"""Holds what a built player contains against what it may: nothing of the server, and no decoder under the GPL.

Called by orvault_player.spec; a build that breaks a rule stops there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

FORBIDDEN = (
    "actors", "api", "cluster", "orvault.custody", "orvault.ledger", "orvault.marks", "orvault.papers",
    "orvault.recording", "orvault.rendition", "orvault.video", "orvault.viewing", "orvault.vision",
    "alembic", "av", "fastapi", "onnxruntime", "pymysql", "ray", "sqlalchemy", "starlette", "uvicorn",
)  # fmt: skip
# What other packages would bring along if they are installed; the player has no use for it.
UNUSED = (
    "IPython", "PIL", "_hypothesis_ftz_detector", "_hypothesis_globals", "ast_serialize", "attr", "attrs",
    "charset_normalizer", "defusedxml", "dotenv", "hypothesis", "librt", "matplotlib", "mypy", "mypy_extensions",
    "mypyc", "psutil", "pytest", "setuptools", "sortedcontainers", "tkinter", "yaml",
    "PySide6.QtNetwork",  # the player asks for its activation itself, with Python's TLS
    "readline",  # GNU Readline is under the GPL; a player asks for one line at a time
)  # fmt: skip
# Qt's plugins that a window on a person's desktop needs. Others serve the screen to the network (vnc), draw without a
# desktop, or bring GTK along.
_PLUGIN = re.compile(
    r"(?:^|/)plugins/(?P<kind>[\w-]+)/(?:lib)?(?P<name>[\w-]+?)\.(?:so|dll|dylib)$", re.IGNORECASE
)
_KNOWN_PLUGINS = re.compile(
    r"platforms/q(xcb|wayland|offscreen|minimal|windows|cocoa)|platformthemes/qxdgdesktopportal"
    r"|platforminputcontexts/\w+|iconengines/qsvgicon|imageformats/\w+|styles/\w+|xcbglintegrations/[\w-]+"
    r"|wayland-(decoration-client|graphics-integration-client)/[\w-]+|wayland-shell-integration/(xdg|qt)-shell"
)
# What those others would bring: nothing that stays asks for it.
_ORPHANS = re.compile(
    r"(PySide6/Qt/lib/)?lib(Qt6(Network|EglF\w+|WlShellIntegration)|X(composite|cursor|damage|ext|fixes|i|inerama|randr"
    r"|render)|atk-\S+|atspi|blkid|cairo(-gobject)?|com_err|datrie|epoxy|fribidi|g[dt]k-3|gdk_pixbuf-2\.0|gio-2\.0"
    r"|gmodule-2\.0|gobject-2\.0|graphite2|gssapi_krb5|harfbuzz|jpeg|k5crypto|keyutils|krb5(support)?|mount"
    r"|pango\w*-1\.0|pixman-1|selinux|thai)\.so[\d.]*"
)
# Qt's own words in other languages than the window's (player/window/qt_words.py).
_WORDS = re.compile(r"(?:^|/)translations/(?P<name>[\w-]+)\.qm$")
_KNOWN_WORDS = "qtbase_ko"
# The system's libraries that are passed on; notices.py names those under the LGPL. On Windows there are none.
_KNOWN_LIBRARIES = re.compile(
    r"lib(X11|X11-xcb|Xau|Xdmcp|brotli(common|dec)|bsd|bz2|cap|crypto|dbus-1|expat|ffi|fontconfig|freetype|gcc_s|gcrypt"
    r"|glib-2\.0|gpg-error|gthread-2\.0|lz4|lzma|md|mpdec|ncursesw|pcre2-8|png16|python3\.\d+|ssl|stdc\+\+|systemd"
    r"|tinfo|uuid|xcb-[\w-]+|xkbcommon(-x11)?|z|zstd)\.so[\d.]*"
)
_GPL_LIBRARIES = re.compile(r"x26[45]|readline|gdbm", re.IGNORECASE)
_DECODERS = re.compile(r"avcodec|videoio_ffmpeg", re.IGNORECASE)
_LICENCE = re.compile(rb"(?:libavcodec|FFmpeg) license: ([ -~]+)|\b(L?GPL version [23](?:\.1)? or later)")


class Refused(SystemExit):
    """The build must not leave this machine."""


def is_left_out(name: str) -> bool:
    """Whether a file that PyInstaller collected stays out; `name` is its place inside the player."""
    place = name.replace("\\", "/")
    plugin = _PLUGIN.search(place)
    if plugin is not None:
        return _KNOWN_PLUGINS.fullmatch(f"{plugin['kind']}/{plugin['name']}") is None
    words = _WORDS.search(place)
    if words is not None:
        return words["name"] != _KNOWN_WORDS
    return _ORPHANS.fullmatch(place) is not None


def check_names(names: Iterable[str]) -> None:
    """Raise Refused for a plugin of Qt, or a library of the building system, that nobody has looked at.

    `names`: the places of all binaries inside the player; those of packages lie in folders of their own.
    """
    for name in names:
        system = re.fullmatch(r"lib[^/\\]+\.so[\d.]*", name)
        if is_left_out(name) or (system and _KNOWN_LIBRARIES.fullmatch(name) is None):
            raise Refused(
                f"The player contains {name}: look at what it does, and at its licence (contents.py)."
            )


def check(modules: Sequence[str], libraries: Iterable[Path]) -> None:
    """Raise Refused, naming it, for a module of the server or a library whose licence is not to be passed on."""
    for unwanted, what in ((FORBIDDEN, "parts of the server"), (UNUSED, "what it has no use for")):
        found = sorted(
            name for name in modules if any(name == each or name.startswith(each + ".") for each in unwanted)
        )
        if found:
            raise Refused(f"The player contains {what}: {', '.join(found[:20])}.")
    decoders = []
    for path in libraries:
        if _GPL_LIBRARIES.search(path.name):
            raise Refused(f"The player contains {path.name}, which is under the GPL (docs/adr/0033).")
        if _DECODERS.search(path.name):
            decoders.append(path)
            check_licence(path.name, path.read_bytes())
    if not decoders:
        raise Refused("The player contains no decoder.")


def check_licence(name: str, library: bytes) -> None:
    """Raise Refused unless an FFmpeg library says that it is under the LGPL, and was configured so."""
    said = [first or second for first, second in _LICENCE.findall(library)]
    if not said or not all(licence.startswith(b"LGPL") for licence in said) or b"--enable-gpl" in library:
        words = b", ".join(said).decode("ascii", "replace") or "nothing"
        raise Refused(f"{name} says of its licence: {words}; the LGPL was expected (docs/adr/0033).")
