"""What is said of files that a worktree leaves out."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import plural, printable

if TYPE_CHECKING:
    from cpvlib.managers.absence import Count


def count_in_words(count: Count) -> str:
    """`9,900 of 10,000 files`; `1 file`, where nothing is there."""
    if count.n_absent == count.n_files:
        return plural(count.n_files, "file")
    return f"{count.n_absent:,} of {plural(count.n_files, 'file')}"


def absent_in_words(absent: Mapping[str, Count]) -> str:
    """`data (9,900 of 10,000 files), model.bin (1 file)`."""
    return ", ".join(f"{printable(path)} ({count_in_words(count)})" for path, count in absent.items())
