"""What the frame itself asks git: which pager, which colours, outside any repository too."""

from __future__ import annotations


def ask_git(*words: str) -> str | None:
    """The first line of git's answer; None where git is missing, fails or says nothing."""
    import os
    from pathlib import Path

    from cpvlib.base.errors import CPVError
    from cpvlib.stores.git.door import Git

    try:
        answer = Git(Path.cwd(), os.environ).ask(*words)
    except (CPVError, OSError):
        return None
    lines = bytes(answer.out).decode("utf-8", "surrogateescape").splitlines() if answer.code == 0 else []
    return lines[0] if lines else None
