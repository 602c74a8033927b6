"""Two clones that publish versions: who was first with a number, what was moved, what was interrupted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """Ada's repository with a model and data, published as v0.1."""
    shell.git("init", "-q", "--bare", "hub.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper --remote ../hub.git ada")
    ada = shell.at("ada")
    ada.write("data/train/a.txt", "one\n")
    push(ada, "weights 1", 0.5)
    ada.ok("git cpv tag -q --push")


@pytest.fixture
def ada(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("ada")


@pytest.fixture
def bob(ada: Shell, shell: Shell) -> Shell:
    shell.ok("git cpv clone -q hub.git bob")
    return shell.at("bob", GIT_AUTHOR_NAME="Bob", GIT_COMMITTER_NAME="Bob")


def push(repo: Shell, model: str, loss: float) -> None:
    repo.write("model.bin", model)
    repo.ok(f"git cpv push -q --metric loss={loss}")


def published(repo: Shell) -> list[str]:
    return repo.at("../hub.git").git("tag", "--list").split()


def test_a_combined_version_that_is_renumbered_names_its_data_by_the_new_number(
    ada: Shell, bob: Shell
) -> None:
    push(ada, "weights 2", 0.4)
    assert ada.ok("git cpv tag --combined") == "v0.2"
    bob.ok("git cpv tag -q --push --force v0.2")
    done = ada.run("git cpv push")
    assert "v0.2 is now v0.3: the number was taken at origin in the meantime\n" in done.err
    assert "data/v0.2 is now data/v0.3: the number was taken at origin in the meantime\n" in done.err
    shown = json.loads(ada.ok("git cpv show --json v0.3"))
    assert (shown["with"], shown["data"]["version"]) == ("data/v0.3", "v0.3")
    assert published(ada) == ["data/v0.3", "v0.1", "v0.2", "v0.3"]


def test_a_pruned_version_is_back_once_it_is_published(ada: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q")
    ada.ok("git -c fetch.prune=true -c fetch.pruneTags=true fetch -q")
    assert ada.git("tag", "--list") == "v0.1"
    assert "versions published: v0.2\n" in ada.run("git cpv push").err
    assert ada.git("tag", "--list").split() == published(ada) == ["v0.1", "v0.2"]


def test_a_branch_that_is_only_behind_is_not_to_be_rebased(ada: Shell, bob: Shell) -> None:
    push(bob, "weights b", 0.3)
    ada.ok("git cpv tag -q --force")
    refused = ada.fails("git cpv push")
    assert refused.startswith("error: 'main' has moved on at 'origin' (Bob: Update model (loss=0.3))\n")
    assert refused.endswith(
        "hint: what is committed is stored; take theirs in and publish: git cpv pull && git cpv push"
    )
    ada.ok("git cpv pull -q && git cpv push -q")
    assert published(ada) == ["v0.1", "v0.2"]


def test_a_pull_tells_of_a_number_that_was_taken(ada: Shell, bob: Shell) -> None:
    ada.ok("git cpv tag -q --force")
    push(bob, "weights b", 0.3)
    bob.ok("git cpv tag -q --push")
    assert ada.run("git cpv pull").err.startswith(
        "warning: the number of your pending v0.2 was taken at origin; git cpv push settles it\n"
    )
    assert "v0.2 is now v0.3" in ada.run("git cpv push").err


def test_a_version_that_was_moved_at_the_remote_stays_here(ada: Shell) -> None:
    before = ada.git("rev-parse", "v0.1")
    push(ada, "weights 2", 0.4)
    ada.at("../hub.git").git("tag", "--force", "-m", "moved", "v0.1", "main")
    theirs = ada.at("../hub.git").git("rev-parse", "v0.1")
    error = "error: 'v0.1' is another at 'origin' than here, and versions never move; yours was kept"
    ada.ok("git cpv tag -q")
    assert ada.fails("git cpv push").splitlines()[0] == error
    assert published(ada) == ["v0.1"]
    done = ada.run("git cpv pull")
    assert (done.code, done.err.splitlines()) == (
        128,
        [
            "everything is up to date",
            error,
            "hint: see what it is there: git show refs/cpv/moved/v0.1; if yours is right: git push --force "
            "origin refs/tags/v0.1; if theirs: git tag -d v0.1 && git cpv pull",
        ],
    )
    assert (ada.git("rev-parse", "v0.1"), ada.git("rev-parse", "refs/cpv/moved/v0.1")) == (before, theirs)
    assert "another at the git remote than here: v0.1; " in ada.ok("git cpv status")
    ada.ok("git push -q --force origin refs/tags/v0.1 && git cpv pull -q && git cpv push -q")
    assert published(ada) == ["v0.1", "v0.2"]
    assert "another at" not in ada.ok("git cpv status")


def test_a_typed_number_that_was_taken_is_given_up_by_hand(ada: Shell, bob: Shell) -> None:
    ada.ok("git cpv tag -q --force v1.0")
    push(bob, "weights b", 0.3)
    bob.ok("git cpv tag -q --push v1.0")
    ada.ok("git cpv pull -q")
    refused = ada.fails("git cpv push")
    assert refused.splitlines()[-1] == (
        "hint: git cpv tag -d v1.0 && git cpv pull, then git cpv tag for the next free number"
    )
    ada.ok("git cpv tag -q -d v1.0 && git cpv pull -q")
    assert ada.ok("git cpv tag --force") == "v1.1"


def test_tag_push_goes_on_where_it_stopped(ada: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.git("remote", "set-url", "origin", "../gone.git")
    assert ada.run("git cpv tag --push").code == 128
    ada.git("remote", "set-url", "origin", "../hub.git")
    done = ada.run("git cpv tag --push")
    assert (done.code, done.out, done.err) == (0, "v0.2\n", "v0.2 published to origin\n")
    assert published(ada) == ["v0.1", "v0.2"]
    assert ada.fails("git cpv tag --push", 1).startswith("already v0.2\n")


def test_revert_push_goes_on_where_it_stopped(ada: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.git("remote", "set-url", "origin", "../gone.git")
    assert ada.run("git cpv revert --push v0.1").code == 128
    ada.git("remote", "set-url", "origin", "../hub.git")
    done = ada.run("git cpv revert --push v0.1")
    assert (done.code, done.err) == (0, "this is v0.1\npublished to origin\n")
    assert ada.at("../hub.git").git("log", "-1", "--format=%s", "main") == "Revert model to v0.1"
    assert ada.fails("git cpv revert --push v0.1", 1) == "this is v0.1"


def test_a_version_of_another_branch_is_nothing_to_push_from_here(ada: Shell) -> None:
    ada.git("switch", "-q", "-c", "trial")
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q && git switch -q main && git cpv pull -q")
    told = ada.ok("git cpv status").splitlines()
    assert "versions not published yet: v0.2 (of another branch)" in told
    assert told[-1] == "nothing to push"
    assert ada.run("git cpv push").err == "everything is up to date\n"
    ada.git("switch", "-q", "trial")
    assert ada.ok("git cpv pull -q && git cpv status").splitlines()[-1] == "something to push: git cpv push"
    assert "versions published: v0.2\n" in ada.run("git cpv push").err
