"""alias: names such as `production`, moved from version to version, with who moved them and when.

Each setting is a tag of its own, made and published as versions are; none ever changes, and the highest
number holds. Taking an alias away is a setting too."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cpvlib.base.errors import CheckpointNotFoundError, NegativeAnswer, RepositoryError
from cpvlib.base.faults import step
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.alias import FOLDER, AliasTag, Setting, check_alias_name
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series
from cpvlib.managers.pending import PendingSetting, settings_of, waiting
from cpvlib.managers.signatures import wants_signature, write_tag
from cpvlib.managers.versions import AliasRecord, Tags

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace

_ATTEMPTS = 5


@dataclass(frozen=True)
class AliasRequest:
    """What the user asked for: `version` None takes the alias away. `sign` is None for what git's
    `tag.gpgSign` says."""

    name: str
    version: str | None
    series: Series | None = None
    message: str | None = None
    sign: bool | None = None


@dataclass(frozen=True)
class AliasPlan:
    """The setting to make, on `commit`; `before` is the one that held."""

    tag: AliasTag
    commit: str
    setting: Setting
    before: AliasRecord | None
    signed: bool


class SetAlready(NegativeAnswer):
    """The alias names that version. `awaiting` are settings of it that are still to be published."""

    def __init__(self, message: str, awaiting: Sequence[PendingSetting]) -> None:
        super().__init__(message)
        self.awaiting = awaiting


def plan_alias(ws: Workspace, request: AliasRequest) -> AliasPlan:
    """Decides the setting; nothing is written.

    Raises SetAlready where the alias names that version, CheckpointNotFoundError where none is named,
    UsageError and RepositoryError for a name that means something else."""
    tags = Tags(ws)
    if request.name not in tags.settings:
        _refuse_name(ws, tags, request.name)
    before = tags.aliases.get(request.name)
    target, commit = _target(ws, tags, request, before)
    turn = tags.last_turn(request.name) + 1
    return AliasPlan(
        AliasTag(request.name, turn, ws.settings.tag_prefix),
        commit,
        Setting(request.name, turn, target, request.message or "", os.urandom(8).hex()),
        before,
        wants_signature(ws, request.sign),
    )


def _target(
    ws: Workspace, tags: Tags, request: AliasRequest, before: AliasRecord | None
) -> tuple[str | None, str]:
    """The tag name and the commit of the version that the alias is to name."""
    if request.version is None:
        if before is None:
            if request.name in tags.settings:
                raise SetAlready(f"'{request.name}' names nothing already", awaiting(ws, request.name))
            raise unknown(tags, request.name)
        return None, before.commit
    record = tags.find(request.version, request.series).record
    if record is None:
        raise CheckpointNotFoundError(
            f"'{printable(request.version)}' has no version, which an alias needs",
            hint="git cpv tag gives the current checkpoint one; git cpv list shows those there are",
        )
    if before is not None and before.setting.target == str(record.name):
        raise SetAlready(f"'{request.name}' is {record.name} already", awaiting(ws, request.name))
    return str(record.name), record.commit


def awaiting(ws: Workspace, name: str) -> list[PendingSetting]:
    """The settings of an alias that are still to be published, in their order."""
    return [p for p in settings_of(waiting(ws)) if p.name.name == name]


def _refuse_name(ws: Workspace, tags: Tags, name: str) -> None:
    """What a VERSION or a path may mean already stays what it means."""
    from cpvlib.managers.outs import outs_here

    check_alias_name(name)
    alike = next((other for other in tags.settings if other.lower() == name.lower()), None)
    if alike is not None:
        raise RepositoryError(
            f"there is an alias '{alike}', which some file systems can't tell from '{name}'",
            hint=f"git cpv alias {alike} VERSION",
        )
    if ws.repo.resolve(name) is not None:
        raise RepositoryError(
            f"'{name}' can't be an alias: git has a branch or tag of that name",
            hint="take another name, or rename that: git branch -m OLD NEW",
        )
    if any(path == name or path.startswith(f"{name}/") for path in outs_here(ws)):
        raise RepositoryError(
            f"'{name}' can't be an alias: an out has that name, and git cpv pull {name} means it",
            hint="take another name, such as: git cpv alias production VERSION",
        )
    for folder in (
        f"{ws.settings.tag_prefix}{FOLDER}".rstrip("/"),
        f"{ws.settings.tag_prefix}{FOLDER}{name}",
    ):
        if tags.has_tag(folder):
            raise RepositoryError(
                f"the tag '{folder}' is in the way of the tags of aliases",
                hint=f"git tag RENAMED {folder} && git tag -d {folder}",
            )


def unknown(tags: Tags, name: str) -> CheckpointNotFoundError:
    """The error for an alias that there is not."""
    import difflib

    near = difflib.get_close_matches(name, tags.settings, 1, cutoff=0.5)
    hint = f"nearest: '{near[0]}'" if near else f"git cpv alias {name} VERSION sets it"
    return CheckpointNotFoundError(f"there is no alias '{printable(name)}'", hint=hint)


def history(ws: Workspace, name: str) -> list[AliasRecord]:
    """Every setting of an alias, the newest first. CheckpointNotFoundError where it was never set."""
    tags = Tags(ws)
    if name not in tags.settings:
        raise unknown(tags, name)
    return list(reversed(tags.settings[name]))


def set_alias(ws: Workspace, plan: AliasPlan, request: AliasRequest) -> tuple[AliasPlan, PendingSetting]:
    """Makes the setting, pending. Where another process took the number meanwhile, the next one is taken: the
    plan that was carried out is returned."""
    from cpvlib.stores.git.refs import RefMovedError, update_refs

    for attempt in range(_ATTEMPTS):
        message = plan.setting.render()
        oid = write_tag(ws, str(plan.tag), plan.commit, message, signed=plan.signed)
        made = PendingSetting(
            name=plan.tag,
            tag_object=oid,
            commit=plan.commit,
            message=message,
            signed=plan.signed,
            setting=plan.setting,
        )
        step("alias:written")
        try:
            update_refs(ws.repo, made.made(), f"cpv: alias {plan.tag.name}")
            step("alias:made")
            return plan, made
        except RefMovedError:
            if attempt == _ATTEMPTS - 1:
                raise
            plan = plan_alias(ws, request)
    raise AssertionError
