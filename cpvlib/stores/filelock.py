"""Exclusive locks on open files, and waiting for them.

flock(2), or LockFile on Windows: the system ends them with their holder, whatever becomes of that.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_POLL_S = 0.02
BEHIND = 1 << 30
"""An offset behind what is written: Windows lets nobody read a byte that is locked."""


def take(descriptor: int, offset: int = 0) -> bool:
    """Lock the file at once; False where somebody else has it. Windows locks the byte at `offset`.

    Raises OSError where the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, offset, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def own(path: str | Path) -> int | None:
    """The file at `path`, made if need be, open for reading and appending, and locked until it is closed.

    None where somebody else has it, in this process too, or it can't be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        return None
    with suppress(OSError):
        # Its last owner may have removed it in between: then the lock is on a file without a name.
        if take(descriptor, BEHIND) and os.path.samestat(os.fstat(descriptor), Path(path).stat()):
            return descriptor
    os.close(descriptor)
    return None


def disown(descriptor: int) -> None:
    """The end of what `own` began."""
    with suppress(OSError):
        release(descriptor, BEHIND)
    with suppress(OSError):
        os.close(descriptor)


def release(descriptor: int, offset: int = 0) -> None:
    """End the lock. Not left to `close`: a child that was forked meanwhile has the descriptor too, and would
    keep it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, offset, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)


def wait(
    attempt: Callable[[], bool],
    waiting: Callable[[], None],
    patience_s: float,
    timeout_s: float | None = None,
) -> bool:
    """Try until it succeeds; `waiting` is called once, after `patience_s`. False after `timeout_s`."""
    began = time.monotonic()
    told = False
    while not attempt():
        waited_s = time.monotonic() - began
        if timeout_s is not None and waited_s > timeout_s:
            return False
        if not told and waited_s > patience_s:
            waiting()
            told = True
        time.sleep(_POLL_S)
    return True


def is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine; True where that can't be told."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
