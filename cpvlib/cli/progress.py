"""Long work shown on a terminal: what, how much, how fast, how long still."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cpvlib.base.progress import Silent
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.domain.text import human_size, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

PATIENCE_S = 1.0


class Notes(Silent):
    """Says the notes and nothing else: for pipes, logs and `-q`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def note(self, line: str) -> None:
        self._say(line)


class TerminalProgress:
    """A bar for each stage that lasts longer than a second.

    A thread of its own waits, then imports rich and draws: quick work costs neither, and a transfer that
    stalls is still seen to stall. The threads that do the work only add up counts.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._painter: threading.Thread | None = None
        self._bars: Bars | None = None
        self._bytes = 0
        self._files = 0

    def begin(self, label: str, total_bytes: int, total_files: int) -> None:
        self.end()
        self._bytes = self._files = 0
        self._over = threading.Event()
        self._painter = threading.Thread(
            target=self._paint, args=(self._over, printable(label), total_bytes, total_files), daemon=True
        )
        self._painter.start()

    def advance(self, n_bytes: int = 0, n_files: int = 0) -> None:
        with self._lock:
            self._bytes += n_bytes
            self._files += n_files

    def end(self) -> None:
        self._over.set()
        if self._painter is not None:
            self._painter.join()
            self._painter = None

    def note(self, line: str) -> None:
        bars = self._bars
        if bars is None:
            self._say(line)
        else:
            bars.console.print(printable(line), markup=False, highlight=False)

    def _paint(self, over: threading.Event, label: str, total_bytes: int, total_files: int) -> None:
        if over.wait(PATIENCE_S):
            return
        bars = _bars(total_bytes)
        task = bars.add_task(label, total=total_bytes or total_files or None, files="")
        self._bars = bars
        with bars:
            while not over.wait(0.1):
                bars.update(task, **self._done(total_bytes, total_files))
            bars.update(task, **self._done(total_bytes, total_files))
        self._bars = None

    def _done(self, total_bytes: int, total_files: int) -> dict[str, Any]:
        with self._lock:
            n_bytes, n_files = self._bytes, self._files
        of = f"{n_files:,}/{total_files:,} files" if total_files > 1 else ""
        return {"completed": n_bytes if total_bytes else n_files, "files": of}


def _bars(total_bytes: int) -> Bars:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Speed(ProgressColumn):
        """Bytes a second, in the units of the sizes beside it; rich's own counts in thousands."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{human_size(int(speed))}/s" if speed else "")

    sized = (DownloadColumn(binary_units=True), Speed()) if total_bytes else ()
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        *sized,
        TextColumn("{task.fields[files]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
