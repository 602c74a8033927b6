"""What a restoration would do to the worktree, decided before it does any of it; or why it is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import differing
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.text import listed
from cpvlib.managers import absence, objects
from cpvlib.managers.standing import Standing

if TYPE_CHECKING:
    from cpvlib.domain.choice import Choice
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.partial import Left
    from cpvlib.stores.worktree import Content


@dataclass(frozen=True)
class Step:
    """One out to change: `target` None takes it away. `keep`: its content is nowhere else and is copied
    aside. `absent` are the files of a folder that are left out of the worktree."""

    path: str
    target: OutEntry | None
    standing: Standing
    keep: bool = False
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fill:
    """A folder that stays what it is, and of whose absent files some are brought; others stay `absent`."""

    path: str
    content: Content
    files: Mapping[str, str]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Restoration:
    """A plan: the outs to change, and the ones whose content already is what is wanted.

    `elsewhere` are outs that stay as they are: the storage isn't where their bytes belong, and the cache has
    none. `fills` are folders to which absent files come, `replaced` those in step in which other files have
    taken their place; `absent` counts what stays out of the worktree, of which outs; `choice` is the one that
    it was made for.
    """

    steps: tuple[Step, ...]
    in_step: Mapping[str, str]
    elsewhere: tuple[str, ...] = ()
    fills: tuple[Fill, ...] = ()
    replaced: Mapping[str, Content] = field(default_factory=dict)
    absent: Mapping[str, absence.Count] = field(default_factory=dict)
    choice: Choice | None = None

    @property
    def entries(self) -> list[OutEntry]:
        return [step.target for step in self.steps if step.target is not None]

    @property
    def paths(self) -> list[str]:
        """The outs that something is done to."""
        return [*(step.path for step in self.steps), *(fill.path for fill in self.fills)]


def plan_restoration(
    ws: Workspace,
    targets: Mapping[str, OutEntry | None],
    found: Mapping[str, Standing],
    *,
    force: bool = False,
    known: Collection[str] = (),
    choice: Choice | None = None,
    lefts: Mapping[str, Left | None] | None = None,
) -> Restoration:
    """Decides what has to change. `found` holds a standing for each path of `targets`; those of others are of
    outs that stay as they are, and to which absent files may come.

    Raises RepositoryError, with every such path, where the worktree holds work that is saved nowhere, unless
    forced. `known` are contents that an interrupted run may have left, which are nobody's work. `choice` is
    what the worktree will want from now on, by default what it wants already; `lefts` are the records of what
    is left out that the folders had at another time, to be had again.
    """
    deciding = _Deciding(ws, ws.partials.choice if choice is None else choice, force, known, lefts)
    for path, target in targets.items():
        deciding.decide(path, target, found[path])
    if deciding.unsaved:
        raise RepositoryError(
            f"{listed(deciding.unsaved)} changed here and would be overwritten",
            hint="git cpv push saves the changes as a checkpoint; --force keeps a copy aside and goes on",
        )
    objects.tell_elsewhere(ws, deciding.elsewhere)
    in_step = deciding.in_step
    fills = deciding.fill([found[path] for path in found if path in in_step or path not in targets])
    filled = {fill.path for fill in fills}
    contents = {path: found[path].content for path in in_step if path not in filled}
    replaced = {path: content for path, content in contents.items() if content and content.replaced}
    return Restoration(
        tuple(deciding.steps),
        in_step,
        tuple(deciding.elsewhere),
        tuple(fills),
        replaced,
        dict(sorted(deciding.counts.items())),
        deciding.choice,
    )


class _Deciding:
    """What has to change, out by out. `unsaved` are the paths that hold work which is saved nowhere."""

    def __init__(
        self,
        ws: Workspace,
        choice: Choice,
        force: bool,
        known: Collection[str],
        lefts: Mapping[str, Left | None] | None,
    ) -> None:
        self._ws = ws
        self._force = force
        self._known = known
        self._lefts = lefts
        self.choice = choice
        self.steps: list[Step] = []
        self.in_step: dict[str, str] = {}
        self.unsaved: list[str] = []
        self.elsewhere: list[str] = []
        self.counts: dict[str, absence.Count] = {}

    def decide(self, path: str, target: OutEntry | None, standing: Standing) -> None:
        wanted = target.oid if target else None
        if standing.oid == wanted:
            if wanted is not None:
                self.in_step[path] = wanted
        elif target is not None and absence.is_left_whole(path, target, standing, self.choice):
            self.counts[path] = absence.whole(target)
        elif target is not None and not objects.at_hand(self._ws, target):
            self.elsewhere.append(path)
        else:
            self._replace(path, target, standing)

    def _replace(self, path: str, target: OutEntry | None, standing: Standing) -> None:
        absent = _absent(self._ws, path, target, standing, self.choice, self._lefts)
        if absent and target is not None:
            n_files = len(objects.listing_of(self._ws, target).entries)
            self.counts[path] = absence.Count(len(absent), n_files)
            if len(absent) == n_files and standing.content is None and standing.base is None:
                return
        known = {*self._known, target.oid if target else None}
        lost = standing.state.has_own_content and not _is_known(self._ws, standing, known)
        if lost and not self._force:
            self.unsaved.append(path)
        self.steps.append(Step(path, target, standing, keep=lost, absent=absent))

    def fill(self, stays: Sequence[Standing]) -> list[Fill]:
        """The absent files that come to outs which stay as they are; counts what is absent from these."""
        fills = [fill for standing in stays if (fill := _fill(standing, self.choice)) is not None]
        filled = {fill.path: fill.absent for fill in fills}
        for standing in stays:
            path, content = standing.out.path, standing.content
            absent = filled.get(path, content.absent if content else {})
            if absent and content:
                self.counts[path] = absence.Count(len(absent), len(content.files))
        return fills


def _absent(
    ws: Workspace,
    path: str,
    target: OutEntry | None,
    standing: Standing,
    choice: Choice,
    lefts: Mapping[str, Left | None] | None,
) -> Mapping[str, str]:
    if target is None:
        return {}
    if lefts is None or path not in lefts:
        return absence.left_out(ws, path, target, standing, choice)
    left, content = lefts[path], standing.content
    files = ws.partials.files(left) if left is not None else {}
    return {relpath: md5 for relpath, md5 in files.items() if content is None or relpath not in content.here}


def _fill(standing: Standing, choice: Choice) -> Fill | None:
    """The absent files that the choice wants."""
    content = standing.content
    if content is None or not content.absent:
        return None
    path, wants = standing.out.path, choice.wants()
    files = {relpath: md5 for relpath, md5 in content.absent.items() if wants(f"{path}/{relpath}")}
    absent = {relpath: md5 for relpath, md5 in content.absent.items() if relpath not in files}
    return Fill(path, content, files, absent) if files else None


def _is_known(ws: Workspace, standing: Standing, known: set[str | None]) -> bool:
    """Whether the content is one of `known`, or a folder that only mixes files of those, of its base and of
    its pointer: as an interrupted run leaves it."""
    content = standing.content
    if content is None or content.oid in known:
        return True
    if content.nfiles is None:
        return False
    pairs: set[tuple[str, str]] = set()
    for oid in {standing.base, standing.out.oid, *known}:
        listing = ws.cache.read_listing(oid) if oid is not None and oid.endswith(".dir") else None
        pairs.update(listing.entries.items() if listing else ())
    return all(pair in pairs for pair in content.here.items())


def files_to_change(ws: Workspace, step: Step) -> Collection[str] | None:
    """The files of a folder that are other ones than the target wants, or None for all of what is there. The
    rest is neither written nor removed, and need not be in the cache."""
    target, content = step.target, step.standing.content
    entry = step.standing.out.entry
    if target is None or content is None or not (target.is_dir and content.is_dir):
        return None
    if target.legacy or (entry and entry.legacy) or ws.worktree.place(step.path).is_symlink():
        return None
    return {*differing(content.here, objects.listing_of(ws, target).entries)}
