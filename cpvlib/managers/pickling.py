"""Which of the files that come may run code when they are loaded: told, or refused before any is written."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.base.progress import Progress
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import NamedTuple, dataclass, field
from cpvlib.domain.pickles import Looked
from cpvlib.domain.text import listed, plural
from cpvlib.domain.version import Series
from cpvlib.managers.outs import LOG, Out, Roles

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.restoreplan import Restoration
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.cache import ObjectCache


class _Coming(NamedTuple):
    """A file that is about to be written: its name in the out, its md5, and its object in the cache."""

    out: Out
    name: str
    md5: str
    cache: ObjectCache

    @property
    def place(self) -> Path:
        return self.cache.path(self.md5)

    @property
    def path(self) -> str:
        return f"{self.out.path}/{self.name}" if self.name else self.out.path


@dataclass(frozen=True)
class Pickles:
    """`n_looked` files that a loader unpickles were looked through; `suspicious` are those of them of which
    there is something to tell, by path."""

    n_looked: int = 0
    suspicious: Mapping[str, Looked] = field(default_factory=dict)

    @property
    def warnings(self) -> Iterator[str]:
        """One a file, for people."""
        for path, looked in self.suspicious.items():
            yield f"{listed([path])} {_in_words(looked)}"

    @property
    def finding(self) -> str:
        """What to say where there is nothing to warn of; '' where there is nothing to say."""
        if not self.n_looked or self.suspicious:
            return ""
        return f"{plural(self.n_looked, 'pickle')} looked through: no known-dangerous imports found"

    @property
    def facts(self) -> list[dict[str, Any]]:
        """For `--json`."""
        return [
            {"path": path, "imports": list(looked.dangerous), "unseen": looked.unseen or None}
            for path, looked in self.suspicious.items()
        ]


NO_PICKLES = Pickles()


def look_at_plan(ws: Workspace, plan: Restoration, progress: Progress) -> Pickles:
    """Looks through what a restoration is about to write, once it is in the cache."""
    return _look(ws, chain(_of_steps(ws, plan), _of_fills(ws, plan)), progress)


def look_at_outs(
    ws: Workspace, outs: Mapping[str, Out], without: Mapping[str, Container[str]], progress: Progress
) -> Pickles:
    """The same for whole outs, `without` some files of each by its path."""
    files = (
        _Coming(out, *file)
        for path, out in outs.items()
        if out.entry is not None
        for file in _files(ws, out.path, out.entry)
        if file[0] not in without.get(path, ())
    )
    return _look(ws, files, progress)


def _of_steps(ws: Workspace, plan: Restoration) -> Iterator[_Coming]:
    for step in plan.steps:
        if step.target is None:
            continue
        had = step.standing.content.here if step.standing.content else {}
        for name, md5, cache in _files(ws, step.path, step.target):
            if name not in step.absent and had.get(name) != md5:
                yield _Coming(step.standing.out, name, md5, cache)


def _of_fills(ws: Workspace, plan: Restoration) -> Iterator[_Coming]:
    roles = Roles(ws.settings.model_outs, ws.settings.data_outs)
    for fill in plan.fills:
        out = Out(fill.path, roles(fill.path), f"{fill.path}.dvc", None)
        for name, md5 in fill.files.items():
            yield _Coming(out, name, md5, ws.cache)


def _files(ws: Workspace, path: str, entry: OutEntry) -> Iterator[tuple[str, str, ObjectCache]]:
    """Name in the out ('' for one that is a file), md5 and cache of each."""
    from cpvlib.managers import objects

    if path == LOG or entry.oid is None:
        return
    cache = objects.cache_of(ws, entry)
    names = objects.listing_of(ws, entry).entries if entry.is_dir else {"": entry.oid}
    for name, md5 in names.items():
        yield name, md5, cache


def _look(ws: Workspace, coming: Iterable[_Coming], progress: Progress) -> Pickles:
    """Raises RepositoryError under `cpv.pickle = refuse`. Of data, only what has a pickle's name is opened:
    there may be very many files of it."""
    from cpvlib.stores.pickles import SUFFIXES, LookedThrough, look_through

    mode = ws.settings.pickle_mode
    if mode == "off":
        return NO_PICKLES
    files = {
        each.path: each
        for each in coming
        if each.out.series is not Series.DATA or each.path.lower().endswith(SUFFIXES)
    }
    known = LookedThrough(ws.repo.common_dir)
    before = known.of(each.md5 for each in files.values())
    fresh: dict[str, Looked | None] = {}
    progress.begin("looking through pickles", 0, len(files))
    try:
        for each in files.values():
            if each.md5 not in before and each.md5 not in fresh:
                fresh[each.md5] = look_through(each.place)
            progress.advance(n_files=1)
    finally:
        progress.end()
        known.add(fresh)
    all_known = {**before, **fresh}
    verdicts = {path: all_known[each.md5] for path, each in files.items()}
    found = Pickles(
        sum(looked is not None for looked in verdicts.values()),
        {path: looked for path, looked in sorted(verdicts.items()) if looked},
    )
    if found.suspicious and mode == "refuse":
        raise _refused(found)
    return found


def _in_words(looked: Looked) -> str:
    told = (
        [f"imports {listed(looked.dangerous)}, which may run code when it is loaded"]
        if looked.dangerous
        else []
    )
    told += [f"can't be looked through for dangerous imports: {looked.unseen}"] if looked.unseen else []
    return ", and ".join(told)


def _refused(found: Pickles) -> RepositoryError:
    path, looked = next(iter(found.suspicious.items()))
    more = f" ({plural(len(found.suspicious), 'file')} in all)" if len(found.suspicious) > 1 else ""
    return RepositoryError(
        f"refused by cpv.pickle: {listed([path])} {_in_words(looked)}{more}",
        hint="if you trust whoever made it: git -c cpv.pickle=warn cpv …",
    )
