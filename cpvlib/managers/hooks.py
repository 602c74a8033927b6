"""git's hooks: putting CPV's in place, taking them away, and what they do when git runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress, Silent
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.stores.hooks import driver, files
from cpvlib.stores.hooks.files import NAMES, HookState

if TYPE_CHECKING:
    from cpvlib.managers.gating import Decision
    from cpvlib.managers.pending import PendingVersion
    from cpvlib.managers.prepush import PushedRef
    from cpvlib.managers.restoring import Restored
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.repository import GitRepository

USUAL = ("post-commit", "pre-push")
FILES = ("post-checkout", "post-merge")
"""They bring the files that the pointers name, and are off unless asked for."""
MERGE = driver.NAME
"""The merge driver, which comes and goes with the hooks."""

_NEW_COMMITS = ("commit: ", "commit (initial): ", "commit (merge): ")
_NO_NEW_ONES = ("fixup! ", "squash! ", "amend! ", 'Revert "', 'Reapply "')


def install(repo: GitRepository, names: Sequence[str], launcher: Path | None) -> list[HookState]:
    """Puts these hooks in place, existing ones chained, and the merge driver; how each stands then. Twice is
    as once.

    Raises RepositoryError where git's hooks are not this repository's own.
    """
    folder = hooks_folder(repo)
    for name in names:
        files.install_hook(folder, name, launcher)
    driver.install(repo, launcher)
    return states(repo)


def uninstall(repo: GitRepository) -> list[str]:
    """Takes all of CPV's hooks away and puts back what was there before, byte for byte; the names of those
    that went."""
    gone = [name for name in NAMES if files.uninstall_hook(repo.hooks_dir, name)]
    return gone + ([MERGE] if driver.uninstall(repo) else [])


def states(repo: GitRepository) -> list[HookState]:
    """Every hook that CPV has, and the merge driver, installed or not."""
    return [*(files.hook_state(repo.hooks_dir, name) for name in NAMES), driver.state(repo)]


def hooks_folder(repo: GitRepository) -> Path:
    """Where git looks for this repository's hooks. Raises RepositoryError where that is not its own place:
    somebody's `core.hooksPath` for all repositories, or a folder that is committed."""
    folder = repo.hooks_dir
    setting = repo.config.find("core.hookspath")
    if setting is None or folder.is_relative_to(repo.common_dir) or folder.is_relative_to(repo.git_dir):
        return folder
    if setting.scope in ("local", "worktree") and folder.is_relative_to(repo.top):
        return _ignored(repo, folder)
    raise RepositoryError(
        f"core.hooksPath is set to '{setting.value or ''}', which is not this repository's alone: "
        "a hook there would run in others too",
        hint=f"git config core.hooksPath {quote(str(repo.common_dir / 'hooks'))} gives this repository its "
        "own; or call "
        "'git cpv hooks run pre-push -- \"$@\"' and 'git cpv hooks run post-commit' from the hooks there",
    )


def _ignored(repo: GitRepository, folder: Path) -> Path:
    """husky 9's `.husky/_` is made anew on each machine, and git ignores it; other folders are the team's."""
    from cpvlib.stores.git import trees

    inside = folder.relative_to(repo.top).as_posix()
    paths = [f"{inside}/{name}" for name in NAMES]
    if not trees.is_tracked(repo, paths) and trees.ignored(repo, paths) == set(paths):
        return folder
    raise RepositoryError(
        f"core.hooksPath is '{inside}', whose hooks are committed and so everybody's",
        hint=f"add the line 'git cpv hooks run pre-push -- \"$@\"' to '{inside}/pre-push', and "
        f"'git cpv hooks run post-commit' to '{inside}/post-commit'",
    )


def after_commit(ws: Workspace) -> tuple[Decision, list[PendingVersion]] | None:
    """What post-commit does: names a new model that passes the gate. None where there is nothing to say, as
    after anything but a person's new commit."""
    from cpvlib.managers import gating, tagging

    commit = ws.repo.head().commit
    gate = gating.load(ws) if commit and _is_new_commit(ws.repo) else None
    decision = gating.decide(ws, gate, commit) if gate and commit else None
    if decision is None:
        return None
    if decision.plan is None:
        return decision, []
    _, made = tagging.tag(ws, decision.plan, decision.request)
    return decision, made


def _is_new_commit(repo: GitRepository) -> bool:
    """Whether HEAD's last move was a commit, merges included: no rebase, amend, cherry-pick, revert or fixup.
    The reflog tells; without one it can't be known. The scripts ask the same, before Python starts."""
    if repo.unfinished() in ("rebase", "am"):
        return False
    told = repo.git.ask("log", "-g", "-1", "--no-show-signature", "--format=%gs")
    action = told.out.decode(errors="replace")
    start = next((each for each in _NEW_COMMITS if action.startswith(each)), None)
    return start is not None and not action.removeprefix(start).startswith(_NO_NEW_ONES)


def after_checkout(
    ws: Workspace, *, progress: Progress | None = None, jobs: int | None = None
) -> tuple[Restored, list[str]]:
    """What post-checkout and post-merge do: brings the outs that are behind their pointers, or not there.
    Those with changes of the user's own are left as they are, and named."""
    from cpvlib.managers import fetching, restoring, signatures
    from cpvlib.managers.outs import outs_here
    from cpvlib.managers.restoreplan import plan_restoration
    from cpvlib.managers.standing import State, standings

    listener = progress or Silent()
    outs = {path: out for path, out in outs_here(ws).items() if out.oid is not None}
    found = standings(ws, outs.values(), progress=listener, jobs=jobs)
    behind = (State.BEHIND, State.MISSING, State.NOT_PULLED)
    targets = {path: outs[path].entry for path, each in found.items() if each.state in behind}
    left = [path for path, each in found.items() if each.state is State.CONFLICT]
    signatures.require_of(ws, outs, targets)
    plan = plan_restoration(ws, targets, {path: found[path] for path in targets})
    with fetching.fetched(ws, plan, progress=listener, jobs=jobs) as fetched, ws.dvc_lock():
        return restoring.carry_out(ws, plan, fetched, progress=listener, jobs=jobs), left


def refs_of_framework(environ: Mapping[str, str], head: str | None) -> list[PushedRef]:
    """What the pre-commit framework's variables say is pushed: it keeps the hook's stdin for itself, and
    tells of one ref only."""
    from cpvlib.managers.prepush import PushedRef

    tip = environ.get("PRE_COMMIT_TO_REF") or head
    if "PRE_COMMIT" not in environ or not tip:
        return []
    ref = environ.get("PRE_COMMIT_REMOTE_BRANCH") or "refs/heads/HEAD"
    return [PushedRef(tip, ref, environ.get("PRE_COMMIT_FROM_REF") or None)]
