"""Bringing content back, when the worktree does not hold still."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.managers.revert import RevertRequest, detach, plan_revert, revert
from cpvlib.managers.workspace import Workspace
from shell import Shell


@pytest.mark.parametrize("meanwhile", ["trained on", None])
def test_what_is_done_while_objects_come_is_not_overwritten(shell: Shell, meanwhile: str | None) -> None:
    shell.ok("git cpv init -q --team T --model m .")
    shell.write("model.bin", "weights 1")
    shell.ok("git cpv push -q && git cpv tag -q")
    shell.write("model.bin", "weights 2")
    shell.ok("git cpv push -q")
    request = RevertRequest("v0.1")
    plan = plan_revert(Workspace.open(shell.cwd), request)

    (shell.cwd / "model.bin").unlink()
    if meanwhile:
        shell.write("model.bin", meanwhile)
    with pytest.raises(RepositoryError, match=r"'model\.bin' changed while this was under way"):
        revert(Workspace.open(shell.cwd), plan, request)

    there = shell.cwd / "model.bin"
    assert (there.read_text() if there.exists() else None) == meanwhile


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs Linux's files without a name")
def test_copies_that_are_not_wanted_after_all_leave_the_disk(shell: Shell) -> None:
    shell.ok("git cpv init -q --team T --model m .")
    shell.write("train.py", "begin()\n")
    (shell.cwd / "model.bin").write_bytes(os.urandom(1 << 20) * 33)
    shell.ok("git add train.py && git cpv push -qa && git cpv tag -q")
    shell.write("model.bin", "weights 2")
    shell.write("train.py", "begin(2)\n")
    shell.ok("git cpv push -qa")
    shell.write("train.py", "in the way\n")
    shutil.rmtree(shell.cwd / ".dvc/cache/files")

    ws = Workspace.open(shell.cwd)
    with pytest.raises(GitError, match="would be overwritten"):
        detach(ws, RevertRequest("v0.1"))

    open_files = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    assert [name for name in open_files if name.endswith(" (deleted)") and str(shell.cwd) in name] == []
    assert (shell.cwd / "model.bin").read_text() == "weights 2"
