"""Real DVC, in environments of its own that `make judges` installs: the judge of CPV's files.

A plugin of pytest's, with the fixture `dvc`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shell import Result, Shell
from template import MakeTemplate, Template

JUDGES = Path(__file__).resolve().parent.parent / ".judges"
VERSIONS = ("dvc-new", "dvc-3.50")

# What people and programs call files, and what YAML, JSON, .gitignore, command lines or terminals could take
# for something else.
NAMES = [
    *(
        "model.bin",
        "my model.bin",
        "模型.bin",
        "naïve",
        "😀",
        "-x",
        "--all",
        "-",
        ".x",
        "..x",
        "~",
        "~x",
        "$HOME",
    ),
    *("a #b", "#x", "a: b", "a:b", "a:", ":a", "- a", "? a", "> a", "|", "&a", "*a", "!x", "%a", "@a", "`a"),
    *("a'b", 'a"b', "'", '"', "o'x\"y", "[x]", "{x}", "a,b", "a*b", "a?b", "[!a]", "=", "<<", ">", " lead"),
    *("1", "0123", "1_000", "0x1", "0b1", "0o7", "1.5", ".5", "-1", "+1", "1e3", "1:30", "2020-01-01"),
    *("yes", "no", "on", "true", "True", "FALSE", "null", "Null", "nan", ".inf", ".NaN"),
    *(
        "two\nlines",
        "tab\there",
        "Icon\r",
        "trail ",
        "a\u200bb",
        "x" * 150,
        "y z " * 30 + "e",
        "é " * 50 + "e",
    ),
]


IN_STEP = "Data and pipelines are up to date.\n"


def outs(shell: Shell) -> dict[str, str]:
    """The files of a worktree that git doesn't keep, each with the md5 of what it holds."""
    ours = set(shell.ok("git ls-files -z").split("\0"))
    found = {path: content for path, content in shell.files().items() if not path.startswith(".dvc/")}
    return {
        path: hashlib.md5(content, usedforsecurity=False).hexdigest()
        for path, content in found.items()
        if path not in ours
    }


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


@pytest.fixture(params=VERSIONS)
def dvc(request: pytest.FixtureRequest, sealed: Path) -> Dvc:
    """Real DVC: the test runs once for each version."""
    return installed(request.param, sealed)


@pytest.fixture
def newest_dvc(sealed: Path) -> Dvc:
    """For what both versions do alike."""
    return installed(VERSIONS[0], sealed)


JudgeTemplate = Callable[[Dvc, Callable[[Dvc, Shell], None]], Template]


@pytest.fixture(scope="session")
def judge_template(make_template: MakeTemplate) -> JudgeTemplate:
    """The template that a function makes with one version of DVC, which takes seconds, once."""
    made: dict[tuple[str, Callable[[Dvc, Shell], None]], Template] = {}

    def template(dvc: Dvc, make: Callable[[Dvc, Shell], None]) -> Template:
        key = (dvc.name, make)
        if key not in made:
            made[key] = make_template(lambda shell: make(dvc, shell))
        return made[key]

    return template


def installed(name: str, home: Path) -> Dvc:
    """That version of DVC; skips the test where it isn't there."""
    judge = Dvc(name, home)
    if not judge.is_installed:
        pytest.skip(f"real DVC ({name}) is not installed: make judges")
    return judge
