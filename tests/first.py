"""A repository whose first model is pushed and named, for what may befall it; a plugin of pytest's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shell import Shell
from template import MakeTemplate, Template


@pytest.fixture(scope="session")
def made_first(make_template: MakeTemplate) -> Template:
    return make_template(make_first)


@pytest.fixture
def repo(made_first: Template, shell: Shell, sealed: Path) -> Shell:
    """A model and data that are pushed to the folder below HOME, and named v0.1."""
    made_first.copy(sealed, shell.cwd)
    return shell.at("repo")


def make_first(shell: Shell) -> None:
    shell.ok("git cpv init -q --team T --model m repo")
    repo = shell.at("repo")
    repo.write("model.bin", "weights 1")
    repo.ok("git cpv push -q --metric loss=0.5 -m first && git cpv tag -q")
