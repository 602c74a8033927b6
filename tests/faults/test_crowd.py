"""Twelve people publish at once: every one gets a number, none is lost, none is given twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from faults.checker import check
from shell import Shell
from template import MakeTemplate, Template

PEOPLE = 12
SETTERS = 6


@pytest.fixture(scope="module")
def template(make_template: MakeTemplate) -> Template:
    return make_template(one_clone)


def one_clone(shell: Shell) -> None:
    """A published repository, and the clone that everybody begins with."""
    shell.git("init", "-q", "--bare", "origin.git")
    shell.ok("git cpv init -q --team T --model m --remote ../origin.git repo")
    repo = shell.at("repo")
    repo.write("model.bin", "base")
    repo.ok("git cpv push -q --metric loss=1")
    shell.ok("git cpv clone -q origin.git clone")
    shell.at("clone").git("remote", "set-url", "origin", "../origin.git")


def test_versions_are_unique(template: Template, shell: Shell, sealed: Path) -> None:
    """Of the model, of the data, then of both under one number."""
    template.copy(sealed, shell.cwd)
    people = [shell.at(f"person{nth}") for nth in range(PEOPLE)]
    for nth, person in enumerate(people):
        shutil.copytree(shell.cwd / "clone", person.cwd, symlinks=True)
        person.git("switch", "-q", "-c", f"branch{nth}")
        person.write("model.bin", f"weights of {nth}")
        person.write("data/train/mine.txt", f"data of {nth}\n")
        person.ok(f"git cpv push -q --metric loss=0.{nth}")
    before: dict[str, str] = {}
    for words, prefixes, first in (
        ("--model", [""], 1),
        ("--data", ["data/"], 1),
        ("--combined --force", ["", "data/"], PEOPLE + 1),
    ):
        for person in people:
            person.ok(f"git cpv tag -q {words}")
        publishing = [subprocess.Popen(["git", "cpv", "push", "-q"], cwd=person.cwd) for person in people]
        assert [process.wait(600) for process in publishing] == [0] * PEOPLE
        published = {
            ref.removeprefix("refs/tags/"): oid
            for oid, ref in (
                line.split("\t") for line in shell.git("ls-remote", "--tags", "origin.git").splitlines()
            )
            if ref.endswith("^{}")
        }
        numbers = range(first, first + PEOPLE)
        new = {f"{prefix}v0.{nth}^{{}}" for prefix in prefixes for nth in numbers}
        assert published.keys() == before.keys() | new
        assert before.items() <= published.items()
        tips = {person.git("rev-parse", "HEAD") for person in people}
        for prefix in prefixes:
            assert {published[f"{prefix}v0.{nth}^{{}}"] for nth in numbers} == tips
        for person in people:
            assert person.git("for-each-ref", "refs/cpv/pending") == ""
        before = published
    check(people[0], shell.cwd / "origin.git", sealed / ".local/share/cpv/storage/T/m")


def test_aliases_are_set_one_after_the_other(template: Template, shell: Shell, sealed: Path) -> None:
    template.copy(sealed, shell.cwd)
    shell.at("repo").ok("git cpv tag -q --push")
    people = [shell.at(f"person{nth}", GIT_COMMITTER_NAME=f"Person {nth}") for nth in range(SETTERS)]
    for nth, person in enumerate(people):
        shutil.copytree(shell.cwd / "clone", person.cwd, symlinks=True)
        person.ok(
            f"git cpv pull -q && git cpv tag -q --force v9.{nth} && git cpv alias -q production v9.{nth}"
        )
    publishing = [
        subprocess.Popen(["git", "cpv", "push", "-q"], cwd=person.cwd, env={**os.environ, **person.env})
        for person in people
    ]
    assert [process.wait(600) for process in publishing] == [0] * SETTERS
    last = shell.at("repo")
    last.ok("git cpv pull -q")
    settings = json.loads(last.ok("git cpv alias production --log --json"))["settings"]
    assert [each["setting"] for each in settings] == list(range(SETTERS, 0, -1))
    told = {(each["author"], each["target"]) for each in settings}
    assert told == {(f"Person {nth}", f"v9.{nth}") for nth in range(SETTERS)}
    assert all(person.git("for-each-ref", "refs/cpv/pending") == "" for person in people)
