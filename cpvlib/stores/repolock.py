"""One at a time: a lock between all threads and processes of this machine that change one repository.

It is an flock on a file that stays, so that the system ends it with its holder, whatever becomes of that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cpvlib.stores import filelock
from cpvlib.stores.files import disk_error

_PATIENCE_S = 1.0
_BYTE = 1 << 30  # behind what the holder writes: Windows lets nobody read a byte that is locked


@contextmanager
def alone(path: Path, note: Callable[[str], None]) -> Iterator[int]:
    """Holds the lock at `path`, whose folder is made if need be; waits for it as long as it takes.

    Gives when the last holder took it or let it go, in nanoseconds since 1970, by the file system's clock.
    After a second of waiting `note` is told who has it. Not reentrant, not even in one thread. Raises
    RepositoryError where the file can't be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise disk_error(error, f"cannot make the lock '{path}'") from error
    try:
        filelock.wait(lambda: _take(descriptor), lambda: note(_waiting(descriptor)), _PATIENCE_S)
        last_ns = os.fstat(descriptor).st_mtime_ns
        try:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except OSError:
            pass  # a full disk: the number is only for whoever waits
        try:
            yield last_ns
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
                filelock.release(descriptor, _BYTE)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        return filelock.take(descriptor, _BYTE)
    except OSError:
        return True  # a file system without locks: what moves refs compares before it swaps, all the same


def _waiting(descriptor: int) -> str:
    return f"waiting for {_holder(descriptor)}, which is changing this repository"


def _holder(descriptor: int) -> str:
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        pid = int(os.read(descriptor, 32))
    except (OSError, ValueError):
        return "another process"
    return "another thread of this process" if pid == os.getpid() else f"process {pid}"
