"""A user at a shell: writes files, types commands, reads what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_IDS = re.compile(r"\b[0-9a-f]{7,64}\b(?:\.dir)?")


@dataclass(frozen=True)
class Result:
    """How a command ended; `out` and `err` as the user saw them."""

    command: str
    code: int
    out: str
    err: str

    @property
    def masked(self) -> Result:
        """The same with every hex id of 7 digits or more as '<id>', for comparing whole outputs."""
        return Result(self.command, self.code, _IDS.sub("<id>", self.out), _IDS.sub("<id>", self.err))

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.out}{self.err}[exit {self.code}]"


class Shell:
    """Commands run in `cwd` with the test's sealed environment and `env` on top."""

    def __init__(self, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.cwd = cwd
        self.env = dict(env or {})

    def at(self, folder: str | Path, **env: str) -> Shell:
        """Another shell: in `folder` (relative to this one's), with these variables too."""
        return Shell(self.cwd / folder, {**self.env, **env})

    def run(
        self, command: str | Sequence[str], *, stdin: str | None = None, timeout_s: float = 600, **env: str
    ) -> Result:
        """Whatever the exit code. Text is given to sh, as typed; a list is run as it is."""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        done = subprocess.run(
            words,
            cwd=self.cwd,
            env={**os.environ, **self.env, **env},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout_s,
        )
        shown = command if isinstance(command, str) else shlex.join(words)
        return Result(shown, done.returncode, done.stdout, done.stderr)

    def ok(self, command: str | Sequence[str], *, stdin: str | None = None, **env: str) -> str:
        """What `$(…)` would give; the test fails with the whole output where the command does."""
        result = self.run(command, stdin=stdin, **env)
        assert result.code == 0, str(result)
        return result.out.rstrip("\n")

    def fails(self, command: str | Sequence[str], code: int = 128, **env: str) -> str:
        """What the command says on stderr; the test fails unless it ends with `code`."""
        result = self.run(command, **env)
        assert result.code == code, str(result)
        return result.err.rstrip("\n")

    def git(self, *words: str) -> str:
        return self.ok(["git", *words])

    def write(self, path: str, content: str | bytes) -> Path:
        """A file under `cwd`, its folders made."""
        file = self.cwd / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def read(self, path: str) -> str:
        return (self.cwd / path).read_text()

    def files(self, folder: str = ".") -> dict[str, bytes]:
        """Every file under `folder` but .git with its content, to compare a worktree before and after."""
        top = self.cwd / folder
        return {
            file.relative_to(top).as_posix(): file.read_bytes()
            for file in sorted(top.rglob("*"))
            if file.is_file() and ".git" not in file.relative_to(top).parts
        }
