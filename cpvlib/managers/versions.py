"""The versions of a repository: which there are, and which one a user means.

One git lists the tags and the pending versions, and one reads them. Tags come from anybody: a manifest is
what makes one a version; one without counts where its commit has pointers of the series.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from operator import attrgetter

from cpvlib.base.errors import CheckpointNotFoundError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.alias import FOLDER, AliasTag, Setting, parse_setting
from cpvlib.domain.manifest import Brief, Manifest, parse_brief, parse_manifest
from cpvlib.domain.text import listed, printable
from cpvlib.domain.version import Place, Series, TagName, Version

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.door import Asked
    from cpvlib.stores.git.refs import TagRecord

LATEST = "latest"
BOTH = tuple(Series)
_PENDING = "refs/cpv/pending/"


@dataclass(frozen=True)
class VersionRecord:
    """One version and its tag. `pruned`: only the pending ref is left of it. `on_branch` is whether HEAD
    contains the commit, None where that was not asked, or a shallow clone can't tell."""

    place: Place
    prefix: str
    source: TagRecord
    pending: bool
    pruned: bool = False
    on_branch: bool | None = None

    def __init__(
        self,
        place: Place,
        prefix: str,
        source: TagRecord,
        pending: bool,
        pruned: bool = False,
        on_branch: bool | None = None,
        brief: Brief | None = None,
    ) -> None:
        # Of a repository with ten thousand versions each is made, and this is four times as fast.
        state = self.__dict__
        state["place"], state["prefix"], state["source"] = place, prefix, source
        state["pending"], state["pruned"], state["on_branch"] = pending, pruned, on_branch
        if brief is not None:
            state["_brief"] = brief

    @cached_property
    def name(self) -> TagName:
        return TagName.at(self.place, self.prefix)

    @property
    def tag(self) -> str:
        """The tag's name in full, prefix and all."""
        return self.source.ref.removeprefix(_PENDING) if self.pruned else self.source.name

    @property
    def object(self) -> str:
        """What the tag's ref holds."""
        return self.source.object

    @property
    def commit(self) -> str:
        return self.source.commit or ""

    @property
    def tagger(self) -> str:
        return self.source.tagger

    @property
    def email(self) -> str:
        return self.source.email

    @property
    def date(self) -> int:
        """Seconds since 1970; the tagger's offset from UTC is `zone`."""
        return self.source.date

    @property
    def zone(self) -> str:
        return self.source.zone

    @property
    def message(self) -> str:
        return self.source.message

    @property
    def series(self) -> Series:
        return Series.DATA if self.place[0] else Series.MODEL

    @property
    def version(self) -> Version:
        return self.name.version

    @cached_property
    def manifest(self) -> Manifest:
        """Only an annotated tag has one: the message of a lightweight one is its commit's."""
        return parse_manifest(self.message) if self.source.annotated else Manifest(text=self.message)

    @property
    def brief(self) -> Brief:
        """What a list needs of the manifest, in a third of the time."""
        state = self.__dict__  # before Python 3.12 cached_property takes a lock, and that as long as the rest
        if "_brief" not in state:
            state["_brief"] = _brief(self.source)
        brief: Brief = state["_brief"]
        return brief


def _brief(tag: TagRecord) -> Brief:
    return parse_brief(tag.message) if tag.annotated else Manifest(text=tag.message).brief


@dataclass(frozen=True)
class AliasRecord:
    """One setting of an alias, and its tag; `version` is the version that it names, where that is here."""

    name: AliasTag
    source: TagRecord
    setting: Setting
    pending: bool
    version: VersionRecord | None = None

    @property
    def commit(self) -> str:
        return self.source.commit or ""


@dataclass(frozen=True)
class Found:
    """The commit that a user's VERSION means, the version that it is, if it is one, and the alias that it was
    found by, if it was. `by_name`: the version's own name was typed, or `latest`, rather than a revision."""

    text: str
    commit: str
    record: VersionRecord | None = None
    alias: AliasRecord | None = None
    by_name: bool = False

    def __str__(self) -> str:
        return str(self.record.name) if self.record else self.text


def catalogue(
    ws: Workspace, series: Iterable[Series] = BOTH, *, with_branch: bool = False
) -> list[VersionRecord]:
    """The versions, model before data, each in version order. `with_branch` also asks which HEAD contains."""
    return Tags(ws, with_branch=with_branch).versions(series)


def find(ws: Workspace, text: str, series: Series | None = None) -> Found:
    """The commit that `text` means: v1.2 or its whole tag name, `latest`, an alias, or any git revision.

    Without a series, v1.2 and `latest` are the model's, or the data's where the model has none. Raises
    CheckpointNotFoundError, with the names that come nearest.
    """
    return Tags(ws).find(text, series)


class Tags:
    """One reading of the tags, for a command that has several questions. `with_brief`: for all versions'
    `brief`, which is read then while git reads on."""

    def __init__(self, ws: Workspace, *, with_branch: bool = False, with_brief: bool = False) -> None:
        from cpvlib.stores.git import refs

        self._ws = ws
        self._prefix = prefix = ws.settings.tag_prefix
        self._tags: dict[str, TagRecord] = {}
        self._pending: dict[str, TagRecord] = {}
        self._placed: list[tuple[Place, TagRecord]] = []
        self._briefs: dict[str, Brief] = {}
        history = _ask_history(ws) if with_branch else None
        self._on_branch: set[str] | None = set() if with_branch else None
        for tag in refs.each_tag(ws.repo, ["refs/tags", _PENDING]):  # names are read while git reads on
            if tag.ref.startswith(_PENDING):
                self._pending[tag.ref.removeprefix(_PENDING)] = tag
                continue
            self._tags[tag.ref] = tag
            if tag.commit and (place := TagName.place(tag.name, prefix)):
                self._placed.append((place, tag))
                if with_brief:
                    self._briefs[tag.ref] = _brief(tag)
        if history is not None:
            self._on_branch = {*history.run().decode().split("\n")}

    def is_taken(self, name: TagName) -> bool:
        """Whether there is a tag of that name, a version or not."""
        return name.ref in self._tags or str(name) in self._pending

    def has_tag(self, name: str) -> bool:
        """Whether there is a tag of just this name, whatever it is of."""
        return f"refs/tags/{name}" in self._tags

    def versions(self, series: Iterable[Series] = BOTH) -> list[VersionRecord]:
        """See `catalogue`."""
        of_data = {each is Series.DATA for each in series}
        return [record for record in self._records if record.place[0] in of_data]

    def find(self, text: str, series: Series | None = None) -> Found:
        """See the function of this name."""
        wanted = [series] if series else list(BOTH)
        record = self._version(text, wanted)
        if record is None and text == LATEST:
            record = self._latest(wanted)
        if record is not None:
            return Found(text, record.commit, record, by_name=True)
        if text in self.aliases:
            return self._aliased(text, wanted)
        commit = None if self._is_of_other_series(text) else self._ws.repo.resolve(text)
        if commit is None:
            raise self._unknown(text, wanted)
        return Found(text, commit, self.at(commit, wanted))

    def at(self, commit: str, series: Iterable[Series] = BOTH) -> VersionRecord | None:
        """The highest version on this very commit, of the first of the series that has one."""
        here = [record for record in reversed(self._records) if record.commit == commit]
        return next((record for each in series for record in here if record.series is each), None)

    @cached_property
    def aliases(self) -> dict[str, AliasRecord]:
        """By name the setting that holds, which is the highest; those that were taken away are left out."""
        last = {name: settings[-1] for name, settings in self.settings.items()}
        return {name: record for name, record in last.items() if record.setting.target is not None}

    @cached_property
    def names(self) -> dict[TagName, list[str]]:
        """The aliases of each version that has any; of a combined one both halves have them."""
        found: dict[TagName, list[str]] = {}
        for name, alias in self.aliases.items():
            version = alias.version
            mate = TagName.parse(version.manifest.companion or "", self._prefix) if version else None
            for record in (version, self._by_name.get(mate) if mate else None):
                if record is not None and record.commit == alias.commit:
                    found.setdefault(record.name, []).append(name)
        return found

    @cached_property
    def settings(self) -> dict[str, list[AliasRecord]]:
        """Every setting of every alias, by name, in order."""
        found: dict[str, list[AliasRecord]] = {}
        for short, tag in self._all.items():
            if FOLDER in short and (name := AliasTag.parse(short, self._prefix)):
                setting = parse_setting(tag.message, name) if tag.annotated and tag.commit else None
                if setting is not None:
                    target = TagName.parse(setting.target or "", self._prefix)
                    version = self._by_name.get(target) if target else None
                    record = AliasRecord(name, tag, setting, self._is_pending(short, tag), version)
                    found.setdefault(name.name, []).append(record)
        return {name: sorted(found[name], key=lambda record: record.name) for name in sorted(found)}

    def last_turn(self, name: str) -> int:
        """The highest number of an alias that is taken, by a setting or by anything else; 0 for none."""
        tags = [AliasTag.parse(short, self._prefix) for short in self._all if FOLDER in short]
        return max((tag.turn for tag in tags if tag and tag.name == name), default=0)

    def _aliased(self, text: str, wanted: list[Series]) -> Found:
        alias = self.aliases[text]
        version = alias.version
        if version is not None and version.commit != alias.commit:
            raise RepositoryError(
                f"the alias '{text}' was set to another {version.name} than the one here",
                hint=f"git cpv pull, then set it again: git cpv alias {text} VERSION",
            )
        if version is None or version.series not in wanted:
            version = self.at(alias.commit, wanted)
        return Found(text, alias.commit, version, alias)

    @cached_property
    def _records(self) -> list[VersionRecord]:
        gone = [
            (short, tag) for short, tag in self._pending.items() if f"refs/tags/{short}" not in self._tags
        ]
        pruned = [
            (place, tag)
            for short, tag in gone
            if tag.commit and (place := TagName.place(short, self._prefix))
        ]
        placed = [*self._placed, *pruned]
        foreign = self._foreign(placed)
        records = [self._record(place, tag) for place, tag in placed if tag.ref not in foreign]
        return sorted(records, key=attrgetter("place"))

    @cached_property
    def _all(self) -> dict[str, TagRecord]:
        """Every tag by its name; of a pending one that a prune took, what is kept of it."""
        return {**self._pending, **{tag.name: tag for tag in self._tags.values()}}

    def _is_pending(self, short: str, tag: TagRecord) -> bool:
        waiting = self._pending.get(short)
        return waiting is not None and waiting.object == tag.object

    def _record(self, place: Place, tag: TagRecord) -> VersionRecord:
        pruned = tag.ref.startswith(_PENDING)
        pending = pruned or (bool(self._pending) and self._is_pending(tag.name, tag))
        on_branch = None if self._on_branch is None else tag.commit in self._on_branch
        if on_branch is False and self._ws.repo.is_shallow:
            on_branch = None  # the history that a shallow clone left out may hold it
        return VersionRecord(place, self._prefix, tag, pending, pruned, on_branch, self._briefs.get(tag.ref))

    def _foreign(self, placed: Iterable[tuple[Place, TagRecord]]) -> set[str]:
        """Refs of tags without a manifest whose commit has no pointer of their series: a v3.7 of the code.

        Pointers are looked for where CPV and `dvc add` write them, at `<out>.dvc`: one git for any number.
        """
        doubtful = [
            (place, tag) for place, tag in placed if not tag.annotated or "Cpv-Version: " not in tag.message
        ]
        if not doubtful:
            return set()
        outs = self._ws.settings.model_outs, self._ws.settings.data_outs
        places = [(tag.ref, f"{tag.commit}:{out}.dvc") for place, tag in doubtful for out in outs[place[0]]]
        blobs = self._ws.repo.objects.read_all([place for _, place in places])
        with_pointer = {ref for (ref, _), blob in zip(places, blobs, strict=True) if blob is not None}
        return {tag.ref for _, tag in doubtful} - with_pointer

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

        if self._ws.repo.head().commit is None:
            return CheckpointNotFoundError(
                f"there are no commits yet, and so no '{text}'",
                hint="git cpv push makes the first checkpoint",
            )
        one = len(wanted) == 1
        mine = reversed(self.versions(wanted))
        names = [str(record.version if one else record.name) for record in mine]
        asked = text.removeprefix(self._prefix).removeprefix("data/") if one else text
        gone = self.settings.get(text)
        if gone:
            who = printable(gone[-1].source.tagger)
            hint = f"{who} took it away: git cpv alias {text} --log"
            return CheckpointNotFoundError(f"the alias '{text}' names nothing any more", hint=hint)
        near = difflib.get_close_matches(asked, [*names, LATEST, *self.aliases], 3, cutoff=0.5)
        if near:
            hint = f"nearest: {listed(near)}; git cpv list shows all"
        elif self._ws.repo.is_shallow:
            hint = "this clone is shallow, and it may lie before its beginning: git fetch --unshallow"
        else:
            hint = "git cpv list shows the versions" if names else "there are no versions yet: git cpv tag"
        what = f"no {wanted[0]} version or revision" if one else "no version or revision"
        return CheckpointNotFoundError(f"{what} '{text}'", hint=hint)


def _ask_history(ws: Workspace) -> Asked | None:
    """For every commit that HEAD contains. `for-each-ref --merged` takes three times as long."""
    head = ws.repo.head().commit
    # Without GIT_FLUSH rev-list writes each line by itself. git(1)
    return ws.repo.git.begin("rev-list", head, env={"GIT_FLUSH": "0"}) if head else None
