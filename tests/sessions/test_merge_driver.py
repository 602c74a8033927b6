"""The merge driver: plain git merges CPV's files by CPV's rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from people import Pair, data, logged_in_time, loss, push, push_data, settled


@pytest.mark.parametrize("way", ["--no-rebase", "--rebase"])
def test_data_merges_file_by_file_and_the_log_by_its_lines(pair: Pair, way: str) -> None:
    ada, bob = pair
    push_data(ada, a="from ada\n", c=None)
    push(ada, "weights 2", 0.4)
    push_data(bob, b="from bob\n")
    bob.write("metrics.log", bob.read("metrics.log") + '{"note": "x"}\n')
    bob.run("git cpv push -q")
    bob.ok(f"git pull -q {way} --no-edit && git cpv pull -q && git cpv push -q")
    assert (data(bob), bob.read("model.bin"), loss(bob)) == (
        {"a": "from ada", "b": "from bob"},
        "weights 2",
        0.4,
    )
    settled(bob)
    ada.ok("git cpv pull -q")
    assert data(ada) == data(bob)


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_conflict_leaves_both_sides_whole_between_markers(pair: Pair, side: str) -> None:
    ada, bob = pair
    before = bob.read("model.bin.dvc")
    push(ada, "weights a", 0.4)
    push(bob, "weights b", 0.3)
    ours = bob.read("model.bin.dvc")
    done = bob.run("git pull -q --no-rebase --no-edit")
    assert done.code == 1
    assert "model.bin.dvc: 'model.bin' changed on both sides; git cpv pull settles it\n" in done.err
    marked = bob.read("model.bin.dvc")
    assert marked == f"<<<<<<< ours\n{ours}=======\n{ada.read('model.bin.dvc')}>>>>>>> theirs\n"
    assert before not in marked
    assert bob.git("status", "--short") == "UU checkpoint.json\nM  metrics.log.dvc\nUU model.bin.dvc"
    bob.ok(f"git cpv pull -q --{side} && git cpv push -q")
    whose = ("weights b", 0.3) if side == "ours" else ("weights a", 0.4)
    assert (bob.read("model.bin"), loss(bob)) == whose
    assert logged_in_time(bob) == [0.3, 0.4, 0.5]
    settled(bob)


def test_a_cherry_pick_and_a_stash_go_by_the_rules_as_well(pair: Pair) -> None:
    ada, bob = pair
    push_data(ada, a="from ada\n")
    push_data(bob, b="from bob\n")
    bob.ok("git fetch -q && git cherry-pick origin/main && git rebase -q origin/main && git cpv pull -q")
    bob.ok("git cpv push -q")
    assert data(bob) == {"a": "from ada", "b": "from bob", "c": "c"}
    pointer = ada.read("data.dvc")
    ada.ok("git cpv hooks install -q && git reset -q --hard HEAD~1")
    ada.write("data.dvc", pointer)
    ada.ok("git stash -q && git pull -q && git stash pop -q && git cpv pull -q")
    assert data(ada) == data(bob)


def test_outs_that_come_on_both_sides_are_no_conflict(pair: Pair) -> None:
    ada, bob = pair
    for who, name in ((ada, "left"), (bob, "right")):
        who.write(f"{name}/x.txt", f"{name}\n")
        who.ok(f"git cpv track -q --data {name}")
        who.run("git cpv push -q")
    bob.ok("git pull -q --no-rebase --no-edit && git cpv pull -q && git cpv push -q")
    assert bob.git("config", "-f", ".cpvconfig", "--get-all", "cpv.data.out").split() == [
        "data",
        "right",
        "left",
    ]
    assert (bob.read("left/x.txt"), bob.read("right/x.txt")) == ("left\n", "right\n")
    settled(bob)


def test_without_storage_a_merge_ends_in_a_conflict_and_not_in_a_loss(pair: Pair) -> None:
    """The other's listing can't be had: the pointer is left in conflict, and settled when it can."""
    ada, bob = pair
    push_data(ada, a="from ada\n")
    push_data(bob, b="from bob\n")
    storage = Path(json.loads(bob.ok("git cpv storage show --json"))["url"])
    storage.rename(storage.with_name("away"))
    done = bob.run("git pull -q --no-rebase --no-edit")
    assert done.code == 1
    assert "; git cpv pull settles it\n" in done.err
    assert bob.read("data.dvc").startswith("<<<<<<< ours\n")
    storage.with_name("away").rename(storage)
    bob.ok("git cpv pull -q && git cpv push -q")
    assert data(bob) == {"a": "from ada", "b": "from bob", "c": "c"}
    settled(bob)


def test_a_linked_worktree_and_a_name_with_a_space(pair: Pair) -> None:
    ada, bob = pair
    bob.write("my eval/x.txt", "x\n")
    bob.ok("git cpv track -q --data 'my eval' && git cpv push -q")
    ada.ok("git cpv pull -q")
    bob.ok("git switch -q -c other && git worktree add -q '../linked tree' main")
    linked = bob.at("../linked tree")
    linked.ok("git cpv pull -q")
    for who, name in ((ada, "y"), (linked, "z")):
        who.write(f"my eval/{name}.txt", f"{name}\n")
        who.run("git cpv push -q")
    linked.ok("git pull -q --no-rebase --no-edit && git cpv pull -q && git cpv push -q")
    assert linked.files("my eval") == {"x.txt": b"x\n", "y.txt": b"y\n", "z.txt": b"z\n"}
    settled(linked)


def test_uninstalled_is_as_never(pair: Pair) -> None:
    ada = pair[0]
    for before in (None, b"*.png binary", b"*.png binary\n*.dvc -diff\n"):
        place = ada.cwd / ".git/info/attributes"
        place.unlink(missing_ok=True)
        if before is not None:
            place.write_bytes(before)
        config = ada.read(".git/config")
        ada.ok("git cpv hooks install -q")
        assert ada.git("check-attr", "merge", "a/b c.dvc", "checkpoint.json", "sub/checkpoint.json").split(
            "\n"
        ) == [
            "a/b c.dvc: merge: cpv",
            "checkpoint.json: merge: cpv",
            "sub/checkpoint.json: merge: unspecified",
        ]
        ada.ok("git cpv hooks uninstall -q")
        assert (place.read_bytes() if place.exists() else None) == before
        assert ada.read(".git/config") == config


def test_a_launcher_that_is_gone_merges_as_text(pair: Pair) -> None:
    ada, bob = pair
    push(ada, "weights a", 0.4)
    push(bob, "weights b", 0.3)
    driver = bob.git("config", "merge.cpv.driver")
    bob.git("config", "merge.cpv.driver", driver.replace(driver.split(";")[0], "cpv=/gone/git-cpv"))
    assert "warning" in bob.run("git cpv doctor").out
    nowhere = bob.run("PATH=/usr/bin:/bin git pull -q --no-rebase --no-edit")
    assert nowhere.code == 1
    assert "<<<<<<<" in bob.read("model.bin.dvc")
    bob.ok("git cpv pull -q --theirs && git cpv push -q")
    assert bob.read("model.bin") == "weights a"
    settled(bob)


def test_files_that_only_look_like_cpvs_merge_as_text(pair: Pair) -> None:
    ada, bob = pair
    ada.write("notes.dvc", "1\n2\n3\n4\n5\n")
    ada.ok("git add notes.dvc && git commit -q -m Notes && git push -q --no-verify")
    bob.git("pull", "-q")
    for who, text in ((ada, "A\n2\n3\n4\n5\n"), (bob, "1\n2\n3\n4\nB\n")):
        who.write("notes.dvc", text)
        who.git("commit", "-qam", "Mine")
    ada.git("push", "-q", "--no-verify")
    bob.git("pull", "-q", "--no-rebase", "--no-edit")
    assert bob.read("notes.dvc") == "A\n2\n3\n4\nB\n"
