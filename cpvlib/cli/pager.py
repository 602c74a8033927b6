"""The user's pager, chosen and set up as git does it (git-var(1), core.pager in git-config(1))."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cpvlib.cli.gitask import ask_git


@contextmanager
def paged(*, colour: bool) -> Iterator[None]:
    """Sends sys.stdout through the pager until left; without one ('cat' or '') nothing changes.

    A reader who quits early ends the command with BrokenPipeError, which `main` takes for what it is.
    """
    command = ask_git("var", "GIT_PAGER")
    if command in (None, "", "cat"):
        yield
        return
    environment = {"LESS": "FRX", "LV": "-c", **os.environ, "GIT_PAGER_IN_USE": "true"}
    terminal = sys.stdout
    terminal.flush()
    # The user's own setting is a shell command, as in git.
    process = subprocess.Popen(
        ["/bin/sh", "-c", str(command)],
        stdin=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
        errors="backslashreplace",
    )
    assert process.stdin is not None
    sys.stdout = process.stdin
    try:
        yield
        process.stdin.flush()
    finally:
        sys.stdout = terminal
        _close(process)


def _close(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            # Ctrl-C belongs to the pager while it runs: less stays, and so do we.
            continue
