"""git cpv revert: brings a version back as a new commit."""

from __future__ import annotations

from cpvlib.base.errors import DONE, NegativeAnswer, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import DRY_RUN, JOBS, OUTPUT, SERIES, force, transfer_settings, version
from cpvlib.cli.record import Command, Complete, Example, Group, flag, option

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.restoring import Restored
    from cpvlib.managers.revert import RevertPlan, RevertRequest, RevertResult
    from cpvlib.managers.workspace import Workspace


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import changing

    _check(args)
    with changing(ui, transfer_settings(args), dry_run=args.dry_run) as ws:
        if args.resume:
            return _resume(args, ui, ws)
        if args.abort:
            return _abort(args, ui, ws)
        return _revert(args, ui, ws)


def _check(args: Namespace) -> None:
    if args.push and args.no_commit:
        raise UsageError("--push needs the commit that --no-commit leaves out")
    if args.resume or args.abort:
        if args.version is not None or args.dry_run:
            raise UsageError("--continue and --abort go alone: the revert they are about is known")
    elif args.version is None:
        raise UsageError("name the version to bring back", hint="git cpv list shows the versions")


def _revert(args: Namespace, ui: UI, ws: Workspace) -> int:
    from cpvlib.managers import revert

    if args.series is None and _names_data(ws, args.version):
        args.series = "data"
    request = _request(args)
    progress = ui.progress()
    if args.detach:
        _tell_detached(ui, revert.detach(ws, request, dry_run=args.dry_run, progress=progress), args.dry_run)
        return DONE
    try:
        plan = revert.plan_revert(ws, request, progress=progress)
    except NegativeAnswer as answer:
        tip = revert.unpublished(ws, request) if args.push and not args.dry_run else None
        if tip is None:
            raise
        ui.say(answer.message)
        _publish(ui, ws, request, tip)
        return DONE
    if args.dry_run:
        _tell_plan(ui, plan)
        return DONE
    result = revert.revert(ws, plan, request, commit=not args.no_commit, progress=progress)
    _tell(ui, ws, result, request.branch, args.series)
    if args.push:
        _publish(ui, ws, request, result.commit or plan.tip)
    return DONE


def _resume(args: Namespace, ui: UI, ws: Workspace) -> int:
    from cpvlib.managers import resuming, revert

    entry = resuming.unfinished(ws)
    result = revert.resume(ws, entry, force=args.force, progress=ui.progress(), jobs=args.jobs)
    if result is not None:
        series = "combined" if len(entry.series) > 1 else entry.series[0]
        _tell(ui, ws, result, None, None if series == "model" else series)
    elif ui.json_wanted:
        ui.json({"version": entry.name, "target": entry.commit, "commit": ws.repo.head().commit})
    else:
        ui.say(f"the revert to {entry.name} was complete already")
    return DONE


def _abort(args: Namespace, ui: UI, ws: Workspace) -> int:
    from cpvlib.managers import resuming

    entry = resuming.unfinished(ws)
    restored = resuming.abort(ws, entry, force=args.force, progress=ui.progress(), jobs=args.jobs)
    if ui.json_wanted:
        ui.json({"aborted": entry.name, "outs": sorted(entry.outs), "kept": _kept(restored)})
    else:
        _tell_kept(ui, restored)
        ui.say(f"the revert to {entry.name} is taken back; everything is as it was before it")
    return DONE


def _names_data(ws: Workspace, text: str) -> bool:
    """Whether it is a data version's tag, typed whole, `data/v1.2`, or an alias of one."""
    from cpvlib.domain.version import Series, TagName
    from cpvlib.managers.versions import Tags

    prefix = ws.settings.tag_prefix
    name = TagName.parse(text, prefix) or TagName.parse(f"{prefix}{text}", prefix)
    if name is None:
        alias = Tags(ws).aliases.get(text)
        name = alias.version.name if alias and alias.version else None
    return name is not None and name.series is Series.DATA


def _request(args: Namespace) -> RevertRequest:
    from cpvlib.cli.series import chosen
    from cpvlib.domain.version import Series
    from cpvlib.managers.revert import RevertRequest

    return RevertRequest(
        version=args.version,
        series=chosen(args.series, default=frozenset({Series.MODEL})),
        branch=args.branch,
        force=args.force,
        jobs=args.jobs,
    )


def _publish(ui: UI, ws: Workspace, request: RevertRequest, commit: str) -> None:
    from cpvlib.cli.publishing import tell_versions
    from cpvlib.managers import publish

    try:
        publication = publish.publish_branch(
            ws, request.branch, commit, progress=ui.progress(), jobs=request.jobs
        )
    except publish.RefusedError as error:
        error.hint = f"{error.hint}; or move only what is deployed: {_alias_line(request.version)}"
        raise
    if publication is None:
        ui.say("no git remote")
        return
    ui.say(f"published to {publication.git_remote}")
    tell_versions(ui, publication)


def _alias_line(version: str) -> str:
    from shlex import quote

    return f"git cpv alias production {quote(version)} --push"


def _tell_plan(ui: UI, plan: RevertPlan) -> None:
    from cpvlib.cli.steps import step_in_words

    if ui.json_wanted:
        ui.json({"dry_run": True, **_facts(plan)})
        return
    for step in plan.restoration.steps:
        ui.answer(f"would {'bring back' if step.target else 'remove'} {step_in_words(step)}")
    if plan.commits:
        ui.answer(f"would commit: {plan.message}")


def _tell(ui: UI, ws: Workspace, result: RevertResult, branch: str | None, series: str | None) -> None:
    """`[main 9c02e7f] Revert model to v0.1; 2 files changed (undo: git cpv revert v0.2)`."""
    from cpvlib.cli.pickles import tell_pickles
    from cpvlib.domain.text import plural, printable

    plan = result.plan
    tell_pickles(ui, result.restored.pickles)
    if ui.json_wanted:
        kept = _kept(result.restored)
        pickles = result.restored.pickles.facts
        ui.json({"commit": result.commit, "kept": kept, "pickles": pickles, **_facts(plan)})
        return
    _tell_kept(ui, result.restored)
    option = f" --{series}" if series else ""
    undo = f" (undo: git cpv revert{option} {plan.undo})"
    files = f"{plural(plan.n_files or result.restored.n_files, 'file')} changed"
    onto = printable(branch or ws.repo.head().branch or "HEAD")
    if result.commit is None:
        staged = "staged, not committed" if plan.commits else "it was committed already"
        ui.say(f"{plan.message}: {files}; {staged}")
    else:
        ui.say(f"[{onto} {result.commit[:7]}] {plan.message}; {files}{undo}")


def _tell_detached(ui: UI, result: RevertResult, dry_run: bool) -> None:
    from cpvlib.cli.pickles import tell_pickles
    from cpvlib.domain.text import plural, printable

    plan = result.plan
    tell_pickles(ui, result.restored.pickles)
    if ui.json_wanted:
        told = {"commit": None, "detached": plan.found.commit, "kept": _kept(result.restored)}
        ui.json({"dry_run": dry_run, **told, **_facts(plan)})
        return
    if dry_run:
        ui.answer(f"would check out {plan.name} on a detached HEAD")
        return
    _tell_kept(ui, result.restored)
    files = plural(result.restored.n_files, "file")
    ui.say(
        f"HEAD is detached at {plan.name}; {files} changed "
        f"(back: git switch {printable(plan.undo)} && git cpv pull)"
    )


def _kept(restored: Restored) -> str | None:
    return str(restored.kept) if restored.kept else None


def _tell_kept(ui: UI, restored: Restored) -> None:
    from cpvlib.domain.text import printable

    if restored.kept:
        ui.say(f"your own files are kept in {printable(str(restored.kept))}")


def _facts(plan: RevertPlan) -> dict[str, Any]:
    return {
        "version": plan.name,
        "target": plan.found.commit,
        "undo": plan.undo,
        "files_changed": plan.n_files,
        "outs": [
            {"path": step.path, "md5": step.target.oid if step.target else None}
            for step in plan.restoration.steps
        ],
    }


COMMAND = Command(
    name="revert",
    summary="Bring a version back as a new commit",
    group=Group.SHARE,
    description=(
        "Restores the model (or with `--data` the data, with `--combined` both) as VERSION has it, with the "
        "model's `checkpoint.json`, and commits that as `Revert model to v0.1` on top of the history, which "
        "stays as it is. The other series is left alone.\n\n"
        "All objects are fetched and verified before the first file is touched, and only files that differ "
        "are touched. Where the worktree holds changes that are saved nowhere, nothing happens and the "
        "changes are named; `--force` copies them aside first and says where.\n\n"
        "VERSION is a version such as `v1.2`, `latest`, an alias such as `production`, or any git revision."
    ),
    arguments=(
        version("the version to bring back"),
        flag("--continue", dest="resume", exclusive="way", help="go on with a revert that was interrupted"),
        flag("--abort", exclusive="way", help="take an interrupted revert back, exactly"),
        flag("--no-commit", help="change the files and stage the pointers, but make no commit"),
        flag(
            "--detach",
            exclusive="where",
            help="check out the version's own commit, code and data included, on a detached HEAD",
        ),
        option(
            "--branch",
            metavar="NAME",
            exclusive="where",
            complete=Complete.BRANCH,
            help=(
                "commit onto the branch NAME, without switching to it and without touching the "
                "worktree; it is made where it does not exist"
            ),
        ),
        flag("--push", help="publish the branch afterwards"),
        *SERIES,
        DRY_RUN,
        force("replace changed files too, after copying them aside"),
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("Bring the model of v0.1 back", "git cpv revert v0.1"),
        Example(
            "Bring model and data of a combined version back, and publish",
            "git cpv revert --combined v1.0 --push",
        ),
        Example("See what would change", "git cpv revert --dry-run v0.1"),
    ),
    see_also=("pull", "tag", "list", "git-revert(1)"),
    negative="the version is what is there already",
    run=run,
)
