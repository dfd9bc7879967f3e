"""A computer without Python, for the built player: a file system that holds it, a few libraries and nothing else.

There is no interpreter, no shell and no other program in it, and no process of another is seen from it. What a
desktop gives is there: the C library, the graphics libraries that Qt asks for, a screen, a message bus for screen
readers, /proc and a home folder; no network but the machine's own. Linux only; it needs the right to make name
spaces, which root has, and people on most desktops.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HOME = Path("/home/viewer")  # as the player sees it
BUS = Path("/run/bus")
SCREENS = Path("/tmp/.X11-unix")
_LOCALE = Path("/usr/lib/locale/C.utf8")  # Debian's; without it names of files are ASCII
# Leaves the machine's files behind. The shell itself stays outside; it becomes the player.
_ENTER = """set -e
/bin/mount --bind "$2" "$1$2"
/bin/mount --bind /dev/null "$1/dev/null"
/bin/mount -t proc proc "$1/proc"
cell=$1; shift 2
exec /usr/sbin/chroot "$cell" "$@"
"""
_UNSHARE = ("unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")


def missing() -> str:
    """Why no cell can be made here; empty where one can."""
    if shutil.which(_UNSHARE[0]) is None:
        return "there is no `unshare` (util-linux)"
    tried = subprocess.run(
        [*_UNSHARE, "/bin/mount", "-t", "proc", "proc", "/proc"], capture_output=True, text=True, check=False
    )
    return f"no name spaces can be made: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass(frozen=True)
class Cell:
    """The file system at `folder`; `player` is where the program lies in it."""

    folder: Path
    player: str

    @classmethod
    def make(cls, folder: Path, binary: Path, lent: Path) -> Cell:
        """With `binary` (of the folder form: all that lies beside it), and what the folder form `lent` asks for."""
        alone = binary.parent != lent
        place = folder / "player" / binary.name
        if alone:
            place.parent.mkdir(parents=True)
            shutil.copy2(binary, place)
        else:
            shutil.copytree(lent, place.parent, symlinks=True)
        for library in _asked_of_the_system(binary, lent):
            (folder / library.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(library, folder / library.relative_to("/"))
        if _LOCALE.is_dir():
            shutil.copytree(_LOCALE, folder / _LOCALE.relative_to("/"))
        for each in (HOME, BUS.parent, SCREENS, Path("/proc"), Path("/dev")):
            (folder / each.relative_to("/")).mkdir(parents=True, exist_ok=True)
        (folder / "dev/null").touch()
        return cls(folder, f"/{place.relative_to(folder)}")

    @property
    def home(self) -> Path:
        """The viewer's home folder, seen from outside."""
        return self.outside(HOME)

    def outside(self, path: Path) -> Path:
        """Where a path of the cell lies on this machine."""
        return self.folder / path.relative_to("/")

    def start(self, environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
        """Start the player with this environment and no other; killed, it takes all that it started along."""
        command = [*_UNSHARE, "/bin/sh", "-c", _ENTER, "sh", str(self.folder), str(SCREENS)]
        program = shutil.which(_UNSHARE[0])
        return subprocess.Popen(
            [*command, self.player, *arguments], env=dict(environment), executable=program
        )


def _asked_of_the_system(binary: Path, player: Path) -> set[Path]:
    """The libraries that are wanted and not brought along, as the system's loader finds them."""
    own = [path for path in player.rglob("*") if path.is_file() and _is_library(path)]
    # The program itself is loaded before it can name the folder in which its own libraries lie.
    found = _loaded([binary], {}) | _loaded(own, {"LD_LIBRARY_PATH": str(player / "_internal")})
    return {path for path in found if not path.is_relative_to(player)}


def _loaded(files: Sequence[Path], environment: Mapping[str, str]) -> set[Path]:
    run = subprocess.run(
        ["/usr/bin/ldd", *files], env=environment, capture_output=True, text=True, check=False
    )
    return {Path(each) for each in re.findall(r"(?m)^\t(?:\S+ => )?(/\S+) \(0x", run.stdout)}


def _is_library(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"
