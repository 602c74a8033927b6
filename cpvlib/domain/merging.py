"""What two sides made of one thing, brought together: three-way, and pure.

*Ours* is the side that is merged into, *theirs* the one that is merged, *base* what both began from. What one
side changed is taken; what both changed differently is a conflict, which a `Side` settles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from cpvlib.base.typed import TypeVar
from cpvlib.base.values import dataclass
from cpvlib.domain import cpvconfig
from cpvlib.domain.checkpoint import Checkpoint

T = TypeVar("T")


class Side(Enum):
    """Which side a conflict is settled for. The base serves where two merge bases are merged for a third."""

    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"

    def of(self, base: T, ours: T, theirs: T) -> T:
        return {Side.BASE: base, Side.OURS: ours, Side.THEIRS: theirs}[self]


@dataclass(frozen=True)
class Conflict:
    """A path that both sides changed, each in its own way."""

    path: str
    gone_here: bool = False
    gone_there: bool = False

    @property
    def reason(self) -> str:
        if self.gone_here:
            return "removed here and changed there"
        return "changed here and removed there" if self.gone_there else "changed on both sides"


@dataclass(frozen=True)
class MergedListing:
    """A folder's files after the merge, and those of them that are in conflict and so not among them."""

    entries: Mapping[str, str]
    conflicts: tuple[Conflict, ...] = ()


def is_decided(base: T, ours: T, theirs: T) -> bool:
    """Whether at most one of the sides has a change of its own."""
    return ours in (base, theirs) or theirs == base


def decided(base: T, ours: T, theirs: T) -> T:
    """What the three make together, where that `is_decided`."""
    return theirs if ours == base else ours


def merge_listings(
    base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str], prefer: Side | None = None
) -> MergedListing:
    """The files of a folder (path to md5), file by file. A file that one side renamed, its content as it was,
    takes along what the other side changed in it."""
    base, ours, theirs = _renames_followed(base, ours, theirs)
    entries: dict[str, str] = {}
    conflicts = []
    for path in sorted({**base, **ours, **theirs}):
        three = base.get(path), ours.get(path), theirs.get(path)
        if is_decided(*three):
            md5 = decided(*three)
        elif prefer is not None:
            md5 = prefer.of(*three)
        else:
            md5 = None
            conflicts.append(Conflict(path, three[1] is None, three[2] is None))
        if md5 is not None:
            entries[path] = md5
    return _without_clashes(MergedListing(entries, tuple(conflicts)), (base, ours, theirs), prefer)


def _renames_followed(
    base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]
) -> tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]]:
    """The three as if a file that one side renamed and the other changed had had its new name all along."""
    for mover, other in ((ours, theirs), (theirs, ours)):
        for old, new in _renames(base, mover, other):
            base = _moved(base, old, new)
            if other is theirs:
                theirs = _moved(theirs, old, new)
            else:
                ours = _moved(ours, old, new)
    return base, ours, theirs


def _renames(
    base: Mapping[str, str], mover: Mapping[str, str], other: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Old and new paths of files of which `mover` changed only the name, and `other` only the content."""
    gone = {path for path in base if path not in mover}
    changed = {path for path in gone if path in other and other[path] != base[path]}
    if not changed:
        return []
    came: dict[str, list[str]] = {}
    for path, md5 in mover.items():
        if path not in base:
            came.setdefault(md5, []).append(path)
    lost = Counter(base[path] for path in gone)
    pairs = [(old, came.get(base[old], [])) for old in sorted(changed) if lost[base[old]] == 1]
    return [(old, new[0]) for old, new in pairs if len(new) == 1 and new[0] not in other]


def _moved(entries: Mapping[str, str], old: str, new: str) -> Mapping[str, str]:
    kept = {path: md5 for path, md5 in entries.items() if path != old}
    return kept | ({new: entries[old]} if old in entries else {})


def _without_clashes(
    merged: MergedListing, three: tuple[Mapping[str, str], ...], prefer: Side | None
) -> MergedListing:
    """No path may be a file and a folder at once, as where one side put a folder in a file's place."""
    clashing = sorted(_folders(merged.entries) & merged.entries.keys())
    if not clashing:
        return merged
    entries = dict(merged.entries)
    for file in clashing:
        below = [path for path in entries if path.startswith(f"{file}/")]
        keeps_file = prefer is not None and file in prefer.of(*three)
        for path in ([file] if prefer and not keeps_file else []) or (below if prefer else [file, *below]):
            entries.pop(path, None)
    conflicts = () if prefer else tuple(Conflict(path) for path in clashing)
    return MergedListing(entries, (*merged.conflicts, *conflicts))


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def merge_facts(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | None:
    """Two `checkpoint.json` that describe one and the same model, key by key; what both say differently is
    as the later one says. Raises RepositoryError for one that can't be read."""
    if is_decided(base, ours, theirs) or ours is None or theirs is None:
        return decided(base, ours, theirs) if ours is not None and theirs is not None else ours or theirs
    one, other = Checkpoint.parse(ours), Checkpoint.parse(theirs)
    before = Checkpoint.parse(base) if base is not None else Checkpoint()
    first, last = sorted((one, other), key=lambda facts: (facts.time, facts.render()))
    metrics = _merge_keys(before.metrics, first.metrics, last.metrics)
    params = _merge_keys(before.params, first.params, last.params)
    return Checkpoint(metrics, params, last.code, last.data, last.time).render()


def _merge_keys(base: Mapping[str, T], first: Mapping[str, T], last: Mapping[str, T]) -> dict[str, T]:
    merged = {}
    for key in {**base, **first, **last}:
        three = base.get(key), first.get(key), last.get(key)
        value = decided(*three) if is_decided(*three) else three[2]
        if value is not None or any(key in facts and facts[key] is None for facts in (first, last)):
            merged[key] = value
    return merged  # type: ignore[return-value]  # None is a value where it was one


def merge_config(
    base: bytes | None, ours: bytes | None, theirs: bytes | None, prefer: Side | None = None
) -> tuple[bytes | None, list[str]]:
    """`.cpvconfig`, key by key: ours with what theirs changed in it, and the keys in conflict. Outs come and
    go one by one. Raises ConfigError for one that can't be read."""
    if ours is None or theirs is None:
        return (decided(base, ours, theirs) if is_decided(base, ours, theirs) else ours or theirs), []
    before, here, there = (_values(each) for each in (base, ours, theirs))
    text, conflicts = ours, []
    for key in sorted({**before, **here, **there}):
        three = before.get(key, ()), here.get(key, ()), there.get(key, ())
        if key.endswith(".out"):
            wanted = tuple(_members(*three))
        elif is_decided(*three):
            wanted = decided(*three)
        elif prefer is not None:
            wanted = prefer.of(*three)
        else:
            conflicts.append(key)
            continue
        text = _with_values(text, key, three[1], wanted)
    return text, conflicts


def _values(data: bytes | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in cpvconfig.entries(data or b""):
        if entry.value is not None:
            found[entry.key] = (*found.get(entry.key, ()), entry.value)
    return found


def _members(base: tuple[str, ...], ours: tuple[str, ...], theirs: tuple[str, ...]) -> Iterator[str]:
    yield from (each for each in ours if each in theirs or each not in base)
    yield from (each for each in theirs if each not in ours and each not in base)


def _with_values(text: bytes, key: str, now: tuple[str, ...], wanted: tuple[str, ...]) -> bytes:
    if len(now) == len(wanted) == 1:
        return cpvconfig.set_value(text, key, wanted[0])
    text = cpvconfig.remove_values(text, key, *(value for value in now if value not in wanted))
    return cpvconfig.add_values(text, key, *(value for value in wanted if value not in now))


def merge_lines(base: bytes | None, ours: bytes | None, theirs: bytes | None) -> bytes | None:
    """`.gitignore` as a set of lines: ours, without those that theirs took out, and with those it put in."""
    if ours is None or theirs is None:
        return decided(base, ours, theirs) if is_decided(base, ours, theirs) else ours or theirs
    before, there = set((base or b"").splitlines()), theirs.splitlines()
    kept = [line for line in ours.splitlines() if line in there or line not in before or not line.strip()]
    new = [line for line in there if line not in before and line not in kept]
    return b"".join(line + b"\n" for line in [*kept, *new])
