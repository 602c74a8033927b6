"""The manual pages: argparse-manpage prints each command's parser, the record gives the rest."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from argparse_manpage.manpage import Manpage

import common
import roff
from cpvlib import __version__
from cpvlib.cli.parser import fill
from cpvlib.cli.record import Argument, Command, Group

MANUAL_TITLE = "CPV Manual"


class _Wide(argparse.HelpFormatter):
    """Does not break lines: where it would, depends on the Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=1_000_000)


def pages(commands: Sequence[Command]) -> Mapping[str, str]:
    """File name → man(7) source, of every command and of git-cpv itself."""
    sources = {f"{command.program}.1": command_page(command) for command in commands}
    return sources | {"git-cpv.1": overview_page(commands)}


def command_page(command: Command) -> str:
    parser = argparse.ArgumentParser(command.program, formatter_class=_Wide, add_help=False)
    parser._positionals.title = parser._optionals.title = "options"
    fill(parser, command, text=roff.mark)
    page = Manpage(parser, _data={"description": _lead(command.summary), "date": "-"})
    page.add_section("synopsis", "=", synopsis(command))
    page.add_section("description", "=", roff.prose(command.description))
    if command.examples:
        page.add_section("examples", "=", _examples(command))
    page.add_section("exit status", "=", _exit_status(command.negative))
    page.add_section("environment", "=", _terms((*command.environment, *common.ENVIRONMENT)))
    page.add_section("files", "=", _terms((*command.files, *common.FILES)))
    page.add_section("see also", "=", _see_also(command.see_also))
    return _finish(str(page), command.program)


def overview_page(commands: Sequence[Command]) -> str:
    parser = argparse.ArgumentParser("git-cpv", formatter_class=_Wide, add_help=False)
    page = Manpage(parser, _data={"description": "version the checkpoints of models in git", "date": "-"})
    page.add_section(
        "synopsis", "=", f"{roff.bold('git cpv')} {roff.italic('command')} [{roff.italic('args')}]"
    )
    page.add_section("description", "=", roff.prose(common.OVERVIEW))
    for group in Group:
        listed = [
            (f"\\fBgit\\-cpv\\-{roff.escape(c.name)}\\fR(1)", f"{c.summary}.")
            for c in commands
            if c.group is group
        ]
        page.add_section(f"commands: {group.value}", "=", roff.tagged(listed))
    page.add_section("options", "=", _terms(common.SHARED_OPTIONS))
    page.add_section(
        "configuration", "=", roff.prose(common.PRECEDENCE) + "\n" + _terms(common.CONFIGURATION)
    )
    page.add_section("exit status", "=", _exit_status("the answer is no: differences, or nothing to do"))
    page.add_section("environment", "=", _terms(common.ENVIRONMENT))
    page.add_section("files", "=", _terms(common.FILES))
    others = [command.name for command in commands]
    page.add_section("see also", "=", _see_also((*others, "gitrevisions(7)", "dvc(1)")))
    return _finish(str(page), "git-cpv")


def synopsis(command: Command) -> str:
    """`git cpv push [-a] [--model | --data] …`, in roff."""
    parts = [roff.bold(f"git cpv {command.name}")]
    exclusive: dict[str, list[str]] = {}
    for argument in command.arguments:
        shown = _usage(argument)
        if argument.exclusive is None:
            parts.append(shown)
        elif argument.exclusive in exclusive:
            exclusive[argument.exclusive].append(shown)
        else:
            exclusive[argument.exclusive] = [shown]
            parts.append(f"\0{argument.exclusive}")
    joined = [f"[{' | '.join(exclusive[part[1:]])}]" if part.startswith("\0") else part for part in parts]
    return "\n".join(joined)


def _usage(argument: Argument) -> str:
    value = roff.italic(argument.metavar or argument.dest)
    if argument.after_dashes:
        return f"{roff.bold('--')} {value}..."
    if argument.is_operand:
        if argument.choices:
            value = "|".join(roff.bold(choice) for choice in argument.choices)
        return {"?": f"[{value}]", "*": f"[{value}...]", "+": f"{value}..."}.get(argument.nargs or "", value)
    name = roff.bold(argument.names[0])
    shown = f"{name} {value}" if argument.takes_value else name
    if argument.exclusive is not None:
        return shown
    return f"[{shown}]..." if argument.action == "append" else f"[{shown}]"


def _lead(summary: str) -> str:
    """A page's NAME line begins small, as git's do."""
    return summary[0].lower() + summary[1:]


def _examples(command: Command) -> str:
    return "\n.PP\n".join(
        f"{roff.prose(example.purpose.rstrip('.:'))}:\n{roff.literal(example.line)}"
        for example in command.examples
    )


def _exit_status(negative: str | None) -> str:
    rows = [(str(code), text) for code, text in common.EXIT_STATUS]
    if negative:
        rows.insert(1, ("1", negative[0].upper() + negative[1:].rstrip(".") + "."))
    return _terms(rows)


def _terms(pairs: Sequence[tuple[str, str]]) -> str:
    return roff.tagged((roff.bold(term), text) for term, text in pairs)


def _see_also(pages: Sequence[str]) -> str:
    named = ["git-cpv(1)", "git-cpv(7)", *(page if "(" in page else f"git-cpv-{page}(1)" for page in pages)]
    bolds = [
        f"{roff.bold(name)}({section}" for name, section in (page.split("(") for page in dict.fromkeys(named))
    ]
    return ",\n".join(bolds)


def _finish(source: str, program: str) -> str:
    """The page without what differs by day or version, and without what mandoc warns about."""
    lines: list[str] = []
    for line in source.splitlines():
        if line.startswith(".TH "):
            line = (
                f'.TH {roff.escape(program.upper())} 1 {common.RELEASED} "cpv {__version__}" "{MANUAL_TITLE}"'
            )
        elif not line.startswith("."):
            line = line.replace("'", "\\(aq")
        if line and not (line == ".SH OPTIONS" and line in lines):
            lines.append(line)
    return roff.fold(roff.unmark("\n".join(lines)))
