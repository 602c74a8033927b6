"""Conflicts that plain git left in pointers, here or at somebody else's: recognised, and settled by pull.

Ada has no merge driver, so git merges her pointers as the text they are; Bob's clone has one.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from people import Pair, copied, data, logged_in_time, loss, make_pair, push, push_data, settled
from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(went_apart)


def went_apart(shell: Shell) -> None:
    """Both trained a model, from other data each; Bob was first to publish."""
    make_pair(shell)
    ada, bob = shell.at("ada"), shell.at("bob")
    push_data(bob, b="from bob\n", d="d\n")
    push(bob, "weights b", 0.4)
    push_data(ada, a="from ada\n", c=None)
    push(ada, "weights a", 0.3)


@pytest.fixture
def pair(template: Template, shell: Shell, sealed: Path) -> Pair:
    return copied(template, shell, sealed)


BOTH = {"a": "from ada", "b": "from bob", "d": "d"}
NAMES = "'checkpoint.json', 'data.dvc', 'metrics.log.dvc' and 'model.bin.dvc'"


def in_conflict(repo: Shell, operation: str, names: str = NAMES) -> None:
    """Status names the state and the way on, and push refuses it by name."""
    said = repo.ok("git cpv status").splitlines()
    assert said[1:3] == [
        f"a {operation} is not finished: git status tells more",
        f"in conflict, and settled by git cpv pull: {names}",
    ]
    assert repo.fails("git cpv push") == (
        f"error: a {operation} is not finished here, with {names} in conflict\nhint: git cpv pull settles it"
    )


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_merge(pair: Pair, side: str) -> None:
    ada, _ = pair
    assert ada.run("git pull -q --no-rebase").code == 1
    in_conflict(ada, "merge")
    assert ada.fails("git cpv pull").splitlines()[0] == (
        "error: 'model.bin' changed on both sides: in what is being merged"
    )
    assert ada.run(f"git cpv pull --{side}").err.startswith(
        f"settled the conflict in {NAMES}; 'model.bin' as {'here' if side == 'ours' else 'there'}; "
        "'data' and 'metrics.log' of both sides; the merge is committed; "
    )
    whose = ("weights a", 0.3) if side == "ours" else ("weights b", 0.4)
    assert (ada.read("model.bin"), loss(ada)) == whose
    assert (data(ada), logged_in_time(ada)) == (BOTH, [0.3, 0.4, 0.5])
    assert ada.git("log", "-1", "--format=%s").startswith("Merge branch 'main' of ")
    ada.ok("git cpv push -q")
    settled(ada)


def test_a_side_that_was_chosen_by_hand_counts(pair: Pair) -> None:
    ada, _ = pair
    assert ada.run("git pull -q --no-rebase").code == 1
    ada.ok("git checkout -q --theirs model.bin.dvc && git add model.bin.dvc && git cpv pull -q")
    assert (ada.read("model.bin"), loss(ada), data(ada)) == ("weights b", 0.4, BOTH)
    ada.ok("git cpv push -q")
    settled(ada)


@pytest.mark.parametrize("who", ["ada", "bob"])
@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_rebase_whose_sides_are_exchanged(pair: Pair, who: str, side: str) -> None:
    """With the driver, Bob's, only what takes the whole picture is in conflict."""
    person, other = pair if who == "ada" else pair[::-1]
    if who == "bob":
        other.ok("git push -q --force --no-verify && git cpv push -q || :")
    assert person.run("git fetch -q && git rebase -q --no-fork-point origin/main").code == 1
    if who == "ada":
        in_conflict(person, "rebase", "'data.dvc'")
        person.ok("git cpv pull -q && GIT_EDITOR=: git rebase --continue || :")
    in_conflict(
        person,
        "rebase",
        NAMES.replace("'data.dvc', ", "") if who == "ada" else "'checkpoint.json' and 'model.bin.dvc'",
    )
    assert "in a rebase --ours is the branch that you rebase onto" in person.fails("git cpv pull")
    said = person.run(f"git cpv pull --{side}").err
    assert "; go on with: git rebase --continue, then git cpv pull" in said
    person.ok("GIT_EDITOR=: git rebase --continue && git cpv pull -q")
    mine, theirs = (
        (("weights a", 0.3), ("weights b", 0.4)) if who == "ada" else (("weights b", 0.4), ("weights a", 0.3))
    )
    assert (person.read("model.bin"), loss(person)) == (mine if side == "theirs" else theirs)
    assert (data(person), logged_in_time(person)) == (BOTH, [0.3, 0.4, 0.5])
    person.ok("git cpv push -q")
    settled(person)


def test_a_cherry_pick(pair: Pair) -> None:
    ada, _ = pair
    ada.git("fetch", "-q")
    assert ada.run("git cherry-pick origin/main").code == 1
    in_conflict(ada, "cherry-pick", NAMES.replace("'data.dvc', ", ""))
    ada.ok("git cpv pull -q --theirs && GIT_EDITOR=: git cherry-pick --continue")
    assert ada.read("model.bin") == "weights a"
    ada.ok("git branch -q --unset-upstream && git cpv pull -q")
    assert (ada.read("model.bin"), loss(ada), data(ada)) == ("weights b", 0.4, {"a": "from ada", "b": "b"})
    assert ada.git("log", "-1", "--format=%an %s") == "Bob Update model (loss=0.4)"


def test_a_revert_of_an_older_commit(pair: Pair) -> None:
    ada, _ = pair
    push_data(ada, a="later\n", e="e\n")
    assert ada.run("git revert --no-edit HEAD~2").code == 1
    in_conflict(ada, "revert", "'data.dvc'")
    assert ada.fails("git cpv pull").startswith("error: 'data/a.txt' changed on both sides")
    ada.ok("git cpv pull -q --ours && GIT_EDITOR=: git revert --continue")
    ada.ok("git branch -q --unset-upstream && git cpv pull -q")
    assert data(ada) == {"a": "later", "b": "b", "c": "c", "e": "e"}


def test_a_stash(pair: Pair) -> None:
    """What was stashed are pointers that plain DVC would have written."""
    ada, _ = pair
    before = ada.read("data.dvc")
    ada.git("reset", "-q", "--hard", "v0.1")
    ada.write("data.dvc", before)
    ada.ok("git stash -q && git pull -q")
    assert ada.run("git stash pop").code == 1
    said = ada.ok("git cpv status").splitlines()
    assert said[1] == "in conflict, and settled by git cpv pull: 'data.dvc'"
    assert (
        ada.fails("git cpv push")
        == "error: a merge left 'data.dvc' in conflict\nhint: git cpv pull settles it"
    )
    ada.ok("git cpv pull -q --force")
    assert data(ada) == BOTH
    assert ada.git("status", "--short") == "M  data.dvc"
    ada.ok("git cpv push -q && git stash drop -q")
    settled(ada)


@pytest.mark.parametrize("who", ["the one who did it", "the other"])
def test_markers_that_somebody_committed(pair: Pair, who: str) -> None:
    ada, bob = pair
    assert ada.run("git pull -q --no-rebase").code == 1
    ada.ok("git add -A && git commit -q --no-edit")
    assert "<<<<<<< HEAD" in ada.read("model.bin.dvc")
    assert ada.ok("git cpv status").splitlines()[1] == f"in conflict, and settled by git cpv pull: {NAMES}"
    assert ada.fails("git cpv push") == (
        f"error: a merge left {NAMES} in conflict\nhint: git cpv pull settles it"
    )
    if who == "the other":
        ada.git("push", "-q", "--no-verify")
        ada = bob
        ada.ok("git cpv push -q --metric wer=9 || :")
    head = ada.git("rev-parse", "HEAD")
    refused = ada.fails("git cpv pull").splitlines()[0]
    assert refused.startswith("error: 'model.bin' changed on both sides: in what was merged at ")
    assert ada.git("rev-parse", "HEAD") == head
    ada.ok("git cpv pull -q --ours && git cpv push -q")
    assert (ada.read("model.bin"), data(ada)) == ("weights a", BOTH)
    assert "Settle the conflict in checkpoint.json, data.dvc" in ada.git("log", "--format=%s")
    settled(ada)


def test_markers_without_a_merge_settle_by_themselves_alone(pair: Pair) -> None:
    """As a squashed merge commits them: no parent tells what was merged."""
    ada, _ = pair
    ada.git("fetch", "-q")
    assert ada.run("git merge --squash origin/main").code == 1
    ada.ok("git add -A && git commit -q -m 'Bring it all' && git cpv pull -q --theirs")
    assert (ada.read("model.bin"), loss(ada)) == ("weights b", 0.4)
    assert (data(ada)["a"], logged_in_time(ada)) == ("a", [0.3, 0.4, 0.5])
    ada.ok("git cpv push -q")
    settled(ada)


def test_markers_in_the_settings_are_settled_as_well(pair: Pair) -> None:
    ada, bob = pair
    for who, name in ((bob, "left"), (ada, "right")):
        who.write(f"{name}/x.txt", f"{name}\n")
        who.ok(f"git cpv track -q --data {name}")
        who.run("git cpv push -q")
    assert ada.run("git pull -q --no-rebase").code == 1
    assert "'.cpvconfig', '.gitignore', " in ada.ok("git cpv status")
    ada.ok("git cpv pull -q --ours && git cpv push -q")
    assert ada.git("config", "-f", ".cpvconfig", "--get-all", "cpv.data.out").split() == [
        "data",
        "right",
        "left",
    ]
    assert (ada.read("left/x.txt"), ada.read("right/x.txt")) == ("left\n", "right\n")
    settled(ada)


def test_code_in_conflict_stays_with_the_user(pair: Pair) -> None:
    ada, bob = pair
    for who in (bob, ada):
        who.write("train.py", f"{who.cwd.name}\ntwo\n")
        who.git("commit", "-qam", "Faster")
    bob.git("push", "-q")
    assert ada.run("git pull -q --no-rebase").code == 1
    said = json.loads(ada.run("git cpv pull --json --theirs").out)
    assert said["merge"] == {
        "theirs": None,
        "operation": "merge",
        "outs": {"data": "merged", "metrics.log": "merged", "model.bin": "theirs"},
        "conflicts": ["train.py"],
    }
    assert ada.fails("git cpv pull") == (
        "error: a merge is not finished here\nhint: git merge --continue, or git merge --abort"
    )
    ada.ok("git add train.py && git cpv pull -q && git cpv push -q")
    assert (ada.read("model.bin"), data(ada)) == ("weights b", BOTH)
    settled(ada)
