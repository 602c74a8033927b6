"""Objects before refs, for a plain `git push`: what the pre-push hook sees to.

Everything that the remote would learn of is looked through in one pass: the tips of branches and tags, and
the pointers that commits between them and what the remote has brought in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.cpvconfig import FILE
from cpvlib.domain.pointer import parse_pointer, past_pointer
from cpvlib.domain.version import TagName
from cpvlib.managers import generation, objects
from cpvlib.managers.destination import refuse_private_storage

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.repository import GitRepository


@dataclass(frozen=True)
class PushedRef:
    """One line of what git tells the hook: `ref`, a full name at the remote, is to hold `oid`, and holds
    `there` now (None: it is new). githooks(5), "pre-push"."""

    oid: str
    ref: str
    there: str | None


@dataclass(frozen=True)
class Lost:
    """An out, as `commit` names it, of which `n_missing` objects are nowhere. `at_tip`: what is pushed names
    it still, rather than a commit of the past."""

    path: str
    commit: str
    oid: str
    n_missing: int
    at_tip: bool


@dataclass(frozen=True)
class _Site:
    path: str
    commit: str
    at_tip: bool


def parse_refs(text: str) -> list[PushedRef]:
    """The hook's stdin. Deletions publish nothing and are left out."""
    found = []
    for line in text.splitlines():
        words = line.rsplit(" ", 3)  # the first, the ref here, may be an expression with spaces
        if len(words) == 4 and words[1].strip("0"):
            found.append(PushedRef(words[1], words[2], words[3] if words[3].strip("0") else None))
    return found


def has_checkpoints(repo: GitRepository, pushed: Sequence[PushedRef]) -> bool:
    """Whether any tip belongs to CPV, for a worktree that has no such commit checked out."""
    from cpvlib.stores.git import refs, trees

    tips = set(refs.peeled(repo, [each.oid for each in pushed]).values())
    return any(trees.files_at(repo, tip, suffix=(), names=[FILE]) for tip in tips)


def see_to_objects(
    ws: Workspace,
    git_remote: str,
    url: str,
    pushed: Sequence[PushedRef],
    *,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> tuple[objects.Stored, list[Lost]]:
    """Stores what storage lacks of all that the push would publish; nothing, where some of it is nowhere:
    that is listed then. With `cpv.allowMissing` what only the past names is listed and stops nothing.

    Raises RepositoryError where half of a combined version would be published, or storage is a folder that
    others can't reach.
    """
    from cpvlib.stores.git import refs

    _refuse_halves(ws, git_remote, pushed)
    commits = refs.peeled(ws.repo, [each.oid for each in pushed]).values()
    there = [each.there for each in pushed if each.there]
    stored, lost = objects.Stored(), list[Lost]()
    while True:
        tips = [tip for tip in dict.fromkeys(commits) if not ws.confirmed.has(tip)]
        sites = _sites(ws, git_remote, tips, there) if tips else {}
        if not commits or (tips and not sites):
            return stored, lost
        refuse_private_storage(ws, git_remote, url)
        more, lost = _store(ws, tips, sites, progress, jobs)
        stored += more
        if is_refused(ws, lost) or not generation.renew(ws):
            return stored, lost


def _store(
    ws: Workspace,
    tips: Sequence[str],
    sites: dict[str, _Site],
    progress: Progress | None,
    jobs: int | None,
) -> tuple[objects.Stored, list[Lost]]:
    if sites:
        generation.look(ws)
    entries = _entries(ws, sites)
    nowhere = objects.nowhere(ws, [e for e, _ in entries], progress=progress, jobs=jobs)
    lost = _lost(entries, nowhere)
    if is_refused(ws, lost):
        return objects.Stored(), lost
    whole = [entry for entry, _ in entries if entry.oid not in nowhere]
    stored = objects.store(ws, whole, progress=progress, jobs=jobs)
    if not lost:
        ws.confirmed.add(tips)
    return stored, lost


def is_refused(ws: Workspace, lost: Iterable[Lost]) -> bool:
    """Whether what is lost stops the push."""
    return any(each.at_tip or not ws.settings.allow_missing for each in lost)


def _refuse_halves(ws: Workspace, git_remote: str, pushed: Sequence[PushedRef]) -> None:
    """A combined version gets both its tags at the remote, or neither."""
    from cpvlib.domain.manifest import parse_manifest
    from cpvlib.stores.git import refs, remotes

    # git tells of a tag that the remote has otherwise too, and then does not push it.
    goes = [each for each in pushed if each.there in (None, each.oid)]
    names = {each.ref for each in goes}
    versions = [each for each in goes if _is_version(ws, each.ref)]
    tags = refs.tag_objects(ws.repo, [each.oid for each in versions])
    lacking: dict[str, str] = {}
    for each in versions:
        companion = parse_manifest(tags[each.oid].message).companion if each.oid in tags else None
        other = TagName.parse(companion, ws.settings.tag_prefix) if companion else None
        if other and other.ref not in names:
            lacking[other.ref] = each.ref.removeprefix("refs/tags/")
    there = remotes.ls_remote(ws.repo, git_remote, list(lacking)) if lacking else {}
    here = refs.refs(ws.repo, *lacking) if there else {}
    alone = [
        (ref.removeprefix("refs/tags/"), name)
        for ref, name in lacking.items()
        if ref not in there or here.get(ref, there[ref]) != there[ref]
    ]
    if alone:
        other_half, half = alone[0]
        raise RepositoryError(
            f"'{half}' and '{other_half}' are one version, and only '{half}' would be published",
            hint="git cpv push publishes both or neither",
        )


def _is_version(ws: Workspace, ref: str) -> bool:
    short = ref.removeprefix("refs/tags/")
    return short != ref and TagName.parse(short, ws.settings.tag_prefix) is not None


def _sites(ws: Workspace, git_remote: str, tips: Sequence[str], there: Iterable[str]) -> dict[str, _Site]:
    """Each pointer that counts, by its blob, and where it was found: at a tip rather than in the past."""
    from cpvlib.stores.git import refs, trees

    named = ws.repo.config.get(f"remote.{git_remote}.url") is not None
    exclude = [f"--remotes={git_remote}"] if named else []
    exclude += sorted(set(refs.peeled(ws.repo, there).values()))
    adopted = ws.repo.resolve(ws.settings.adopted or "")
    if adopted is not None:
        exclude.append(adopted)
    past = trees.introduced(ws.repo, tips, exclude)
    sites = {found.blob: _Site(found.path, found.commit, False) for found in reversed(past)}
    for tip in tips:
        sites |= {blob: _Site(path, tip, True) for path, blob in ws.pointer_blobs(tip).items()}
    return sites


def _entries(ws: Workspace, sites: dict[str, _Site]) -> list[tuple[OutEntry, _Site]]:
    from cpvlib.stores.git import trees

    found = []
    for blob, data in trees.read_blobs(ws.repo, sites).items():
        site = sites[blob]
        pointer = (parse_pointer if site.at_tip else past_pointer)(site.path, data)
        found += [(entry, site) for entry in (objects.storable(pointer) if pointer else ())]
    return found


def _lost(entries: Iterable[tuple[OutEntry, _Site]], nowhere: dict[str, int]) -> list[Lost]:
    return [
        Lost(site.path.removesuffix(".dvc"), site.commit, entry.oid, nowhere[entry.oid], site.at_tip)
        for entry, site in entries
        if entry.oid in nowhere
    ]
