"""Copies of large objects for the worktree, written of the very bytes that are hashed while they arrive."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from cpvlib.stores import files
from cpvlib.stores.durable import StrPath
from cpvlib.stores.statindex import FileStat
from cpvlib.stores.writeback import SteadyFile

_AT_ONCE = 4
_KEPT = 64  # open files


class Spares:
    """Files without a name in `folder`, which get one where they are wanted, and go when the process does.

    None is made where the file system has no such files (open(2), O_TMPFILE), nor where it shares the blocks
    of a copy, nor beyond `room_bytes` of them together. Usable from many threads.
    """

    def __init__(self, folder: Path, room_bytes: int) -> None:
        self._folder = folder
        self._room_bytes = room_bytes if hasattr(os, "O_TMPFILE") else 0
        self._lock = threading.Lock()
        self._begun: dict[str, Spare] = {}
        self._whole: dict[str, Spare] = {}

    def begin(self, oid: str, arriving: Path) -> Spare | None:
        """A copy to write, of an object that arrives in that file; None where it would not pay."""
        with self._lock:
            self._drop(oid)
            if len(self._begun) >= _AT_ONCE or len(self._whole) >= _KEPT or self._room_bytes <= 0:
                return None
            spare = self._new(arriving)
            if spare is None:
                self._room_bytes = 0  # nor will there be one of the next
            else:
                self._begun[oid] = spare
            return spare

    def prove(self, oid: str) -> None:
        """What was written for this object is right: its md5 is."""
        with self._lock:
            spare = self._begun.pop(oid, None)
            if spare is not None and not spare.is_given_up:
                self._whole[oid] = spare

    def take(self, oid: str, target: StrPath) -> FileStat | None:
        """The copy becomes the new file `target`; its stat. None where there is none, or it can't be."""
        with self._lock:
            spare = self._whole.pop(oid, None)
        if spare is None:
            return None
        with spare:
            try:
                spare.link(target)
            except OSError:
                return None  # it belongs on another file system
            return FileStat.of(os.fstat(spare.fileno()))

    def close(self) -> None:
        """What nobody took goes."""
        with self._lock:
            for oid in [*self._begun, *self._whole]:
                self._drop(oid)

    def _new(self, arriving: Path) -> Spare | None:
        with suppress(OSError):
            spare = Spare(self._folder, self._take_room)
            with suppress(OSError), FileIO(arriving) as source:
                if not files.clone(source, spare):
                    return spare
            spare.close()
        return None

    def _take_room(self, size: int) -> bool:
        with self._lock:
            self._room_bytes -= size
            return self._room_bytes >= 0

    def _drop(self, oid: str) -> None:
        for spares in (self._begun, self._whole):
            spare = spares.pop(oid, None)
            if spare is not None:
                spare.close()


class Spare(SteadyFile):
    """One copy. It gives itself up, and what it took of the disk, where there is no room for it."""

    def __init__(self, folder: Path, take_room: Callable[[int], bool]) -> None:
        super().__init__(os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o666), "r+")
        self._take_room = take_room
        self.is_given_up = False

    def write(self, data: bytes | memoryview, /) -> int:  # type: ignore[override]  # as SteadyFile's
        if not self.is_given_up:
            try:
                if self._take_room(len(data)):
                    return super().write(data)
            except OSError:
                pass
            self.is_given_up = True
            self.truncate(0)
        return len(data)

    def link(self, target: StrPath) -> None:
        """Its name. linkat(2) follows the link in /proc only where a folder's descriptor is given."""
        os.link(f"/proc/self/fd/{self.fileno()}", target, src_dir_fd=0, follow_symlinks=True)
