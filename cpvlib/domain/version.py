"""Versions, and the names of the git tags that carry them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from cpvlib.base.regex import regex
from cpvlib.base.values import dataclass

_VERSION = regex(r"v(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})", re.ASCII)
Place = tuple[bool, int, int]
"""Whether it is the data's, and the number: what versions are ordered by."""

_TAG = regex(rf"(data/)?{_VERSION.pattern}", re.ASCII)


class Series(Enum):
    """What a version counts: the model (with its `checkpoint.json`) or the data."""

    MODEL = "model"
    DATA = "data"

    def __str__(self) -> str:
        return self.value

    def __lt__(self, other: Series) -> bool:
        """The model's versions come before the data's."""
        return self is Series.MODEL and other is Series.DATA


@dataclass(frozen=True, order=True)
class Version:
    """`v{major}.{minor}`, ordered by number: v0.9 < v0.10."""

    major: int
    minor: int

    def __init__(self, major: int, minor: int) -> None:
        # Of a repository with ten thousand versions each is made, and this is four times as fast.
        state = self.__dict__
        state["major"], state["minor"] = major, minor

    @classmethod
    def of(cls, text: str) -> Version | None:
        """The version that `text` spells canonically, or None: 'v1', 'v1.02' and '1.2' are not versions."""
        match = _VERSION.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}"

    def next(self, *, major: bool = False) -> Version:
        return Version(self.major + 1, 0) if major else Version(self.major, self.minor + 1)


FIRST = Version(0, 1)


def next_version(taken: Iterable[Version], *, major: bool = False) -> Version:
    """The number after the highest one taken; `v0.1` (or `v1.0`) where there is none."""
    highest = max(taken, default=None)
    if highest is None:
        return Version(1, 0) if major else FIRST
    return highest.next(major=major)


class ClaimedTag:
    """A git tag whose name is claimed at the git remote, and the refs that stand for it here."""

    @property
    def ref(self) -> str:
        return f"refs/tags/{self}"

    @property
    def pending_ref(self) -> str:
        """Exists, with the tag's object, from the tag's making until its publication."""
        return f"refs/cpv/pending/{self}"

    @property
    def renamed_ref(self) -> str:
        """Keeps the object of a pending tag that lost its number to somebody else's."""
        return f"refs/cpv/renamed/{self}"


@dataclass(frozen=True, order=True)
class TagName(ClaimedTag):
    """The git tag of a version: `<prefix>v1.2` for the model, `<prefix>data/v1.2` for the data.

    `prefix` is `cpv.tagPrefix`, empty unless set; it stands before both, literally.
    """

    series: Series
    version: Version
    prefix: str = ""

    def __init__(self, series: Series, version: Version, prefix: str = "") -> None:
        state = self.__dict__
        state["series"], state["version"], state["prefix"] = series, version, prefix

    @classmethod
    def parse(cls, name: str, prefix: str = "") -> TagName | None:
        """The inverse of `str`, for a tag's short name; None for a tag that is not a version of this
        prefix."""
        place = cls.place(name, prefix)
        return cls.at(place, prefix) if place else None

    @classmethod
    def place(cls, name: str, prefix: str = "") -> Place | None:
        """Where `parse` finds it in the order of all versions: in a third of the time."""
        match = _TAG.fullmatch(name, len(prefix)) if name.startswith(prefix) else None
        if match is None:
            return None
        data, major, minor = match.groups()
        return data is not None, int(major), int(minor)

    @classmethod
    def at(cls, place: Place, prefix: str = "") -> TagName:
        """The name that has this place."""
        is_data, major, minor = place
        return cls(Series.DATA if is_data else Series.MODEL, Version(major, minor), prefix)

    def __str__(self) -> str:
        return f"{self.prefix}{'data/' if self.series is Series.DATA else ''}{self.version}"
