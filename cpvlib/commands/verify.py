"""git cpv verify: whether storage holds everything that the versions and branches name."""

from __future__ import annotations

import re

from cpvlib.base.errors import DONE, NEGATIVE, UsageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.options import JOBS, OUTPUT, transfer_settings
from cpvlib.cli.record import Command, Example, Group, flag, option
from cpvlib.domain.text import human_size, plural, printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.verifying import Verified, Wrong

_PLACES = 3
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_WORDS = {"missing": "missing", "size": "wrong size", "content": "damaged", "pointer": "broken pointer"}


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import open_workspace
    from cpvlib.managers.verifying import verify

    share = args.sample if args.sample is not None else float(args.deep)
    if args.max_time is not None and not share:
        raise UsageError("--max-time limits what is read back", hint="git cpv verify --deep --max-time 10m")
    ws = open_workspace(ui, transfer_settings(args))
    if ws.repo.is_shallow:
        ui.warn("this clone is shallow: it does not know every version (git fetch --unshallow)")
    found = verify(
        ws, share=share, seconds=args.max_time, repair=args.repair, progress=ui.progress(), jobs=args.jobs
    )
    if ui.json_wanted:
        ui.json(_facts(found))
    else:
        _tell(found, ui)
    return DONE if found.is_whole else NEGATIVE


def _tell(found: Verified, ui: UI) -> None:
    for wrong in found.wrong:
        ui.answer(_line(wrong))
    n_left = sum(not wrong.repaired for wrong in found.wrong)
    names, objects = plural(len(found.names), "version or branch", "versions and branches"), found.n_objects
    amount = f"{plural(objects, 'object')}, {human_size(found.size_bytes)}"
    verdict = f"{n_left:,} not as they should be" if n_left else "all there"
    ui.answer(f"{names}: {amount}; {verdict}; checked: {_depth(found)}")
    if found.n_unread:
        ui.say(f"{plural(found.n_unread, 'object')} not read back in time; the next run begins with them")
    if n_left and any(not wrong.repaired and wrong.key for wrong in found.wrong):
        ui.say("what the cache of a clone holds is stored again by: git cpv verify --repair")


def _depth(found: Verified) -> str:
    parts = ["size"]
    if found.n_summed:
        parts.append(f"the storage's checksum of {found.n_summed:,}")
    if found.n_read:
        parts.append(f"the bytes of {found.n_read:,}")
    return ", ".join(parts)


def _line(wrong: Wrong) -> str:
    where = ", ".join(f"{name}: {path}" for name, path in wrong.places[:_PLACES])
    more = f" and {len(wrong.places) - _PLACES:,} more" if len(wrong.places) > _PLACES else ""
    about = "; ".join(part for part in (wrong.key, wrong.detail) if part)
    lead = f"{'repaired, was ' if wrong.repaired else ''}{_WORDS[wrong.what]}"
    return printable(f"{lead}: {where}{more} ({about})")


def _facts(found: Verified) -> dict[str, object]:
    return {
        "storage": found.url,
        "whole": found.is_whole,
        "names": list(found.names),
        "objects": found.n_objects,
        "bytes": found.size_bytes,
        "checksums": found.n_summed,
        "read": found.n_read,
        "unread": found.n_unread,
        "wrong": [
            {
                "what": wrong.what,
                "key": wrong.key or None,
                "detail": wrong.detail,
                "repaired": wrong.repaired,
                "places": [{"name": name, "path": path} for name, path in wrong.places],
            }
            for wrong in found.wrong
        ],
    }


def _share(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%", text, re.ASCII)
    if not match or not 0 < float(match[1]) <= 100:
        raise ValueError(f"'{text}' is not a share such as 5%")
    return float(match[1]) / 100


def _time(text: str) -> int:
    match = re.fullmatch("([0-9]{1,6})([smh]?)", text, re.ASCII)
    if not match or not int(match[1]):
        raise ValueError(f"'{text}' is not a time such as 90s, 10m or 2h")
    return int(match[1]) * _SECONDS[match[2]]


COMMAND = Command(
    name="verify",
    summary="Check that storage holds everything that the versions name",
    group=Group.LOOK,
    description=(
        "Takes every object that a version, a pending version or a branch names, here or at a git remote, "
        "and holds it against the storage. A listing tells whether it is there, in its size, and for what S3 "
        "stored by a single PUT whether its checksum is right; that takes seconds for many thousands. What "
        "is not as it should be is listed with the versions and paths that need it.\n\n"
        "`--deep` reads every object back and checks the md5 of its bytes; `--sample 5%` does so with a "
        "share of them. Those that were not read for longest come first: 5 % a day reads everything in "
        "twenty days, and with `--max-time` each run goes on where the one before stopped. An object whose "
        "reading has begun is read to its end.\n\n"
        "`--repair` stores again, from this clone's cache, what is missing or damaged. What no clone has any "
        "more stays lost, and stays listed."
    ),
    arguments=(
        flag("--deep", exclusive="depth", help="read every object back and check its md5"),
        option(
            "--sample",
            metavar="SHARE",
            type=_share,
            exclusive="depth",
            help="read back so much of the objects, such as `5%`",
        ),
        option(
            "--max-time",
            metavar="TIME",
            type=_time,
            help="begin to read no more after so long, such as `90s`, `10m` or `2h`",
        ),
        flag("--repair", help="store again from the cache what is wrong"),
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("Whether every version is whole", "git cpv verify"),
        Example("Read everything back, an hour each night", "git cpv verify --deep --max-time 1h"),
        Example("Mend what was lost, from this clone's cache", "git cpv verify --repair"),
    ),
    see_also=("status", "storage", "doctor", "git-fsck(1)"),
    negative="something is missing or damaged, and was not repaired",
    files=(("cpv/readings.db in git's folder", "when each object was last read back"),),
    run=run,
)
