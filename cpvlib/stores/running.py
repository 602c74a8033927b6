"""Programs that the user names, run in a folder of their own with nobody to talk to."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import without_repository


class Ran(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str
    seconds: float


def run(words: Sequence[str], folder: Path, environ: Mapping[str, str] = os.environ) -> Ran:
    """Runs a program with `folder` as its current one, an empty stdin and no terminal.

    What ties git to another repository is taken from its environment. RepositoryError where it can't be
    started.
    """
    started = time.monotonic()
    try:
        done = subprocess.run(
            list(words),
            cwd=folder,
            env=without_repository(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RepositoryError(f"cannot run '{words[0]}' in '{folder}': {reason}") from error
    return Ran(
        done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr), time.monotonic() - started
    )
