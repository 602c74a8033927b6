"""git cpv clone: a repository, with the objects of its checkpoint."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import DONE, UsageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.absent import absent_in_words
from cpvlib.cli.options import DRY_RUN, JOBS, LIMIT_RATE, OUTPUT, PATTERNS, transfer_settings
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand, option
from cpvlib.domain.text import human_size, plural, printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.clone import CloneResult


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.launcher import launcher
    from cpvlib.cli.pickles import tell_pickles
    from cpvlib.managers.choosing import wish
    from cpvlib.managers.clone import CloneRequest, check, clone

    if args.no_objects and (args.include or args.exclude):
        raise UsageError("--no-objects leaves everything out: leave out the patterns")
    request = CloneRequest(
        url=args.url,
        folder=Path(args.dir) if args.dir else None,
        branch=args.branch,
        storage=args.storage,
        with_objects=not args.no_objects,
        wish=wish((), args.include, args.exclude),
        launcher=launcher(),
        jobs=args.jobs,
        transfers=transfer_settings(args),
    )
    if args.dry_run:
        folder = str(check(Path.cwd(), request))
        if ui.json_wanted:
            ui.json({"dry_run": True, "top": folder})
        else:
            ui.answer(f"would clone into '{printable(folder)}'")
        return DONE
    result = clone(Path.cwd(), request, progress=ui.progress())
    if result.restored is not None:
        tell_pickles(ui, result.restored.pickles)
    if ui.json_wanted:
        ui.json(_facts(result))
    else:
        ui.report(f"cloned into '{printable(result.top.name)}'; {_objects(result)}")
    return DONE


def _objects(result: CloneResult) -> str:
    if not result.is_adopted:
        return "it is not a CPV repository yet (git cpv init adopts it)"
    if result.restored is None:
        return "no objects (git cpv pull PATH brings some, git cpv pull --all all)"
    absent = f"; {absent_in_words(result.absent)} absent by choice" if result.absent else ""
    if not result.restored.paths:
        return f"no files{absent}" if absent else "no checkpoint in it yet"
    size = human_size(result.restored.fetched_bytes)
    return f"{plural(result.restored.n_files, 'file')}, {size} fetched and verified{absent}"


def _facts(result: CloneResult) -> dict[str, object]:
    restored = result.restored
    return {
        "top": str(result.top),
        "adopted": result.is_adopted,
        "commit": result.commit,
        "outs": list(restored.paths) if restored else [],
        "absent": {path: count.n_absent for path, count in result.absent.items()},
        "fetched_objects": restored.n_fetched if restored else 0,
        "fetched_bytes": restored.fetched_bytes if restored else 0,
        "pickles": restored.pickles.facts if restored else [],
    }


COMMAND = Command(
    name="clone",
    summary="Clone a repository with the objects of its checkpoint",
    group=Group.START,
    description=(
        "Clones URL with git, into DIR or a folder of the repository's name, then brings the model, the"
        " data and the metrics log of the checked-out commit, each object checked against its md5.\n\n"
        "The storage is the one that the repository names, or a folder of this machine, found by ROOT, team"
        " and model (see git-cpv-init(1)). Where it can't be used, the clone stays, and the error says what"
        " to type; the same command, typed again, goes on from there. Nothing is written to a storage that"
        " came with the clone before `git cpv storage trust`.\n\n"
        "What `--include`, `--exclude` and `--no-objects` leave out is *absent by choice*, in later pulls as"
        " well: see git-cpv-pull(1)."
    ),
    arguments=(
        operand("url", metavar="URL", help="what `git clone` takes"),
        operand("dir", metavar="DIR", nargs="?", help="where to clone to", complete=Complete.FOLDER),
        option("-b", "--branch", metavar="NAME", help="check out this branch or tag, not the remote's HEAD"),
        option(
            "--storage",
            metavar="ROOT",
            help="where the objects are, if the repository does not say: they lie under ROOT/TEAM/MODEL",
            complete=Complete.FOLDER,
        ),
        flag(
            "--no-objects",
            help="only clone; `git cpv pull PATH` or `git cpv pull --all` brings objects later",
        ),
        *PATTERNS,
        DRY_RUN,
        JOBS,
        LIMIT_RATE,
        *OUTPUT,
    ),
    examples=(
        Example("Get a colleague's model", "git cpv clone git@bitbucket.org:ai-convo/faster-whisper.git"),
        Example("Only the code and the history", "git cpv clone --no-objects URL"),
    ),
    see_also=("init", "pull", "storage", "git-clone(1)"),
    run=run,
)
