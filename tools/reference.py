"""docs/reference.md: every command, option, exit code, file and variable on one page, from the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import common
from cpvlib.cli import options
from cpvlib.cli.record import Argument, Command, Group

LEAD = """\
# Reference

<!-- Made by 'make generate' from the commands' records. -->

Each command once, with what it takes. `git cpv push --help` has the whole page with its examples, and
`git cpv push -h` what stands here. Words in capitals are yours to choose; VERSION is `v1.2`, `latest` or any
git revision. Options may stand anywhere after the command.
"""

_EVERYWHERE = (options.DRY_RUN, *options.SERIES, options.JOBS, *options.OUTPUT)


def page(commands: Sequence[Command]) -> str:
    parts = [LEAD, "## Options of many commands\n", _terms(common.SHARED_OPTIONS)]
    for group in Group:
        parts += [f"## Commands: {group.value}\n"]
        parts += [_command(command) for command in commands if command.group is group]
    negative = (("1", "The answer is no; each command says above what that means."),)
    done, *others = ((str(code), text) for code, text in common.EXIT_STATUS)
    parts += ["## Exit codes\n", _terms([done, *negative, *others])]
    parts += ["## Settings\n", common.PRECEDENCE + "\n", _terms(common.CONFIGURATION)]
    own = {term: _sentence(text) for command in commands for term, text in command.environment}
    parts += ["## Variables\n", _terms([*common.ENVIRONMENT, *sorted(own.items())])]
    files = {term: _sentence(text) for command in commands for term, text in command.files}
    parts += ["## Files\n", _terms([*common.FILES, *sorted(files.items())])]
    return "\n".join(parts)


def _command(command: Command) -> str:
    shared = [argument for argument in command.arguments if argument in _EVERYWHERE]
    own = [argument for argument in command.arguments if argument not in _EVERYWHERE]
    lines = [f"### {command.name}\n", f"{command.summary}.\n"]
    operands = " ".join(_operand(argument) for argument in own if argument.is_operand)
    if operands:
        lines += [f"Usage: `{command.name} [OPTIONS] {operands}`\n"]
    if own:
        lines += [_terms((_spelled(argument), _sentence(argument.help)) for argument in own)]
    if shared:
        lines += [f"Also: {', '.join(f'`{_short(argument)}`' for argument in shared)}.\n"]
    if command.negative:
        lines += [f"Exit code 1: {command.negative.rstrip('.')}.\n"]
    return "\n".join(lines)


def _operand(argument: Argument) -> str:
    value = "|".join(argument.choices) if argument.choices else argument.metavar or argument.dest
    if argument.after_dashes:
        return f"-- {value}..."
    return {"?": f"[{value}]", "*": f"[{value}...]", "+": f"{value}..."}.get(argument.nargs or "", value)


def _spelled(argument: Argument) -> str:
    if argument.is_operand:
        return argument.metavar or argument.dest
    value = f" {argument.metavar or argument.dest}" if argument.takes_value else ""
    return ", ".join(argument.names) + value


def _short(argument: Argument) -> str:
    return min(argument.names, key=len)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _terms(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"- `{term}`: {text}\n" for term, text in pairs)
