"""New files on their way to their names: none has its name before its bytes last."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cpvlib.stores import files

_BATCH_FILES = 512
_BATCH_BYTES = 64 << 20
_LARGE_BYTES = 1 << 20
_FEW = 8


class Arrivals:
    """Files that are whole under temporary names, and wait for each other to take their own together.

    Their bytes are synced, they are renamed, their folders are synced: few one by one, many by one syncfs. So
    it goes for hundreds of small ones at a time, for a large one at once, and for what is left in `settle`.
    All lie on one file system. Usable from many threads.

    `make_folder` makes a folder that a file goes to and that is missing; `entered` is told of each file that
    has its name, before its folder is synced.
    """

    def __init__(
        self,
        *,
        make_folder: Callable[[str], None] | None = None,
        entered: Callable[[str], None] = lambda path: None,
    ) -> None:
        self._make_folder = make_folder or _make_folder
        self._entered = entered
        self._waiting: list[tuple[str, str]] = []
        self._waiting_bytes = 0
        self._claimed: set[str] = set()
        self._lock = threading.Lock()

    def claim(self, path: str) -> bool:
        """Whether the caller is to bring the file of this name, for nobody is about to."""
        with self._lock:
            if path in self._claimed:
                return False
            self._claimed.add(path)
        return True

    def give_up(self, path: str) -> None:
        """The file that was claimed will not come."""
        with self._lock:
            self._claimed.discard(path)

    def add(self, temporary: str, path: str, size: int) -> None:
        """A file of `size` bytes is whole; it replaces what is at `path`. Raises what `settle` does."""
        if size > _LARGE_BYTES:  # synced here, for whoever settles keeps the other threads waiting
            with self._or_drop([(temporary, path)]):
                files.sync_file(temporary)
        with self._lock:
            self._waiting.append((temporary, path))
            self._waiting_bytes += size
            if len(self._waiting) >= _BATCH_FILES or self._waiting_bytes >= _BATCH_BYTES:
                self._settle()

    def settle(self) -> None:
        """All files that wait take their names, and last. After an OSError those without a name are gone."""
        with self._lock:
            self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            return
        batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
        with self._or_drop(batch):
            temporaries = [temporary for temporary, _ in batch]
            files.sync_files(temporaries, os.path.dirname(temporaries[0]), few=_FEW)
            for temporary, path in batch:
                self._enter(temporary, path)
            files.sync_folders({os.path.dirname(path) for _, path in batch}, few=_FEW)
        self._claimed.difference_update(path for _, path in batch)

    @contextmanager
    def _or_drop(self, batch: list[tuple[str, str]]) -> Iterator[None]:
        try:
            yield
        except BaseException:
            for temporary, path in batch:
                self._claimed.discard(path)
                with suppress(OSError):
                    os.unlink(temporary)
            raise

    def _enter(self, temporary: str, path: str) -> None:
        try:
            os.replace(temporary, path)
        except FileNotFoundError:
            self._make_folder(os.path.dirname(path))
            os.replace(temporary, path)
        self._entered(path)


def _make_folder(folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
