"""git cpv foreach: runs one command in many repositories."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cpvlib.base.errors import DONE, NEGATIVE, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import OUTPUT, positive
from cpvlib.cli.record import Command, Complete, Example, Group, after_dashes, flag, operand, option
from cpvlib.domain.text import plural, printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.foreach import Outcome


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.managers.foreach import find_sites, run_each

    if not args.command:
        raise UsageError("no command is given to run", hint="git cpv foreach -- status")
    words = _program(args.command)
    ui.detail(f"running {' '.join(map(printable, words))}")
    sites = find_sites(Path.cwd(), args.paths, args.team)
    outcomes = []
    for outcome in run_each(sites, words, jobs=args.jobs, go_on=args.go_on):
        outcomes.append(outcome)
        if not ui.json_wanted:
            _tell(outcome, ui)
    failed = [outcome for outcome in outcomes if outcome.failed]
    if ui.json_wanted:
        ui.json({"command": list(args.command), "repositories": [_facts(outcome) for outcome in outcomes]})
    else:
        ui.say(_summary(outcomes))
    return NEGATIVE if failed else DONE


def _program(command: Sequence[str]) -> list[str]:
    """A command of ours is run by the very git-cpv that runs here; any other word is a program's name."""
    from cpvlib.cli.registry import COMMANDS

    if command[0] not in COMMANDS:
        return list(command)
    beside = Path(sys.argv[0]).absolute().parent / "git-cpv"
    return [*([str(beside)] if beside.is_file() else ["git", "cpv"]), *command]


def _tell(outcome: Outcome, ui: UI) -> None:
    path = printable(outcome.site.path)
    if outcome.code is None:
        ui.answer(f"{path}: {ui.paint('yellow', 'not run')}")
        return
    state = ui.paint("red", f"failed ({outcome.code})") if outcome.failed else ui.paint("green", "ok")
    ui.answer(f"{path}: {state}")
    ui.detail(f"{path} took {outcome.seconds:.1f} s")
    for text in (outcome.out, outcome.err if outcome.failed or not ui.quiet else ""):
        for line in text.splitlines():
            ui.answer(f"    {printable(line)}")


def _summary(outcomes: Sequence[Outcome]) -> str:
    counts = {
        "ok": sum(outcome.code == 0 for outcome in outcomes),
        "failed": sum(outcome.failed for outcome in outcomes),
        "not run": sum(outcome.code is None for outcome in outcomes),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "nothing to do"
    more = "; --continue runs the rest all the same" if counts["not run"] else ""
    return f"{plural(len(outcomes), 'repository', 'repositories')}: {told}{more}"


def _facts(outcome: Outcome) -> dict[str, Any]:
    return {
        "path": outcome.site.path,
        "team": outcome.site.team,
        "model": outcome.site.model,
        "code": outcome.code,
        "seconds": round(outcome.seconds, 3),
        "out": outcome.out,
        "err": outcome.err,
        "json": _parsed(outcome.out),
    }


def _parsed(out: str) -> Any:
    """What the command said, where that is one JSON object, as with its own --json."""
    import json

    try:
        answer = json.loads(out)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


COMMAND = Command(
    name="foreach",
    summary="Run a command in many repositories at once",
    group=Group.SHARE,
    description=(
        "Runs COMMAND in every CPV repository that the PATHs are, or that lies up to three folders below one"
        " of them (without a PATH: below the current folder), several at a time. COMMAND is one of CPV's own,"
        " as in `git cpv foreach -- push -q`, or any program, as in `git cpv foreach -- git fetch`; it is run"
        " as it is, without a shell, with no terminal and nothing on its stdin, so that it never waits for"
        " somebody.\n\n"
        "What each said stands below its repository's path, in the order of the paths; then one line sums it"
        " up. After a failure no more repositories are begun, unless `--continue` is given. With `--json`"
        " there is one object, with the JSON answer of each command that was itself asked for `--json`."
    ),
    arguments=(
        operand(
            "paths",
            metavar="PATH",
            nargs="*",
            complete=Complete.FOLDER,
            help="a repository, or a folder with repositories in it",
        ),
        option("--team", metavar="TEAM", help="only the repositories of this team"),
        flag("--continue", dest="go_on", help="go on with the other repositories after a failure"),
        option(
            "-j", "--jobs", metavar="COUNT", type=positive, help="how many repositories to work on at once"
        ),
        *OUTPUT,
        after_dashes(
            "command", metavar="COMMAND", help="the command to run, with all that it is to be given"
        ),
    ),
    examples=(
        Example("What every model of one team is at", "git cpv foreach --team AI-Convo -- status"),
        Example("Publish all that is new", "git cpv foreach --continue ~/models -- push -q"),
        Example("The latest version of each model", "git cpv foreach --json -- show --json latest"),
        Example("Take the others' commits in everywhere", "git cpv foreach -- git pull --ff-only"),
    ),
    see_also=("push", "status", "list"),
    negative="the command failed in at least one repository",
    run=run,
)
