"""P8: whatever a repository holds, nothing leaves the worktree, is run, is given away, or acts on a terminal.

Each repository of the corpus is cloned, and commands are typed in the clone: those that have most to do with
what is hostile in it, or with CPVTEST_HOSTILE=all (`make hostile`) all that there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import ALL, case_table
from trap import Trap, complaint, trap, type_it

from shell import Shell

COMMANDS = (
    *("status", "status --json", "pull", "list", "list --json", "show", "show --json", "diff v0.1", "verify"),
    *(
        "pull v0.1",
        "pull v0.1 --output ../out",
        "revert v0.1",
        "tag --force",
        "push",
        "storage show",
        "storage --json",
    ),
    *(
        "hooks install",
        "hooks status",
        "untrack model.bin",
        "track model.bin",
        "foreach -- true",
        "storage trust",
    ),
)
CASES = {case.name: case for case in case_table()}


@pytest.fixture
def laid(shell: Shell, sealed: Path) -> Iterator[Trap]:
    with trap(shell.cwd, sealed) as laid:
        yield laid


@pytest.mark.parametrize("name", CASES)
def test_hostile(laid: Trap, shell: Shell, sealed: Path, name: str) -> None:
    case = CASES[name]
    storage = sealed / ".local/share/cpv/storage/T/m"
    case.forged(laid).write(shell.cwd / "evil.git", storage)
    before = laid.seen()
    cloned = type_it(shell, "clone -q evil.git victim")
    lead = f"error: cloned into '{shell.cwd}/victim', without its objects: "
    told = [line.removeprefix(lead) for line in cloned.err.splitlines() if line.startswith("error: ")]
    places = {"{victim}": f"{shell.cwd}/victim", "{folder}": str(shell.cwd), "{storage}": str(storage)}
    expected = case.says
    for place, stands_for in {**places, "{listener}": laid.listener.url}.items():
        expected = expected.replace(place, stands_for)
    if expected.endswith("…"):
        told = [f"{line[: len(expected) - 1]}…" for line in told]
    assert (told, cloned.code) == (([expected], 128) if expected else ([], 0)), str(cloned)
    ran = [cloned, type_it(shell, "pull --from evil.git v0.1 --output taken")] if ALL else [cloned]
    victim = shell.at("victim")
    typed = COMMANDS + case.then if ALL else case.then[:2]
    # Trust comes last: what its user has agreed to is no harm.
    ran += [type_it(victim, command) for command in sorted(typed, key=lambda each: "storage trust" in each)]
    assert [(result.command, complaint(result)) for result in ran if complaint(result)] == []
    laid.check(before)
