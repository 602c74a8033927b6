"""The frame every command stands in: finding the command, its help, its mistakes, its ending."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cpvlib import __version__
from cpvlib.cli.registry import COMMANDS
from sealing import CHECKOUT
from shell import Shell
from terminal import Terminal


def test_alone_it_lists_its_commands_in_groups(shell: Shell) -> None:
    listing = shell.ok("git-cpv")
    names = [line.split()[0] for line in listing.splitlines() if line.startswith("   ")]
    assert sorted(names) == sorted(COMMANDS)
    assert listing.startswith("usage: git cpv <command> [<args>]\n\nstart a repository\n   setup ")
    assert shell.ok("git cpv -h") == shell.ok("git cpv help") == listing


def test_version(shell: Shell) -> None:
    assert shell.ok("git cpv --version") == f"git-cpv version {__version__}"


def test_git_cpv_x_and_git_cpv_dash_x_are_the_same_program(shell: Shell) -> None:
    assert shell.ok("git cpv push -h") == shell.ok("git-cpv-push -h") == shell.ok("git cpv-push -h")


def test_short_help_asks_for_nothing_else(shell: Shell) -> None:
    """Not even for the operands that a command cannot do without."""
    assert shell.ok("git cpv revert -h").startswith("usage: git cpv revert ")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("log", "git cpv list"),
        ("checkout", "git cpv revert"),
        ("restore", "git cpv revert"),
        ("add", "git cpv track"),
        ("rm", "git cpv untrack"),
        ("fsck", "git cpv verify"),
        ("psuh", "did you mean 'git cpv push'?"),
        ("untrak", "did you mean 'git cpv untrack'?"),
        ("qqqqqq", "'git cpv' lists the commands"),
    ],
)
def test_a_guess_or_a_misspelling_gets_the_right_command(shell: Shell, typed: str, hint: str) -> None:
    said = shell.fails(f"git cpv {typed}", code=129)
    assert said == f"error: '{typed}' is not a git cpv command\nhint: {hint}"


def test_a_wrong_option_is_named_with_where_to_look(shell: Shell) -> None:
    assert shell.fails("git cpv push --frm x", code=129) == (
        "error: unknown option '--frm'\nhint: did you mean --from?"
    )
    assert shell.fails("git cpv --all", code=129) == "error: unknown option '--all'\nhint: see 'git-cpv -h'"


def test_control_characters_in_words_do_not_reach_the_terminal(shell: Shell) -> None:
    assert "\x1b" not in shell.fails(["git", "cpv", "\x1b[2J"], code=129)


def test_outside_a_repository_one_error_and_one_hint(shell: Shell) -> None:
    said = shell.fails("git cpv status").splitlines()
    assert [line.split(":")[0] for line in said] == ["error", "hint"]


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
@pytest.mark.parametrize("typed", ["git cpv push --help", "git-cpv-push --help", "git cpv help push"])
def test_help_opens_the_manual_page(shell: Shell, typed: str) -> None:
    assert shell.ok(typed, MANPAGER="cat").startswith("GIT-CPV-PUSH(1)")


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_help_of_all_opens_the_overview(shell: Shell) -> None:
    assert shell.ok("git-cpv --help", MANPAGER="cat").startswith("GIT-CPV(1)")


def test_without_man_help_is_printed(shell: Shell) -> None:
    for program in ("git", "sh", "readlink", "dirname"):
        shell.write(f"bin/{program}", "").unlink()
        (shell.cwd / "bin" / program).symlink_to(str(shutil.which(program)))
    path = f"{CHECKOUT}/bin:{shell.cwd}/bin"
    assert shell.ok("git cpv push --help", PATH=path).startswith("usage: git cpv push ")


def test_modules_of_the_current_folder_are_not_imported(shell: Shell) -> None:
    """A hostile clone may hold any file."""
    for name in ("argparse", "cpvlib", "json", "sitecustomize"):
        shell.write(f"{name}.py", "raise SystemExit('imported from the clone')")
    assert shell.ok("git cpv --version", PYTHONPATH=str(shell.cwd)) == f"git-cpv version {__version__}"


def test_the_launcher_can_be_linked_to(shell: Shell) -> None:
    link = shell.write("elsewhere/x", "").with_name("git-cpv-push")
    link.symlink_to(CHECKOUT / "bin" / "git-cpv-push")
    assert shell.ok("elsewhere/git-cpv-push -h").startswith("usage: git cpv push ")


def test_a_reader_that_leaves_is_no_error(shell: Shell) -> None:
    result = shell.run("git-cpv push -h | true; git-cpv | head -1")
    assert (result.code, result.out, result.err) == (0, "usage: git cpv <command> [<args>]\n", "")


def test_a_bug_says_where_its_log_is(shell: Shell, sealed: Path) -> None:
    """A folder where a file must be is nothing the frame foresees: the record's own module cannot be read."""
    shell.ok(["cp", "-R", str(CHECKOUT / "cpvlib"), "cpvlib"])
    shell.write("cpvlib/commands/push.py", "COMMAND = 1 / 0\n")
    shell.ok(["cp", "-R", str(CHECKOUT / "bin"), "bin"])
    (shell.cwd / ".venv").symlink_to(CHECKOUT / ".venv")
    said = shell.fails("bin/git-cpv push https://ada:secret@example.org").splitlines()
    assert said[0] == "error: this is a bug in cpv: ZeroDivisionError: division by zero"
    log = Path(said[1].removeprefix("hint: please report it, with "))
    assert log.is_relative_to(sealed)
    assert "ZeroDivisionError" in log.read_text()
    assert "secret" not in log.read_text() + "".join(said)
    assert log.stat().st_mode & 0o077 == 0


def test_a_bug_is_told_even_where_no_log_can_be_written(shell: Shell) -> None:
    shell.ok(["cp", "-R", str(CHECKOUT / "cpvlib"), "cpvlib"])
    shell.write("cpvlib/commands/push.py", "COMMAND = 1 / 0\n")
    shell.ok(["cp", "-R", str(CHECKOUT / "bin"), "bin"])
    (shell.cwd / ".venv").symlink_to(CHECKOUT / ".venv")
    file = shell.write("file", "")
    said = shell.fails("bin/git-cpv push", HOME=str(file), XDG_STATE_HOME=str(file), XDG_DATA_HOME=str(file))
    assert "ZeroDivisionError: division by zero\n" in said
    assert said.endswith("hint: please report it, with the lines above")


def test_interrupted_by_ctrl_c(shell: Shell) -> None:
    """While git waits for a hook of the user's, Ctrl-C ends push at once, with nothing committed."""
    shell.git("init", "-q")
    shell.write("model.bin", "weights")
    shell.ok("git cpv init --team t --model m")
    shell.ok("git cpv track model.bin")
    before = shell.git("rev-parse", "HEAD")
    os.mkfifo(shell.cwd / "fifo")
    shell.write(".git/hooks/pre-commit", "#!/bin/sh\necho waiting >&2\nread line <fifo\n").chmod(0o755)
    with Terminal(["git-cpv-push", "-a", "-m", "x"], shell.cwd) as terminal:
        terminal.wait_for("waiting")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert "Traceback" not in terminal.text
    assert shell.git("rev-parse", "HEAD") == before
