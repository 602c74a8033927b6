"""Making a branch and its pending versions visible to others: objects first, then every ref in one atomic
push.

A version's name is claimed at the git remote by create-only compare-and-swap (git-push(1),
`--force-with-lease=ref:`). Whoever loses the race gets the next free number, unless the number was typed or
the winner names the same objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.progress import Progress
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import printable
from cpvlib.domain.version import TagName
from cpvlib.managers import generation
from cpvlib.managers.claims import Outcome, after_loss
from cpvlib.managers.pending import Pending, ready, settle
from cpvlib.managers.place import is_folder

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.objects import Stored
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.storage.protocol import Source

_ATTEMPTS = 30


@dataclass(frozen=True)
class Publication:
    """What was made visible: `git_remote` is None where there is none to publish to.

    `renamed` maps a version's old name to its new one; `dropped` to the version, of the same objects, that
    won.
    """

    git_remote: str | None
    branch: str | None = None
    branch_moved: bool = False
    published: tuple[TagName, ...] = ()
    renamed: Mapping[TagName, TagName] = field(default_factory=dict)
    dropped: Mapping[TagName, TagName] = field(default_factory=dict)


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


def publish(
    ws: Workspace,
    git_remote: str,
    branch: str | None,
    versions: Sequence[Pending],
    *,
    store: Callable[[], object],
) -> Publication:
    """Pushes the tip of `branch` (if any) and the versions, all or none, and settles lost races for numbers.

    `store` has seen to the objects that all of them name, and does so again where the storage's generation
    changed since. Raises GitError where the branch moved on at the remote, or the remote refuses: nothing is
    published then.
    """
    waiting = list(versions)
    outcome = Outcome()
    for _ in range(_ATTEMPTS):
        generation.settle(ws, store)
        lost, moved = _try_push(ws, git_remote, branch, waiting)
        step("publish:pushed")
        if not lost:
            settle(ws, waiting)
            names = tuple(p.name for p in waiting)
            return Publication(git_remote, branch, moved, names, outcome.renamed, outcome.dropped)
        waiting = after_loss(ws, git_remote, waiting, lost, outcome)
    raise GitError(
        f"no free version number was found at '{git_remote}' in {_ATTEMPTS} attempts",
        hint="git cpv push, again, when fewer people publish at once",
    )


def _try_push(
    ws: Workspace, git_remote: str, branch: str | None, versions: Sequence[Pending]
) -> tuple[list[Pending], bool]:
    """One atomic push; the versions whose name somebody else had first, and whether the branch moved."""
    from cpvlib.stores.git import remotes

    updates = [remotes.RefPush(p.tag_object, p.name.ref, lease="") for p in versions]
    if branch is not None:
        updates.append(remotes.RefPush(f"refs/heads/{branch}", f"refs/heads/{branch}"))
    results = {result.dst: result for result in remotes.push(ws.repo, git_remote, updates)}
    lost = [p for p in versions if results[p.name.ref].status == "rejected-lease"]
    tip = results[f"refs/heads/{branch}"] if branch is not None else None
    if tip is not None and tip.status == "rejected-moved":
        raise moved_on(ws, git_remote, branch or "")
    refusals = [r for r in results.values() if r.status == "refused"]
    if refusals and not lost:
        raise GitError(
            f"git remote '{git_remote}' refused '{refusals[0].dst}': {_short(refusals[0].reason)}",
            hint=(
                "what was committed here is stored; to publish it for a pull request: git cpv push "
                "--branch NAME"
            ),
        )
    return lost, tip is not None and tip.status == "ok"


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
    if ws.repo.is_ancestor(ours, theirs):
        hint = "what is committed is stored; take theirs in and publish: git cpv pull && git cpv push"
    else:
        hint = (
            "your checkpoint is committed and stored; take theirs in and publish: "
            f"git pull --rebase {git_remote} {branch} && git cpv pull && git cpv push"
        )
    return GitError(f"'{branch}' has moved on at '{git_remote}'" + (f" ({news})" if news else ""), hint=hint)
