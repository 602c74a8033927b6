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


def test_a_checkpoint_tells_of_its_data_by_the_number_that_it_has_now(ada: Shell, bob: Shell) -> None:
    """`checkpoint.json` was committed before the data's number was changed."""
    ada.write("data/train/a.txt", "two\n")
    ada.ok("git cpv push -q && git cpv tag -q --data")
    bob.ok("git cpv tag -q --data --push")
    push(ada, "weights 2", 0.4)
    assert json.loads(ada.read("checkpoint.json"))["data"]["version"] == "v0.1"
    assert published(ada) == ["data/v0.1", "data/v0.2", "v0.1"]
    shown = json.loads(ada.ok("git cpv show --json"))["data"]
    assert (shown["version"], shown["md5"]) == (
        "v0.2",
        json.loads(ada.ok("git cpv show --json data/v0.2"))["outs"][0]["md5"],
    )
    assert f"data    v0.2 ({shown['md5']})" in ada.ok("git cpv show")


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


def test_a_version_is_dropped_for_one_of_the_same_objects_under_another_number(
    ada: Shell, bob: Shell
) -> None:
    push(ada, "weights 2", 0.4)
    bob.ok("git cpv pull -q && git cpv tag -q --force v0.2 HEAD~1 || git cpv tag -q --data --force v0.2")
    ada.ok("git cpv tag -q && git cpv alias -q production v0.2")
    bob.write("model.bin", "weights b")
    bob.ok("git switch -q -c trial && git cpv push -q --metric loss=0.3 && git cpv tag -q --push")
    bob.ok("git switch -q main && git cpv pull -q && git cpv tag -q --push")
    told = ada.run("git cpv push").err
    assert "v0.2 was dropped: v0.3 at origin names the same objects\n" in told
    assert "alias published: production is v0.3\n" in told
    assert ada.ok("git cpv list --model --format '%(version) %(pending)'").split() == ["v0.3", "v0.2", "v0.1"]
    assert ada.ok("git cpv alias production") == "v0.3"


def test_a_name_given_on_purpose_is_not_dropped(ada: Shell, bob: Shell) -> None:
    ada.ok("git cpv tag -q --force")
    push(bob, "weights b", 0.3)
    bob.ok("git cpv tag -q --push")
    ada.ok("git cpv pull -q && git cpv push -q")
    assert published(ada) == ["v0.1", "v0.2", "v0.3"]
    assert ada.git("rev-parse", "v0.3^{commit}") == ada.git("rev-parse", "v0.1^{commit}")


def test_the_newest_keeps_the_highest_number(ada: Shell, bob: Shell) -> None:
    ada.git("remote", "set-url", "origin", "../gone.git")
    for model, loss in (("weights 2", 0.4), ("weights 3", 0.3)):
        ada.write("model.bin", model)
        assert ada.run(f"git cpv push -q --metric loss={loss}").code == 128
        ada.ok("git cpv tag -q")
    ada.git("remote", "set-url", "origin", "../hub.git")
    bob.ok("git cpv tag -q --force --push")
    told = ada.run("git cpv push").err
    assert "v0.2 is now v0.3: " in told
    assert "v0.3 is now v0.4: " in told
    assert json.loads(ada.ok("git cpv show --json latest"))["metrics"] == {"loss": 0.3}
    assert ada.git("for-each-ref", "refs/cpv/pending") == ""


def test_a_model_names_its_data_by_the_number_that_the_data_gets(ada: Shell, bob: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q --data && git cpv tag -q")
    assert json.loads(ada.ok("git cpv show --json v0.2"))["data"]["version"] == "v0.1"
    bob.write("data/train/a.txt", "two\n")
    bob.ok("git cpv push -q --data --branch trial && git switch -q trial && git cpv pull -q")
    bob.ok("git cpv tag -q --data --push")
    assert "data/v0.1 is now data/v0.2: " in ada.run("git cpv push").err
    assert "Cpv-Data: md5=" in ada.git("cat-file", "-p", "v0.2")
    assert ada.git("cat-file", "-p", "v0.2").count("version=v0.2") == 1
    assert published(ada) == ["data/v0.1", "data/v0.2", "v0.1", "v0.2"]


def test_a_typed_number_that_force_gave_is_published_by_the_rerun(ada: Shell) -> None:
    for words in ("--force v0.9", "--force"):
        ada.git("remote", "set-url", "origin", "../gone.git")
        assert ada.run(f"git cpv tag --push {words}").code == 128
        ada.git("remote", "set-url", "origin", "../hub.git")
        assert ada.run(f"git cpv tag --push {words}").code == 0
    assert published(ada) == ["v0.1", "v0.10", "v0.9"]
    assert ada.git("for-each-ref", "refs/cpv/pending", "refs/cpv/again", "refs/cpv/typed") == ""


def test_a_pruned_version_whose_number_somebody_else_took(ada: Shell, bob: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q && git -c fetch.prune=true -c fetch.pruneTags=true fetch -q")
    bob.ok("git cpv tag -q --force --push")
    ada.ok("git fetch -q --tags")
    assert ada.git("rev-parse", "v0.2") == ada.at("../hub.git").git("rev-parse", "v0.2")
    assert "v0.2 is now v0.3: " in ada.run("git cpv push").err
    assert published(ada) == ["v0.1", "v0.2", "v0.3"]


def test_a_pending_version_that_was_moved_by_hand(ada: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q && git tag -f -m mine v0.2 v0.1^{commit}")
    assert ada.fails("git cpv push").splitlines() == [
        "error: tag 'v0.2' was moved by hand: it is not the version that awaits publication",
        "hint: git tag -d v0.2 && git cpv push publishes the version as it was made",
    ]
    ada.ok("git tag -d v0.2 && git cpv push -q")
    assert published(ada) == ["v0.1", "v0.2"]
    assert ada.git("log", "-1", "--format=%s", "v0.2") == "Update model (loss=0.4)"


def test_a_plain_push_of_tags_settles_itself(ada: Shell, bob: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q --combined && git push -q --tags")
    assert "versions published: v0.2, data/v0.2\n" in ada.run("git cpv push").err
    bob.ok("git cpv tag -q --force")
    assert bob.run("git push -q --tags").code == 1
    bob.ok("git cpv pull -q && git cpv push -q")
    assert published(ada) == ["data/v0.2", "v0.1", "v0.2", "v0.3"]


def test_half_a_version_that_a_plain_push_published(ada: Shell, bob: Shell) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q --combined")
    bob.ok("git cpv tag -q --data v0.2 --push")
    assert ada.run("git push -q --tags").code == 1  # git itself publishes the half that is free
    refused = ada.fails("git cpv push").splitlines()
    assert refused[-2:] == [
        "error: 'v0.2' is published, and its other half, 'data/v0.2', was taken at 'origin'",
        "hint: git cpv tag -d data/v0.2 && git cpv tag --combined --force gives both a new number",
    ]
    ada.ok("git cpv tag -q -d data/v0.2 && git cpv tag -q --combined --force && git cpv push -q")
    assert published(ada) == ["data/v0.2", "data/v0.3", "v0.1", "v0.2", "v0.3"]


def test_the_hook_does_not_publish_half_of_a_version_whose_other_half_is_taken(
    ada: Shell, bob: Shell
) -> None:
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv hooks install -q && git cpv tag -q --combined")
    bob.ok("git cpv tag -q --data v0.2 --push")
    refused = ada.fails("git push -q --tags", 1)
    assert "'v0.2' and 'data/v0.2' are one version, and only 'v0.2' would be published" in refused
    assert published(ada) == ["data/v0.2", "v0.1"]


def test_a_version_that_was_deleted_at_the_remote_stays_here(ada: Shell) -> None:
    ada.at("../hub.git").git("tag", "-d", "v0.1")
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv pull -q && git cpv tag -q && git cpv push -q")
    assert published(ada) == ["v0.2"]
    assert ada.git("tag", "--list").split() == ["v0.1", "v0.2"]


@pytest.fixture
def plain(ada: Shell) -> Shell:
    """Ada's, where the git remote can't move several refs as one."""
    ada.at("../hub.git").git("config", "receive.advertiseAtomic", "false")
    return ada


def test_a_server_without_atomic_push(plain: Shell, bob: Shell) -> None:
    push(plain, "weights 2", 0.4)
    plain.ok("git cpv tag -q --combined && git cpv alias -q production v0.2")
    bob.ok("git cpv tag -q --data v0.2 --push")
    told = plain.run("git cpv push").err
    assert "v0.2 is now v0.3: " in told
    assert "alias published: production is v0.3\n" in told
    assert published(plain) == ["alias/production/1", "data/v0.2", "data/v0.3", "v0.1", "v0.3"]
    assert plain.at("../hub.git").git("for-each-ref", "refs/cpv") == ""
    push(bob, "weights b", 0.3) if bob.run("git cpv pull -q").code == 0 else None
    bob.ok("git cpv tag -q --combined --push")
    assert published(plain)[-1] == "v0.4"


def test_a_branch_that_moved_on_at_a_server_without_atomic_push(plain: Shell, bob: Shell) -> None:
    push(bob, "weights b", 0.3)
    plain.ok("git cpv tag -q --force")
    assert "has moved on" in plain.fails("git cpv push")
    assert published(plain) == ["v0.1"]


@pytest.mark.parametrize("killed", ["publish:claimed", "publish:tag"])
def test_a_push_that_is_killed_between_the_halves_goes_on(plain: Shell, bob: Shell, killed: str) -> None:
    push(plain, "weights 2", 0.4)
    plain.ok("git cpv tag -q --combined")
    assert plain.run("git cpv push", CPV_KILL_AT=killed).code != 0
    bob.ok("git cpv tag -q --data --force v0.2 || true")
    assert bob.run("git cpv push").code == 128  # the number is typed, and taken
    bob.ok("git cpv tag -q -d data/v0.2 && git cpv tag -q --data --push")
    plain.ok("git cpv push -q")
    assert published(plain) == ["data/v0.1", "data/v0.2", "v0.1", "v0.2"]
    assert plain.at("../hub.git").git("for-each-ref", "refs/cpv") == ""


def test_a_version_of_which_the_server_refuses_one_half_keeps_others_out(plain: Shell, bob: Shell) -> None:
    push(plain, "weights 2", 0.4)
    plain.ok("git cpv tag -q --combined")
    hook = plain.cwd.parent / "hub.git/hooks/update"
    hook.write_text("#!/bin/sh\ncase $1 in refs/tags/data/v0.2) echo no; exit 1;; esac\n")
    hook.chmod(0o755)
    first = plain.run("git cpv push")
    assert (first.code, published(plain)) == (128, ["v0.1", "v0.2"])
    hook.unlink()
    assert "version 'v0.2' was taken at 'origin'" in bob.fails("git cpv tag -q --data v0.2 --push")
    plain.ok("git cpv push -q")
    assert published(plain) == ["data/v0.2", "v0.1", "v0.2"]
    assert plain.at("../hub.git").git("for-each-ref", "refs/cpv") == ""
