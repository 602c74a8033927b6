"""Settling lost races for names: who comes second gets the next free number.

A version whose winner names the same objects is dropped for it. One whose number was typed, or that is
signed, is for its user to decide. What mentions a version by a number that it no longer has (the model's
version that was trained on it, the alias that names it) is written anew with the right one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field, replace
from cpvlib.domain.alias import AliasTag, Setting, parse_setting
from cpvlib.domain.checkpoint import data_md5
from cpvlib.domain.manifest import Manifest, parse_manifest
from cpvlib.domain.version import Series, TagName, Version, next_version
from cpvlib.managers.pending import (
    Pending,
    PendingSetting,
    PendingVersion,
    in_order,
    pairs,
    settings_of,
    settle,
    versions_of,
    waiting,
)
from cpvlib.managers.signatures import write_tag

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.refs import TagRecord

CLAIMS = "refs/cpv/claims/"
_TAGS = "refs/tags/"


@dataclass(frozen=True)
class Replaced:
    """A setting of an alias that somebody else published in the meantime: `target` is the version's whole tag
    name, None where it took the alias away."""

    target: str | None
    tagger: str


@dataclass
class Outcome:
    """What became of names that others had first, while a publication goes on.

    `renamed` maps a version's old name to its new one; `dropped` to the version, of the same objects, that
    won. `replaced` says, by alias, whose setting ours came after; `agreed` who had set it to the same
    version, so that ours was dropped. `published` are those that the git remote has by now.
    """

    renamed: dict[TagName, TagName] = field(default_factory=dict)
    dropped: dict[TagName, TagName] = field(default_factory=dict)
    replaced: dict[str, Replaced] = field(default_factory=dict)
    agreed: dict[str, Replaced] = field(default_factory=dict)
    published: list[Pending] = field(default_factory=list)


def names_at(ws: Workspace, git_remote: str) -> dict[str, str]:
    """The tags that the git remote has, and the numbers claimed there, by ref."""
    from cpvlib.stores.git import remotes

    return remotes.ls_remote(ws.repo, git_remote, [f"{_TAGS}{ws.settings.tag_prefix}*", f"{CLAIMS}*"])


def after_loss(
    ws: Workspace,
    git_remote: str,
    wanted: Sequence[Pending],
    lost: Sequence[Pending],
    outcome: Outcome,
) -> list[Pending]:
    """What is left to publish, under which names, after others took the names of `lost`.

    A name held by our own tag object was published by an earlier, interrupted run: it only has to be settled.
    """
    theirs = names_at(ws, git_remote)
    ours = [p for p in wanted if theirs.get(p.name.ref) == p.tag_object]
    settle(ws, ours)
    outcome.published += ours
    left = [p for p in wanted if p not in ours]
    settlement = _Settlement(ws, git_remote, theirs, left)
    settlement.versions(lost)
    settlement.mentions()
    settlement.aliases()
    return settlement.carry_out(outcome)


class _Settlement:
    """One round. Everything is decided first; then the tag objects are written, and one transaction moves all
    refs."""

    def __init__(
        self, ws: Workspace, git_remote: str, theirs: Mapping[str, str], left: Sequence[Pending]
    ) -> None:
        self._ws = ws
        self._git_remote = git_remote
        self._prefix: str = ws.settings.tag_prefix
        self._theirs = theirs
        self._left = list(left)
        self._before = {p.name: p for p in waiting(ws)}
        self._after: dict[TagName | AliasTag, Pending | None] = {**self._before}
        self._renamed: dict[TagName, TagName] = {}
        self._dropped: dict[TagName, TagName] = {}
        self._replaced: dict[str, Replaced] = {}
        self._agreed: dict[str, Replaced] = {}
        self._turned: dict[AliasTag, AliasTag] = {}
        self._adopted: dict[str, str] = {}

    def versions(self, lost: Sequence[Pending]) -> None:
        """Those that were beaten are dropped or get the next free number; later ones move along, so that the
        newest keeps the highest."""
        last: Version | None = None
        for group in pairs(self._left):
            version = group[0].name.version
            beaten = any(p in lost or p.name.ref in self._theirs for p in group)
            if not beaten and not (last and version <= last and _is_automatic(group)):
                continue
            self._refuse_half(group)
            self._adopt([p.name.ref for p in group])
            winner = self._winner(group)
            if winner is not None:
                self._dropped |= {p.name: replace(p.name, version=winner) for p in group}
                self._adopt([self._dropped[p.name].ref for p in group])
                continue
            self._refuse(group)
            last = self._next(group)
            self._renamed |= {p.name: replace(p.name, version=last) for p in group}

    def _winner(self, group: Sequence[PendingVersion]) -> Version | None:
        """The number at the git remote that names just these objects, in each series of the group.

        A number that somebody chose, or a name that was given on purpose, is only dropped for its own.
        """
        own = group[0].name.version
        alike = [{v for v, manifest in self._there(p.name.series) if _same(p, manifest)} for p in group]
        numbers = set.intersection(*alike)
        if own in numbers:
            return own
        return (
            max(numbers, default=None) if _is_automatic(group) and not any(p.again for p in group) else None
        )

    def _there(self, series: Series) -> list[tuple[Version, Manifest]]:
        return [
            (name.version, self._manifests[ref])
            for ref, name in self._names_there.items()
            if name.series is series and ref in self._manifests
        ]

    @cached_property
    def _names_there(self) -> dict[str, TagName]:
        parsed = {ref: TagName.parse(ref.removeprefix(_TAGS), self._prefix) for ref in self._theirs}
        return {ref: name for ref, name in parsed.items() if name is not None and ref.startswith(_TAGS)}

    @cached_property
    def _manifests(self) -> dict[str, Manifest]:
        tags = self._tags(self._names_there)
        return {ref: parse_manifest(tag.message) for ref, tag in tags.items()}

    def _tags(self, refs_there: Iterable[str]) -> dict[str, TagRecord]:
        """The annotated ones of these tags of the git remote, fetched where they are not here."""
        from cpvlib.stores.git import refs, remotes

        oids = {ref: self._theirs[ref] for ref in refs_there if ref in self._theirs}
        found = refs.tag_objects(self._ws.repo, oids.values())
        absent = [ref for ref, oid in oids.items() if oid not in found]
        if absent:
            remotes.fetch_objects(self._ws.repo, self._git_remote, absent)
            found = refs.tag_objects(self._ws.repo, oids.values())
        return {ref: found[oid] for ref, oid in oids.items() if oid in found}

    def _refuse_half(self, group: Sequence[PendingVersion]) -> None:
        """Raises RepositoryError for a half of a combined version whose other half is published."""
        name, mate = group[0].name, group[0].manifest.companion
        if mate is not None and len(group) == 1:
            raise RepositoryError(
                f"'{mate}' is published, and its other half, '{name}', was taken at '{self._git_remote}'",
                hint=f"git cpv tag -d {name} && git cpv tag --combined --force gives both a new number",
            )

    def _refuse(self, group: Sequence[PendingVersion]) -> None:
        """Raises RepositoryError where the number is not ours to change."""
        name = group[0].name
        if any(p.typed for p in group):
            raise RepositoryError(
                f"version '{group[0].name.version}' was taken at '{self._git_remote}' in the meantime",
                hint=f"git cpv tag -d {name} && git cpv pull, then git cpv tag for the next free number",
            )
        if any(p.signed for p in group):
            raise RepositoryError(
                f"'{name}' was taken at '{self._git_remote}' in the meantime, and yours is signed",
                hint=f"git cpv tag -d {name} && git cpv pull, then git cpv tag --sign",
            )

    def _next(self, group: Sequence[PendingVersion]) -> Version:
        """The next number that is free in every series of the group; what moves along takes up none."""
        from cpvlib.stores.git import refs

        series = {p.name.series for p in group}
        moving = {p.name.ref for p in versions_of(self._left) if p.is_automatic}
        here = [ref for ref in refs.refs(self._ws.repo, _TAGS) if ref not in moving]
        parsed = (TagName.parse(ref.removeprefix(_TAGS), self._prefix) for ref in [*self._theirs, *here])
        taken = [name.version for name in parsed if name is not None and name.series in series]
        taken += [new.version for new in self._renamed.values() if new.series in series]
        taken += [v for ref in self._theirs if (v := _claimed(ref, self._prefix)) is not None]
        return next_version(taken)

    def _adopt(self, names: Iterable[str]) -> None:
        """The git remote's tags of these names are to be ours as well."""
        wanted = [ref for ref in names if ref in self._theirs]
        self._adopted |= {ref: tag.object for ref, tag in self._tags(wanted).items()}

    def mentions(self) -> None:
        """New names, and mentions of names that are new, for all that awaits publication, ready or not."""
        names = {**self._renamed, **self._dropped}
        if not names:
            return
        self._after |= dict.fromkeys(names)
        for p in self._before.values():
            if isinstance(p, PendingSetting):
                self._retarget(p, names)
            elif p.name not in self._dropped:
                self._rewrite(p, names)

    def _rewrite(self, p: PendingVersion, names: Mapping[TagName, TagName]) -> None:
        old = p.name
        new, manifest = names.get(old, old), p.manifest
        data = manifest.data
        used = self._data_named(manifest)
        if data is not None and used is not None and used in names:
            data = replace(data, version=str(names[used].version))
        companion = TagName.parse(manifest.companion or "", self._prefix)
        mate = str(names.get(companion, companion)) if companion else manifest.companion
        changed = replace(manifest, version=new.version, data=data, companion=mate)
        if changed == manifest:
            return
        if p.signed:
            raise RepositoryError(
                f"'{old}' is signed, and names the data as '{used}', which has another number now",
                hint=f"git cpv tag -d {old} && git cpv tag --sign",
            )
        self._after[new] = replace(p, name=new, message=changed.render(), tag_object="")

    def _data_named(self, manifest: Manifest) -> TagName | None:
        """The data version that awaits publication, where a manifest names the data by its number."""
        version = Version.of(manifest.data.version or "") if manifest.data else None
        name = TagName(Series.DATA, version, self._prefix) if version else None
        pending = self._before.get(name) if name else None
        if not isinstance(pending, PendingVersion) or manifest.data is None:
            return None
        oids = {out.path: out.oid for out in pending.manifest.outs}
        return name if data_md5(oids) == manifest.data.md5 else None

    def _retarget(self, p: PendingSetting, names: Mapping[TagName, TagName]) -> None:
        target = TagName.parse(p.setting.target or "", self._prefix)
        if target is None or target not in names:
            return
        commit = p.commit
        if target in self._dropped:
            winner = self._tags([self._dropped[target].ref]).get(self._dropped[target].ref)
            commit = (winner.commit if winner else None) or commit
        setting = replace(p.setting, target=str(names[target]))
        changed = replace(p, commit=commit, message=setting.render(), setting=setting, tag_object="")
        self._after[p.name] = changed

    def aliases(self) -> None:
        """Settings that were beaten come after the last that the git remote has."""
        for name in sorted({p.name.name for p in settings_of(self._left)}):
            mine = self._mine(name)
            there = {t.turn: t for t in map(self._setting_there, self._theirs) if t and t.name == name}
            if not there or max(there) < mine[0].name.turn:
                continue
            tags = self._tags([tag.ref for tag in there.values()])
            self._adopt([tag.ref for tag in there.values()])
            holder = there[max(there)]
            held = tags.get(holder.ref)
            setting = parse_setting(held.message, holder) if held else None
            told = Replaced(setting.target if setting else None, held.tagger if held else "")
            self._follow(mine, holder.turn, setting, told)

    def _setting_there(self, ref: str) -> AliasTag | None:
        return AliasTag.parse(ref.removeprefix(_TAGS), self._prefix) if ref.startswith(_TAGS) else None

    def _mine(self, name: str) -> list[PendingSetting]:
        mine = [p for p in settings_of(self._pending) if p.name.name == name]
        return sorted(mine, key=lambda p: p.name.turn)

    @property
    def _pending(self) -> list[Pending]:
        """What will await publication."""
        return [p for p in self._after.values() if p is not None]

    def _follow(self, mine: list[PendingSetting], turn: int, held: Setting | None, told: Replaced) -> None:
        self._after |= {p.name: None for p in mine}
        while mine and held and mine[0].setting.target == held.target:
            self._agreed[mine.pop(0).name.name] = told
        for p in mine:
            turn += 1
            tag = self._turned[p.name] = replace(p.name, turn=turn)
            setting = replace(p.setting, turn=turn)
            self._after[tag] = replace(p, name=tag, message=setting.render(), setting=setting, tag_object="")
            self._replaced[p.name.name] = told

    def carry_out(self, outcome: Outcome) -> list[Pending]:
        """Writes what is new, and moves the refs; what is left to publish."""
        self._write()
        self._move()
        known_as = {new: old for old, new in outcome.renamed.items()}
        outcome.renamed |= {known_as.get(old, old): name for old, name in self._renamed.items()}
        for old, winner in self._dropped.items():
            first = known_as.get(old, old)
            outcome.renamed.pop(first, None)
            outcome.dropped[first] = winner
        outcome.replaced |= self._replaced
        outcome.agreed |= self._agreed
        names = {self._renamed.get(p.name, p.name) for p in versions_of(self._left)} - {*self._dropped}
        turns = {self._turned.get(p.name, p.name) for p in settings_of(self._left)}
        return sorted((p for p in self._pending if p.name in names or p.name in turns), key=in_order)

    def _write(self) -> None:
        for p in self._pending:
            if not p.tag_object:
                oid = write_tag(self._ws, str(p.name), p.commit, p.message, signed=p.signed)
                self._after[p.name] = replace(p, tag_object=oid)

    def _move(self) -> None:
        from cpvlib.stores.git.refs import RefUpdate, refs, update_refs

        wanted: dict[str, str | None] = {}
        for name, p in self._before.items():
            if self._after[name] is not p:
                wanted |= {update.ref: None for update in p.made()}
                if self._after[name] is None or name in self._renamed:
                    wanted[name.renamed_ref] = p.tag_object
        wanted |= self._adopted
        for p in self._pending:
            if p is not self._before.get(p.name):
                wanted |= {update.ref: p.tag_object for update in p.made()}
        here = refs(self._ws.repo, *wanted) if wanted else {}
        moves = [RefUpdate(ref, new, here.get(ref)) for ref, new in wanted.items() if new != here.get(ref)]
        update_refs(self._ws.repo, moves, "cpv: renumbered")


def _is_automatic(group: Iterable[PendingVersion]) -> bool:
    return all(p.is_automatic for p in group)


def _same(mine: PendingVersion, theirs: Manifest) -> bool:
    return bool(mine.manifest.outs) and set(mine.manifest.outs) == set(theirs.outs)


def _claimed(ref: str, prefix: str) -> Version | None:
    """The number that a claim is for: `refs/cpv/claims/v0.2`."""
    short = ref.removeprefix(CLAIMS) if ref.startswith(CLAIMS) else ""
    return Version.of(short.removeprefix(prefix))
