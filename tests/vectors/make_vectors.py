"""python -m tests.vectors.make_vectors: writes all vectors anew, beside this file or into another folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.vectors.activation import add_activated
from tests.vectors.gaps import add_gaps
from tests.vectors.packages import add_no_packages, add_packages
from tests.vectors.papers import add_papers
from tests.vectors.segments import add_runs, add_segments
from tests.vectors.world import FOLDER, Vectors
from tests.vectors.zip_tricks import add_zip_tricks


def make_vectors(folder: Path) -> Path:
    """Everything, from good to bad; nothing older stays."""
    for part in ("segment", "run", "gap", "package", "zip", "activation", "certificates"):
        shutil.rmtree(folder / part, ignore_errors=True)
    vectors = Vectors(folder)
    add_segments(vectors)
    add_runs(vectors)
    good = add_packages(vectors)
    add_no_packages(vectors)
    add_zip_tricks(vectors, good)
    add_gaps(vectors)
    add_activated(vectors)
    add_papers(vectors)
    vectors.finish()
    return folder


if __name__ == "__main__":
    make_vectors(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
