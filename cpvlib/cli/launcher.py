"""Where git-cpv is, for what git starts later: hooks and the merge driver."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def launcher() -> Path | None:
    """The git-cpv beside the program that runs now, else the one on PATH."""
    import shutil

    beside = Path(sys.argv[0]).absolute().with_name("git-cpv")
    if "/" in sys.argv[0] and os.access(beside, os.X_OK):
        return beside
    found = shutil.which("git-cpv")
    return Path(found).absolute() if found else None
