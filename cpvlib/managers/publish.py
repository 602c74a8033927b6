"""Making a branch and its pending versions visible to others: objects first, then every ref in one atomic
push.

A version's name is claimed at the git remote by create-only compare-and-swap (git-push(1),
`--force-with-lease=ref:`). Whoever loses the race gets the next free number, unless the number was typed or
the winner names the same objects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from cpvlib.base.errors import GitError
from cpvlib.base.faults import step
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series, TagName, Version
from cpvlib.managers import generation, moved
from cpvlib.managers.claims import Outcome, after_loss
from cpvlib.managers.destination import Publication, destination, follow
from cpvlib.managers.history import store_history
from cpvlib.managers.inturn import push_in_turn
from cpvlib.managers.pending import (
    Pending,
    PendingSetting,
    in_order,
    moved_by_hand,
    pending_versions,
    ready,
    settings_of,
    settle,
    versions_of,
)

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.remotes import RefPush

_ATTEMPTS = 30


class RefusedError(GitError):
    """The git remote has a rule, or a hook, against what was pushed."""


def publish_branch(
    ws: Workspace, branch: str | None, tip: str, *, progress: Progress | None = None, jobs: int | None = None
) -> Publication | None:
    """Stores what `tip` and its history name, then publishes `branch` (None: the current one) with its
    pending versions. None where there is no git remote."""
    git_remote = destination(ws)
    store = partial(store_history, ws, git_remote, tip, progress=progress, jobs=jobs)
    store()
    name = branch or ws.repo.head().branch
    if git_remote is None:
        return None
    publication = publish(ws, git_remote, name, ready(ws, tip), store=store)
    if name is not None:
        follow(ws, git_remote, name)
    return publication


def publish_tags(
    ws: Workspace, wanted: Sequence[Pending], *, progress: Progress | None = None, jobs: int | None = None
) -> Publication | None:
    """Publishes versions and settings of aliases without a branch, objects first; with them go pending
    versions that they can't do without. None where there is no git remote."""
    git_remote = destination(ws)
    if git_remote is None:
        return None
    together = _with_mentioned(ws, wanted)

    def store() -> None:
        for commit in dict.fromkeys(p.commit for p in together):
            store_history(ws, git_remote, commit, progress=progress, jobs=jobs)

    store()
    return publish(ws, git_remote, None, together, store=store)


def _with_mentioned(ws: Workspace, wanted: Sequence[Pending]) -> list[Pending]:
    """With the other half of a combined version, the data version that a model's names, and the version that
    an alias names, where they await publication too."""
    known = {str(p.name): p for p in pending_versions(ws)}
    together = {str(p.name): p for p in wanted}
    queue = list(wanted)
    while queue:
        for name in _mentioned(ws, queue.pop()):
            if name in known and name not in together:
                together[name] = known[name]
                queue.append(known[name])
    return sorted(together.values(), key=in_order)


def _mentioned(ws: Workspace, pending: Pending) -> list[str]:
    if isinstance(pending, PendingSetting):
        return [pending.setting.target or ""]
    data = pending.manifest.data
    version = Version.of(data.version or "") if data else None
    used = TagName(Series.DATA, version, ws.settings.tag_prefix) if version else ""
    return [pending.manifest.companion or "", str(used)]


def publish(
    ws: Workspace,
    git_remote: str,
    branch: str | None,
    wanted: Sequence[Pending],
    *,
    store: Callable[[], object],
) -> Publication:
    """Pushes the tip of `branch` (if any), the versions and the settings of aliases, all or none, and settles
    lost races for numbers.

    `store` has seen to the objects that all of them name, and does so again where the storage's generation
    changed since. Raises GitError where the branch moved on at the remote, a published version was moved
    there, or the remote refuses: nothing is published then.
    """
    waiting, outcome = list(wanted), Outcome()
    displaced = moved_by_hand(ws, waiting)
    guards = [] if displaced else moved.guards(ws, git_remote, waiting)
    if displaced:
        moved.refuse_by_hand(ws, git_remote, displaced)
        waiting = after_loss(ws, git_remote, waiting, [], outcome)
    for _ in range(_ATTEMPTS):
        generation.settle(ws, store)
        attempt = _try_push(ws, git_remote, branch, waiting, guards)
        step("publish:pushed")
        if attempt.is_done:
            settle(ws, waiting)
            return _publication(git_remote, branch, attempt, [*outcome.published, *waiting], outcome)
        if attempt.differs:
            guards = moved.stand(ws, git_remote, guards)
        if attempt.lost:
            waiting = after_loss(ws, git_remote, waiting, attempt.lost, outcome)
    raise GitError(
        f"no free version number was found at '{git_remote}' in {_ATTEMPTS} attempts",
        hint="git cpv push, again, when fewer people publish at once",
    )


@dataclass(frozen=True)
class _Attempt:
    """One push: what somebody else had first, whether a published version stands otherwise there, and whether
    the branch moved."""

    lost: tuple[Pending, ...]
    differs: bool
    branch_moved: bool

    @property
    def is_done(self) -> bool:
        return not self.lost and not self.differs


def _publication(
    git_remote: str, branch: str | None, attempt: _Attempt, published: Sequence[Pending], outcome: Outcome
) -> Publication:
    return Publication(
        git_remote,
        branch,
        attempt.branch_moved,
        tuple(p.name for p in versions_of(published)),
        outcome.renamed,
        outcome.dropped,
        tuple(p.setting for p in settings_of(published)),
        outcome.replaced,
        outcome.agreed,
    )


def _try_push(
    ws: Workspace,
    git_remote: str,
    branch: str | None,
    wanted: Sequence[Pending],
    guards: Sequence[RefPush],
) -> _Attempt:
    """One atomic push. `guards` are published versions that make it fail where they stand otherwise there."""
    from cpvlib.stores.git import remotes

    updates = [remotes.RefPush(p.tag_object, p.name.ref, lease="") for p in wanted]
    tip = remotes.RefPush(f"refs/heads/{branch}", f"refs/heads/{branch}") if branch is not None else None
    try:
        told = remotes.push(ws.repo, git_remote, [*updates, *guards, *([tip] if tip else [])])
    except remotes.NoAtomicPushError:
        told = push_in_turn(ws, git_remote, tip, wanted)
    results = {result.dst: result for result in told}
    beaten = {dst for dst, result in results.items() if result.status == remotes.REJECTED_LEASE}
    lost = tuple(p for p in wanted if p.name.ref in beaten)
    end = results[tip.dst] if tip else None
    if end is not None and end.status == remotes.REJECTED_MOVED:
        raise moved_on(ws, git_remote, branch or "")
    refusals = [r for r in results.values() if r.status == remotes.REFUSED]
    if refusals and not beaten:
        raise RefusedError(
            f"git remote '{git_remote}' refused '{refusals[0].dst}': {_short(refusals[0].reason)}",
            hint=(
                "what was committed here is stored; to publish it for a pull request: git cpv push "
                "--branch NAME"
            ),
        )
    differs = any(guard.dst in beaten for guard in guards)
    return _Attempt(lost, differs, end is not None and end.status == remotes.OK)


def _short(words: str) -> str:
    """The beginning of what a server said, which may be a page."""
    text = printable(words)
    return text if len(text) <= 200 else text[:199] + "…"


def moved_on(ws: Workspace, git_remote: str, branch: str) -> GitError:
    """The error that says who pushed what in the meantime."""
    from cpvlib.stores.git import remotes

    remotes.fetch(ws.repo, git_remote, [f"+refs/heads/{branch}:refs/remotes/{git_remote}/{branch}"])
    ours, theirs = f"refs/heads/{branch}", f"refs/remotes/{git_remote}/{branch}"
    log = remotes.log(ws.repo, f"{ours}..{theirs}", limit=3)
    news = "; ".join(f"{entry.author}: {entry.subject}" for entry in log)
    hint = "what is committed is stored; take theirs in and publish: git cpv pull && git cpv push"
    return GitError(f"'{branch}' has moved on at '{git_remote}'" + (f" ({news})" if news else ""), hint=hint)
