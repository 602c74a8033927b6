"""What git does not hold, an out above all, is not overwritten by what somebody committed in its place."""

from __future__ import annotations

import pytest

from people import Pair, push
from shell import Shell


def commit_by_mistake(person: Shell, path: str, content: str) -> str:
    person.write(path, content)
    person.ok(f"git add -f {path} && git commit -q -m 'Add {path}' && git push -q")
    return person.git("rev-parse", "--short=7", "HEAD")


@pytest.mark.parametrize("behind", ["", "notes.txt", "train.py"])
def test_an_out_that_a_teammate_committed_does_not_take_the_place_of_ours(pair: Pair, behind: str) -> None:
    """Whether the branch only goes forward, is merged, or is merged with a conflict in code."""
    ada, bob = pair
    if behind:
        bob.write(behind, "bob's\n")
        bob.ok(f"git add {behind} && git commit -q -m more")
        ada.write(behind if behind == "train.py" else "other.txt", "ada's\n")
        ada.ok("git add . && git commit -q -m more")
    commit = commit_by_mistake(ada, "model.bin", "weights in git")
    bob.write("model.bin", "trained all night")
    said = bob.fails("git cpv pull")
    at = "" if behind == "notes.txt" else f" {commit}"
    assert said.startswith(f"error: 'model.bin' would be overwritten by what is in git at{at}")
    assert said.endswith("somebody takes out of git by: git rm --cached model.bin")
    assert bob.read("model.bin") == "trained all night"
    assert bob.git("status", "--short") == ""


def test_a_file_of_the_same_content_is_not_in_the_way(pair: Pair) -> None:
    ada, bob = pair
    commit_by_mistake(ada, "data/a.txt", "a\n")
    bob.ok("git cpv pull")
    assert bob.git("ls-files", "data") == "data/a.txt"


def test_a_detached_revert_asks_too(pair: Pair) -> None:
    ada, _ = pair
    ada.ok("git mv train.py old.py && git commit -q -m moved && echo /train.py >> .gitignore")
    push(ada, "weights 2", 0.4)
    ada.write("train.py", "mine, and ignored")
    said = ada.fails("git cpv revert --detach v0.1")
    assert said.startswith("error: 'train.py' would be overwritten by what is in git at ")
    assert ada.read("train.py") == "mine, and ignored"


def test_what_git_holds_here_may_become_a_folder(pair: Pair) -> None:
    ada, bob = pair
    ada.ok("git rm -q train.py")
    commit_by_mistake(ada, "train.py/main.py", "one\n")
    bob.ok("git cpv pull")
    assert bob.read("train.py/main.py") == "one\n"
