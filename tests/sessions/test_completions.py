"""Completions, typed into real shells: bash, zsh and fish."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sealing import CHECKOUT
from shell import Shell
from terminal import Terminal

COMPLETIONS = CHECKOUT / "completions"
BASH_COMPLETION = next(
    (
        path
        for path in (
            Path("/usr/share/bash-completion/bash_completion"),
            Path("/opt/homebrew/share/bash-completion/bash_completion"),
        )
        if path.is_file()
    ),
    None,
)

COMPLETED = [
    ("git cpv pus", "git cpv push"),
    ("git-cpv stat", "git-cpv status"),
    ("git cpv push --mess", "git cpv push --message"),
    ("git-cpv-push --dry", "git-cpv-push --dry-run"),
    ("git-cpv-untrack --he", "git-cpv-untrack --help"),
    ("git cpv revert v0.1", "git cpv revert v0.12"),
    ("git cpv revert --data v2", "git cpv revert --data v2.0"),
    ("git-cpv-revert lat", "git-cpv-revert latest"),
    ("git cpv pull prod", "git cpv pull production"),
    ("git cpv alias prod", "git cpv alias production"),
    ("git cpv push --from check", "git cpv push --from checkpoints"),
    ("git cpv push --branch exper", "git cpv push --branch experiment"),
    ("git cpv storage tru", "git cpv storage trust"),
    ("git -C . cpv pus", "git -C . cpv push"),
]
"""What is typed, then TAB; the line that must stand there."""


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """A repository with versions, a branch and a folder to offer."""
    shell.git("init", "-q")
    shell.git("commit", "-q", "--allow-empty", "-m", "first")
    for tag in ("v0.12", "v1.0", "data/v2.0", "unrelated", "alias/production/1", "alias/production/2"):
        shell.git("tag", "-a", "-m", tag, tag)
    shell.git("branch", "experiment")
    shell.write("checkpoints/epoch_1/model.bin", "")
    return shell


def line_after_tab(terminal: Terminal, typed: str) -> str:
    """Types TAB, then lets the shell print the line that stands there: ^A and ^E go to its ends."""
    terminal.type(f"{typed}\t\x01show '\x05'\r")
    line = terminal.wait_for(r"LINE<[^\n]*>\n")
    return line[line.rindex("LINE<") + 5 : -2].rstrip(" /")  # zsh takes a last slash back


@contextmanager
def bash(shell: Shell) -> Iterator[Terminal]:
    folder = shell.cwd.parent / "bash-completion"
    folder.mkdir()
    (folder / "completions").symlink_to(COMPLETIONS / "bash")
    env = {"PS1": "READY> ", "BASH_COMPLETION_USER_DIR": str(folder), "INPUTRC": "/dev/null"}
    with Terminal(["bash", "--noprofile", "--norc", "-i"], shell.cwd, env) as terminal:
        terminal.wait_for("READY> ")
        terminal.type(f". {BASH_COMPLETION}; bind 'set enable-bracketed-paste off'\r")
        terminal.wait_for("\nREADY> ")
        terminal.type("show() { printf 'LINE<%s>\\n' \"$1\"; }\r")
        terminal.wait_for("\nREADY> ")
        yield terminal


@contextmanager
def zsh(shell: Shell, functions: Path | None = None) -> Iterator[Terminal]:
    """With `functions` before zsh's own."""
    first = f"{functions} {COMPLETIONS}/zsh" if functions else f"{COMPLETIONS}/zsh"
    with Terminal(["zsh", "-f", "-i"], shell.cwd, {"PS1": "READY> ", "ZDOTDIR": str(shell.cwd)}) as terminal:
        terminal.wait_for("READY> ")
        terminal.type(f"fpath=({first} $fpath); autoload -Uz compinit; compinit -D -u; bindkey -e\r")
        terminal.wait_for(r"\n.*READY> ")
        terminal.type('show() { print -r -- "LINE<$1>" }\r')
        terminal.wait_for("READY> ")
        yield terminal


@pytest.mark.skipif(
    not shutil.which("bash") or BASH_COMPLETION is None, reason="bash-completion is not installed"
)
def test_bash(versions: Shell) -> None:
    with bash(versions) as terminal:
        assert [(typed, line_after_tab(terminal, typed)) for typed, _ in COMPLETED] == COMPLETED


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(versions: Shell) -> None:
    with zsh(versions) as terminal:
        assert [(typed, line_after_tab(terminal, typed)) for typed, _ in COMPLETED] == COMPLETED


GIT_IN_ZSH = """#compdef git
_git () {
  local _ret=1 cur=${words[CURRENT]} cword=$(( CURRENT - 1 ))
  local -a line=("${words[@]}")
  shift words
  (( CURRENT-- ))
  words=("${line[@]}")
  () { emulate -L ksh; declare -f -- _git_cpv >/dev/null && _git_cpv }
  return _ret
}
_git
"""
"""How git's contrib/completion/git-completion.zsh calls a completion that it does not have itself."""


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_with_gits_own_script(versions: Shell) -> None:
    script = versions.write("functions/_git", GIT_IN_ZSH)
    lines = [pair for pair in COMPLETED if pair[0].startswith("git ")]
    with zsh(versions, script.parent) as terminal:
        assert [(typed, line_after_tab(terminal, typed)) for typed, _ in lines] == lines


FISH = """
set -p fish_complete_path {completions}/fish
source {completions}/fish-conf/git-cpv.fish
for line in (cat lines)
    set -l offered (complete -C $line | string replace -r '\\t.*' '')
    echo "$line: $offered"
end
"""


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish(versions: Shell) -> None:
    """fish says what it would offer, and puts in what is the only one."""
    versions.write("lines", "".join(f"{typed}\n" for typed, _ in COMPLETED))
    versions.write("ask.fish", FISH.format(completions=COMPLETIONS))
    answers = versions.ok("fish ask.fish").replace("/\n", "\n").splitlines()
    assert answers == [f"{typed}: {line.rsplit(' ', 1)[1]}" for typed, line in COMPLETED]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_scripts_are_sound(name: str, shell: Shell) -> None:
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    for script in (COMPLETIONS / name).iterdir():
        assert shell.ok([name, "-n", str(script)]) == ""


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_versions_are_offered_the_newest_first(versions: Shell) -> None:
    script = f"source {COMPLETIONS}/fish/git-cpv.fish; _cpv_complete_version"
    answers = versions.ok(["fish", "--no-config", "-c", script]).splitlines()
    assert answers == ["latest", "v1.0", "v0.12", "v2.0", "production"]
