"""What a hostile repository would like to reach, and whether it did."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers.answering import Answer, Answering, answering
from shell import Result, Shell

# C0 but newline and tab, DEL, C1, and what reorders or hides text: none of it may reach a terminal or a log.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_OWN = (".local/state/cpv", ".config/cpv", ".cache/cpv")
_ABOVE_OWN = ("home/.local", "home/.local/state", "home/.config", "home/.cache")


@dataclass
class Trap:
    """A user's files beside the clone, a program that tells when it is run, and a server that takes notes."""

    folder: Path
    home: Path
    listener: Answering

    @property
    def canary(self) -> Path:
        """A folder of the user's, `../canary` from a clone."""
        return self.folder / "canary"

    @property
    def program(self) -> Path:
        """To be named where a setting takes a program."""
        return self.folder / "program"

    @property
    def has_run(self) -> bool:
        return (self.folder / "it-was-run").exists()

    def lay(self) -> None:
        for path in ("canary/precious.txt", "canary/tmp/lock", "canary/old/old.txt"):
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"precious: {path}\n")
        self.program.write_text(f"#!/bin/sh\ntouch '{self.folder}/it-was-run'\ncat\n")
        self.program.chmod(0o755)
        keys = self.home / ".aws/credentials"
        keys.parent.mkdir(parents=True, exist_ok=True)
        keys.write_text("[default]\naws_access_key_id = AKIAVICTIM\naws_secret_access_key = victims-secret\n")

    def seen(self) -> dict[str, bytes | str]:
        """Everything of the user's but CPV's own logs: content by path, and where links lead."""
        found: dict[str, bytes | str] = {}
        for top in (self.canary, self.home, self.folder / "hooks"):
            for file in sorted(top.rglob("*")):
                name = file.relative_to(self.folder.parent).as_posix()
                if name in _ABOVE_OWN or any(f"/{own}" in f"/{name}" for own in _OWN):
                    continue
                if file.is_symlink():
                    found[name] = str(file.readlink())
                else:
                    found[name] = file.read_bytes() if file.is_file() else "folder"
        return found

    def check(self, before: Mapping[str, bytes | str]) -> None:
        """All is as it was `before`, nothing was run, nothing given away, and no log acts on a terminal."""
        after = self.seen()
        changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
        assert {path for path in changed if "/cpv/storage/T/m" not in path} == set()
        assert not self.has_run
        assert self.asked() == []
        logs = [file.read_text() for file in (self.home / ".local/state/cpv").rglob("*") if file.is_file()]
        assert [harmful(log) for log in logs if harmful(log)] == []

    def asked(self) -> list[str]:
        """What was asked of the listener: 'METHOD path', and '+credentials' where some came with it."""
        return [
            f"{request.method} {request.path}"
            + ("+credentials" if "authorization" in request.headers else "")
            for request in self.listener.seen
        ]


@contextmanager
def trap(folder: Path, home: Path) -> Iterator[Trap]:
    with answering(lambda _: Answer(404)) as listener:
        laid = Trap(folder, home, listener)
        laid.lay()
        yield laid


def type_it(shell: Shell, command: str) -> Result:
    """`-C sub status` is typed in the folder `sub`. There is plenty of memory and time, and an end to it."""
    words = command.split(" ", 2)
    here = shell.at(words[1]) if words[0] == "-C" else shell
    line = words[2] if words[0] == "-C" else command
    return here.run(f"ulimit -v 4000000; exec git cpv {line}")


def harmful(text: str) -> list[str]:
    """What of a command's output, or of a log, would act on a terminal."""
    return [ascii(found) for found in _HARMFUL.findall(text)]


def complaint(result: Result) -> str | None:
    """What is wrong with how a command ended; None where it did what it was asked, or said why not."""
    lines = result.err.split("\n")
    errors = [line for line in lines if line.startswith(("error: ", "fatal: "))]
    if result.code not in (0, 1, 128, 129):
        return f"exit code {result.code}"
    if "Traceback" in result.err or "this is a bug" in result.err:
        return "a bug"
    if result.code == 128 and len(errors) != 1:
        return f"{len(errors)} error lines"
    if found := harmful(result.out + result.err):
        return f"it says {found}"
    return None
