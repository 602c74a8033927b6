"""Making a branch and its pending versions visible to others: objects first, then every ref in one atomic
push.

A version's name is claimed at the git remote by create-only compare-and-swap (git-push(1),
`--force-with-lease=ref:`). Whoever loses the race gets the next free number, unless the number was typed or
the winner names the same objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series, TagName, Version
from cpvlib.managers import generation, moved
from cpvlib.managers.claims import Outcome, Replaced, after_loss
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
from cpvlib.managers.place import is_folder

if TYPE_CHECKING:
    from cpvlib.domain.alias import Setting
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.objects import Stored
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.remotes import RefPush
    from cpvlib.stores.storage.protocol import Source

_ATTEMPTS = 30


class RefusedError(GitError):
    """The git remote has a rule, or a hook, against what was pushed."""


@dataclass(frozen=True)
class Publication:
    """What was made visible: `git_remote` is None where there is none to publish to.

    `renamed` maps a version's old name to its new one; `dropped` to the version, of the same objects, that
    won. `aliases` are the settings that were published; `replaced` and `agreed` as in claims.Outcome.
    """

    git_remote: str | None
    branch: str | None = None
    branch_moved: bool = False
    published: tuple[TagName, ...] = ()
    renamed: Mapping[TagName, TagName] = field(default_factory=dict)
    dropped: Mapping[TagName, TagName] = field(default_factory=dict)
    aliases: tuple[Setting, ...] = ()
    replaced: Mapping[str, Replaced] = field(default_factory=dict)
    agreed: Mapping[str, Replaced] = field(default_factory=dict)

    @property
    def is_news(self) -> bool:
        """Whether the git remote learned of anything."""
        return bool(self.branch_moved or self.published or self.aliases)


def destination(ws: Workspace) -> str | None:
    """The git remote to publish to: the upstream's, else `cpv.remote`, else `origin`, else None.

    Raises RepositoryError where others would see pointers whose objects lie in a folder of this machine only.
    """
    from cpvlib.stores.git import remotes

    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote)
    if git_remote is not None:
        refuse_private_storage(ws, git_remote, remotes.url_of(ws.repo, git_remote))
    return git_remote


def refuse_private_storage(ws: Workspace, git_remote: str, url: str) -> None:
    """Raises RepositoryError where a push to `url` would show others pointers whose objects they can't
    get."""
    from cpvlib.stores.git import remotes

    place = ws.found_place.place
    elsewhere = not remotes.is_local(url)
    if elsewhere and is_folder(place) and not ws.settings.storage_shared:
        raise RepositoryError(
            f"git remote '{git_remote}' is on another machine, but the storage is a folder of this one: "
            f"'{place.url}'",
            hint=(
                "git cpv storage move s3://BUCKET; or, for a shared filesystem, git config "
                "cpv.storageShared true"
            ),
        )


def store_history(
    ws: Workspace,
    git_remote: str | None,
    tip: str,
    *,
    sources: Mapping[str, Source] | None = None,
    check: bool = False,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Stored:
    """P1 for a branch: storage holds all that the pointers of `tip`, and of every commit that the remote
    would learn of with it, name. `sources` are as for `store`.

    Commits that the remote has were proved when they were published; those from before the adoption may name
    objects long gone.
    """
    from cpvlib.managers.objects import Stored, store

    if not check and ws.confirmed.has(tip):
        return Stored()
    entries = _history_entries(ws, git_remote, tip)
    stored = store(ws, entries, sources=sources, check=check, progress=progress, jobs=jobs)
    ws.confirmed.add([tip])
    return stored


def _history_entries(ws: Workspace, git_remote: str | None, tip: str) -> list[OutEntry]:
    from cpvlib.domain.pointer import parse_pointer, past_pointer
    from cpvlib.managers.objects import storable
    from cpvlib.stores.git import trees

    exclude = [f"--remotes={git_remote}"] if git_remote else []
    adopted = ws.repo.resolve(ws.settings.adopted or "")
    if adopted is not None:
        exclude.append(adopted)
    blobs = {found.blob: found.path for found in trees.introduced(ws.repo, [tip], exclude)}
    blobs |= {blob: path for path, blob in ws.pointer_blobs(tip).items()}
    contents = trees.read_blobs(ws.repo, blobs)
    today = set(ws.pointer_blobs(tip).values())
    pointers = (
        (parse_pointer if blob in today else past_pointer)(blobs[blob], data)
        for blob, data in contents.items()
    )
    return [entry for pointer in pointers if pointer for entry in storable(pointer)]


def follow(ws: Workspace, git_remote: str, branch: str) -> None:
    """The first publication of a branch sets what it follows, as `git push --set-upstream` does."""
    from cpvlib.stores.git import remotes

    if remotes.upstream(ws.repo, branch) is None:
        remotes.set_upstream(ws.repo, branch, git_remote, f"refs/heads/{branch}")


def is_published(ws: Workspace, git_remote: str, branch: str, tip: str) -> bool:
    """Whether the git remote had exactly this tip when it was last asked, and the branch follows it."""
    return ws.repo.resolve(f"refs/remotes/{git_remote}/{branch}") == tip


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
    guards = [] if displaced else moved.guards(ws, waiting)
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
