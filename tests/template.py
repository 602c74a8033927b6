"""Repositories that take many commands to make: made once for a session, and copied for each test."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from shell import Shell

MakeTemplate = Callable[[Callable[[Shell], None]], "Template"]


class Template:
    """A folder `work` and the HOME beside it, with what CPV keeps there."""

    def __init__(self, folder: Path, environment: dict[str, str], make: Callable[[Shell], None]) -> None:
        self._folder = folder
        work = folder / "work"
        work.mkdir()
        make(Shell(work, environment))

    def copy(self, home: Path, work: Path) -> None:
        """The same below another HOME and folder; a storage folder's path follows."""
        shutil.copytree(self._folder / "home", home, dirs_exist_ok=True, symlinks=True)
        shutil.copytree(self._folder / "work", work, dirs_exist_ok=True, symlinks=True)
        before, after = str(self._folder / "home"), str(home)
        for config in work.glob("*/.dvc/config.local"):
            config.write_text(config.read_text().replace(before, after))
        for record in work.glob("*/.git/cpv/confirmed.db"):
            with closing(sqlite3.connect(record)) as confirmed, confirmed:
                confirmed.execute("UPDATE confirmed SET url = replace(url, ?, ?)", (before, after))
