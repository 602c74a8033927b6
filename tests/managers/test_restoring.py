"""Bringing content back, when the worktree does not hold still."""

from __future__ import annotations

import pytest

from cpvlib.base.errors import RepositoryError
from cpvlib.managers.revert import RevertRequest, plan_revert, revert
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
