"""Opening the repository that a command was typed in, with its notes and traces going to terminal and log."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.cli.ui import UI
    from cpvlib.managers.workspace import Workspace

_TICK_NS = 20_000_000  # a file's times lag behind the clock by a tick of the kernel's, 10 ms at most


def open_workspace(ui: UI, options: Mapping[str, str] | None = None) -> Workspace:
    """The CPV repository of the current folder; `-v` shows the git commands it runs, `-vv` its S3 requests.

    From here on what the command says goes to the repository's log as well.
    """
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.logfile import Journal

    journal = ui.journal = Journal()

    def trace(words: Sequence[str], seconds: float, code: int) -> None:
        ui.detail(f"git {' '.join(words)} ({seconds * 1000:.0f} ms, exit {code})")

    ws = Workspace.open(
        Path.cwd(), options=options, note=ui.say, trace=trace, requests=lambda line: ui.detail(line, 2)
    )
    journal.keep_in(lambda: ws.log_path)
    return ws


@contextmanager
def changing(
    ui: UI, options: Mapping[str, str] | None = None, *, dry_run: bool = False
) -> Iterator[Workspace]:
    """The same for a command that changes the repository: other such commands wait, and it sees what they
    did."""
    opened_ns = time.time_ns()
    ws = open_workspace(ui, options)
    if dry_run:
        yield ws
        return
    with ws.alone() as changed_ns:
        yield ws if changed_ns < opened_ns - _TICK_NS else ws.again()


def from_top(ws: Workspace, word: str) -> str:
    """A path that the user typed, as it is relative to the worktree's top, with slashes."""
    return os.path.relpath(Path.cwd() / word, ws.top).replace(os.sep, "/")
