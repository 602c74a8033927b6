"""git cpv untrack: makes outs ordinary files again."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import DONE
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.options import DRY_RUN, OUTPUT
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.commands.track import facts
    from cpvlib.managers.tracking import TrackResult, carry_out, out_path, plan_untrack
    from cpvlib.managers.workspace import Workspace

    ws = Workspace.open(Path.cwd(), note=ui.say)
    commit = not args.no_commit
    plan = plan_untrack(ws, [out_path(ws, Path.cwd(), text) for text in args.paths], commit=commit)
    result = TrackResult(plan, None) if args.dry_run else carry_out(ws, plan, commit=commit)
    if ui.json_wanted:
        ui.json(facts(result))
        return DONE
    would = "would stop tracking" if args.dry_run else "stopped tracking"
    for path in plan.changes:
        ui.report(f"{would} '{printable(path)}'; the file stays")
    return DONE


COMMAND = Command(
    name="untrack",
    summary="Make outs ordinary files again",
    group=Group.START,
    description=(
        "Each PATH stops being an out: its pointer and its lines in `.cpvconfig` and `.gitignore` go, in"
        " one commit. The file or folder stays where it is, and earlier versions keep what they have."
    ),
    arguments=(
        operand("paths", metavar="PATH", nargs="+", help="an out, or its pointer", complete=Complete.OUT),
        flag("--no-commit", help="stage the changes, and leave the commit to you"),
        DRY_RUN,
        *OUTPUT,
    ),
    examples=(
        Example("The tokenizer goes into git from now on", "git cpv untrack tokenizer && git add tokenizer"),
        Example("See what would change", "git cpv untrack --dry-run tokenizer"),
    ),
    see_also=("track", "status"),
    run=run,
)
