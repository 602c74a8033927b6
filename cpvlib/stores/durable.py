"""Making what was written last: its bytes and its names on the disk, whatever happens to the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

StrPath = str | Path

_SYNCFS_TELLS_SINCE = (5, 8)  # Linux's version, by syncfs(2)


def make_folder(path: StrPath) -> list[Path]:
    """Makes a folder that is missing, with those above it; all that were made. Each one's name lasts when the
    folder that it lies in is synced."""
    folder = Path(path)
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
    return missing


def sync(fd: int) -> None:
    """Make the bytes of an open file last, or the names in an open folder. fsync(2); where that leaves them
    in the drive's own memory, fcntl(2) with F_FULLFSYNC, as git does."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError:
            pass  # ENOTSUP: the file system knows no such thing
    os.fsync(fd)


def sync_folder(folder: StrPath) -> None:
    """Make the names in `folder` last; file systems that can't sync a folder are left to themselves."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        sync(fd)
    except OSError:
        pass  # e.g. EINVAL on some network file systems, which then order renames in their own way
    finally:
        os.close(fd)


def sync_file(path: StrPath) -> None:
    """Make the bytes of `path` last."""
    fd = os.open(path, os.O_RDONLY)
    try:
        sync(fd)
    finally:
        os.close(fd)


def sync_files(paths: Sequence[StrPath], folder: StrPath, *, few: int) -> None:
    """Make the bytes of `paths` last, which lie on the file system of `folder`."""
    if len(paths) <= few or not sync_file_system(folder):
        for path in paths:
            sync_file(path)


def sync_folders(folders: Collection[StrPath], *, few: int) -> None:
    """Make the names in these folders last, which lie on one file system."""
    if len(folders) <= few or not sync_file_system(next(iter(folders))):
        for folder in folders:
            sync_folder(folder)


def sync_tree(top: Path) -> None:
    """Make a folder last, with all that is in it."""
    if sync_file_system(top):
        return
    for folder, _, names in os.walk(top):
        for path in map(Path(folder).joinpath, names):
            if not path.is_symlink():
                sync_file(path)
        sync_folder(folder)
    sync_folder(top.parent)


def sync_file_system(folder: StrPath) -> bool:
    """Write all that is on its way to the file system of `folder`, in one call; whether that is known to have
    gone well. syncfs(2). Where it is not, each file's own sync is quick afterwards, and tells."""
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:  # macOS
        os.sync()
        return False
    fd = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(fd)
    return _version(os.uname().release) >= _SYNCFS_TELLS_SINCE


def _version(release: str) -> tuple[int, ...]:
    """Of a kernel, such as (4, 18) of '4.18.0-553.el8_10.x86_64'."""
    return tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdecimal())
