"""`--help`: the manual page, wherever it lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def page_file(program: str) -> Path | None:
    """The page next to this very program: in its prefix's share/man, in a checkout's man/, or None."""
    prefixes = [Path(sys.argv[0]).resolve().parent.parent, Path(sys.prefix)]
    places = [prefix / "share" / "man" / "man1" for prefix in prefixes]
    places.append(Path(__file__).resolve().parents[2] / "man")
    for place in places:
        page = place / f"{program}.1"
        if page.is_file():
            return page
    return None


def open_manual(program: str) -> None:
    """Becomes man(1) showing the page of the program that runs; returns where there is no man or no page."""
    page = page_file(program)
    # The page beside the program is of the same version as it; one on MANPATH may be another installation's.
    wanted = str(page) if page is not None else program
    if page is None and not _man_knows(program):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp("man", ["man", wanted])
    except OSError:
        return


def _man_knows(program: str) -> bool:
    import subprocess

    try:
        found = subprocess.run(["man", "-w", program], capture_output=True, check=False)
    except OSError:
        return False
    return found.returncode == 0
