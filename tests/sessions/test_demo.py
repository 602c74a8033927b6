"""`make demo`: the whole road on a real model, as the README's first command takes it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from shell import Shell

DEMO = Path(__file__).parents[2] / "examples/demo.sh"

pytest.importorskip("safetensors", reason="the demo trains with numpy and safetensors")


def answers(output: str, command: str) -> list[str]:
    """What each run of the command answered, in order."""
    pattern = rf"^\$ {re.escape(command)}\n((?:(?!\$ |#|\n).*\n)*)"
    return [found.strip() for found in re.findall(pattern, output, re.MULTILINE)]


def test_the_demo_takes_the_whole_road(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}", prepend=":")
    folder = shell.cwd / "a place to look around"

    done = shell.run(["sh", str(DEMO), str(folder)])

    assert done.code == 0, str(done)
    assert "error:" not in done.err
    tests = answers(done.out, "python evaluate.py")
    assert len(tests) == 3
    assert tests[0] == tests[1] != tests[2]  # the clone's model is the one that was pushed, then the next one
    versions = shell.at(folder / "home/colleague/digits", HOME=str(folder / "home")).ok(
        "git cpv list --format '%(tag)'"
    )
    assert versions.split() == ["v0.5", "v0.4", "v0.3", "v0.2", "v0.1", "data/v0.3", "data/v0.1"]


def test_without_a_folder_nothing_is_left(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}", prepend=":")
    (shell.cwd / "tmp").mkdir()

    done = shell.run(["sh", str(DEMO)], TMPDIR=str(shell.cwd / "tmp"))

    assert done.code == 0, str(done)
    assert list((shell.cwd / "tmp").iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(shell: Shell) -> None:
    shell.write("mine/file", "kept")

    said = shell.fails(["sh", str(DEMO), "mine"], code=129)

    assert said == "demo.sh: 'mine' is not empty"
    assert [path.name for path in (shell.cwd / "mine").iterdir()] == ["file"]
