"""DVC's repository lock: an flock on `.dvc/tmp/lock`, with the holder's process number in the file.

Format (zc.lockfile, as dvc/lock.py uses it): the file is never removed; its holder writes ' <pid>\\n'. `dvc`
gives up after three seconds, so CPV holds it for local edits only.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

from cpvlib.base.errors import RepositoryError

_POLL_S = 0.05
_PATIENCE_S = 0.5


@contextmanager
def held(top: Path, note: Callable[[str], None], timeout_s: float = 60.0) -> Iterator[None]:
    """Holds DVC's lock of the worktree at `top`.

    Where somebody else has it, `note` is told who after half a second, once, and after `timeout_s` it is a
    RepositoryError. Not reentrant: flock knows no owner within a process.
    """
    path = top / ".dvc" / "tmp" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise RepositoryError(f"'{path}' cannot be opened: {error.strerror}") from error
    try:
        _wait(descriptor, path, note, timeout_s)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f" {os.getpid()}\n".encode("ascii"))
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, note: Callable[[str], None], timeout_s: float) -> None:
    began = time.monotonic()
    told = False
    while not _try_lock(descriptor):
        waited_s = time.monotonic() - began
        if waited_s > timeout_s:
            raise RepositoryError(
                f"{_holder(path)} holds DVC's lock '{path}'", hint="try again when it has finished"
            )
        if waited_s > _PATIENCE_S and not told:
            note(f"waiting for {_holder(path)}, which holds DVC's lock")
            told = True
        time.sleep(_POLL_S)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(path: Path) -> str:
    """The process that wrote its number into the lock, with its command where the system tells it."""
    try:
        pid = int(path.read_text(encoding="ascii", errors="replace"))
    except (OSError, ValueError):
        return "another process"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return f"process {pid}"
    # 'python /usr/bin/dvc add': options and what follows them may be long, or private.
    words = list(takewhile(lambda word: not word.startswith(b"-"), filter(None, command[:3])))
    said = " ".join(Path(word.decode("utf-8", "replace")).name for word in words)
    return f"process {pid} ({said})" if said else f"process {pid}"
