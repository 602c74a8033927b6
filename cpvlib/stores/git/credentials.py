"""What git's credential helpers know. git-credential(1), gitcredentials(7)."""

from __future__ import annotations

import os

from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import Git

# Nobody is asked: an empty GIT_ASKPASS keeps git from core.askPass and SSH_ASKPASS too (git's prompt.c).
_SILENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""}


class Credential(NamedTuple):
    """Somebody's name, and a password or token that stays out of sight."""

    user: str
    secret: str

    def __repr__(self) -> str:
        return f"Credential(user={self.user!r}, secret=…)"


def fill(git: Git, host: str) -> Credential | None:
    """What the user's helpers have for https://`host`; None where they have nothing."""
    asked = f"protocol=https\nhost={host}\n\n".encode()
    done = git.ask("credential", "fill", stdin=asked, env=_SILENT)
    if done.code:
        return None
    pairs = (line.partition("=") for line in os.fsdecode(done.out).splitlines())
    found = {key: value for key, _, value in pairs}
    secret = found.get("password")
    return Credential(found.get("username", ""), secret) if secret else None
