"""git cpv track: declares files and folders as outs."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import DONE
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.options import DATA, DRY_RUN, MODEL, OUTPUT
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand, option
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.tracking import TrackResult


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.managers.tracking import TrackResult, carry_out, out_path, plan_track
    from cpvlib.managers.workspace import Workspace

    ws = Workspace.open(Path.cwd(), note=ui.say)
    paths = [out_path(ws, Path.cwd(), text) for text in args.paths]
    commit = not args.no_commit
    plan = plan_track(ws, paths, Series(args.series or "model"), args.exclude, commit=commit)
    result = TrackResult(plan, None) if args.dry_run else carry_out(ws, plan, commit=commit)
    if ui.json_wanted:
        ui.json(facts(result))
        return DONE
    would = "would track" if args.dry_run else "tracking"
    for path, series in plan.changes.items():
        ui.report(f"{would} '{printable(path)}' as {series}")
    for path in plan.same:
        ui.say(f"'{printable(path)}' is tracked already")
    for path in plan.absent:
        ui.say(f"there is no '{printable(path)}' yet; git cpv push takes it when it is there")
    return DONE


def facts(result: TrackResult) -> dict[str, object]:
    """What `--json` says of a track or untrack."""
    plan = result.plan
    return {
        "outs": {path: str(series) if series else None for path, series in plan.changes.items()},
        "unchanged": list(plan.same),
        "absent": list(plan.absent),
        "commit": result.commit,
    }


COMMAND = Command(
    name="track",
    summary="Make files or folders outs of the model or the data",
    group=Group.START,
    description=(
        "An out is a file or folder that `git cpv push` stores and whose pointer git holds. Each PATH"
        " becomes one, of the model or, with `--data`, of the data: it is declared in `.cpvconfig`, and"
        " a line in `.gitignore` keeps the path itself out of git. Both are committed, and nothing"
        " else. The path may come later.\n\n"
        "What git holds already is not taken from it: the error says what to type. `--model` or `--data` on"
        " an out of the other series moves it. `metrics.log` is an out always."
    ),
    arguments=(
        operand("paths", metavar="PATH", nargs="+", help="a file or folder", complete=Complete.FILE),
        MODEL,
        DATA,
        option(
            "--exclude",
            metavar="PATTERN",
            many=True,
            help="leave out files of the folder that match, such as `optimizer*` (goes to `.dvcignore`)",
        ),
        flag("--no-commit", help="stage the changes, and leave the commit to you"),
        DRY_RUN,
        *OUTPUT,
    ),
    examples=(
        Example(
            "A folder of shards is the model, without the optimizer's state",
            "git cpv track model --exclude 'optimizer*'",
        ),
        Example("A folder is the data", "git cpv track --data data"),
    ),
    see_also=("untrack", "push", "status", "gitignore(5)"),
    run=run,
)
