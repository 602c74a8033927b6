"""Named steps between which an operation may be interrupted.

Tests set CPV_KILL_AT to a step's name: the process then ends there as by power loss, and what it leaves
behind is held against the promises.
"""

from __future__ import annotations

import os

VARIABLE = "CPV_KILL_AT"


def step(name: str) -> None:
    """A step named `name` is done. Ends the process at once, with nothing cleaned up, where a test wants
    it."""
    if os.environ.get(VARIABLE) == name:
        import signal

        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
