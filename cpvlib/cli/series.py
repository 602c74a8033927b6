"""The series that `--model`, `--data` and `--combined` choose."""

from __future__ import annotations

from cpvlib.domain.version import Series


def chosen(word: str | None, *, default: frozenset[Series]) -> frozenset[Series]:
    """`args.series` as a set; `default` where none of the options was given."""
    if word is None:
        return default
    return frozenset(Series) if word == "combined" else frozenset({Series(word)})
