"""On a terminal: the pager, the colours, the progress of long work."""

from __future__ import annotations

import sys

import pytest

from shell import Shell
from terminal import Terminal

ANSWERS = """
from cpvlib.cli.ui import UI
ui = UI()
with ui.pager():
    ui.answer(ui.paint("green", "first") + " \\x1b[31mhostile\\x1b]0;title\\x07")
    for number in range(100):
        ui.answer(str(number))
ui.say("after")
"""

WORKS = """
import sys
from cpvlib.cli.ui import UI
progress = UI(quiet="-q" in sys.argv).progress()
progress.begin("upload", 100 * 1024 * 1024, 4)
progress.advance(50 * 1024 * 1024, 2)
progress.note("waiting for the lock")
sys.stdin.readline()
progress.end()
print("done")
"""


def python(shell: Shell, script: str, *words: str, **env: str) -> Terminal:
    return Terminal([sys.executable, "-I", "-c", script, *words], shell.cwd, env)


def test_long_answers_go_through_gits_pager(shell: Shell) -> None:
    shell.git("config", "--global", "core.pager", "sed 's/^/paged: /'")
    with python(shell, ANSWERS) as terminal:
        terminal.wait_for("paged: first")
        terminal.wait_for("paged: 99\n")
        terminal.wait_for("after")
        assert terminal.wait() == 0


def test_the_pager_variable_of_git_is_obeyed(shell: Shell) -> None:
    with python(shell, ANSWERS, GIT_PAGER="sed s/first/FIRST/") as terminal:
        terminal.wait_for("FIRST")
        assert terminal.wait() == 0


def test_a_pager_that_is_quit_ends_the_answers(shell: Shell) -> None:
    """As a broken pipe, which the frame ends a command by quietly."""
    endless = ANSWERS.replace("range(100)", "itertools.count()").replace(
        "ui = UI()", "import itertools\nui = UI()"
    )
    with python(shell, endless, GIT_PAGER="head -1") as terminal:
        terminal.wait_for("first")
        terminal.wait_for("BrokenPipeError")
        assert terminal.wait() == 1


@pytest.mark.parametrize(
    ("setting", "variable", "coloured"),
    [(None, {}, True), ("never", {}, False), ("false", {}, False), (None, {"NO_COLOR": "1"}, False)],
)
def test_colours_are_gits(
    shell: Shell, setting: str | None, variable: dict[str, str], coloured: bool
) -> None:
    if setting:
        shell.git("config", "--global", "color.ui", setting)
    with python(shell, ANSWERS, GIT_PAGER="cat", **variable) as terminal:
        terminal.wait()
        assert ("\x1b[32mfirst\x1b[m" in terminal.seen) is coloured
        assert "\x1b]0;" not in terminal.seen


def test_a_pipe_gets_neither_pager_nor_colours(shell: Shell) -> None:
    result = shell.run([sys.executable, "-I", "-c", ANSWERS], GIT_PAGER="false", TERM="xterm")
    assert result.out.startswith("first \\x1b[31mhostile\\x1b]0;title\\x07\n0\n1\n")
    assert (result.code, result.err) == (0, "after\n")


def test_what_takes_over_a_second_shows_a_bar(shell: Shell) -> None:
    with python(shell, WORKS) as terminal:
        terminal.wait_for("waiting for the lock")
        shown = terminal.wait_for(r"upload[^\n]*50\.0/100\.0 MiB[^\n]*2/4 files")
        assert "done" not in shown
        terminal.type("\r")
        terminal.wait_for("done")
        assert terminal.wait() == 0


def test_quick_work_shows_none_and_loads_nothing_for_it(shell: Shell) -> None:
    quick = WORKS.replace("sys.stdin.readline()", "").replace('print("done")', "print('rich' in sys.modules)")
    with python(shell, quick) as terminal:
        terminal.wait()
        assert "upload" not in terminal.text
        assert "False" in terminal.text


def test_a_pipe_gets_notes_only(shell: Shell) -> None:
    result = shell.run([sys.executable, "-I", "-c", WORKS], stdin="\n")
    assert (result.out, result.err) == ("done\n", "waiting for the lock\n")


def test_quiet_is_quiet(shell: Shell) -> None:
    result = shell.run([sys.executable, "-I", "-c", WORKS, "-q"], stdin="\n")
    assert (result.out, result.err) == ("done\n", "")
