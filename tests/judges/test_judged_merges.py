"""DVC in a clone of what `git cpv pull` merged: it finds all of it, and in step."""

from __future__ import annotations

from judge import IN_STEP, Dvc, outs
from people import data, make_pair, push, push_data
from shell import Shell


def test_a_merge_is_whole_for_dvc(dvc: Dvc, shell: Shell) -> None:
    make_pair(shell)
    ada, bob = shell.at("ada"), shell.at("bob")
    push_data(bob, b=None, d="d\n")
    push(bob, "weights b", 0.4)
    push_data(ada, a="A\n")
    push(ada, "weights a", 0.3)
    ada.ok("git cpv pull -q --ours && git cpv push -q")
    assert dvc.ok(ada, "status") == IN_STEP
    assert dvc.ok(ada, "add", "--quiet", "data") == ""
    assert ada.git("status", "--short") == ""
    storage = ada.ok(
        "git cpv storage show --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"url\"])'"
    )
    shell.git("clone", "-q", "hub.git", "fresh")
    fresh = shell.at("fresh")
    dvc.ok(fresh, "remote", "add", "--quiet", "--default", "--local", "storage", storage)
    dvc.ok(fresh, "pull", "--quiet")
    assert dvc.ok(fresh, "status") == IN_STEP
    assert (outs(fresh), data(fresh)) == (outs(ada), {"a": "A", "c": "c", "d": "d"})
    assert fresh.read("model.bin") == "weights a"
