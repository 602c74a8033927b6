"""Versions, and settings of aliases, that exist here and await publication: `refs/cpv/pending/<tag>` holds
each until the git remote has it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import cached_property

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.alias import AliasTag, Setting, parse_setting
from cpvlib.domain.manifest import Manifest, parse_manifest
from cpvlib.domain.version import ClaimedTag, TagName

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.refs import RefUpdate, TagRecord

_PENDING = "refs/cpv/pending/"
_TYPED = "refs/cpv/typed/"
_AGAIN = "refs/cpv/again/"


@dataclass(frozen=True)
class _Waiting:
    """A tag that exists here and not yet at the git remote. `message` is without the signature."""

    name: ClaimedTag
    tag_object: str
    commit: str
    message: str
    signed: bool

    @property
    def marks(self) -> list[str]:
        """The refs beside the pending one."""
        return []

    def made(self) -> list[RefUpdate]:
        """What makes it a pending tag: one transaction has to move them all."""
        from cpvlib.stores.git.refs import RefUpdate

        refs = [self.name.ref, self.name.pending_ref, *self.marks]
        return [RefUpdate(ref, self.tag_object, None) for ref in refs]

    def settled(self) -> list[RefUpdate]:
        """What makes it pending no more; its tag stays as it is."""
        from cpvlib.stores.git.refs import RefUpdate

        return [RefUpdate(ref, None, self.tag_object) for ref in [self.name.pending_ref, *self.marks]]


@dataclass(frozen=True)
class PendingVersion(_Waiting):
    """A version. `typed`: its number was chosen by hand. `again`: it was to name objects that had a version
    already."""

    name: TagName
    typed: bool = False
    again: bool = False

    @cached_property
    def manifest(self) -> Manifest:
        return parse_manifest(self.message)

    @property
    def marks(self) -> list[str]:
        return [f"{_TYPED}{self.name}"] * self.typed + [f"{_AGAIN}{self.name}"] * self.again

    @property
    def is_automatic(self) -> bool:
        """Whether its number may be changed."""
        return not self.typed and not self.signed


@dataclass(frozen=True)
class PendingSetting(_Waiting):
    """A setting of an alias."""

    name: AliasTag
    setting: Setting


Pending = PendingVersion | PendingSetting


def waiting(ws: Workspace) -> list[Pending]:
    """All that awaits publication: versions in their order, then the settings of aliases in theirs."""
    from cpvlib.stores.git import refs

    tags = refs.read_tags(ws.repo, [_PENDING, _TYPED, _AGAIN])
    marks = {tag.ref for tag in tags if not tag.ref.startswith(_PENDING)}
    read = [_read(tag, marks, ws.settings.tag_prefix) for tag in tags if tag.ref.startswith(_PENDING)]
    return sorted((pending for pending in read if pending is not None), key=in_order)


def _read(tag: TagRecord, marks: Container[str], prefix: str) -> Pending | None:
    """None for what is no version and no setting."""
    if tag.commit is None:
        return None
    short = tag.ref.removeprefix(_PENDING)
    common = {"tag_object": tag.object, "commit": tag.commit, "message": tag.message}
    if version := TagName.parse(short, prefix):
        typed, again = (f"{kind}{version}" in marks for kind in (_TYPED, _AGAIN))
        return PendingVersion(name=version, typed=typed, again=again, signed=tag.signed, **common)
    alias = AliasTag.parse(short, prefix)
    setting = parse_setting(tag.message, alias) if alias else None
    return (
        PendingSetting(name=alias, setting=setting, signed=tag.signed, **common)
        if alias and setting
        else None
    )


def in_order(pending: Pending) -> tuple[object, ...]:
    """A key to sort by: versions in their order, then the settings of aliases in theirs."""
    return (isinstance(pending, PendingSetting), pending.name)


def pending_versions(ws: Workspace) -> list[PendingVersion]:
    """The versions among them."""
    return versions_of(waiting(ws))


def versions_of(known: Iterable[Pending]) -> list[PendingVersion]:
    return [each for each in known if isinstance(each, PendingVersion)]


def settings_of(known: Iterable[Pending]) -> list[PendingSetting]:
    return [each for each in known if isinstance(each, PendingSetting)]


def ready(ws: Workspace, commit: str, known: Sequence[Pending] | None = None) -> list[Pending]:
    """What of `known` (default: all that waits) publishing `commit` makes visible: the versions of its
    history, and the settings of aliases that name one of those or a published one."""
    from cpvlib.stores.git import refs

    known = waiting(ws) if known is None else known
    versions = versions_of(known)
    asked = any(p.commit != commit for p in versions)
    reached = refs.merged_tags(ws.repo, commit, [_PENDING]) if asked else set()
    found: list[Pending] = [p for p in versions if p.commit == commit or p.name.pending_ref in reached]
    held_back = {str(p.name) for p in versions if p not in found}
    stopped = {
        p.name.name: p.name.turn for p in reversed(settings_of(known)) if p.setting.target in held_back
    }
    # Of each alias only those before the first that has to wait: its history must have no gap.
    return found + [p for p in settings_of(known) if p.name.turn < stopped.get(p.name.name, p.name.turn + 1)]


def pairs(known: Iterable[Pending]) -> list[list[PendingVersion]]:
    """The versions among `known`, by number; both halves of a combined one together."""
    by_name = {str(p.name): p for p in sorted(versions_of(known), key=lambda p: p.name)}
    groups: list[list[PendingVersion]] = []
    for p in by_name.values():
        mate = by_name.get(p.manifest.companion or "")
        if mate is None:
            groups.append([p])
        elif not any(mate in group for group in groups):
            groups.append([p, mate])
    return sorted(groups, key=lambda group: group[0].name.version)


def settle(ws: Workspace, published: Iterable[Pending]) -> None:
    """They are published, and stop being pending. Tags that a prune took are put back."""
    from cpvlib.stores.git.refs import RefUpdate, refs, update_refs

    settled = list(published)
    there = refs(ws.repo, *(p.name.ref for p in settled)) if settled else {}
    updates = [RefUpdate(p.name.ref, p.tag_object, None) for p in settled if p.name.ref not in there]
    for p in settled:
        updates += p.settled()
    if updates:
        update_refs(ws.repo, updates, "cpv: published")


def moved_by_hand(ws: Workspace, wanted: Sequence[Pending]) -> list[Pending]:
    """Those whose tag here is another than the one that was made."""
    from cpvlib.stores.git import refs

    here = refs.refs(ws.repo, *(p.name.ref for p in wanted)) if wanted else {}
    return [p for p in wanted if here.get(p.name.ref) not in (None, p.tag_object)]
