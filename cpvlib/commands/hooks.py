"""git cpv hooks: CPV's hooks, put in place and taken away, and what they run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cpvlib.base.errors import DONE, NEGATIVE, CPVError, RepositoryError, UsageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.options import OUTPUT
from cpvlib.cli.record import Command, Example, Group, after_dashes, flag, operand
from cpvlib.domain.text import listed, plural, printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.prepush import Lost, PushedRef
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.repository import GitRepository
    from cpvlib.stores.hooks.files import HookState

_LISTED = 20
_HOOKS = ("post-commit", "pre-push", "post-checkout", "post-merge", "merge")


def run(args: Namespace, ui: UI) -> int:
    if (args.hook is None) is (args.action == "run"):
        lacking = "run needs a hook's name" if args.hook is None else f"'{args.action}' takes no hook's name"
        raise UsageError(lacking, hint="git cpv hooks install")
    if args.files and args.action != "install":
        raise UsageError(f"'{args.action}' has no --files", hint="git cpv hooks install --files")
    if args.action == "run":
        return _run_hook(args, ui)
    return {"install": _install, "uninstall": _uninstall, "status": _status}[args.action](args, ui)


def _install(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.launcher import launcher
    from cpvlib.cli.opening import open_workspace
    from cpvlib.managers import hooks

    repo = open_workspace(ui).repo
    before = {state.name: state for state in hooks.states(repo)}
    names = [*hooks.USUAL, *(hooks.FILES if args.files else ())]
    names += [name for name in hooks.FILES if before[name].path and name not in names]
    states = [state for state in hooks.install(repo, names, launcher()) if state.path]
    if ui.json_wanted:
        ui.json({"hooks": [_facts(state) for state in states]})
        return DONE
    for state in states:
        new = state != before[state.name]
        ui.report(f"{state.name}: {'installed' if new else 'was installed already'}{_chain(state)}")
    return DONE


def _uninstall(args: Namespace, ui: UI) -> int:
    from cpvlib.managers import hooks

    gone = hooks.uninstall(_repository())
    if ui.json_wanted:
        ui.json({"uninstalled": gone})
    else:
        ui.report(f"uninstalled {', '.join(gone)}" if gone else "no hooks of CPV's were installed")
    return DONE


def _status(args: Namespace, ui: UI) -> int:
    """Exit code 1 where a usual hook is not in place, or names a git-cpv that is gone."""
    from cpvlib.managers import hooks

    repo = _repository()
    states = hooks.states(repo)
    wanted = (*hooks.USUAL, hooks.MERGE)
    well = all(_is_well(state) for state in states if state.path or state.name in wanted)
    if ui.json_wanted:
        ui.json({"folder": str(repo.hooks_dir), "well": well, "hooks": [_facts(s) for s in states]})
    else:
        for state in states:
            ui.answer(f"{state.name}: {_described(state)}")
    if not well:
        ui.say("hint: git cpv hooks install")
    return DONE if well else NEGATIVE


def _is_well(state: HookState) -> bool:
    return state.path is not None and state.is_current and _finds_launcher(state)


def _finds_launcher(state: HookState) -> bool:
    import shutil

    if state.launcher and os.access(state.launcher, os.X_OK):
        return True
    return shutil.which("git-cpv") is not None


def _described(state: HookState) -> str:
    if state.path is None:
        return "not installed"
    if not _finds_launcher(state):
        return f"installed, but git-cpv is neither at '{printable(str(state.launcher or ''))}' nor on PATH"
    text = "installed" if state.is_current else "installed, changed or by another version of CPV"
    where = f" as {state.path.name}" if state.path.name not in (state.name, "attributes") else ""
    return text + where + _chain(state)


def _chain(state: HookState) -> str:
    return ", after the hook that was there" if state.chains else ""


def _facts(state: HookState) -> dict[str, object]:
    return {
        "name": state.name,
        "installed": state.path is not None,
        "well": _is_well(state),
        "path": str(state.path) if state.path else None,
        "launcher": str(state.launcher) if state.launcher else None,
        "chains": str(state.chains) if state.chains else None,
    }


def _repository() -> GitRepository:
    from cpvlib.stores.git.repository import GitRepository

    return GitRepository.discover(Path.cwd())


def _run_hook(args: Namespace, ui: UI) -> int:
    """post-hooks never fail what they come after; pre-push stops the push."""
    from cpvlib.cli.opening import changing, open_workspace
    from cpvlib.stores.git.repository import NoRepositoryError

    if args.hook == "merge":
        return _merge(ui, args.words or [])
    if os.environ.get("CPV_IN_HOOK"):
        return DONE
    if args.hook == "pre-push":
        return _pre_push(ui, args.words or [])
    try:
        if args.hook == "post-commit":
            _post_commit(
                open_workspace(ui), ui
            )  # refs move by compare-and-swap: a long push is not waited for
        else:
            with changing(ui) as ws:
                _post_checkout(ws, ui)
    except NoRepositoryError:
        return DONE  # what is checked out is none of CPV's
    except CPVError as error:
        ui.warn(f"{args.hook}: {printable(error.message)}")
    return DONE


def _post_commit(ws: Workspace, ui: UI) -> None:
    from cpvlib.managers import hooks

    done = hooks.after_commit(ws)
    if done is None:
        return
    decision, made = done
    for version in made:
        ui.say(
            f"{version.name}: {printable(decision.reason) or 'the model changed'}; git cpv push publishes it"
        )
    if not made:
        ui.say(f"no version: {printable(decision.reason)}")


def _post_checkout(ws: Workspace, ui: UI) -> None:
    from cpvlib.cli.pickles import tell_pickles
    from cpvlib.managers import hooks

    restored, left = hooks.after_checkout(ws, progress=ui.progress())
    tell_pickles(ui, restored.pickles)
    if restored.paths:
        ui.say(f"brought {listed(restored.paths)}")
    if left:
        ui.say(f"{listed(left)} changed here, and so did the pointer: git cpv pull --force takes theirs")


def _merge(ui: UI, words: list[str]) -> int:
    """The merge driver: writes over the second file, and fails where that leaves a conflict, as git wants."""
    from cpvlib.cli.opening import open_workspace
    from cpvlib.managers import driving
    from cpvlib.stores.git import merges

    if len(words) != 5 or not words[3].isdecimal():
        raise UsageError("git gives the merge driver three files, a number and a path")
    files = [Path(word) for word in words[:3]]
    base, ours, theirs = (file.read_bytes() for file in files)
    width, path = int(words[3]), words[4]
    try:
        ws = open_workspace(ui)
    except RepositoryError:
        repo, driven = _repository(), driving.Driven(None)  # on this side it is none of CPV's
    else:
        repo, driven = ws.repo, driving.drive(ws, path, base, ours, theirs, width=width)
    if driven.content is None:
        return DONE if merges.merge_file(repo, *files, width=width) else NEGATIVE
    files[1].write_bytes(driven.content)
    if driven.reason:
        ui.say(f"{printable(path)}: {printable(driven.reason)}; git cpv pull settles it")
    return NEGATIVE if driven.reason else DONE


def _pre_push(ui: UI, words: list[str]) -> int:
    from cpvlib.cli.opening import open_workspace
    from cpvlib.managers import hooks, prepush
    from cpvlib.stores.git.repository import NoRepositoryError

    pushed = [] if sys.stdin.isatty() else prepush.parse_refs(sys.stdin.read())
    repo = _repository()
    pushed = pushed or hooks.refs_of_framework(os.environ, repo.head().commit)
    if not pushed:
        return DONE
    git_remote = words[0] if words else os.environ.get("PRE_COMMIT_REMOTE_NAME") or "origin"
    url = words[1] if len(words) > 1 else os.environ.get("PRE_COMMIT_REMOTE_URL") or git_remote
    try:
        ws = open_workspace(ui)
    except NoRepositoryError:
        return _without_checkout(repo, pushed)
    stored, lost = prepush.see_to_objects(ws, git_remote, url, pushed, progress=ui.progress())
    if stored.n_sent:
        ui.say(f"{plural(stored.n_sent, 'object')} stored and confirmed before the push")
    refused = prepush.is_refused(ws, lost)
    for each in lost[:_LISTED]:
        (ui.say if refused else ui.detail)(_lost(each))
    if len(lost) > _LISTED:
        ui.say(f"and {len(lost) - _LISTED} more")
    if refused:
        raise _refusal(lost)
    if lost:
        ui.warn(f"{plural(len(lost), 'out')} of old commits lack objects that are nowhere (cpv.allowMissing)")
    return DONE


def _without_checkout(repo: GitRepository, pushed: list[PushedRef]) -> int:
    """A worktree without `.cpvconfig` does not say where the storage is."""
    from cpvlib.managers import prepush

    if not prepush.has_checkpoints(repo, pushed):
        return DONE
    raise RepositoryError(
        "a branch with checkpoints is pushed from a worktree that has none checked out",
        hint="check that branch out and push again; or, where storage is known to hold its objects, "
        "git push --no-verify",
    )


def _lost(lost: Lost) -> str:
    which = lost.oid if lost.n_missing == 1 else plural(lost.n_missing, "object")
    return f"missing: {printable(lost.path)} at {lost.commit[:7]}: {which}"


def _refusal(lost: list[Lost]) -> RepositoryError:
    what = f"objects of {plural(len(lost), 'out')} that would be published are neither in the cache nor"
    if any(each.at_tip for each in lost):
        hint = "bring the files back where they are, and git cpv push there"
    else:
        hint = "git cpv push where they are; or, for old commits, git config cpv.allowMissing true"
    return RepositoryError(f"{what} at the storage", hint=hint)


COMMAND = Command(
    name="hooks",
    summary="Install hooks that see to plain git commit and git push",
    group=Group.START,
    description=(
        "`git cpv hooks install` puts two hooks in place. After a commit of your own that moved a pointer, "
        "by `dvc add` for instance, *post-commit* names the model if `cpv.autotag` wants that; it never "
        "makes a commit fail, and does nothing after a rebase, amend, cherry-pick, revert or fixup. Before "
        "a plain `git push`, *pre-push* sees to it that storage holds every object that what is pushed "
        "names: branch tips, versions, and all pointers that came in since the repository was adopted. It "
        "uploads what is missing, and stops the push, with a list, where an object is nowhere or only one "
        "half of a combined version would be published. Old commits whose objects are long gone are let "
        "through with `git config cpv.allowMissing true`.\n\n"
        "With them comes a *merge* driver, in `info/attributes` of git's folder and in the configuration of "
        "this clone: plain `git merge`, `git rebase`, `git cherry-pick`, `git revert` and `git stash pop` "
        "then merge pointers, `checkpoint.json`, `.cpvconfig` and `.gitignore` by the rules of `git cpv "
        "pull`, which also settles what is left in conflict.\n\n"
        "With `--files`, *post-checkout* and *post-merge* bring the files that the pointers name after "
        "`git switch`, `git checkout`, `git merge` and `git pull`; what you changed stays.\n\n"
        "A hook that is there already runs first, husky's and the pre-commit framework's as well; it is "
        "kept in `before-cpv` beside it, and `git cpv hooks uninstall` puts it back as it was. Where "
        "`core.hooksPath` names hooks of other repositories or of the whole team, nothing is installed, and "
        "the hint says which line to add there. `git cpv hooks run HOOK` is what such a line, and the hooks "
        "themselves, call.\n\n"
        "`git cpv hooks status` tells how the hooks stand."
    ),
    arguments=(
        operand(
            "action",
            metavar="ACTION",
            nargs="?",
            default="status",
            choices=("install", "uninstall", "status", "run"),
            help="`install`, `uninstall`, `status` (the default), or `run`",
        ),
        operand("hook", metavar="HOOK", nargs="?", choices=_HOOKS, help="with `run`: which hook git runs"),
        flag("--files", help="with `install`: also the hooks that bring files after a checkout or a merge"),
        *OUTPUT,
        after_dashes("words", metavar="ARGUMENT", help="what git gave to the hook"),
    ),
    examples=(
        Example("Let plain git push store what it publishes", "git cpv hooks install"),
        Example("Let files follow git switch as well", "git cpv hooks install --files"),
        Example("Put back what was there before", "git cpv hooks uninstall"),
    ),
    see_also=("tag", "push", "githooks(5)"),
    negative="a hook is not installed, or does not find git-cpv any more",
    files=(
        ("before-cpv in git's hooks folder", "the hooks that were there before, which run first"),
        ("info/attributes in git's folder", "which files merge by CPV's driver"),
    ),
    environment=(("CPV_IN_HOOK", "Set while CPV is at work, so that its hooks do nothing."),),
    run=run,
)
