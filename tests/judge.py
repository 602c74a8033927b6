"""Real DVC, in environments of its own that `make judges` installs: the judge of CPV's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shell import Result, Shell

JUDGES = Path(__file__).resolve().parent.parent / ".judges"
VERSIONS = ("dvc-new", "dvc-3.50")


class Dvc:
    """One version of DVC. It runs where a shell stands, with that shell's environment."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        self._bin = JUDGES / name / "bin"
        # Its site cache is one for the whole machine unless told otherwise; analytics would start a daemon.
        self._env = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(home / "dvc-site-cache")}

    @property
    def is_installed(self) -> bool:
        """The installer's last step is a file of that name."""
        return (JUDGES / self.name / "installed").exists()

    @property
    def is_newest(self) -> bool:
        return self.name == "dvc-new"

    @property
    def python(self) -> Path:
        return self._bin / "python"

    def run(self, shell: Shell, *words: str) -> Result:
        """`dvc WORDS`, whatever its exit code."""
        return shell.at(".", **self._env).run([str(self._bin / "dvc"), *words])

    def ok(self, shell: Shell, *words: str) -> str:
        """What `dvc WORDS` prints; the test fails where it does."""
        result = self.run(shell, *words)
        assert result.code == 0, str(result)
        return result.out

    def program(self, shell: Shell, code: str, *arguments: str) -> Any:
        """What a Python program that imports dvc prints as JSON."""
        there = shell.at(".", **self._env)
        return json.loads(there.ok([str(self.python), "-c", code, *arguments]))

    def repository(self, shell: Shell) -> None:
        """A git and DVC repository where the shell stands."""
        shell.git("init", "--quiet")
        self.ok(shell, "init", "--quiet")
