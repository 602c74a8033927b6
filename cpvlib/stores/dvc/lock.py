"""DVC's repository lock, `.dvc/tmp/lock`, so that `dvc` and CPV wait for each other.

Usually (dvc/lock.py, zc.lockfile) it is an flock on a file that stays, into which its holder writes ' <pid>'
and a newline. With `core.hardlink_lock`, for file systems without flock (flufl.lock), the file is there only
while it is held: a hard link to its holder's claim file, whose mtime is the lock's end. `dvc` gives up after
three seconds, so CPV holds it for local edits only.
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
from cpvlib.stores import filelock
from cpvlib.stores.dvc.layout import own_tmp, refuse_link

_PATIENCE_S = 0.5
_LIFETIME_S = 365 * 24 * 3600  # DVC's: "lock for good by default"
_SEPARATOR = "^" if sys.platform == "win32" else "|"


@contextmanager
def held(
    top: Path, note: Callable[[str], None], timeout_s: float = 60.0, *, hardlink: bool = False
) -> Iterator[None]:
    """Holds DVC's lock of the worktree at `top`; `hardlink` is DVC's `core.hardlink_lock`.

    Where somebody else has it, `note` is told who after half a second, once, and after `timeout_s` it is a
    RepositoryError. Not reentrant, not even within a process.
    """
    path = own_tmp(top) / "lock"
    refuse_link(path)
    hold = _held_by_link if hardlink else _held_by_flock
    yield from hold(path, note, timeout_s)


def _held_by_flock(path: Path, note: Callable[[str], None], timeout_s: float) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        raise RepositoryError(f"'{path}' cannot be opened: {error.strerror}") from error
    try:
        _wait(lambda: _take(descriptor), path, note, timeout_s)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f" {os.getpid()}\n".encode("ascii"))
        try:
            yield
        finally:
            filelock.release(descriptor)
    finally:
        os.close(descriptor)


def _held_by_link(path: Path, note: Callable[[str], None], timeout_s: float) -> Iterator[None]:
    claim = _make_claim(path)
    try:
        _wait(lambda: _try_link(claim, path), path, note, timeout_s)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        claim.unlink(missing_ok=True)


def _wait(attempt: Callable[[], bool], path: Path, note: Callable[[str], None], timeout_s: float) -> None:
    def tell() -> None:
        note(f"waiting for {_holder(path)}, which holds DVC's lock")

    if not filelock.wait(attempt, tell, _PATIENCE_S, timeout_s):
        raise RepositoryError(
            f"{_holder(path)} holds DVC's lock '{path}'", hint="try again when it has finished"
        )


def _take(descriptor: int) -> bool:
    try:
        return filelock.take(descriptor)
    except OSError:
        return False


def _make_claim(path: Path) -> Path:
    """The file that becomes the lock by being linked; it says its own name, with host and process."""
    claim = path.with_name(_SEPARATOR.join([path.name, _host(), str(os.getpid()), str(time.monotonic_ns())]))
    end = time.time() + _LIFETIME_S
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        claim.write_text(str(claim), encoding="utf-8")
        os.utime(claim, (end, end))
    except OSError as error:
        raise RepositoryError(f"'{claim}' cannot be made: {error.strerror}") from error
    return claim


def _try_link(claim: Path, path: Path) -> bool:
    pid = _claimant(path)
    if pid is not None and not filelock.is_alive(pid):
        # Its holder was killed, and nobody else would end the lock before a year is over.
        path.unlink(missing_ok=True)
    try:
        path.hardlink_to(claim)
    except FileExistsError:
        return False
    except OSError as error:
        raise RepositoryError(f"'{path}' cannot be made by a hard link: {error.strerror}") from error
    return True


def _claimant(path: Path) -> int | None:
    """The process of this host whose claim is the lock, where CPV made it: `dvc` hides its own by a hash."""
    try:
        words = path.read_text(encoding="utf-8", errors="replace").split(_SEPARATOR)
    except OSError:
        return None
    if len(words) == 4 and words[0] == str(path) and words[1] == _host() and words[2].isdecimal():
        return int(words[2])
    return None


def _host() -> str:
    import platform

    return platform.node()


def _holder(path: Path) -> str:
    """The process that wrote its number into the lock, with its command where the system tells it."""
    pid = _claimant(path)
    try:
        pid = pid or int(path.read_text(encoding="ascii", errors="replace"))
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
