"""Which gits a quick command starts: each takes 2 ms, and none asks what another has told.

What another process may have changed meanwhile is asked again; all else once.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template

OPENING = ["rev-parse", "config"]
"""Where the repository is, and its settings: asked at once, so that either may be the first."""

VERSIONS = ["rev-list", "for-each-ref"]
"""The commits and the tags, at once too."""


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(made)


def made(shell: Shell) -> None:
    """A repository with a model and data that are pushed, published to a bare one."""
    shell.git("init", "-q", "--bare", "remote.git")
    shell.ok("git cpv init -q --team t --model m repo")
    repo = shell.at("repo")
    repo.write("model.bin", "weights")
    repo.write("data/train.csv", "1,2")
    repo.ok("git cpv track -q model.bin")
    repo.git("remote", "add", "origin", "../remote.git")
    repo.ok("git cpv push -q --metric loss=0.5")


@pytest.fixture
def repo(template: Template, shell: Shell, sealed: Path) -> Shell:
    template.copy(sealed, shell.cwd)
    return shell.at("repo")


def gits(repo: Shell, line: str) -> list[str]:
    """The subcommands of the gits that the line starts, by when they started; those that git starts are its
    own.

    They tell a pipe, which is read until the last of them has ended: the git that reads objects is not waited
    for by its command, and ends after it.
    """
    told = repo.at(".", GIT_TRACE2_EVENT="9").ok(f"{line} 9>&1 >output 2>&1")
    events = [json.loads(each) for each in told.splitlines()]
    named = [event for event in events if event["event"] == "cmd_name" and "/" not in event["sid"]]
    names = [event["name"] for event in sorted(named, key=lambda event: event["sid"])]  # begins with the time
    for at in range(len(names) - 1):
        if [names[at + 1], names[at]] in (OPENING, VERSIONS):
            names[at : at + 2] = reversed(names[at : at + 2])
    return names


def test_what_has_nothing_to_do(repo: Shell) -> None:
    assert gits(repo, "git-cpv push") == [
        *OPENING,
        "ls-tree",  # the pointers of HEAD, and
        "remote",  # the URL that the branch is published to, as url.*.insteadOf has it
        "ls-files",  # whether git brings .dvc/config.local
        "cat-file",  # what the pointers hold
        "for-each-ref",  # what awaits publication
    ]


def test_status(repo: Shell) -> None:
    assert gits(repo, "git-cpv status") == [
        *OPENING,
        "ls-tree",
        "cat-file",
        "for-each-ref",  # how the branch stands to its upstream
        "for-each-ref",  # what awaits publication
        "ls-files",
        "show-ref",  # the tags of this commit
        "for-each-ref",  # what was moved at the git remote
    ]


def test_a_version(repo: Shell) -> None:
    assert gits(repo, "git-cpv tag") == [
        *OPENING,
        "ls-tree",
        "cat-file",
        "for-each-ref",  # all tags
        "ls-files",
        *("mktag", "update-ref"),
    ]
    assert gits(repo, "git-cpv list") == [*OPENING, *VERSIONS, "cat-file"]


def test_a_new_model(repo: Shell) -> None:
    repo.write("model.bin", "other weights")
    assert gits(repo, "git-cpv push --metric loss=0.4") == [
        *(*OPENING, "ls-tree", "remote", "ls-files", "cat-file"),
        "ls-files",  # whether git holds the model itself
        "status",  # code that is not committed
        "for-each-ref",  # the data's versions
        *("unpack-objects", "commit-tree"),
        *(
            "ls-files",
            "update-index",
            "add",
            "update-ref",
        ),  # the index is brought along, and the branch moves
        "for-each-ref",
        "push",
    ]
