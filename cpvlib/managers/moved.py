"""Published versions that stand otherwise at the git remote than here, which must never be.

Neither side is taken for right: the tag here stays, and `refs/cpv/moved/<tag>` keeps what the git remote has,
until the two agree again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import listed
from cpvlib.managers.pending import versions_of

if TYPE_CHECKING:
    from cpvlib.managers.pending import Pending
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.remotes import RefPush

_MOVED = "refs/cpv/moved/"
_TAGS = "refs/tags/"
_N_GUARDS = 200  # the newest: each stands in git's command line
_COMPARISONS = 400_000
"""git compares each guard with every ref, three times (count_refspec_match in its remote.c): so many take a
second, and another connection less."""


def guards(ws: Workspace, git_remote: str, wanted: Sequence[Pending]) -> list[RefPush]:
    """The newest published versions, which a push of others takes along: it fails where the git remote has
    them otherwise, and sends nothing for them. git-push(1), `--force-with-lease`.

    Where there are very many versions, the git remote is asked for those at once instead, and none is left
    to be taken along: a version that is moved an instant later is found by the next push as well. Raises
    GitError where one is another there.
    """
    from cpvlib.managers.versions import Tags
    from cpvlib.stores.git.remotes import RefPush

    if not versions_of(wanted):
        return []
    published = [r for r in Tags(ws).versions() if not r.pending and "\nCpv-Version: " in f"\n{r.message}"]
    newest = sorted(published, key=lambda r: r.date)[-_N_GUARDS:]
    found = [RefPush(r.object, r.name.ref, lease=r.object) for r in newest]
    if len(found) * len(published) <= _COMPARISONS:
        return found
    stand(ws, git_remote, found)
    return []


def stand(ws: Workspace, git_remote: str, guards: Sequence[RefPush]) -> list[RefPush]:
    """Those that the git remote has as they are here: another remote need not have all of them.

    Raises GitError where one is another there.
    """
    from cpvlib.stores.git import remotes

    there = remotes.ls_remote(ws.repo, git_remote, [f"{_TAGS}*"])  # it compares each ref with each pattern
    others = {
        g.dst.removeprefix(_TAGS): there[g.dst] for g in guards if there.get(g.dst) not in (None, g.src)
    }
    if others:
        remotes.fetch_objects(ws.repo, git_remote, [f"{_TAGS}{name}" for name in others])
        note(ws, others)
        raise error(git_remote, list(others))
    return [guard for guard in guards if guard.dst in there]


def error(git_remote: str, names: Sequence[str]) -> GitError:
    """What is said of versions that were moved; `names` are their tags'."""
    first = names[0]
    return GitError(
        f"{listed(names)} {'is' if len(names) == 1 else 'are'} another at '{git_remote}' than here, and "
        "versions never move; yours was kept",
        hint=(
            f"see what it is there: git show refs/cpv/moved/{first}; if yours is right: "
            f"git push --force {git_remote} refs/tags/{first}; if theirs: git tag -d {first} && git cpv pull"
        ),
    )


def note(ws: Workspace, others: Mapping[str, str], *, whole: bool = False) -> None:
    """Keeps what the git remote has: `others` is by tag. `whole`: no other tag differs any more."""
    from cpvlib.stores.git.refs import RefUpdate, refs, update_refs

    known = refs(ws.repo, _MOVED)
    wanted = {f"{_MOVED}{name}": oid for name, oid in others.items()}
    updates = [
        RefUpdate(ref, oid, None, any_old=True) for ref, oid in wanted.items() if known.get(ref) != oid
    ]
    updates += [RefUpdate(ref, None, oid) for ref, oid in known.items() if whole and ref not in wanted]
    update_refs(ws.repo, updates, "cpv: moved at the git remote")


def known(ws: Workspace) -> list[str]:
    """The tags that differed when the git remote was last asked."""
    from cpvlib.stores.git.refs import refs

    return [ref.removeprefix(_MOVED) for ref in refs(ws.repo, _MOVED)]


def refuse_by_hand(ws: Workspace, git_remote: str, displaced: Sequence[Pending]) -> None:
    """RepositoryError where a pending version's tag is neither what was made nor what the git remote has:
    somebody moved it here, and which one is meant is not ours to say."""
    from cpvlib.stores.git import refs, remotes

    names = [p.name.ref for p in displaced]
    here, there = refs.refs(ws.repo, *names), remotes.ls_remote(ws.repo, git_remote, names)
    for p in displaced:
        if here.get(p.name.ref) != there.get(p.name.ref):
            raise RepositoryError(
                f"tag '{p.name}' was moved by hand: it is not the version that awaits publication",
                hint=f"git tag -d {p.name} && git cpv push publishes the version as it was made",
            )
