"""The rules by which two sides' checkpoints become one.

An out that one side changed is taken. The outs of a model are one thing: changed on both sides they are a
conflict, for half of each is a model that nobody trained; `checkpoint.json` goes with the model it describes.
A folder of data merges file by file, `metrics.log` becomes the union of its lines. Nothing but the cache is
written to: a merged listing or log is an object like any other, and the next push stores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cpvlib.base.errors import ConfigError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field, replace
from cpvlib.domain.cpvconfig import CommittedConfig
from cpvlib.domain.merging import (
    Conflict,
    Side,
    decided,
    is_decided,
    merge_config,
    merge_facts,
    merge_lines,
    merge_listings,
)
from cpvlib.domain.pointer import OutEntry, Pointer, parse_pointer, update_pointer
from cpvlib.domain.version import Series
from cpvlib.managers import objects
from cpvlib.managers.marked import IGNORE
from cpvlib.managers.outs import CHECKPOINT, CONFIG, LOG, Roles
from cpvlib.managers.sides import Sides

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

MERGED = "merged"


@dataclass(frozen=True)
class Merged:
    """`files` are those in which the sides differ, with their new content, None where they go. `taken` tells
    of each out that the sides differ in whose it is now: 'ours', 'theirs' or 'merged'."""

    files: Mapping[str, bytes | None]
    taken: Mapping[str, str]
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True)
class _Named:
    """An out as one side's pointer names it."""

    pointer_path: str
    entry: OutEntry

    @property
    def content(self) -> tuple[object, ...]:
        return self.pointer_path, self.entry.oid, self.entry.legacy, self.entry.isexec


_Three = tuple["_Named | None", "_Named | None", "_Named | None"]


def merge(ws: Workspace, sides: Sides, prefer: Side | None = None) -> Merged:
    """Brings the sides together. Conflicts are settled for the side that is preferred; without one they are
    listed, and ours stands in their place. Raises StorageError where a listing or log can't be had."""
    return _Merger(ws, sides, prefer).merged()


@dataclass
class _Merger:
    ws: Workspace
    sides: Sides
    prefer: Side | None
    files: dict[str, bytes | None] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    def merged(self) -> Merged:
        self._config()
        pointers = self._pointers()
        named = [_named(each) for each in pointers]
        outs: dict[str, _Three] = {
            path: (named[0].get(path), named[1].get(path), named[2].get(path))
            for path in sorted({**named[0], **named[1], **named[2]})
        }
        roles = self._roles()
        model = {path: three for path, three in outs.items() if path in roles}
        side = self._model(model)
        final = {path: side.of(*three) for path, three in model.items()}
        final |= {path: self._out(path, three) for path, three in outs.items() if path not in roles}
        self._tell(outs, final)
        for path in sorted({path for each in pointers for path in each}):
            self.files[path] = self._pointer(path, final)
        self._facts(model, side)
        self._ignores()
        return Merged(self.files, self.taken, tuple(self.conflicts))

    def _three(self, path: str) -> tuple[bytes | None, bytes | None, bytes | None]:
        return self.sides.base.get(path), self.sides.ours.get(path), self.sides.theirs.get(path)

    def _conflict(self, path: str, base: object, ours: object, theirs: object) -> None:
        if self.prefer is None:
            was = base is not None
            self.conflicts.append(Conflict(path, was and ours is None, was and theirs is None))

    def _by_side(self, path: str, three: tuple[bytes | None, bytes | None, bytes | None]) -> bytes | None:
        """A file as a whole, of which nothing more is known."""
        if is_decided(*three):
            return decided(*three)
        self._conflict(path, *three)
        return (self.prefer or Side.OURS).of(*three)

    def _config(self) -> None:
        three = self._three(CONFIG)
        if three[1] == three[2] == three[0]:
            return
        try:
            content, keys = merge_config(*three, self.prefer)
        except ConfigError:
            self.files[CONFIG] = self._by_side(CONFIG, three)
            return
        self.files[CONFIG] = content
        if keys:
            self._conflict(CONFIG, *three)

    def _roles(self) -> set[str]:
        """The paths that any side counts to the model."""
        found: set[str] = set()
        for each in (self.sides.base, self.sides.ours, self.sides.theirs):
            config = CommittedConfig.parse(each.get(CONFIG))
            roles = Roles(config.model_outs, config.data_outs)
            found.update(path for path in roles.paths if roles(path) is Series.MODEL)
        return found

    def _pointers(self) -> tuple[dict[str, Pointer], dict[str, Pointer], dict[str, Pointer]]:
        """Of each side; a file that can't be read on one of them is left to git, which merges it as text."""
        found: tuple[dict[str, Pointer], ...] = ({}, {}, {})
        for path in self.sides.paths:
            if not path.endswith(".dvc"):
                continue
            try:
                three = [
                    parse_pointer(path, data) if data is not None else None for data in self._three(path)
                ]
            except RepositoryError:
                continue
            for pointers, pointer in zip(found, three, strict=True):
                if pointer is not None:
                    pointers[path] = pointer
        return found[0], found[1], found[2]

    def _model(self, outs: Mapping[str, _Three]) -> Side:
        """Whose model it is, as a whole."""
        three = [{path: _content(each[nth]) for path, each in outs.items()} for nth in range(3)]
        if is_decided(*three):
            return Side.THEIRS if three[1] == three[0] else Side.OURS
        for path, (base, ours, theirs) in outs.items():
            if _content(ours) != _content(theirs):
                self._conflict(path, base, ours, theirs)
        return self.prefer or Side.OURS

    def _out(self, path: str, three: _Three) -> _Named | None:
        base, ours, theirs = three
        contents = _content(base), _content(ours), _content(theirs)
        if is_decided(*contents):
            return theirs if contents[1] == contents[0] else ours
        if ours is not None and theirs is not None:
            entry = self._log(path, ours, theirs) or self._folder(path, base, ours, theirs)
            if entry is not None:
                return replace(ours, entry=entry)
        self._conflict(path, base, ours, theirs)
        return (self.prefer or Side.OURS).of(base, ours, theirs)

    def _log(self, path: str, ours: _Named, theirs: _Named) -> OutEntry | None:
        from cpvlib.stores.files import Scratch
        from cpvlib.stores.logunion import together

        if path != LOG or ours.entry.is_dir or theirs.entry.is_dir:
            return None
        united = Path(Scratch(self.ws.repo.git_dir / "cpv" / "union").new())
        try:
            with ExitStack() as stack:
                one, other = (
                    stack.enter_context(objects.file_of(self.ws, n.entry).open("rb")) for n in (ours, theirs)
                )
                together(one, other, stack.enter_context(united.open("xb")), united.parent)
            return objects.keep(self.ws, united, ours.entry)
        finally:
            united.unlink(missing_ok=True)

    def _folder(self, path: str, base: _Named | None, ours: _Named, theirs: _Named) -> OutEntry | None:
        """Folders merge by their listings alone; the files that only the other side has are not needed."""
        from cpvlib.stores.storage.protocol import ObjectMissingError

        known = [each.entry for each in (base, ours, theirs) if each is not None]
        if not all(entry.is_dir and not entry.legacy for entry in known):
            return None
        try:
            before = objects.listing_of(self.ws, base.entry).entries if base else {}
        except ObjectMissingError:
            return None  # without it nobody knows what was removed: then the folder as a whole is in conflict
        three = [before, *(objects.listing_of(self.ws, each.entry).entries for each in (ours, theirs))]
        merged = merge_listings(three[0], three[1], three[2], self.prefer)
        self.conflicts += [replace(each, path=f"{path}/{each.path}") for each in merged.conflicts]
        for listing, named in zip(three[1:], (ours, theirs), strict=True):
            if merged.entries == listing:
                return named.entry
        totals = [each.entry.size if each else 0 for each in (base, ours, theirs)]
        size = _total_size(self.ws, totals, three, merged.entries)
        return objects.keep_listing(self.ws, merged.entries, replace(ours.entry, size=size))

    def _tell(self, outs: Mapping[str, _Three], final: Mapping[str, _Named | None]) -> None:
        for path, (_, ours, theirs) in outs.items():
            content = _content(final[path])
            if _content(ours) == _content(theirs):
                continue
            whose = {_content(ours): Side.OURS.value, _content(theirs): Side.THEIRS.value}
            self.taken[path] = whose.get(content, MERGED)

    def _pointer(self, path: str, final: Mapping[str, _Named | None]) -> bytes | None:
        """The pointer file's new bytes: comments and foreign keys as one side changed them, else as ours."""
        wanted = {n.entry.path: n.entry for n in final.values() if n is not None and n.pointer_path == path}
        if not wanted:
            return None
        three = self._three(path)
        base, ours, theirs = (_with_entries(path, data, wanted) for data in three)
        if ours is None and theirs is None:
            return self._by_side(path, three)
        if ours is None or theirs is None:
            return ours or theirs
        return theirs if ours == base else ours

    def _facts(self, model: Mapping[str, _Three], side: Side) -> None:
        three = self._three(CHECKPOINT)
        if three[0] == three[1] == three[2]:
            return
        same = all(_content(ours) == _content(theirs) for _, ours, theirs in model.values())
        if not same:
            self.files[CHECKPOINT] = side.of(*three)
            return
        try:
            self.files[CHECKPOINT] = merge_facts(*three)
        except RepositoryError:
            self.files[CHECKPOINT] = self._by_side(CHECKPOINT, three)

    def _ignores(self) -> None:
        from cpvlib.stores.git import merges

        for path in self.sides.paths:
            three = self._three(path)
            if path.rpartition("/")[2] == IGNORE and not is_decided(*three):
                text = (
                    merges.merge_text(self.ws.repo, *(each or b"" for each in three)) if all(three) else None
                )
                self.files[path] = merge_lines(*three) if text is None else text


def _named(pointers: Mapping[str, Pointer]) -> dict[str, _Named]:
    return {
        pointer.out_path(entry): _Named(path, entry)
        for path, pointer in pointers.items()
        for entry in pointer.outs
    }


def _content(named: _Named | None) -> tuple[object, ...] | None:
    return named.content if named else None


def _with_entries(path: str, data: bytes | None, wanted: Mapping[str, OutEntry]) -> bytes | None:
    """A side's pointer, naming what is wanted; None where it is not there, or has other outs."""
    if data is None:
        return None
    try:
        pointer = parse_pointer(path, data)
        if {entry.path for entry in pointer.outs} != wanted.keys():
            return None
        for entry in pointer.outs:
            if _as_named(entry) != _as_named(wanted[entry.path]):
                data = update_pointer(path, data, wanted[entry.path])
    except RepositoryError:
        return None
    return data


def _as_named(entry: OutEntry) -> tuple[object, ...]:
    return entry.oid, entry.size, entry.nfiles, entry.isexec, entry.legacy


def _total_size(
    ws: Workspace, totals: list[int | None], three: list[Mapping[str, str]], merged: Mapping[str, str]
) -> int | None:
    """The bytes of a merged folder. Where each file changed on one side only, the three totals tell; the
    cache or the storage is asked about the rest. None where nobody knows."""
    if any(total is None for total in totals):
        return None
    weights: dict[str, int] = {}
    for path in {**three[0], **three[1], **three[2], **merged}:
        base, ours, theirs = (each.get(path) for each in three)
        if {merged.get(path), base} == {ours, theirs} and (base in (ours, theirs)):
            continue
        for md5, weight in ((merged.get(path), 1), (ours, -1), (theirs, -1), (base, 1)):
            if md5 is not None:
                weights[md5] = weights.get(md5, 0) + weight
    odd = {md5: weight for md5, weight in weights.items() if weight}
    sizes = objects.sizes(ws, odd) if odd else {}
    if len(sizes) < len(odd):
        return None
    base_total, our_total, their_total = (total or 0 for total in totals)
    return our_total + their_total - base_total + sum(sizes[md5] * weight for md5, weight in odd.items())
