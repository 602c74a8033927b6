"""docs/leaving.md: what remains when CPV has left is a repository that DVC works in."""

from __future__ import annotations

import shutil

from judge import IN_STEP, Dvc
from shell import Shell


def test_dvc_goes_on_where_cpv_left(dvc: Dvc, shell: Shell) -> None:
    shell.ok("git cpv init -q --team AI-Convo --model whisper whisper")
    repo = shell.at("whisper")
    for loss, weights in ((0.3, "weights 1"), (0.2, "weights 2")):
        repo.write("model.bin", weights)
        repo.ok(f"git cpv push -q --metric loss={loss} && git cpv tag -q --model")
    repo.ok('git rm -q .cpvconfig && git commit -qm "Leave CPV"')
    before = repo.files("data")

    shutil.rmtree(repo.cwd / ".dvc/cache")
    shutil.rmtree(repo.cwd / "data")
    (repo.cwd / "model.bin").unlink()
    dvc.ok(repo, "pull")
    assert repo.read("model.bin") == "weights 2"
    assert repo.files("data") == before
    assert dvc.ok(repo, "status") == IN_STEP

    repo.ok("git checkout -q v0.1")
    dvc.ok(repo, "pull")
    assert repo.read("model.bin") == "weights 1"

    repo.ok("git checkout -q main")
    dvc.ok(repo, "checkout")
    repo.write("model.bin", "weights 3, by DVC alone")
    dvc.ok(repo, "add", "model.bin")
    dvc.ok(repo, "push")
    repo.git("commit", "-qam", "Without CPV")

    repo.ok("git cpv init -q --team AI-Convo --model whisper")
    assert repo.ok("git cpv tag -q --model") == "v0.3"
