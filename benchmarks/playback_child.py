"""What the playback benchmark measures in a process of its own: the first picture, and memory while all is played."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from orvault.clock import SystemClock
from orvault.container.keyfiles import read_private_key
from player.session import Session


def opened(package: str, root: str, key: str) -> Session:
    """An unlocked session."""
    session = Session.open(Path(package), [Path(root).read_bytes()], SystemClock())
    session.unlock(read_private_key(Path(key)))
    return session


def resident_mb() -> float:
    """Memory of this process that is in use, MB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """`first` prints when the first picture is there (wall clock, s) and what it took of the processors (s); `whole`
    prints memory while all is played.
    """
    task, *files = sys.argv[1:]
    from player.reel import Reel  # what a person waits for too

    with opened(*files) as session, Reel(session, session.cameras()[0]) as reel:
        if task == "first":
            reel.seek(reel.first_us)
            print(json.dumps({"at": time.time(), "cpu_s": time.process_time()}))
            return
        seen: list[float] = []
        frames = reel.info.frames
        reel.play_through(
            lambda count: seen.append(resident_mb()) if count % 300 == 0 or count == frames else None
        )
        early = seen[: max(1, len(seen) // 10)]
        print(json.dumps({"mb_peak": max(seen), "mb_growth": seen[-1] - early[-1], "pictures": frames}))


if __name__ == "__main__":
    main()
