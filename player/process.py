"""What the program asks of its process before it reads a package: no picture in a core file, words in UTF-8."""

from __future__ import annotations

import ctypes
import io
import sys

_PR_SET_DUMPABLE = 4
_NO_FAULT_REPORT = 0x0001 | 0x0002  # SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX


def keep_out_of_core_files() -> None:
    """A crash must not leave pictures or the key in a core file, or in a report to the system's maker."""
    if sys.platform == "win32":
        ctypes.windll.kernel32.SetErrorMode(_NO_FAULT_REPORT)
    else:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":  # where core files are handed to a program, the limit is not asked for
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def speak_utf_8() -> None:
    """A verdict sent to a file must not fail over a name: Windows would write it in a code page."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a windowed program has none
            stream.reconfigure(encoding="utf-8", errors="replace")
