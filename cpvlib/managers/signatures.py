"""Signatures of versions and of aliases' settings: making them, showing them, and insisting on them.

With `cpv.requireSigned` a version that is asked for by name must be signed by somebody whom the user's git
knows, and so must the setting of an alias that it is asked for by. What a branch or a revision names is taken
where a signed version names the same objects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import printable
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from cpvlib.managers.outs import Out
    from cpvlib.managers.versions import Found, VersionRecord
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.signing import Signature

_LISTS = ("gpg.ssh.allowedSignersFile", "gpg.ssh.revocationFile")


def wants_signature(ws: Workspace, asked: bool | None) -> bool:
    """Whether a tag is to be signed: as was asked for, else as git's `tag.gpgSign` says."""
    return bool(ws.repo.config.get_bool("tag.gpgsign")) if asked is None else asked


def write_tag(
    ws: Workspace, name: str, commit: str, message: str, *, signed: bool, who: str | None = None
) -> str:
    """The id of a new tag object that no ref names yet. `who` spares asking git for the tagger.

    Raises GitError where it can't be signed.
    """
    if signed:
        from cpvlib.stores.git.signing import make_signed_tag

        return make_signed_tag(ws.repo, name, commit, message)
    from cpvlib.stores.git.refs import make_tag

    return make_tag(ws.repo, name, commit, message, who)


def signature(ws: Workspace, record: VersionRecord) -> Signature:
    """Who signed a version. ConfigError where the repository itself would say whom to trust."""
    from cpvlib.stores.git.signing import verify_tag

    _refuse_own_lists(ws)
    return verify_tag(ws.repo, record.object, record.tag)


def require(ws: Workspace, found: Found, outs: Mapping[str, Out]) -> None:
    """What `cpv.requireSigned` asks of a version, or of a revision's `outs`, before any of it is fetched.

    Raises RepositoryError where a signature is missing, unknown or wrong.
    """
    if not ws.settings.require_signed:
        return
    if found.alias is not None:
        _insist(ws, str(found.alias.name), found.alias.source.object)
    if found.record is not None and (found.by_name or found.alias is not None):
        _insist(ws, found.record.tag, found.record.object)
    else:
        require_content(ws, outs.values())


def require_of(ws: Workspace, outs: Mapping[str, Out], arriving: Iterable[str]) -> None:
    """The same where only the outs at the paths `arriving` come: their series count whole."""
    if ws.settings.require_signed:
        series = {outs[path].series for path in arriving if path in outs}
        require_content(ws, [out for out in outs.values() if out.series in series])


def require_content(ws: Workspace, outs: Iterable[Out]) -> None:
    """The same of what no version was named for: of each series a signed version must name just these
    outs."""
    if not ws.settings.require_signed:
        return
    wanted: dict[Series, set[tuple[str, str]]] = {}
    for out in outs:
        if out.series is not None and out.oid is not None:
            wanted.setdefault(out.series, set()).add((out.path, out.oid))
    for series, contents in wanted.items():
        if not _is_signed(ws, series, contents):
            raise RepositoryError(
                f"no signed version names this {series}, and cpv.requireSigned is set",
                hint="git cpv list --show-signature shows what is signed; git cpv pull VERSION takes one",
            )


def _is_signed(ws: Workspace, series: Series, contents: set[tuple[str, str]]) -> bool:
    from cpvlib.managers.versions import Tags
    from cpvlib.stores.git.signing import Verdict

    oids = [oid for _, oid in contents]
    for record in reversed(Tags(ws).versions([series])):
        if not record.source.signed or any(oid not in record.message for oid in oids):
            continue
        named = {(out.path, out.oid) for out in record.manifest.outs}
        if named == contents and signature(ws, record).verdict is Verdict.GOOD:
            return True
    return False


def _insist(ws: Workspace, name: str, tag_object: str) -> None:
    from cpvlib.stores.git.signing import Verdict, verify_tag

    _refuse_own_lists(ws)
    found = verify_tag(ws.repo, tag_object, name)
    if found.verdict is not Verdict.GOOD:
        raise RepositoryError(
            f"'{printable(name)}' {printable(found.why)}, and cpv.requireSigned is set",
            hint="whom you trust is in your OpenPGP keyring, or in the file gpg.ssh.allowedSignersFile",
        )


def _refuse_own_lists(ws: Workspace) -> None:
    """The list of trusted keys must not come with the repository, where whoever may push could add one."""
    tops = {Path(os.path.realpath(top)) for top in (ws.repo.top, ws.repo.main_top) if top}
    for key in _LISTS:
        value = ws.repo.config.get(key)
        place = Path(os.path.realpath(ws.repo.top / Path(value).expanduser())) if value else None
        if place is not None and any(place.is_relative_to(top) for top in tops):
            if place.is_relative_to(os.path.realpath(ws.repo.common_dir)):
                continue
            raise ConfigError(
                f"{key} is '{printable(value or '')}', in the repository, where every push can change it",
                hint=f"git config --global {key} ~/.config/git/{key.rpartition('.')[2]}",
            )
