"""One at a time: a lock between all threads and processes of this machine that change one repository.

It is an flock on a file that stays, so that the system ends it with its holder, whatever becomes of that.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cpvlib.stores.files import disk_error

_POLL_S = 0.02
_PATIENCE_S = 1.0


@contextmanager
def alone(path: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Holds the lock at `path`, whose folder is made if need be; waits for it as long as it takes.

    After a second `note` is told who has it. Not reentrant, not even in one thread. Raises RepositoryError
    where the file can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise disk_error(error, f"cannot make the lock '{path}'") from error
    try:
        _wait(descriptor, note)
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except OSError:
            pass  # a full disk: the number is only for whoever waits
        try:
            yield
        finally:
            # Said in words: a child that was forked meanwhile has the descriptor too, and closing ends
            # nothing.
            _release(descriptor)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, note: Callable[[str], None]) -> None:
    began = time.monotonic()
    told = False
    while not _take(descriptor):
        if not told and time.monotonic() - began > _PATIENCE_S:
            note(f"waiting for {_holder(descriptor)}, which is changing this repository")
            told = True
        time.sleep(_POLL_S)


def _take(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a file system without locks: what moves refs compares before it swaps, all the same
    return True


def _release(descriptor: int) -> None:
    with suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _holder(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        pid = int(os.read(descriptor, 32))
    except (OSError, ValueError):
        return "another process"
    return "another thread of this process" if pid == os.getpid() else f"process {pid}"
