"""Makes a virtual environment, or says what is missing on a bare Debian or Ubuntu.

Runs before anything is installed, so it uses the standard library alone.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

OLDEST = (3, 11)
PACKAGES = ["python3-venv"]


def main() -> None:
    """Make the environment named on the command line."""
    if sys.version_info < OLDEST:
        sys.exit(f"OR Vault needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}. "
                 "Name another with: make PYTHON=/path/to/python3")  # fmt: skip
    if not _has_ensurepip():
        _install_venv()
    try:
        venv.EnvBuilder(with_pip=True, upgrade_deps=False).create(Path(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"the virtual environment could not be made: {error}")


def _has_ensurepip() -> bool:
    return (
        subprocess.run([sys.executable, "-m", "ensurepip", "--version"], capture_output=True).returncode == 0
    )


def _install_venv() -> None:
    command = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0:
        sys.exit("Python's venv module is missing. Run as root: " + " ".join(command))
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    subprocess.run(command, check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


if __name__ == "__main__":
    main()
