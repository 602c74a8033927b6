"""git cpv alias: what is in production, since when, by whom; and two people who move it at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

DAY = "2026-03-01"


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """Ada's repository: v0.1 of model and data together, then v0.2 of the model, both published."""
    shell.git("init", "-q", "--bare", "hub.git")
    shell.ok("git cpv init -q --team AI-Convo --model whisper --remote ../hub.git ada")
    ada = shell.at("ada")
    ada.write("data/train/a.txt", "one\n")
    push(ada, "weights 1", 0.5)
    ada.ok("git cpv tag -q --combined --push")
    push(ada, "weights 2", 0.4)
    ada.ok("git cpv tag -q --push")


@pytest.fixture
def ada(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("ada", GIT_COMMITTER_DATE=f"{DAY} 12:00:00 +0000")


@pytest.fixture
def bob(ada: Shell, shell: Shell) -> Shell:
    shell.ok("git cpv clone -q hub.git bob")
    return shell.at("bob", GIT_COMMITTER_NAME="Bob", GIT_COMMITTER_DATE=f"{DAY} 12:00:00 +0000")


def push(repo: Shell, model: str, loss: float) -> None:
    repo.write("model.bin", model)
    repo.ok(f"git cpv push -q --metric loss={loss}")


def published(repo: Shell) -> list[str]:
    return repo.at("../hub.git").git("tag", "--list", "alias/*").split()


def test_what_is_in_production_since_when_and_by_whom(ada: Shell) -> None:
    done = ada.run("git cpv alias production v0.1 -m 'First release'")
    assert (done.out, done.err) == ("v0.1\n", "production is v0.1; pending until git cpv push\n")
    assert ada.run("git cpv push").err == "published to origin\nalias published: production is v0.1\n"
    done = ada.run("git cpv alias production latest --push")
    assert (done.out, done.err) == (
        "v0.2\n",
        f"production is v0.2, was v0.1 (set by Ada Lovelace on {DAY}); published to origin\n",
    )
    done = ada.run("git cpv alias production")
    assert (done.out, done.err) == ("v0.2\n", f"set by Ada Lovelace on {DAY}\n")
    assert ada.ok("git cpv alias production --log").splitlines() == [
        f"production/2  v0.2  {DAY}  Ada Lovelace",
        f"production/1  v0.1  {DAY}  Ada Lovelace  First release",
    ]
    assert ada.ok("git cpv alias") == f"production  v0.2  {DAY}  Ada Lovelace"
    assert published(ada) == ["alias/production/1", "alias/production/2"]
    assert ada.git("for-each-ref", "refs/cpv") == ""
    assert ada.fails("git cpv alias production v0.2", 1) == "'production' is v0.2 already"


def test_it_stands_wherever_a_version_does(ada: Shell) -> None:
    ada.ok("git cpv alias -q production v0.1 && git cpv alias -q next v0.2")
    assert ada.ok("git cpv show production --json") == ada.ok("git cpv show v0.1 --json")
    assert ada.ok("git cpv diff production next") == ada.ok("git cpv diff v0.1 v0.2")
    listed = ada.ok("git cpv list --format '%(tag) %(aliases)'").splitlines()
    assert listed == ["v0.2 next", "v0.1 production", "data/v0.1 production"]
    assert "  next " in ada.ok("git cpv list").splitlines()[0]
    assert json.loads(ada.ok("git cpv list --json"))["versions"][1]["aliases"] == ["production"]
    assert ada.run("git cpv pull production").err == (
        "production, v0.1: 'data' and 'model.bin' in the cache; the worktree is as it was\n"
    )
    ada.ok("git cpv pull -q production --data --output ../data")
    assert ada.at("../data").files().keys() >= {"data/train/a.txt"}
    ada.ok("git cpv revert -q production && git cpv revert -q --combined next")
    assert ada.git("log", "-2", "--format=%s") == "Revert model and data to v0.2\nRevert model to v0.1"


def test_deploying_without_a_clone(ada: Shell, shell: Shell) -> None:
    ada.ok("git cpv alias -q production v0.1 --push")
    done = shell.run("git cpv pull --from hub.git production --output model")
    assert done.err.startswith("production, v0.1: 'data' and 'model.bin' in ")
    assert shell.read("model/model.bin") == "weights 1"
    facts = json.loads(shell.ok("git cpv pull --from hub.git production --json -n --output other"))
    assert (facts["version"], facts["alias"]) == ("v0.1", "production")


def test_the_second_of_two_people_holds_and_is_told(ada: Shell, bob: Shell) -> None:
    bob.ok("git cpv alias -q production v0.1 --push")
    done = ada.run("git cpv alias production v0.2 --push")
    assert (done.out, done.err) == (
        "v0.2\n",
        "production was set to v0.1 by Bob in the meantime; your setting comes after that, and holds\n"
        "production is v0.2; published to origin\n",
    )
    assert ada.ok("git cpv alias production --log").splitlines() == [
        f"production/2  v0.2  {DAY}  Ada Lovelace",
        f"production/1  v0.1  {DAY}  Bob",
    ]
    assert published(ada) == ["alias/production/1", "alias/production/2"]
    bob.ok("git cpv pull -q")
    assert bob.ok("git cpv alias production") == "v0.2"


def test_two_people_who_mean_the_same(ada: Shell, bob: Shell) -> None:
    bob.ok("git cpv alias -q production v0.2 --push")
    ada.ok("git cpv alias -q production v0.2")
    done = ada.run("git cpv push")
    assert done.err == (
        "everything is up to date\nproduction was set to v0.2 by Bob already; yours was dropped\n"
    )
    assert ada.ok("git cpv alias production --log") == f"production/1  v0.2  {DAY}  Bob"
    assert ada.git("for-each-ref", "refs/cpv/pending") == ""


def test_an_alias_of_a_version_that_gets_another_number(ada: Shell, bob: Shell) -> None:
    push(ada, "weights 3", 0.3)
    ada.ok("git cpv tag -q && git cpv alias -q production v0.3 && git cpv alias -q canary latest")
    bob.ok("git cpv tag -q --force --push")
    told = ada.run("git cpv push").err
    assert "v0.3 is now v0.4: the number was taken at origin in the meantime\n" in told
    assert "alias published: production is v0.4\n" in told
    assert ada.ok("git cpv alias production") == "v0.4"
    assert ada.ok("git cpv alias canary") == "v0.4"
    assert published(ada) == ["alias/canary/1", "alias/production/1"]


def test_publishing_an_alias_takes_its_version_along(ada: Shell) -> None:
    push(ada, "weights 3", 0.3)
    ada.ok("git cpv tag -q --combined")
    assert ada.run("git cpv alias production v0.3 --push").err == (
        "versions published: v0.3, data/v0.3\nproduction is v0.3; published to origin\n"
    )


def test_an_alias_of_a_version_that_stays_on_its_branch_waits_with_it(ada: Shell) -> None:
    ada.git("switch", "-q", "-c", "trial")
    push(ada, "weights 3", 0.3)
    ada.ok("git cpv tag -q && git cpv alias -q production v0.3 && git cpv alias -q production v0.1")
    ada.ok("git switch -q main && git cpv pull -q")
    assert ada.run("git cpv push").err == "everything is up to date\n"
    assert "aliases not published yet: production (v0.3), production (v0.1)" in ada.ok("git cpv status")
    ada.ok("git switch -q trial && git cpv pull -q && git cpv push -q")
    assert published(ada) == ["alias/production/1", "alias/production/2"]


def test_taking_it_away_keeps_its_history(ada: Shell) -> None:
    ada.ok("git cpv alias -q production v0.1 --push")
    done = ada.run("git cpv alias -d production --push")
    assert (done.out, done.err) == (
        "none\n",
        f"production names nothing any more, was v0.1 (set by Ada Lovelace on {DAY}); published to origin\n",
    )
    assert ada.run("git cpv alias").err == (
        "there are no aliases yet (git cpv alias production VERSION sets one)\n"
    )
    assert ada.fails("git cpv pull production") == (
        "error: the alias 'production' names nothing any more\n"
        "hint: Ada Lovelace took it away: git cpv alias production --log"
    )
    assert ada.fails("git cpv alias -d production", 1) == "'production' names nothing already"
    settings = json.loads(ada.ok("git cpv alias production --log --json"))["settings"]
    assert [(each["setting"], each["target"]) for each in settings] == [(2, None), (1, "v0.1")]
    ada.ok("git cpv alias -q production v0.2")
    assert ada.ok("git cpv alias production") == "v0.2"


def test_an_alias_of_the_data(ada: Shell) -> None:
    ada.ok("git cpv alias -q golden data/v0.1 && git cpv alias -q silver --data latest")
    assert ada.ok("git cpv alias golden") == ada.ok("git cpv alias silver") == "data/v0.1"
    push(ada, "weights 3", 0.3)
    ada.write("data/train/a.txt", "two\n")
    ada.ok("git cpv push -q && git cpv revert -q golden")
    assert ada.git("log", "-1", "--format=%s") == "Revert data to v0.1"
    assert (ada.read("data/train/a.txt"), ada.read("model.bin")) == ("one\n", "weights 3")


def test_it_goes_on_where_it_stopped(ada: Shell) -> None:
    ada.git("remote", "set-url", "origin", "../gone.git")
    assert ada.run("git cpv alias production v0.1 --push").code == 128
    ada.git("remote", "set-url", "origin", "../hub.git")
    done = ada.run("git cpv alias production v0.1 --push")
    assert (done.code, done.out, done.err) == (0, "v0.1\n", "production is v0.1; published to origin\n")
    assert published(ada) == ["alias/production/1"]


def test_a_dry_run_and_quiet_and_json(ada: Shell) -> None:
    done = ada.run("git cpv alias -n production v0.1")
    assert (done.out, done.err) == ("v0.1\n", "production would be v0.1\n")
    assert ada.git("tag", "--list", "alias/*") == ""
    assert ada.run("git cpv alias -q production v0.1").err == ""
    told = json.loads(ada.ok("git cpv alias --json production v0.2"))
    assert told == {
        "schema": 1,
        "alias": "production",
        "target": "v0.2",
        "setting": 2,
        "tag": "alias/production/2",
        "commit": ada.git("rev-parse", "v0.2^{commit}"),
        "pending": True,
        "replaced": "v0.1",
    }
    [listed] = json.loads(ada.ok("git cpv alias --json"))["aliases"]
    assert (listed["target"], listed["author"], listed["date"]) == (
        "v0.2",
        "Ada Lovelace",
        f"{DAY}T12:00:00+00:00",
    )


def test_a_pruned_setting_is_still_there(ada: Shell) -> None:
    ada.ok("git cpv alias -q production v0.1")
    ada.ok("git -c fetch.prune=true -c fetch.pruneTags=true fetch -q")
    assert ada.git("tag", "--list", "alias/*") == ""
    assert ada.ok("git cpv alias production") == "v0.1"
    ada.ok("git cpv push -q")
    assert ada.git("tag", "--list", "alias/*").split() == published(ada) == ["alias/production/1"]


@pytest.mark.parametrize("prefix", ["cpv/", "model-"])
def test_a_prefix_stands_before_its_tags_too(shell: Shell, prefix: str) -> None:
    shell.ok(f"git cpv init -q --team T --model m --tag-prefix {prefix} repo")
    repo = shell.at("repo")
    push(repo, "weights", 0.5)
    repo.ok("git cpv tag -q && git cpv alias -q production v0.1")
    assert repo.git("tag", "--list").split() == [f"{prefix}alias/production/1", f"{prefix}v0.1"]
    assert repo.ok("git cpv alias production") == f"{prefix}v0.1"
    assert repo.ok("git cpv show production --json") == repo.ok("git cpv show v0.1 --json")


def test_a_copied_or_foreign_setting_does_not_count(ada: Shell) -> None:
    ada.ok("git cpv alias -q production v0.1 && git cpv alias -q production v0.2")
    ada.git("update-ref", "refs/tags/alias/production/9", "alias/production/1")
    ada.git("tag", "alias/production/10", "v0.1^{commit}")
    ada.git("tag", "-a", "-m", "by hand", "alias/production/11", "v0.1^{commit}")
    assert ada.ok("git cpv alias production") == "v0.2"
    ada.ok("git cpv alias -q production v0.1")
    assert ada.git("tag", "--list", "alias/production/12") == "alias/production/12"


def test_an_alias_whose_version_was_moved(ada: Shell) -> None:
    ada.ok("git cpv alias -q production v0.1 && git tag -f -m moved v0.1 HEAD")
    assert ada.fails("git cpv pull production") == (
        "error: the alias 'production' was set to another v0.1 than the one here\n"
        "hint: git cpv pull, then set it again: git cpv alias production VERSION"
    )


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (
            "main v0.1",
            128,
            "error: 'main' can't be an alias: git has a branch or tag of that name\nhint: take",
        ),
        (
            "latest v0.1",
            129,
            "error: 'latest' can't be an alias: it means something already\nhint: take a wor",
        ),
        (
            "v1 v0.1",
            129,
            "error: 'v1' can't be an alias: it means something already\nhint: take a word, such",
        ),
        (
            "beef v0.1",
            129,
            "error: 'beef' can't be an alias: it looks like a commit\nhint: take a word, such",
        ),
        (
            "'a b' v0.1",
            129,
            "error: 'a b' can't be an alias: it is not letters, digits, '.', '_' and '-' afte",
        ),
        (
            "a/b v0.1",
            129,
            "error: 'a/b' can't be an alias: it is not letters, digits, '.', '_' and '-' after",
        ),
        (
            "-- -x v0.1",
            129,
            "error: '-x' can't be an alias: it is not letters, digits, '.', '_' and '-' after",
        ),
        ("-x v0.1", 129, "error: unknown option '-x'\nhint: see 'git cpv alias -h'"),
        (
            "model.bin v0.1",
            128,
            "error: 'model.bin' can't be an alias: an out has that name, and git cpv pull",
        ),
        ("Staging v0.1", 128, "error: there is an alias 'staging', which some file systems can't tell from"),
        (
            "fresh HEAD",
            128,
            "error: 'HEAD' has no version, which an alias needs\nhint: git cpv tag gives the ",
        ),
        ("fresh v9.9", 128, "error: no version or revision 'v9.9'\nhint: nearest: "),
        ("fresh", 128, "error: there is no alias 'fresh'\nhint: git cpv alias fresh VERSION sets it"),
        ("stagin", 128, "error: there is no alias 'stagin'\nhint: nearest: 'staging'"),
        ("-d stagin", 128, "error: there is no alias 'stagin'\nhint: nearest: 'staging'"),
        (
            "-d staging v0.1",
            129,
            "error: an alias that is taken away names no version\nhint: git cpv alias -d",
        ),
        ("-d", 129, "error: which alias?\nhint: git cpv alias shows those there are"),
        ("staging --push", 129, "error: which version is it to name?\nhint: git cpv alias staging VERSION"),
        ("staging v0.1 --log", 129, "error: --log only looks\nhint: git cpv alias staging --log"),
    ],
)
def test_what_is_refused(ada: Shell, words: str, code: int, error: str) -> None:
    ada.ok("git cpv alias -q staging v0.1 && git commit -q --allow-empty -m code")
    before = ada.git("for-each-ref")
    told = ada.fails(f"git cpv alias {words}", code)
    assert told[: len(error)] == error
    assert ada.git("for-each-ref") == before


def test_a_tag_in_the_way(ada: Shell) -> None:
    ada.git("tag", "alias")
    assert ada.fails("git cpv alias production v0.1") == (
        "error: the tag 'alias' is in the way of the tags of aliases\n"
        "hint: git tag RENAMED alias && git tag -d alias"
    )


def test_a_protected_branch_is_told_of_aliases(ada: Shell) -> None:
    hook = ada.at("../hub.git").write("hooks/update", '#!/bin/sh\ntest "$1" != refs/heads/main\n')
    hook.chmod(0o755)
    refused = ada.fails("git cpv revert --push v0.1")
    assert refused.splitlines()[-1] == (
        "hint: what was committed here is stored; to publish it for a pull request: git cpv push --branch "
        "NAME; or move only what is deployed: git cpv alias production v0.1 --push"
    )
    assert ada.ok("git cpv alias production v0.1 --push") == "v0.1"
