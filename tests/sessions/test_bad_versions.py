"""Versions that do not exist, can't be, or look like something else; and the words beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harm import unharmed
from shell import Shell
from template import MakeTemplate, Template


def made(shell: Shell) -> None:
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q --metric loss=0.5 -m first && git cpv tag -q --combined")
    repo.write("model.bin", "weights 2")
    repo.ok("git cpv push -q --metric loss=0.4 -m second && git cpv tag -q")


@pytest.fixture(scope="session")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    """v0.1 of both series on one commit, v0.2 of the model on the next."""
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("v0.9", "nearest: 'v0.2' and 'v0.1'; git cpv list shows all"),
        ("0.1", "nearest: 'v0.1' and 'v0.2'; git cpv list shows all"),
        ("V0.2", "nearest: 'v0.2' and 'v0.1'; git cpv list shows all"),
        ("v0.2.0", "nearest: 'v0.2' and 'v0.1'; git cpv list shows all"),
        ("lastest", "nearest: 'latest'; git cpv list shows all"),
        ("production", "git cpv list shows the versions"),
        ("HEAD~9", "git cpv list shows the versions"),
        ("", "git cpv list shows the versions"),
        ("v0.1..v0.2", "nearest: 'v0.2' and 'v0.1'; git cpv list shows all"),
        ("a\nb", "git cpv list shows the versions"),
        ("\x1b]0;title\x07", "git cpv list shows the versions"),
        ("../../etc/passwd", "git cpv list shows the versions"),
        (":/first\x00"[:-1], ""),
    ],
)
def test_a_version_that_does_not_exist(repo: Shell, typed: str, nearest: str) -> None:
    if not nearest:  # a revision as git knows them
        assert repo.run(["git", "cpv", "revert", "-n", typed]).out.startswith("would bring back model.bin\n")
        return
    shown = typed.replace("\n", "\\n").replace("\x1b", "\\x1b").replace("\x07", "\\x07")
    with unharmed(repo):
        assert repo.fails(["git", "cpv", "revert", typed]) == (
            f"error: no model version or revision '{shown}'\nhint: {nearest}"
        )


@pytest.mark.parametrize("command", ["show", "pull", "pull -o ../out", "tag -d", "diff v0.1", "diff"])
def test_every_command_suggests_the_nearest(repo: Shell, command: str) -> None:
    with unharmed(repo):
        assert repo.fails(f"git cpv {command} v0.7") == (
            "error: no version or revision 'v0.7'\nhint: nearest: 'v0.2' and 'v0.1'; git cpv list shows all"
        )
    assert not (repo.cwd / "../out").exists()


def test_a_version_of_the_other_series_only(repo: Shell) -> None:
    with unharmed(repo):
        assert repo.fails("git cpv revert --data v0.2") == (
            "error: no data version or revision 'v0.2'\nhint: nearest: 'v0.1'; git cpv list shows all"
        )
        assert repo.fails("git cpv revert data/v0.2") == (
            "error: no data version or revision 'data/v0.2'\nhint: nearest: 'v0.1'; git cpv list shows all"
        )
        assert repo.fails("git cpv revert data/v0.1", 1) == "this is v0.1"
        assert repo.fails("git cpv tag --model data/v0.2", 129) == (
            "error: 'data/v0.2' is a data version\nhint: git cpv tag --data v0.2"
        )


@pytest.mark.parametrize("command", ["revert", "show", "pull", "tag", "tag -d", "diff"])
def test_what_looks_like_an_option(repo: Shell, command: str) -> None:
    with unharmed(repo):
        said = repo.fails(f"git cpv {command} --exec=x", 129).splitlines()
        assert said[0] == "error: unknown option '--exec'"
        assert said[1].startswith("hint: ")
        refused = repo.run(f"git cpv {command} -- --force")
        assert refused.code in (128, 129)
        assert refused.err.startswith(("error: no ", "error: '--force' is not a version\n"))


def test_a_tag_that_looks_like_an_option(repo: Shell) -> None:
    """git refuses to make one; a clone may bring it all the same."""
    repo.git("update-ref", "refs/tags/-v0.1", "HEAD")
    repo.git("update-ref", "refs/tags/--upload-pack=x", "HEAD")
    assert len(repo.ok("git cpv list").splitlines()) == 3
    with unharmed(repo):
        assert repo.fails("git cpv revert -- --upload-pack=x").startswith(
            "error: no model version or revision '--upload-pack=x'\n"
        )


def test_numbers_that_are_taken(repo: Shell) -> None:
    with unharmed(repo):
        assert repo.fails("git cpv tag v0.2", 1).startswith("already v0.2\n")
        assert repo.fails("git cpv tag --force v0.1") == (
            "error: tag 'v0.1' exists already\nhint: the next free number is v0.3"
        )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("revert", "name the version to bring back\nhint: git cpv list shows the versions"),
        ("revert v0.1 v0.2", "too many arguments: 'v0.2'"),
        ("diff v0.1 v0.2 v0.3", "two versions are compared, not more\nhint: git cpv diff A B"),
        ("diff v0.1...v0.2", "'v0.1...v0.2' has three dots\nhint: git cpv diff A..B compares A with B"),
        ("list -n 0", "argument -n/--count: '0' is not a whole number above 0"),
        ("list -n many", "argument -n/--count: 'many' is not a whole number above 0"),
        ("list --sort", "option '--sort' needs a value"),
        (
            "list --where loss",
            "'loss' is no comparison of a metric with a number\nhint: --where 'loss < 0.3'",
        ),
        (
            "push --limit-rate 10MB",
            "argument --limit-rate: '10MB' is not a rate: it is bytes a second, such as 500k, 10M or 1.5G",
        ),
        ("push -j 0", "argument -j/--jobs: '0' is not a whole number above 0"),
        ("tag --major v1.0", "--major finds the number, so none is typed with it"),
        ("tag -d", "which pending version is to be deleted?\nhint: git cpv tag -d v1.2"),
        ("pull v0.1 v0.2", "'v0.1' is not an out and holds none\nhint: git cpv status lists the outs"),
    ],
)
def test_wrong_usage(repo: Shell, command: str, said: str) -> None:
    with unharmed(repo):
        lines = repo.fails(f"git cpv {command}", 129)
    error, _, hint = lines.partition("\nhint: ")
    wanted, _, wanted_hint = said.partition("\nhint: ")
    assert (error, hint) == (f"error: {wanted}", wanted_hint or f"see 'git cpv {command.split()[0]} -h'")
