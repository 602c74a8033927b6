"""New files on their way to their names: none has its name before its bytes last."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cpvlib.stores import durable

_BATCH_FILES = 4096
_BATCH_BYTES = 64 << 20
_LARGE_BYTES = 1 << 20
_FEW = 8

Batch = list[tuple[str, str]]


class Arrivals:
    """Files that are whole under temporary names, and wait for each other to take their own together.

    Their bytes are synced and they are renamed, thousands of small ones at a time while the next are written,
    or what is left in `settle`, which then syncs their folders: few one by one, many by one syncfs. All lie
    on one file system. Usable from many threads.

    `make_folder` makes a folder that a file goes to and that is missing, and says which it made; `entered` is
    told of each file that has its name, before its folder is synced.
    """

    def __init__(
        self,
        *,
        make_folder: Callable[[str], Sequence[Path]] = durable.make_folder,
        entered: Callable[[str], None] = lambda path: None,
    ) -> None:
        self._make_folder = make_folder
        self._entered = entered
        self._waiting: Batch = []
        self._waiting_bytes = 0
        self._claimed: set[str] = set()
        self._unsynced: set[str] = set()  # folders
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        self._entering: threading.Thread | None = None
        self._failure: BaseException | None = None

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
        """A file of `size` bytes is whole; it replaces what is at `path`. Raises what `settle` does, also for
        those that were added before."""
        if size > _LARGE_BYTES:  # synced here, for whoever settles keeps the other threads waiting
            with self._or_drop([(temporary, path)]):
                durable.sync_file(temporary)
        with self._lock:
            self._waiting.append((temporary, path))
            self._waiting_bytes += size
            if len(self._waiting) < _BATCH_FILES and self._waiting_bytes < _BATCH_BYTES:
                return
            batch = self._taken()
        with self._settling:
            self._end_entering(batch)
            if size > _LARGE_BYTES:
                self._enter_all(batch)
                return
            with self._or_drop(batch):
                self._begin_entering(batch)

    def made(self, folders: Sequence[Path]) -> None:
        """These are new; the next `settle` makes their names last."""
        self._has_names(*(str(folder.parent) for folder in folders))

    def rely_on(self, folder: str) -> None:
        """A file of this folder was found there. Whoever gave it its name may not have synced that, nor the
        folder's own; the next `settle` does."""
        self._has_names(folder, os.path.dirname(folder))

    def settle(self) -> None:
        """All files that wait take their names, and last. After an OSError those without a name are gone."""
        with self._settling:
            with self._lock:
                batch = self._taken()
            self._end_entering(batch)
            self._enter_all(batch)
            with self._lock:
                folders, self._unsynced = self._unsynced, set()
            try:
                durable.sync_folders(folders, few=_FEW)
            except BaseException:
                self._has_names(*folders)
                raise

    def _taken(self) -> Batch:
        batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return batch

    def _begin_entering(self, batch: Batch) -> None:
        thread = threading.Thread(target=self._enter_beside, args=(batch,), daemon=True)
        thread.start()
        self._entering = thread

    def _enter_beside(self, batch: Batch) -> None:
        try:
            self._enter_all(batch)
        except BaseException as error:
            self._failure = error

    def _end_entering(self, then: Batch) -> None:
        """Waits for the files that take their names beside; raises what went wrong, and drops those that
        would be next."""
        with self._or_drop(then):
            if self._entering is not None:
                self._entering.join()
                self._entering = None
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure

    def _enter_all(self, batch: Batch) -> None:
        """Gives them their names; those last when their folders are synced, or with the bytes of the next."""
        if not batch:
            return
        with self._or_drop(batch):
            temporaries = [temporary for temporary, _ in batch]
            durable.sync_files(temporaries, os.path.dirname(temporaries[0]), few=_FEW)
            for temporary, path in batch:
                self._enter(temporary, path)
        with self._lock:
            self._claimed.difference_update(path for _, path in batch)

    @contextmanager
    def _or_drop(self, batch: Batch) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with self._lock:
                self._claimed.difference_update(path for _, path in batch)
            for temporary, _ in batch:
                with suppress(OSError):
                    os.unlink(temporary)
            raise

    def _enter(self, temporary: str, path: str) -> None:
        try:
            os.replace(temporary, path)
        except FileNotFoundError:
            self.made(self._make_folder(os.path.dirname(path)))
            os.replace(temporary, path)
        self._has_names(path[: path.rindex("/")])
        self._entered(path)

    def _has_names(self, *folders: str) -> None:
        """Names in these folders are to be synced."""
        if not self._unsynced.issuperset(folders):
            with self._lock:
                self._unsynced.update(folders)
