"""Whether a command that failed has left things as they were, and ways to make one fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import pytest

from shell import Shell

_OWN = (".dvc/cache/", ".dvc/tmp/")
_DROP = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def state(shell: Shell) -> dict[str, object]:
    """Files, index, refs, HEAD and git's settings; what is only a cache or a lock is left out."""
    files = {path: data for path, data in shell.files().items() if not path.startswith(_OWN)}
    return {
        "files": files,
        "index": shell.git("ls-files", "--stage", "-v"),
        "status": shell.git("status", "--porcelain", "--untracked-files=all"),
        "refs": shell.git("for-each-ref", "--format=%(refname) %(objectname)"),
        "head": shell.run("git symbolic-ref -q HEAD || git rev-parse HEAD").out,
        "config": shell.git("config", "--list", "--local"),
    }


@contextmanager
def unharmed(shell: Shell) -> Iterator[None]:
    """What happens inside leaves the repository as it was."""
    before = state(shell)
    yield
    after = state(shell)
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert not changed, f"harmed: {changed}"


@lru_cache
def mortal() -> str:
    """What to type before a command so that file permissions hold for root too; a test is skipped without."""
    if os.geteuid():
        return ""
    if shutil.which(_DROP[0]) and not subprocess.run([*_DROP, "true"], capture_output=True).returncode:
        return " ".join(_DROP) + " "
    pytest.skip("ROOT CAN'T LAY DOWN ITS POWERS HERE (setpriv), so that denied permissions were not tested")


@contextmanager
def small_disk(shell: Shell, folder: str, size: str) -> Iterator[None]:
    """A file system of its own, of this size, at `folder`; a test is skipped where nothing may be mounted."""
    place = shell.cwd / folder
    place.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)]
    if not shutil.which("mount") or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("NOTHING CAN BE MOUNTED HERE, so that a full disk was not tested")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
