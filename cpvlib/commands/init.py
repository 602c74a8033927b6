"""git cpv init: makes a repository CPV's."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import DONE, UsageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import replace
from cpvlib.cli.options import DRY_RUN, OUTPUT
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand, option
from cpvlib.domain.text import human_size, plural, printable
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from cpvlib.cli.ui import UI
    from cpvlib.managers.adoption import Proposal
    from cpvlib.managers.hosting import HostingPlan
    from cpvlib.managers.init import InitPlan, InitResult


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.managers.init import InitRequest, init, plan_init

    _check_options(args)
    request = InitRequest(
        folder=Path(args.dir) if args.dir else None,
        team=args.team,
        model=args.model,
        storage=args.storage,
        git_remote_url=args.remote,
        tag_prefix=args.tag_prefix,
        commit=not args.no_commit,
    )
    plan = plan_init(Path.cwd(), request)
    home = _home(args, plan) if args.create else None
    if home:
        plan = plan_init(Path.cwd(), replace(request, git_remote_url=home.url))
    if args.dry_run:
        _tell_plan(plan, ui, home)
        return DONE
    if home:
        _make_home(home, ui)
    result = init(plan)
    if ui.json_wanted:
        ui.json({**_facts(result), "git_remote": home.url if home else args.remote})
        return DONE
    ui.report(f"{_did(result)}; {_storage(plan)}")
    for line in _notes(plan):
        ui.say(line)
    if result.doubtful:
        what = ", ".join(result.doubtful)
        ui.say(f"its {what} came with the repository; before the first push: git cpv storage trust")
    if not plan.commit and result.written:
        ui.say("staged, and not committed: git commit")
    for path in result.written:
        ui.detail(f"wrote {printable(path)}")
    return DONE


def _check_options(args: Namespace) -> None:
    if args.create and args.remote:
        raise UsageError("--create makes the git remote that --remote would name")
    for name in ("workspace", "project", "repository"):
        if getattr(args, name) and not args.create:
            raise UsageError(f"--{name} goes with --create")


def _home(args: Namespace, plan: InitPlan) -> HostingPlan:
    from cpvlib.managers.configuring import user_settings
    from cpvlib.managers.hosting import plan_hosting

    return plan_hosting(
        user_settings(),
        team=plan.team,
        model=plan.model,
        workspace=args.workspace,
        project=args.project,
        repository=args.repository,
    )


def _make_home(home: HostingPlan, ui: UI) -> None:
    """First of all: where it can't be made, nothing here has changed yet."""
    from cpvlib.managers.configuring import user_settings
    from cpvlib.managers.hosting import create

    hosted = create(home, user_settings())
    if hosted.made_project:
        ui.say(f"made the private Bitbucket project '{home.project_name}' ({home.project})")
    ui.say(f"made {home.page}, private" if hosted.made_repository else f"{home.page} is there already")
    if not hosted.is_private:
        ui.warn(f"{home.page} is public: everyone can read the pointers, names and metrics")


def _did(result: InitResult) -> str:
    plan = result.plan
    if plan.was_adopted and not (result.written or result.commit):
        return "everything is set up already"
    if plan.was_adopted:
        return "changed the settings"
    if plan.is_new:
        return f"made '{printable(plan.top.name)}' with a training to start from"
    return "kept your files"


def _storage(plan: InitPlan) -> str:
    if not plan.placement.is_folder:
        return f"storage is {printable(plan.placement.url)}"
    return "storage is on this machine only (to share: git cpv storage move s3://BUCKET)"


def _notes(plan: InitPlan) -> Iterator[str]:
    if plan.default_names and not plan.was_adopted:
        yield (
            f"called it '{plan.team}/{plan.model}' "
            "(until the first push, git cpv init --team TEAM --model MODEL changes that)"
        )
    for series in Series:
        paths = [path for path, of in plan.outs.items() if of is series]
        if paths and not plan.is_new:
            other = "--data" if series is Series.MODEL else "--model"
            shown = ", ".join(printable(path) for path in paths)
            yield f"{series} outs, from DVC's pointers: {shown} (to move one: git cpv track {other} PATH)"
    for proposal in plan.proposals:
        yield _proposed(proposal)


def _proposed(proposal: Proposal) -> str:
    import shlex

    size = f"{plural(proposal.n_files, 'file')}, {human_size(proposal.size_bytes)}"
    path = shlex.quote(printable(proposal.path))
    if proposal.siblings:
        size += f", the newest of {proposal.siblings + 1}"
        return f"found {path} ({size}): git cpv push --from {path}"
    series = "--data " if proposal.series is Series.DATA else ""
    return f"found {path} ({size}): git cpv track {series}{path}"


def _tell_plan(plan: InitPlan, ui: UI, home: HostingPlan | None) -> None:
    from cpvlib.managers.init import changed

    paths = changed(plan.top, plan.edits)
    if ui.json_wanted:
        ui.json({**_planned(plan), "written": list(paths)})
        return
    if home:
        ui.answer(f"would make {home.page} in the project {home.project}, where it is missing")
    if plan.repo is None:
        ui.answer(f"would make a git repository in '{printable(str(plan.top))}'")
    for path in (*paths, *plan.local_files):
        ui.answer(f"would write {printable(path)}")
    if not plan.placement.kept:
        ui.answer(f"would keep objects in {printable(plan.placement.url)}")
    if plan.git_remote:
        ui.answer(f"would add the git remote '{printable(plan.git_remote[0])}'")
    for line in _notes(plan):
        ui.say(line)


def _planned(plan: InitPlan) -> dict[str, object]:
    return {
        "top": str(plan.top),
        "team": plan.team,
        "model": plan.model,
        "storage": plan.placement.url,
        "outs": {path: str(series) for path, series in plan.outs.items()},
        "proposals": [
            {"path": p.path, "series": str(p.series), "bytes": p.size_bytes, "files": p.n_files}
            for p in plan.proposals
        ],
    }


def _facts(result: InitResult) -> dict[str, object]:
    return {**_planned(result.plan), "written": list(result.written), "commit": result.commit}


COMMAND = Command(
    name="init",
    summary="Make a repository for a model, or adopt one",
    group=Group.START,
    description=(
        "Makes the current folder, or DIR, a repository in which checkpoints are versioned: a git"
        " repository and a valid DVC repository, with the settings in `.cpvconfig` and a storage for"
        " the objects.\n\n"
        "In an empty folder it also puts a training to start from: `train.py`, `README.md`,"
        " `.gitignore` and `data/` with its three parts. A repository that is there already is left as"
        " it is: outs that DVC tracks are taken over, large paths that could be outs are named, with"
        " what to type. What init writes it commits, and nothing else.\n\n"
        "The storage keeps the objects under `ROOT/TEAM/MODEL`. Without `--storage`, ROOT is"
        " `CPV_STORAGE`, git's `cpv.storage`, the user's configuration, or a folder of this user, so"
        " that everything works without an account. An S3 place is committed in `.dvc/config`; a folder"
        " goes to `.dvc/config.local`, since it is this machine's.\n\n"
        "`--create` makes the repository's home at Bitbucket, through its REST API: a private repository in"
        " the private project `AI-TEAM-model-checkpoints`, made where it is missing, in the workspace that"
        " `--workspace` or git-cpv-setup(1) names. The token comes from `CPV_BITBUCKET_TOKEN` or git's"
        " credential helper, and is kept nowhere. Other git hosts are named by `--remote`.\n\n"
        "Typed again, init completes what was interrupted and changes what an option says. Once pointers"
        " name stored objects, team, model and storage stay."
    ),
    arguments=(
        operand("dir", metavar="DIR", nargs="?", help="where, made if need be", complete=Complete.FOLDER),
        option("--team", metavar="TEAM", help="the team's name (default: your login)"),
        option("--model", metavar="MODEL", help="the model's name (default: the folder's)"),
        option(
            "--storage",
            metavar="ROOT",
            help="keep objects under `s3://BUCKET[/PREFIX]` or a folder",
            complete=Complete.FOLDER,
        ),
        option("--remote", metavar="URL", help="add this git remote, as `origin` (or `cpv.remote`)"),
        flag("--create", help="make the git remote at Bitbucket: a private repository, named as the model"),
        option("--workspace", metavar="NAME", help="the Bitbucket workspace to make it in"),
        option(
            "--project", metavar="KEY", help="the Bitbucket project to make it in, which is there already"
        ),
        option("--repository", metavar="NAME", help="another name for it at Bitbucket than the model's"),
        option(
            "--tag-prefix",
            metavar="PREFIX",
            help="begin the tags of versions with this, where `v1.2` or `data` are taken",
        ),
        flag("--no-commit", help="stage what was written, and leave the commit to you"),
        DRY_RUN,
        *OUTPUT,
    ),
    examples=(
        Example("Start a new model", "git cpv init --team AI-Convo --model faster-whisper faster-whisper"),
        Example(
            "Adopt the repository you are in, and keep objects on S3",
            "git cpv init --storage s3://checkpoints",
        ),
        Example(
            "Make its home at Bitbucket, too",
            "git cpv init --create --workspace acme --team AI-Convo --model faster-whisper",
        ),
        Example("See what init would do", "git cpv init --dry-run"),
    ),
    see_also=("setup", "clone", "track", "push", "storage", "git-init(1)"),
    environment=(
        ("CPV_BITBUCKET_TOKEN", "the token for `--create`; an API token goes with its account's email"),
        ("CPV_BITBUCKET_USER", "that email; git-cpv-setup(1) stores it"),
        ("CPV_BITBUCKET_API", "another address of Bitbucket's API, such as a proxy's"),
    ),
    run=run,
)
