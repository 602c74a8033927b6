"""Bringing outs of the worktree to the content that a checkpoint names, losing nothing of the user's.

Everything is fetched into the cache and verified before the first file is touched; only files that differ are
touched; what only the worktree holds stops the whole, or is copied aside first where the user insists.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.faults import step as step_done
from cpvlib.base.packed import differing
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field, replace
from cpvlib.domain.blocks import WORTH_BYTES
from cpvlib.domain.oids import Oids
from cpvlib.domain.text import listed
from cpvlib.managers import absence, generation, objects
from cpvlib.managers.pickling import NO_PICKLES, Pickles, look_at_plan
from cpvlib.managers.standing import Standing

if TYPE_CHECKING:
    from cpvlib.domain.choice import Choice
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.partial import Left
    from cpvlib.stores.spares import Spares
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


@dataclass(frozen=True)
class Restored:
    """What was done: outs changed, files touched in them, objects and bytes fetched, where copies were kept,
    and what was found in the pickles that came."""

    paths: tuple[str, ...] = ()
    n_files: int = 0
    n_fetched: int = 0
    fetched_bytes: int = 0
    kept: Path | None = None
    pickles: Pickles = NO_PICKLES


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


def carry_out(
    ws: Workspace,
    plan: Restoration,
    fetched: Restored,
    *,
    progress: Progress,
    jobs: int | None = None,
) -> Restored:
    """Touches the worktree: copies aside what must be kept, installs, removes. Objects must be in the cache:
    `fetched` is what brought them."""
    try:
        return _carry_out(ws, plan, fetched, progress, jobs)
    finally:
        _drop_spares(ws)


def _carry_out(
    ws: Workspace, plan: Restoration, fetched: Restored, progress: Progress, jobs: int | None
) -> Restored:
    _save_contents(ws, plan.steps)
    kept = _keep(ws, [step.path for step in plan.steps if step.keep])
    step_done("restore:saved")
    ws.partials.update({}, choice=plan.choice)
    n_files = 0
    for nth, step in enumerate(plan.steps, 1):
        n_files += _install(ws, step, progress, jobs)
        step_done(f"restore:installed-{nth}")
        record = absence.recorded(ws, step.path, step.target, step.absent) if step.target else None
        ws.partials.update({step.path: record})
    for nth, fill in enumerate(plan.fills, len(plan.steps) + 1):
        n_files += _fill_in(ws, fill, progress, jobs)
        step_done(f"restore:installed-{nth}")
    absence.settle(ws, {path: absence.weighed(ws, path, each) for path, each in plan.replaced.items()})
    bases: dict[str, str | None] = {
        **plan.in_step,
        **{s.path: s.target.oid if s.target else None for s in plan.steps},
    }
    ws.bases.update(bases)
    step_done("restore:recorded")
    return replace(fetched, paths=tuple(plan.paths), n_files=n_files, kept=kept)


def _install(ws: Workspace, step: Step, progress: Progress, jobs: int | None) -> int:
    """Brings one out to its target; how many files were touched."""
    path, target = step.path, step.target
    is_new_folder = step.standing.content is None and target is not None and target.is_dir
    was = _judged(step)
    if target is not None and is_new_folder and not target.legacy:
        absence.begin(ws, path, target)
        was = target.oid
        step_done("restore:begun")
    done = ws.worktree.install(
        path,
        target.oid if target else None,
        objects.cache_of(ws, target) if target else ws.cache,
        ws.settings.link_mode,
        was=was,
        found=step.standing.content if was == step.standing.oid else None,
        isexec=target.isexec if target else False,
        only=None if not step.absent else lambda relpath: relpath not in step.absent,
        progress=progress,
        jobs=jobs,
    )
    return done.n_changes


def _fill_in(ws: Workspace, fill: Fill, progress: Progress, jobs: int | None) -> int:
    """Brings absent files to a folder that stays what it is; how many."""
    link = ws.settings.link_mode
    done = ws.worktree.fill(fill.path, fill.files, ws.cache, link, progress=progress, jobs=jobs)
    absence.filled(ws, fill.path, fill.content, fill.absent)
    return done.n_changes


def _judged(step: Step) -> str | None:
    """The content that the plan was made for: what was written since, as while much was fetched, is the
    user's."""
    from cpvlib.stores.worktree import ANY

    target, found = step.target, step.standing
    same_md5 = bool(target and target.legacy) is bool(found.out.entry and found.out.entry.legacy)
    return found.oid if same_md5 else ANY


def fetch(
    ws: Workspace,
    plan: Restoration,
    *,
    more: Iterable[OutEntry] = (),
    progress: Progress,
    jobs: int | None = None,
    look: bool = True,
) -> Restored:
    """Brings what the plan needs, and `more`, into the cache, verified. The worktree is not touched.

    Raises RepositoryError for a pickle that `cpv.pickle` refuses, unless there is nothing to `look` for: what
    comes back was here before.
    """
    ws.cache.spares = _spares(ws, plan)
    try:
        n_fetched, fetched_bytes = objects.fetch(
            ws,
            [*plan.entries, *more],
            without=_unwritten(ws, plan.steps),
            files=Oids(md5 for fill in plan.fills for md5 in fill.files.values()),
            progress=progress,
            jobs=jobs,
        )
        pickles = look_at_plan(ws, plan, progress) if look else NO_PICKLES
    except BaseException:
        _drop_spares(ws)
        raise
    return Restored(n_fetched=n_fetched, fetched_bytes=fetched_bytes, pickles=pickles)


def _spares(ws: Workspace, plan: Restoration) -> Spares | None:
    """Where what arrives is to be copied into the worktree. What the cache needs comes first, with what may
    have to be saved and kept, and with the copy of one out for which no other is left."""
    sizes = [entry.size for entry in plan.entries if entry.size is not None]
    if ws.settings.link_mode != "copy" or max(sizes, default=0) < WORTH_BYTES:
        return None
    if len(sizes) < len(plan.entries) or plan.fills:
        return None  # nobody knows how much room the cache needs
    from cpvlib.stores.files import free_bytes
    from cpvlib.stores.spares import Spares

    saved = [step.standing.content.size * (1 + step.keep) for step in plan.steps if step.standing.content]
    needed = sum(sizes) + sum(saved) + max(sizes) + WORTH_BYTES
    return Spares(ws.top, free_bytes(ws.top) - needed)


def _drop_spares(ws: Workspace) -> None:
    if ws.cache.spares is not None:
        ws.cache.spares.close()
        ws.cache.spares = None


class _Unwritten:
    """The files that no step writes of a folder to which one or several outs are to become."""

    def __init__(self) -> None:
        self._steps: list[tuple[Container[str] | None, Container[str]]] = []

    def add(self, moving: Container[str] | None, absent: Container[str]) -> None:
        """One that writes the `moving` files, None for all, but not those that stay `absent`."""
        self._steps.append((moving, absent))

    def __contains__(self, relpath: object) -> bool:
        return all(
            relpath in absent or (moving is not None and relpath not in moving)
            for moving, absent in self._steps
        )


def _unwritten(ws: Workspace, steps: Iterable[Step]) -> dict[str, _Unwritten]:
    """By the oid of the folder's listing."""
    found: dict[str, _Unwritten] = {}
    for step in steps:
        if step.target is not None and step.target.oid is not None:
            found.setdefault(step.target.oid, _Unwritten()).add(_moving(ws, step), step.absent)
    return found


def _moving(ws: Workspace, step: Step) -> Collection[str] | None:
    """The files of a folder that are other ones than the target wants, or None for all of what is there. The
    rest is neither written nor removed, and need not be in the cache."""
    target, content = step.target, step.standing.content
    entry = step.standing.out.entry
    if target is None or content is None or not (target.is_dir and content.is_dir):
        return None
    if target.legacy or (entry and entry.legacy) or ws.worktree.place(step.path).is_symlink():
        return None
    return {*differing(content.here, objects.listing_of(ws, target).entries)}


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


def _save_contents(ws: Workspace, steps: Iterable[Step]) -> None:
    """P3: what is about to be replaced is in the cache, or was proved at the storage, and still counts there;
    else it is put into the cache now. So an interrupted run can be taken back."""
    for step in steps:
        content = step.standing.content
        if content is None:
            continue
        moving, here = _moving(ws, step), content.here
        files = here.values() if moving is None else [here[path] for path in moving if path in here]
        if not ws.cache.missing({content.oid, *files}):
            continue
        if not generation.vouches(ws, content.oid):
            ws.worktree.snapshot(step.path, ws.cache, "copy")


def _keep(ws: Workspace, paths: list[str]) -> Path | None:
    if not paths:
        return None
    import time

    place = ws.repo.git_dir / "cpv" / "kept" / time.strftime("%Y%m%d-%H%M%S")
    ws.worktree.keep(paths, place)
    return place
