"""Puts this checkout on the environment's path and makes its two commands.

The same that an editable install does, without asking a registry for a build backend.
"""

import stat
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {"orvault": "cluster.cli", "orvault-player": "player.__main__"}


def main() -> None:
    """Write the .pth file and the launchers."""
    Path(sysconfig.get_path("purelib"), "orvault-checkout.pth").write_text(f"{ROOT}\n")
    for name, module in COMMANDS.items():
        launcher = Path(sysconfig.get_path("scripts"), name)
        launcher.write_text(f"#!{sys.executable}\nfrom {module} import main\n\nmain()\n")
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


if __name__ == "__main__":
    main()
