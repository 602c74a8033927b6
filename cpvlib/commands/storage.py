"""git cpv storage: where the objects are, and whether this clone may use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cpvlib.base.errors import DONE
from cpvlib.cli.options import OUTPUT
from cpvlib.cli.record import Command, Example, Group, operand
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.place import FoundPlace


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.managers.place import foreign_cache, is_trusted, trust, trust_cache
    from cpvlib.managers.workspace import Workspace

    ws = Workspace.open(Path.cwd())
    found = ws.found_place
    cache = foreign_cache(ws.dvc, ws.repo)
    if args.action == "trust":
        given = trust(ws.repo, found)
        if cache and trust_cache(ws.repo, cache):
            ui.say(f"trusted the cache folder '{printable(str(cache))}'")
        if ui.json_wanted:
            ui.json(_facts(found, True))
            return DONE
        lead = "trusted" if given else "nothing of it needed trust, or had it before"
        for line in _described(found):
            ui.say(line)
        ui.answer(f"{lead}: {printable(found.shown_url)}")
        return DONE
    trusted = is_trusted(ws.repo, found)
    if ui.json_wanted:
        ui.json(_facts(found, trusted))
        return DONE
    for line in _described(found):
        ui.answer(line)
    ui.answer(_verdict(found, trusted))
    if cache:
        ui.answer(f"the cache folder '{printable(str(cache))}' came with the clone, too")
    return DONE


def _described(found: FoundPlace) -> list[str]:
    lines = [f"{printable(found.shown_url)} (from {printable(found.place.origin)})"]
    return lines + [
        f"  {printable(key)} = {printable(value)}" for key, value in sorted(found.shown().items())
    ]


def _verdict(found: FoundPlace, trusted: bool) -> str:
    if trusted or not found.for_writing:
        return "read and written to freely"
    what = ", ".join(sorted(found.for_writing))
    allowed = "not used" if found.for_reading else "only read from"
    return f"{allowed} until you trust it, since its {what} came with the clone: git cpv storage trust"


def _facts(found: FoundPlace, trusted: bool) -> dict[str, object]:
    return {
        "url": found.shown_url,
        "origin": found.place.origin,
        "options": found.shown(),
        "needs_trust": sorted(found.for_writing),
        "readable": trusted or not found.for_reading,
        "writable": trusted or not found.for_writing,
    }


COMMAND = Command(
    name="storage",
    summary="Show where objects are kept, or trust that place",
    group=Group.START,
    description=(
        "Objects are kept at the repository's DVC remote, or else under `ROOT/TEAM/MODEL` (see"
        " git-cpv-init(1)).\n\n"
        "`git cpv storage show` says where that is, which file says so, and whether it may be used. A place"
        " that came with a clone, in the committed `.dvc/config`, is read from if it is a bucket; before"
        " anything is written to it, and before an endpoint, a profile, a credentials file or a folder"
        " named there is used, it must equal your own configuration, or you must have looked at it and"
        " typed `git cpv storage trust`. That word is remembered for this repository and exactly these"
        " values; what changes later needs it again."
    ),
    arguments=(
        operand(
            "action",
            metavar="ACTION",
            nargs="?",
            default="show",
            choices=("show", "trust"),
            help="`show` (the default), or `trust`",
        ),
        *OUTPUT,
    ),
    examples=(
        Example("Where the objects of this repository are", "git cpv storage show"),
        Example("Let pushes write to the bucket that this clone names", "git cpv storage trust"),
    ),
    see_also=("init", "clone", "push"),
    files=(("cpv/trust in git's folder", "which places you have trusted, as digests"),),
    run=run,
)
