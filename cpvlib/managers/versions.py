"""The versions of a repository: which there are, and which one a user means.

One git call reads the tags and the pending versions. Tags come from anybody: a manifest is what makes one a
version; one without counts where its commit has pointers of the series.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cpvlib.base.errors import CheckpointNotFoundError
from cpvlib.domain.manifest import Manifest, parse_manifest
from cpvlib.domain.text import listed
from cpvlib.domain.version import Series, TagName, Version

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.refs import TagRecord

LATEST = "latest"
BOTH = tuple(Series)
_PENDING = "refs/cpv/pending/"
_ALIASES = "refs/tags/alias/"
_TURN = re.compile(r"(?P<name>[^/]+)/(?P<turn>[1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True)
class VersionRecord:
    """One version as its tag tells it. `object` is what the tag's ref holds.

    `date` is seconds since 1970, `zone` the tagger's offset from UTC. `pruned`: only the pending ref is left
    of it. `on_branch` is whether HEAD contains the commit, None where that was not asked.
    """

    name: TagName
    object: str
    commit: str
    tagger: str
    email: str
    date: int
    zone: str
    message: str
    annotated: bool
    pending: bool
    pruned: bool = False
    on_branch: bool | None = None

    @property
    def series(self) -> Series:
        return self.name.series

    @property
    def version(self) -> Version:
        return self.name.version

    @cached_property
    def manifest(self) -> Manifest:
        """Only an annotated tag has one: the message of a lightweight one is its commit's."""
        return parse_manifest(self.message) if self.annotated else Manifest(text=self.message)

    @property
    def subject(self) -> str:
        return self.manifest.text.partition("\n")[0]


@dataclass(frozen=True)
class Found:
    """The commit that a user's VERSION means, and the version that it is, if it is one."""

    text: str
    commit: str
    record: VersionRecord | None = None

    def __str__(self) -> str:
        return str(self.record.name) if self.record else self.text


def catalogue(
    ws: Workspace, series: Iterable[Series] = BOTH, *, with_branch: bool = False
) -> list[VersionRecord]:
    """The versions, model before data, each in version order. `with_branch` also asks which HEAD contains."""
    return Tags(ws).versions(series, with_branch=with_branch)


def find(ws: Workspace, text: str, series: Series | None = None) -> Found:
    """The commit that `text` means: v1.2 or its whole tag name, `latest`, an alias, or any git revision.

    Without a series, v1.2 and `latest` are the model's, or the data's where the model has none. Raises
    CheckpointNotFoundError, with the names that come nearest.
    """
    return Tags(ws).find(text, series)


class Tags:
    """One reading of the tags, for a command that has several questions."""

    def __init__(self, ws: Workspace) -> None:
        from cpvlib.stores.git import refs

        self._ws = ws
        self._prefix = ws.settings.tag_prefix
        patterns = [f"{self._prefix}v*", f"{self._prefix}data/v*", "alias", _PENDING]
        read = refs.read_tags(ws.repo, patterns)
        self._tags = {tag.ref: tag for tag in read if not tag.ref.startswith(_PENDING)}
        self._pending = {tag.ref.removeprefix(_PENDING): tag for tag in read if tag.ref.startswith(_PENDING)}

    def is_taken(self, name: TagName) -> bool:
        """Whether there is a tag of that name, a version or not."""
        return name.ref in self._tags or str(name) in self._pending

    def versions(self, series: Iterable[Series] = BOTH, *, with_branch: bool = False) -> list[VersionRecord]:
        """See `catalogue`."""
        wanted = set(series)
        records = [record for record in self._records if record.series in wanted]
        return self._with_branch(records) if with_branch else records

    def find(self, text: str, series: Series | None = None) -> Found:
        """See the function of this name."""
        wanted = [series] if series else list(BOTH)
        record = self._version(text, wanted)
        if record is None and text == LATEST:
            record = self._latest(wanted)
        if record is not None:
            return Found(text, record.commit, record)
        commit = self.aliases.get(text)
        if commit is None and not self._is_of_other_series(text):
            commit = self._ws.repo.resolve(text)
        if commit is None:
            raise self._unknown(text, wanted)
        return Found(text, commit, self.at(commit, wanted))

    def at(self, commit: str, series: Iterable[Series] = BOTH) -> VersionRecord | None:
        """The highest version on this very commit, of the first of the series that has one."""
        here = [record for record in reversed(self._records) if record.commit == commit]
        return next((record for each in series for record in here if record.series is each), None)

    @cached_property
    def aliases(self) -> dict[str, str]:
        """Name to commit. `alias/production/3` is the third setting of production; the highest holds."""
        highest: dict[str, tuple[int, str]] = {}
        for ref, tag in self._tags.items():
            match = _TURN.fullmatch(ref.removeprefix(_ALIASES)) if ref.startswith(_ALIASES) else None
            if match and tag.commit:
                setting = (int(match["turn"]), tag.commit)
                highest[match["name"]] = max(setting, highest.get(match["name"], setting))
        return {name: commit for name, (_, commit) in highest.items()}

    @cached_property
    def _records(self) -> list[VersionRecord]:
        named = {
            name: tag
            for short, tag in [
                *self._pending.items(),
                *((tag.name, tag) for tag in self._tags.values()),
            ]
            if (name := TagName.parse(short, self._prefix)) and tag.commit
        }
        foreign = self._foreign(named)
        records = [self._record(name, tag) for name, tag in named.items() if name not in foreign]
        return sorted(records, key=lambda record: (record.series is Series.DATA, record.version))

    def _record(self, name: TagName, tag: TagRecord) -> VersionRecord:
        waiting = self._pending.get(str(name))
        return VersionRecord(
            name=name,
            object=tag.object,
            commit=tag.commit or "",
            tagger=tag.tagger,
            email=tag.email,
            date=tag.date,
            zone=tag.zone,
            message=tag.message,
            annotated=tag.annotated,
            pending=waiting is not None and waiting.object == tag.object,
            pruned=waiting is tag,
        )

    def _foreign(self, named: Mapping[TagName, TagRecord]) -> set[TagName]:
        """Tags without a manifest whose commit has no pointer of their series: a v3.7 of the code, say.

        Pointers are looked for where CPV and `dvc add` write them, at `<out>.dvc`: one git for any number.
        """
        doubtful = [
            name for name, tag in named.items() if not tag.annotated or "Cpv-Version: " not in tag.message
        ]
        if not doubtful:
            return set()
        outs = {Series.MODEL: self._ws.settings.model_outs, Series.DATA: self._ws.settings.data_outs}
        places = [(name, f"{named[name].commit}:{out}.dvc") for name in doubtful for out in outs[name.series]]
        blobs = self._ws.repo.objects.read_all([place for _, place in places])
        with_pointer = {name for (name, _), blob in zip(places, blobs, strict=True) if blob is not None}
        return set(doubtful) - with_pointer

    def _with_branch(self, records: Iterable[VersionRecord]) -> list[VersionRecord]:
        from dataclasses import replace

        from cpvlib.stores.git import refs

        repo = self._ws.repo
        head = repo.head().commit
        patterns = [f"{self._prefix}v*", f"{self._prefix}data/v*"]
        merged = refs.merged_tags(repo, head, patterns) if head else set()
        return [
            replace(
                record,
                on_branch=str(record.name) in merged
                or bool(record.pruned and head and repo.is_ancestor(record.commit, head)),
            )
            for record in records
        ]

    def _version(self, text: str, wanted: Iterable[Series]) -> VersionRecord | None:
        version = Version.of(text)
        names = [TagName(series, version, self._prefix) for series in wanted] if version else []
        whole = [TagName.parse(text, self._prefix), TagName.parse(f"{self._prefix}{text}", self._prefix)]
        names += [name for name in whole if name is not None and name.series in wanted]
        return next((self._by_name[name] for name in names if name in self._by_name), None)

    @cached_property
    def _by_name(self) -> dict[TagName, VersionRecord]:
        return {record.name: record for record in self._records}

    def _latest(self, wanted: Iterable[Series]) -> VersionRecord:
        for series in wanted:
            of_series = self.versions([series])
            if of_series:
                return of_series[-1]
        raise CheckpointNotFoundError("there are no versions yet", hint="git cpv tag")

    def _is_of_other_series(self, text: str) -> bool:
        """A number that only the series not wanted has: git would resolve it, to what was not meant."""
        version = Version.of(text)
        return version is not None and any(record.version == version for record in self._records)

    def _unknown(self, text: str, wanted: list[Series]) -> CheckpointNotFoundError:
        import difflib

        one = len(wanted) == 1
        mine = reversed(self.versions(wanted))
        names = [str(record.version if one else record.name) for record in mine]
        near = difflib.get_close_matches(text, [*names, LATEST, *self.aliases], 3, cutoff=0.5)
        if near:
            hint = f"nearest: {listed(near)}; git cpv list shows all"
        else:
            hint = "git cpv list shows the versions" if names else "there are no versions yet: git cpv tag"
        what = f"no {wanted[0]} version or revision" if one else "no version or revision"
        return CheckpointNotFoundError(f"{what} '{text}'", hint=hint)
