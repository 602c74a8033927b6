"""Opening the repository that a command was typed in, with its notes and traces going to the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.cli.ui import UI
    from cpvlib.managers.workspace import Workspace


def open_workspace(ui: UI, options: Mapping[str, str] | None = None) -> Workspace:
    """The CPV repository of the current folder; `-v` shows the git commands it runs."""
    from cpvlib.managers.workspace import Workspace

    def trace(words: Sequence[str], seconds: float, code: int) -> None:
        ui.detail(f"git {' '.join(words)} ({seconds * 1000:.0f} ms, exit {code})")

    return Workspace.open(Path.cwd(), options=options, note=ui.say, trace=trace if ui.verbose else None)
