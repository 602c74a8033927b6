"""The completions: shtab prints them from the commands' parsers; tools/glue.* joins them to git."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import shtab

from cpvlib.cli.parser import fill, plain
from cpvlib.cli.record import Command, Complete

GLUE = Path(__file__).parent
_FUNCTION = "_cpv_complete"

# What each shell runs for a kind of value: the functions are in the glue, and ask git, which takes 2 ms.
_KINDS = {
    Complete.FILE: shtab.FILE,
    Complete.FOLDER: shtab.DIRECTORY,
    **{
        kind: {
            "bash": f"{_FUNCTION}_{kind.value}",
            "zsh": f"{_FUNCTION}_{kind.value}",
            "fish": f"({_FUNCTION}_{kind.value})",
        }
        for kind in (
            Complete.VERSION,
            Complete.ALIAS,
            Complete.BRANCH,
            Complete.GIT_REMOTE,
            Complete.OUT,
        )
    },
}


def scripts(commands: Sequence[Command]) -> Mapping[str, str]:
    """File name → content. Shells look for a file by the program's name, so each program has one."""
    programs = [command.program for command in commands]
    tree = _tree(commands)
    files = {
        "bash/git-cpv": _bash(tree, programs),
        "zsh/_git-cpv": _zsh(tree, programs),
        "zsh/_git_cpv": _glue("git.zsh", programs),
        "fish/git-cpv.fish": _fish(tree, programs),
    }
    files["fish-conf/git-cpv.fish"] = _glue("git.fish", programs)
    for command in commands:
        files[f"bash/{command.program}"] = '. "${BASH_SOURCE[0]%/*}/git-cpv"\n'
        files[f"fish/{command.program}.fish"] = f"complete -c {command.program} -w 'git-cpv {command.name}'\n"
    return files


def _tree(commands: Sequence[Command]) -> argparse.ArgumentParser:
    root = argparse.ArgumentParser("git-cpv", add_help=False)
    places = root.add_subparsers()
    for command in commands:
        parser = places.add_parser(command.name, help=plain(command.summary), add_help=False)
        for argument, action in fill(parser, command).items():
            if argument.complete in _KINDS:
                action.complete = _KINDS[argument.complete]  # type: ignore[attr-defined]
    return root


def _glue(shell: str, programs: Sequence[str]) -> str:
    return (GLUE / f"glue.{shell}").read_text().replace("@PROGRAMS@", " ".join(programs))


def _bash(tree: argparse.ArgumentParser, programs: Sequence[str]) -> str:
    script = shtab.complete(tree, "bash")
    # shtab's own line would complete 'git-cpv' alone; the glue's last line takes its place.
    body = script[: script.rindex("complete -o bashdefault")]
    return _headed(body) + _glue("bash", programs)


def _zsh(tree: argparse.ArgumentParser, programs: Sequence[str]) -> str:
    script = shtab.complete(tree, "zsh", preamble=_glue("zsh", programs))
    # "(*):…" completes the first of several operands only; "*:…" each of them.
    script = script.replace('"(*)::', '"*:').replace('"(*):', '"*:')
    script = "\n".join(_with_equals(line) for line in script.split("\n"))
    first, rest = script.split("\n", 1)
    lead = "#description version the checkpoints of models"
    return f"{first} {' '.join(programs)}\n{lead}\n{_headed(rest)}"


def _with_equals(line: str) -> str:
    """A line of options for zsh's _arguments, whose value may also follow as `--from=x` or `-mx`."""
    names, bracket, rest = line.partition("[")
    if not re.match(r' +["{]', names) or "]:" not in rest:
        return line
    names = re.sub(r"--[\w-]+", r"\g<0>=", names)
    return re.sub(r"(?<=[{,])-\w(?=[,}])", r"\g<0>+", names) + bracket + rest


def _fish(tree: argparse.ArgumentParser, programs: Sequence[str]) -> str:
    return _headed(shtab.complete(tree, "fish")) + _glue("fish", programs)


def _headed(script: str) -> str:
    """The script with our note on its origin instead of shtab's on how to install what it printed."""
    lines = script.split("\n")
    kept = [line for line in lines if not re.match(r"# (AUTOMATICALLY|Usage:|\d\) |   |See also:)", line)]
    return "# Made by 'make generate' from the commands' records, with shtab.\n" + "\n".join(kept).lstrip(
        "\n"
    )
