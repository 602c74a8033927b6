"""git cpv push: records what changed, stores it, and publishes it."""

from __future__ import annotations

import sys
from pathlib import Path

from cpvlib.base.errors import DONE, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import replace
from cpvlib.cli.options import DRY_RUN, JOBS, LIMIT_RATE, OUTPUT, SERIES, force, transfer_settings
from cpvlib.cli.record import Command, Complete, Example, Group, flag, option

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.gathering import Change
    from cpvlib.managers.outlook import Outlook
    from cpvlib.managers.push import PushResult
    from cpvlib.managers.pushplan import PushPlan, PushRequest
    from cpvlib.managers.workspace import Workspace


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import changing

    request = _request(args)
    with changing(ui, transfer_settings(args), dry_run=args.dry_run) as ws:
        return _push(args, ui, ws, request)


def _push(args: Namespace, ui: UI, ws: Workspace, request: PushRequest) -> int:
    import time

    from cpvlib.cli.opening import from_top
    from cpvlib.managers.push import push
    from cpvlib.managers.pushplan import plan_push

    started = time.monotonic()
    progress = ui.progress()
    request = replace(request, remove=tuple(from_top(ws, word) for word in args.remove))
    plan = plan_push(ws, request, dry_run=args.dry_run, progress=progress)
    for warning in plan.warnings:
        ui.warn(warning)
    if args.dry_run:
        _tell_plan(ui, ws, plan, request)
        return DONE
    result = push(ws, plan, request, progress=progress)
    _tell(ui, result, time.monotonic() - started)
    return DONE


def _request(args: Namespace) -> PushRequest:
    from cpvlib.cli.series import chosen
    from cpvlib.domain import checkpoint
    from cpvlib.domain.version import Series
    from cpvlib.managers.pushplan import PushRequest

    if args.message is not None and not args.message.strip():
        raise UsageError("the message is empty", hint="leave -m out for one that names series and metrics")
    if args.source == "":
        raise UsageError("--from names no path", hint="git cpv push --from PATH")
    metrics: dict[str, Any] = {}
    for name in args.metrics:
        metrics |= checkpoint.metrics_file(_read(name), name)
    metrics |= checkpoint.typed_metrics(args.metric)
    params: dict[str, Any] = {}
    for name in args.params:
        params |= checkpoint.params_file(_read(name), name)
    params |= checkpoint.typed_params(args.param)
    return PushRequest(
        series=chosen(args.series, default=frozenset(Series)),
        source=Path(args.source).absolute() if args.source else None,
        message=args.message,
        metrics=metrics or None,
        params=params or None,
        also_tracked=args.all,
        branch=args.branch,
        check=args.check,
        force=args.force,
        jobs=args.jobs,
    )


def _read(name: str) -> bytes:
    from cpvlib.base.errors import RepositoryError

    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise RepositoryError(
            f"cannot read '{name}': {(error.strerror or '').lower()}", hint="it is a JSON file; `-` is stdin"
        ) from error


def _tell_plan(ui: UI, ws: Workspace, plan: PushPlan, request: PushRequest) -> None:
    from cpvlib.domain.text import printable
    from cpvlib.managers.destination import is_published
    from cpvlib.managers.outlook import look_ahead
    from cpvlib.managers.pending import ready
    from cpvlib.stores.git import trees

    commits = plan.writes or (request.also_tracked and bool(trees.changed_tracked(ws.repo)))
    publishes, versions = False, []
    if plan.git_remote and plan.tip:
        versions = [str(each.name) for each in ready(ws, plan.tip)]
        publishes = bool(versions) or not is_published(ws, plan.git_remote, plan.branch, plan.tip)
    ahead = look_ahead(ws, plan.changes, check=request.check)
    if ui.json_wanted:
        amounts = {"send": ahead.send, "copy": ahead.copy, "skip": ahead.skip}
        ui.json({"dry_run": True, "versions": versions, "bytes": amounts, **_facts(plan)})
        return
    told = [f"would track {printable(path)}" for path in _first_outs(plan)]
    told += [f"would record {_change(change)}" for change in plan.changes]
    if plan.changes:
        told.append(_amounts(ahead))
    if commits:
        told.append(f"would commit to {printable(plan.branch)}: {printable(plan.message.splitlines()[0])}")
    told += [f"would restore {printable(change.out.pointer_path)}" for change in plan.mends]
    if plan.git_remote and (commits or publishes):
        told.append(f"would publish to {plan.git_remote}{', with ' if versions else ''}{', '.join(versions)}")
    elif commits:
        told.append("would publish nothing: there is no git remote")
    for line in told or ["everything is up to date"]:
        ui.answer(line)


def _amounts(ahead: Outlook) -> str:
    """`would send 8.0 MiB, copy 16 MiB within the storage, skip 3.1 GiB that it has`."""
    from cpvlib.domain.text import human_size

    parts = [f"would send {human_size(ahead.send)}"]
    parts += [f"copy {human_size(ahead.copy)} within the storage"] if ahead.copy else []
    parts += [f"skip {human_size(ahead.skip)} that it has"] if ahead.skip else []
    return ", ".join(parts)


def _tell(ui: UI, result: PushResult, seconds: float) -> None:
    from cpvlib.base.packed import in_order
    from cpvlib.cli.publishing import tell_versions
    from cpvlib.domain.text import printable

    for oid, proof in in_order(result.stored.proofs):
        ui.detail(f"{oid}: {proof.how}")
    if ui.json_wanted:
        ui.json(_result_facts(result))
        return
    for path in _first_outs(result.plan):
        ui.say(f"'{printable(path)}' is now an out; git cpv pull brings it")
    if result.up_to_date:
        ui.say("everything is up to date" + ("" if result.plan.git_remote else "; no git remote"))
    else:
        ui.say(_summary(result, seconds))
    for change in result.plan.mends:
        ui.say(f"restored {printable(change.out.pointer_path)}, as it was committed")
    _tell_gate(ui, result)
    if result.publication is not None:
        tell_versions(ui, result.publication)
    if result.commit and not sys.stdout.isatty():
        ui.answer(result.commit)


def _tell_gate(ui: UI, result: PushResult) -> None:
    """`v0.2: loss 0.231 improves on 0.245 (v0.1)`, or why there is no version."""
    from cpvlib.domain.text import printable

    for version in result.versions:
        ui.say(f"{version.name}: {printable(result.reason) or 'the model changed'}")
    if result.reason and not result.versions:
        ui.say(f"no version: {printable(result.reason)}")


def _summary(result: PushResult, seconds: float) -> str:
    """`model: 9 files, 3.1 GiB stored and confirmed (6 s); [main 4be1d0c] baseline; no git remote`."""
    from cpvlib.domain.text import printable

    plan = result.plan
    parts = [_contents(plan)]
    if result.stored.n_sent:
        parts.append(_sent(result, seconds))
    if result.created and result.commit:
        parts.append(
            f"[{printable(plan.branch)} {result.commit[:7]}] {printable(plan.message.splitlines()[0])}"
        )
    parts.append(_published(result))
    return "; ".join(part for part in parts if part)


def _contents(plan: PushPlan) -> str:
    """`model: 9 files, 3.1 GiB; data: 3 files, 6.7 KiB`, each series once."""
    from cpvlib.domain.text import human_size, plural
    from cpvlib.domain.version import Series

    parts = []
    for series in Series:
        contents = [change.content for change in plan.changes if change.out.series is series]
        if contents:
            n_files = sum(1 if content.nfiles is None else content.nfiles for content in contents)
            n_absent = sum(len(content.absent) for content in contents)
            absent = f" ({n_absent:,} of them absent here)" if n_absent else ""
            size = human_size(sum(content.size for content in contents))
            parts.append(f"{series}: {plural(n_files, 'file')}{absent}, {size}")
    return "; ".join(parts)


def _sent(result: PushResult, seconds: float) -> str:
    from cpvlib.domain.text import human_size, plural

    stored = result.stored
    size = human_size(stored.sent_bytes + stored.copied_bytes)
    sent = f", {human_size(stored.sent_bytes)} of it sent" if stored.copied_bytes else ""
    return f"{size} in {plural(stored.n_sent, 'object')} stored and confirmed{sent} ({_duration(seconds)})"


def _published(result: PushResult) -> str:
    publication = result.publication
    if publication is None:
        return "no git remote"
    return f"published to {publication.git_remote}" if publication.is_news else ""


def _first_outs(plan: PushPlan) -> list[str]:
    return list(plan.first_out.changes) if plan.first_out else []


def _change(change: Change) -> str:
    from cpvlib.domain.text import human_size, plural, printable

    files = plural(change.content.nfiles if change.content.nfiles is not None else 1, "file")
    return f"{printable(change.out.path)}: {files}, {human_size(change.content.size)}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _facts(plan: PushPlan) -> dict[str, Any]:
    return {
        "branch": plan.branch,
        "message": plan.message if plan.writes else None,
        "git_remote": plan.git_remote,
        "tracked": _first_outs(plan),
        "changes": [
            {
                "path": change.out.path,
                "series": str(change.out.series) if change.out.series else None,
                "md5": change.content.oid,
                "size": change.content.size,
                "nfiles": change.content.nfiles,
                "absent": len(change.content.absent),
                "before": change.before,
            }
            for change in plan.changes
        ],
        "metrics": dict(plan.checkpoint.metrics) if plan.checkpoint else None,
        "params": dict(plan.checkpoint.params) if plan.checkpoint else None,
        "warnings": list(plan.warnings),
        "restored": [change.out.pointer_path for change in plan.mends],
    }


def _result_facts(result: PushResult) -> dict[str, Any]:
    publication = result.publication
    return {
        "commit": result.commit,
        "created": result.created,
        "up_to_date": result.up_to_date,
        "tagged": [str(version.name) for version in result.versions],
        "gate": result.reason or None,
        "sent_objects": result.stored.n_sent,
        "sent_bytes": result.stored.sent_bytes,
        "copied_bytes": result.stored.copied_bytes,
        "published": publication is not None and publication.is_news,
        "versions": [str(name) for name in publication.published] if publication else [],
        "aliases": {s.name: s.target for s in publication.aliases} if publication else {},
        "renamed": {str(old): str(new) for old, new in publication.renamed.items()} if publication else {},
        **_facts(result.plan),
    }


COMMAND = Command(
    name="push",
    summary="Record what changed, store it, and publish it",
    group=Group.SHARE,
    description=(
        "Takes the model files, data folders and `metrics.log` that changed since the last push into the "
        "cache, uploads what storage lacks, and confirms it there. Then it commits the pointers and "
        "`checkpoint.json`, and nothing else: staged work and unfinished edits stay as they are. Last it "
        "publishes the branch, and the versions that await publication, to the git remote, all or none.\n\n"
        "Of a large file in an S3 storage only what changed since an earlier version is sent; the rest is "
        "copied there. `--dry-run` asks the storage, and tells how many bytes would be sent, copied and "
        "skipped.\n\n"
        "The git remote is the upstream's, else `cpv.remote`, else `origin`; where there is none, push "
        "stops after the commit and says so. With nothing changed since the last confirmed push it asks "
        "nobody.\n\n"
        "Metrics come from `--metric` and `--metrics`, or else from the last line that the training "
        "appended to `metrics.log` as JSON.\n\n"
        "Where `cpv.autotag` is `changed`, or conditions such as `loss improves, accuracy >= 0.9` that "
        "hold, a new model gets its version with the commit, as `git cpv tag` would give it; one line says "
        "which, or with the numbers why there is none.\n\n"
        "A folder may be here in part (see git-cpv-pull(1)): what is absent by choice stays in it, and its "
        "objects need not be here. A file put where one is absent replaces that one; a file that is here and "
        "is deleted goes; `--remove` takes out one that is absent.\n\n"
        "On stdout is the commit, where stdout is not a terminal."
    ),
    arguments=(
        option(
            "--from",
            metavar="PATH",
            dest="source",
            complete=Complete.FILE,
            help=(
                "take the content of PATH as the model, read where it lies; the files of the worktree "
                "stay as they are; where nothing is tracked as the model yet, an out `model` is made"
            ),
        ),
        option(
            "-m",
            "--message",
            metavar="MESSAGE",
            help="the commit's message; by default it names the series and the metrics",
        ),
        option("--metric", metavar="NAME=VALUE", many=True, help="a metric of the model; may be repeated"),
        option(
            "--metrics",
            metavar="FILE",
            many=True,
            complete=Complete.FILE,
            help="metrics from a JSON file, `-` for stdin",
        ),
        option(
            "--param", metavar="NAME=VALUE", many=True, help="a parameter of the training; may be repeated"
        ),
        option(
            "--params",
            metavar="FILE",
            many=True,
            complete=Complete.FILE,
            help="parameters from a JSON file, `-` for stdin",
        ),
        flag(
            "-a",
            "--all",
            help="also commit the changes of all files that git tracks, as `git commit -a` does",
        ),
        option(
            "--branch",
            metavar="NAME",
            complete=Complete.BRANCH,
            help="commit onto the branch NAME, without switching to it; it is made where it does not exist",
        ),
        option(
            "--remove",
            metavar="PATH",
            many=True,
            complete=Complete.FILE,
            help="take an absent file or folder out of the data, or of a model's folder; may be repeated",
        ),
        flag("--check", help="ask storage again about everything, whatever was confirmed before"),
        *SERIES,
        DRY_RUN,
        force("where a file and its pointer both changed, publish the file"),
        JOBS,
        LIMIT_RATE,
        *OUTPUT,
    ),
    examples=(
        Example("Record a training's result with its metric", "git cpv push -m baseline --metric loss=0.245"),
        Example(
            "Take a checkpoint folder as the model, and commit the code too",
            "git cpv push -a --from checkpoints/epoch_12",
        ),
        Example("Take a file out of a folder that is not whole here", "git cpv push --remove data/raw/7.wav"),
        Example("See what a push would do", "git cpv push --dry-run"),
    ),
    see_also=("pull", "tag", "status", "git-push(1)"),
    run=run,
)
