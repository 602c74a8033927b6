"""Two checkpoints side by side: which numbers and files differ."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.typed import Any, Literal
from cpvlib.base.values import dataclass
from cpvlib.domain.checkpoint import is_number

Kind = Literal["added", "removed", "changed", "renamed"]


@dataclass(frozen=True)
class ValueChange:
    """A metric or parameter that differs. `has_before` and `has_after` tell a missing one from a null."""

    name: str
    before: Any
    after: Any
    has_before: bool = True
    has_after: bool = True

    @property
    def delta(self) -> float | None:
        """After minus before, where both are numbers."""
        if is_number(self.before) and is_number(self.after):
            return float(self.after - self.before)
        return None


@dataclass(frozen=True)
class FileChange:
    """A file that differs; `old_path` is set where the same content had another name before."""

    kind: Kind
    path: str
    md5: str | None
    """The content after; None where it was removed."""
    old_path: str | None = None


def compare_values(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ValueChange]:
    """What differs, by name. 1 and 1.0 are equal, 1 and true are not."""
    changes = []
    for name in sorted({*before, *after}):
        change = ValueChange(name, before.get(name), after.get(name), name in before, name in after)
        if not (change.has_before and change.has_after and _equal(change.before, change.after)):
            changes.append(change)
    return changes


def _equal(old: object, new: object) -> bool:
    return old == new and isinstance(old, bool) == isinstance(new, bool)


def compare_files(before: Mapping[str, str], after: Mapping[str, str]) -> list[FileChange]:
    """What differs between two sets of files (path to md5), by path. A renamed file keeps its content."""
    removed = {path: md5 for path, md5 in before.items() if path not in after}
    added = {path: md5 for path, md5 in after.items() if path not in before}
    renames = _renames(removed, added)
    gone = set(renames.values())
    changes = [FileChange("renamed", path, added[path], old) for path, old in renames.items()]
    changes += [FileChange("added", path, md5) for path, md5 in added.items() if path not in renames]
    changes += [FileChange("removed", path, None) for path in removed if path not in gone]
    changed = ((path, md5) for path, md5 in after.items() if before.get(path, md5) != md5)
    changes += [FileChange("changed", path, md5) for path, md5 in changed]
    return sorted(changes, key=lambda change: change.path)


def _renames(removed: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """New path to old, each old path once; of several of the same content, in the order of their names."""
    by_content: dict[str, list[str]] = {}
    for path in sorted(removed, reverse=True):
        by_content.setdefault(removed[path], []).append(path)
    renames = {}
    for path in sorted(added):
        candidates = by_content.get(added[path])
        if candidates:
            renames[path] = candidates.pop()
    return renames


def new_content(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """The md5s that only the later set names: what had to be sent for it."""
    return set(after.values()) - set(before.values())
