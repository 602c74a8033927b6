"""git cpv doctor: proves by doing that everything works."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from cpvlib.base.errors import DONE, NEGATIVE
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.options import OUTPUT, positive
from cpvlib.cli.record import Command, Example, Group, flag, operand, option
from cpvlib.domain.text import plural, printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from cpvlib.cli.ui import UI
    from cpvlib.managers.checks import Check

_PAINT = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.managers.doctor import examine, masked

    cwd = Path.cwd()
    checked = examine(cwd, only=args.checks, limit_s=args.limit)
    code = DONE if checked else NEGATIVE
    if args.report:
        checked = masked(checked, cwd)
    if ui.json_wanted:
        facts = checked.facts()
        ui.json({"ok": facts["ok"], "checks": facts["checks"], "versions": _versions()})
        return code
    if args.report:
        ui.answer("  ".join(f"{name} {version}" for name, version in _versions().items()))
    shown = [check for check in checked.checks if not ui.quiet or check.state in ("warning", "failed")]
    _table(shown, ui)
    ui.say(_summary(checked.checks))
    return code


def _table(checks: Sequence[Check], ui: UI) -> None:
    """A line for each check, its fix below; findings may be long, so nothing stands after them."""
    wide = max((len(check.id) for check in checks), default=0)
    for check in checks:
        state = ui.paint(_PAINT[check.state], f"{check.state:<7}")
        ui.answer(f"{state}  {check.id:<{wide}}  {printable(check.finding)}")
        if check.fix and check.state in ("warning", "failed"):
            ui.answer(f"{'':7}  {'':<{wide}}  fix: {printable(check.fix)}")


def _summary(checks: Sequence[Check]) -> str:
    counts = Counter(check.state for check in checks)
    words = {
        "ok": f"{counts['ok']} ok",
        "warning": plural(counts["warning"], "warning"),
        "failed": f"{counts['failed']} failed",
        "skipped": f"{counts['skipped']} skipped",
    }
    return f"{plural(len(checks), 'check')}: {', '.join(words[state] for state in words if counts[state])}"


def _versions() -> dict[str, str]:
    from cpvlib import __version__

    return {"cpv": __version__, "python": sys.version.split()[0], "system": sys.platform}


COMMAND = Command(
    name="doctor",
    summary="Prove that everything works, from git to the storage",
    group=Group.START,
    description=(
        "Looks at this machine and, in a CPV repository, at that repository, its storage and its git remote,"
        " and tries each thing that the other commands need: it signs in, writes two small objects below"
        " `cpv/doctor` at the storage, reads them back, compares and deletes them; it logs in to the git host"
        " and asks by `git push --dry-run` whether a push would be let in. Nothing else is changed, nobody"
        " is asked, and each check has a time limit, so that all takes seconds.\n\n"
        "Each check has an id that stays, is `ok`, `warning`, `failed` or `skipped`, and says what it found"
        " and, where something is wrong, what to type. With a CHECK, an id such as `storage.write` or the"
        " word before the dot, only those are made and what they need.\n\n"
        "`--report` is made to be pasted into an issue: secrets, the names of users, hosts, teams, models and"
        " buckets, and folders are masked. Outside of a repository the storage is the root that your settings"
        " name."
    ),
    arguments=(
        operand(
            "checks", metavar="CHECK", nargs="*", help="only these checks, by their id or its first word"
        ),
        flag("--report", help="mask what is private, for pasting into an issue"),
        option(
            "--limit",
            metavar="SECONDS",
            type=positive,
            help="what each check may take at most",
        ),
        *OUTPUT,
    ),
    examples=(
        Example("Whether everything works", "git cpv doctor"),
        Example("Whether the storage can be written to", "git cpv doctor storage"),
        Example("What to paste into an issue", "git cpv doctor --report"),
    ),
    see_also=("storage", "status"),
    negative="at least one check failed",
    run=run,
)
