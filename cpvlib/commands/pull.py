"""git cpv pull: brings the worktree, the cache or a folder to what a checkpoint names."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import DONE, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import DRY_RUN, JOBS, LIMIT_RATE, OUTPUT, PATTERNS, SERIES, force, transfer_settings
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand, option

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.extract import Extracted
    from cpvlib.managers.pull import PullPlan, PullResult
    from cpvlib.managers.workspace import Workspace


def run(args: Namespace, ui: UI) -> int:
    if args.source is not None:
        return _run_borrowed(args, ui)
    from cpvlib.cli.opening import changing

    with changing(ui, transfer_settings(args), dry_run=args.dry_run) as ws:
        return _run_here(args, ui, ws)


def _run_here(args: Namespace, ui: UI, ws: Workspace) -> int:
    paths, version = _split(ws, args.words)
    if version is not None or args.output is not None:
        if args.prefer:
            raise UsageError(f"--{args.prefer} is for a pull of the branch", hint="git cpv pull")
        if paths:
            raise UsageError(
                "a VERSION is pulled whole: leave out the paths", hint="git cpv pull VERSION --output DIR"
            )
        return _extract(args, ui, ws, version)
    return _run_pull(args, ui, ws, paths)


def _run_pull(args: Namespace, ui: UI, ws: Workspace, paths: tuple[str, ...]) -> int:
    from cpvlib.cli.series import chosen
    from cpvlib.domain.merging import Side
    from cpvlib.domain.version import Series
    from cpvlib.managers.choosing import wish
    from cpvlib.managers.moved import error
    from cpvlib.managers.pull import PullRequest, plan_pull, pull, refuse_code

    series = chosen(args.series, default=frozenset(Series))
    asked = wish(paths, args.include, args.exclude, whole=args.whole)
    prefer = Side(args.prefer) if args.prefer else None
    request = PullRequest(series, asked, args.force, args.jobs, prefer)
    progress = ui.progress()
    plan = plan_pull(ws, request, dry_run=args.dry_run, progress=progress)
    if args.dry_run:
        _tell_plan(ui, plan)
    else:
        _tell(ui, pull(ws, plan, request, progress=progress))
        refuse_code(plan)
        _tell_absent(ui, ws, plan)
    if plan.moved:
        raise error(plan.git_remote or "", plan.moved)
    return DONE


def _run_borrowed(args: Namespace, ui: UI) -> int:
    from cpvlib.managers.extract import borrowed

    if args.output is None:
        raise UsageError(
            "--from needs a folder to write to", hint="git cpv pull --from URL VERSION --output DIR"
        )
    if len(args.words) > 1:
        raise UsageError("--from takes one VERSION", hint="git cpv pull --from URL VERSION --output DIR")
    with borrowed(args.source, transfer_settings(args), note=ui.say) as ws:
        return _extract(args, ui, ws, args.words[0] if args.words else None)


def _split(ws: Workspace, words: list[str]) -> tuple[tuple[str, ...], str | None]:
    """Outs, folders of outs and what lies in outs, or one VERSION: what is a tracked path is a path, unless
    it spells the tag of a version."""
    from cpvlib.cli.opening import from_top
    from cpvlib.domain.choice import is_under
    from cpvlib.managers.outs import outs_here

    if not words:
        return (), None
    outs = outs_here(ws)
    below = [from_top(ws, word) for word in words]
    known = [any(is_under(out, path) or is_under(path, out) for out in outs) for path in below]
    if len(words) == 1 and (not known[0] or _is_tag(ws, words[0])):
        return (), words[0]
    unknown = [word for word, is_out in zip(words, known, strict=True) if not is_out]
    if unknown:
        raise UsageError(f"'{unknown[0]}' is not an out and holds none", hint="git cpv status lists the outs")
    return tuple(below), None


def _is_tag(ws: Workspace, word: str) -> bool:
    """Whether it is the whole name of a data version's tag, such as data/v0.1, where `data` may be an out."""
    from cpvlib.domain.version import TagName

    return TagName.parse(word, ws.settings.tag_prefix) is not None


def _extract(args: Namespace, ui: UI, ws: Workspace, version: str | None) -> int:
    from cpvlib.cli.pickles import tell_pickles
    from cpvlib.cli.series import chosen
    from cpvlib.domain.version import Series
    from cpvlib.managers.choosing import wish
    from cpvlib.managers.extract import ExtractRequest, extract

    if args.whole:
        raise UsageError("a VERSION comes whole anyway: leave out --all")
    asked = wish((), args.include, args.exclude)
    output = Path(args.output).absolute() if args.output else None
    request = ExtractRequest(
        version, chosen(args.series, default=frozenset(Series)), output, asked, args.jobs
    )
    result = extract(ws, request, dry_run=args.dry_run, progress=ui.progress())
    tell_pickles(ui, result.pickles)
    if ui.json_wanted:
        ui.json({"dry_run": args.dry_run, **_extract_facts(result)})
    else:
        _tell_extracted(ui, result, args.dry_run)
    return DONE


def _tell_extracted(ui: UI, result: Extracted, dry_run: bool) -> None:
    from cpvlib.domain.text import human_size, listed, plural, printable

    name = f"{result.alias}, {result.name}" if result.alias else result.name
    what = f"{name}: {listed(list(result.outs))}"
    where = (
        f"in {printable(str(result.output))}" if result.output else "in the cache; the worktree is as it was"
    )
    if dry_run:
        ui.answer(f"would put {what} {where}")
        return
    fetched = f" ({plural(result.n_fetched, 'object')}, {human_size(result.fetched_bytes)} fetched)"
    left = f"; {plural(result.n_unwanted, 'file')} left out" if result.n_unwanted else ""
    ui.say(f"{what} {where}{fetched if result.n_fetched else ''}{left}")


def _tell_plan(ui: UI, plan: PullPlan) -> None:
    from cpvlib.cli.mergetext import merge_in_words
    from cpvlib.cli.steps import step_in_words
    from cpvlib.domain.text import plural, printable

    if ui.json_wanted:
        ui.json({"dry_run": True, **_facts(plan)})
        return
    for words in merge_in_words(plan, would=True):
        ui.answer(words)
    for step in plan.coming.steps:
        ui.answer(f"would {'bring' if step.target else 'remove'} {step_in_words(step)}")
    for fill in plan.coming.fills:
        ui.answer(f"would bring {plural(len(fill.files), 'absent file')} of {printable(fill.path)}")
    if plan.log_union:
        ui.answer("would unite the lines of metrics.log")
    if not plan.moves and not plan.coming.paths and not plan.log_union:
        ui.answer("everything is up to date")
    for path in plan.left:
        ui.answer(f"would leave {printable(path)} as changed here")


def _tell(ui: UI, result: PullResult) -> None:
    from cpvlib.cli.mergetext import merge_in_words
    from cpvlib.cli.pickles import tell_pickles
    from cpvlib.domain.text import human_size, listed, plural, printable

    plan, restored = result.plan, result.restored
    for name in plan.taken:
        shown, place = printable(name), printable(plan.git_remote or "")
        ui.warn(f"the number of your pending {shown} was taken at {place}; git cpv push settles it")
    tell_pickles(ui, restored.pickles)
    if restored.kept:
        ui.say(f"your own files are kept in {printable(str(restored.kept))}")
    if ui.json_wanted:
        kept = str(restored.kept) if restored.kept else None
        ui.json(
            {
                "fetched_objects": restored.n_fetched,
                "fetched_bytes": restored.fetched_bytes,
                "kept": kept,
                "pickles": restored.pickles.facts,
                **_facts(plan),
            }
        )
        return
    parts = list(merge_in_words(plan, would=False))
    if restored.paths:
        parts.append(f"{listed(list(restored.paths))}: {plural(restored.n_files, 'file')} changed")
    if restored.n_fetched:
        parts.append(f"{human_size(restored.fetched_bytes)} fetched and verified")
    if plan.log_union:
        parts.append("'metrics.log' has the lines of both sides")
    ui.say("; ".join(parts) or "everything is up to date")
    if plan.left:
        ui.say(f"left as changed here: {listed(list(plan.left))}")


def _tell_absent(ui: UI, ws: Workspace, plan: PullPlan) -> None:
    """What stays out of the worktree by choice, and, the first time, what DVC says of that."""
    from cpvlib.cli.absent import absent_in_words
    from cpvlib.stores.state import first_time

    absent = plan.coming.absent
    if not absent or ui.json_wanted:
        return
    ui.say(f"{absent_in_words(absent)} absent by choice (git cpv pull --all brings all)")
    in_part = any(count.n_absent < count.n_files for count in absent.values())
    if in_part and first_time(ws.repo.common_dir, "partial"):
        ui.say("dvc status calls a folder in part modified; do not dvc add or dvc commit it")


def _facts(plan: PullPlan) -> dict[str, Any]:
    from cpvlib.cli.mergetext import merge_facts

    return {
        "git_remote": plan.git_remote,
        "commit": plan.commit,
        "commits": plan.n_commits,
        "outs": [
            {"path": step.path, "md5": step.target.oid if step.target else None} for step in plan.coming.steps
        ],
        "filled": {fill.path: len(fill.files) for fill in plan.coming.fills},
        "absent": {path: count.n_absent for path, count in plan.coming.absent.items()},
        "left": list(plan.left),
        "elsewhere": list(plan.restoration.elsewhere),
        "clashes": list(plan.clashes),
        "taken": list(plan.taken),
        **merge_facts(plan),
    }


def _extract_facts(result: Extracted) -> dict[str, Any]:
    return {
        "version": result.name,
        "alias": result.alias,
        "commit": result.commit,
        "output": str(result.output) if result.output else None,
        "outs": [{"path": path, "md5": out.oid} for path, out in result.outs.items()],
        "fetched_objects": result.n_fetched,
        "fetched_bytes": result.fetched_bytes,
        "left_out": result.n_unwanted,
        "pickles": result.pickles.facts,
    }


COMMAND = Command(
    name="pull",
    summary="Bring files to what the branch, or a version, names",
    group=Group.SHARE,
    description=(
        "Without a VERSION: fetches from the git remote, moves the branch forward, and brings the "
        "worktree's outs to what it names. Objects come first, all of them, each checked against its md5; "
        "then the branch moves; then only files that differ are replaced. Changes that are saved nowhere "
        "stop the pull before anything happens; `--force` copies them aside first and says where. An out "
        "that changed here while its pointer stayed is left as it is. Where `metrics.log` grew on both "
        "sides, it becomes the union of the lines.\n\n"
        "A PATH may lie in an out: `data/train`, `data/train/img_001.png`. What is not asked for stays out "
        "of the worktree, *absent by choice*, now and in later pulls; `git cpv status` counts it, and `git "
        "cpv push` keeps it in the folder. `--include` and `--exclude` do the same by patterns, as in "
        ".gitignore, which begin at the top of the repository (`data/raw/`); among several of one kind the "
        "last that matches counts, and what is excluded stays out though it is included too. They add to "
        "what was asked for before. A choice decides about files that are not here: none is taken away, "
        "and what is here is kept up to date. `--all` ends it.\n\n"
        "Where the branch and its upstream went apart, they are merged: an out that one side changed is "
        "taken, `metrics.log` becomes the union of its lines, a folder of data merges file by file, and "
        "`checkpoint.json` goes with the model. A model, or a file of the data, that both sides changed is "
        "a conflict by name, which `--ours` (what the branch here has) or `--theirs` settles; neither is "
        "lost. Code merges as by git; where git finds a conflict in it, that is left to you as git leaves "
        "it. Conflicts in pointers that a plain `git merge`, `git rebase`, `git cherry-pick` or `git stash "
        "pop` left, or that somebody committed, are settled by the same rules.\n\n"
        "With a VERSION the worktree is not touched: its objects come into the cache, or with `--output` "
        "its files into a folder of their own. `--from` does that for a repository that is not cloned.\n\n"
        "A pickle that imports what may run code when it is loaded gets a warning; with `git config "
        "cpv.pickle refuse` nothing of it is written, with `off` nothing is looked for."
    ),
    arguments=(
        operand(
            "words",
            metavar="PATH|VERSION",
            nargs="*",
            complete=Complete.VERSION,
            help=(
                "outs, folders that hold outs, or files and folders in outs, to bring up to date; or one "
                "version such as `v1.2`, `latest`, an alias such as `production`, or any git revision"
            ),
        ),
        *PATTERNS,
        flag("--all", dest="whole", help="bring what was left out too, and leave nothing out from now on"),
        option(
            "-o",
            "--output",
            metavar="DIR",
            complete=Complete.FOLDER,
            help="write the version's files to the folder DIR, which must be new or empty",
        ),
        option(
            "--from",
            metavar="URL",
            dest="source",
            help="take the version from the repository at a git URL, with no clone kept",
        ),
        flag(
            "--ours",
            dest="prefer",
            const="ours",
            exclusive="prefer",
            help="where both sides changed the same, keep what the branch here has",
        ),
        flag(
            "--theirs",
            dest="prefer",
            const="theirs",
            exclusive="prefer",
            help="where both sides changed the same, take what the other side has",
        ),
        *SERIES,
        DRY_RUN,
        force("replace changed files too, after copying them aside"),
        JOBS,
        LIMIT_RATE,
        *OUTPUT,
    ),
    examples=(
        Example("Bring the worktree up to date", "git cpv pull"),
        Example("Bring a part of a large folder, and leave the rest out", "git cpv pull data/train"),
        Example("Leave the raw recordings out", "git cpv pull --exclude 'data/raw/' --exclude '*.wav'"),
        Example("Keep your own model where both sides trained one", "git cpv pull --ours"),
        Example("Look at an older model beside today's", "git cpv pull v0.1 --model --output /tmp/old"),
        Example(
            "Deploy the newest version without a clone",
            "git cpv pull --from git@bitbucket.org:team/model.git latest --output model",
        ),
    ),
    see_also=("push", "clone", "revert", "git-pull(1)"),
    run=run,
)
