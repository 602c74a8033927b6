"""The frame every command stands in: finding the command, its help, its mistakes, its ending."""

from __future__ import annotations

import pytest
from shell import Shell


def test_a_git_users_guess_is_answered_with_our_word(shell: Shell) -> None:
    assert shell.fails("git cpv log", code=129) == (
        "error: 'log' is not a git cpv command\nhint: git cpv list"
    )


@pytest.mark.parametrize(("typed", "meant"), [("psuh", "push"), ("statsu", "status"), ("untrak", "untrack")])
def test_a_misspelling_gets_the_nearest(shell: Shell, typed: str, meant: str) -> None:
    assert shell.fails(f"git cpv {typed}", code=129).endswith(f"hint: did you mean 'git cpv {meant}'?")


def test_version(shell: Shell) -> None:
    from cpvlib import __version__

    assert shell.ok("git cpv --version") == f"git-cpv version {__version__}"
