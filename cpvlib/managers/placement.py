"""Which storage `init` gives a repository, and how that is written into DVC's configuration.

An S3 place is the team's: it is committed, in `.dvc/config`. A folder is this machine's: it goes to
`.dvc/config.local`, and so does what only this user has, a profile or a credentials file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.names import DVC_REMOTE
from cpvlib.domain.text import printable
from cpvlib.managers.place import folder_of
from cpvlib.managers.settings import Setting, Settings, root_of

if TYPE_CHECKING:
    from cpvlib.stores.dvc.config import DvcRemote
    from cpvlib.stores.git.repository import GitRepository

_SHARED_OPTIONS = {"region": "cpv.region", "endpointurl": "cpv.endpoint"}
_PERSONAL_OPTIONS = {"profile": "cpv.awsprofile", "credentialpath": "cpv.awscredentialpath"}


@dataclass(frozen=True)
class Placement:
    """The storage at `url`. `shared` and `personal` are what the DVC remote says of it in either file.

    `kept`: it is what the repository has, and nothing is written. `typed`: the user named it just now.
    """

    url: str
    kept: bool
    typed: bool
    shared: Mapping[str, str] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return folder_of(self.url) is not None

    def edit_shared(self, data: bytes | None) -> bytes:
        """`.dvc/config` as it has to be."""
        return data or b"" if self.kept else _edited(data, self.shared, default=DVC_REMOTE)

    def edit_personal(self, data: bytes | None) -> bytes:
        """`.dvc/config.local` as it has to be: what would outweigh the shared file goes."""
        return data or b"" if self.kept else _edited(data, self.personal, default=None)


def decide(
    settings: Settings,
    current: DvcRemote | None,
    *,
    team: str,
    model: str,
    former: tuple[str, str] | None,
    has_pointers: bool,
) -> Placement:
    """The placement for a repository with the remote `current`; `former` is its old team and model, if any.

    An option `cpv.storage` counts as typed. ConfigError where pointers name objects kept elsewhere already.
    """
    root = settings.storage_root
    typed = root.origin == "option"
    old_tail = "/".join(former) if former else None
    if current and not typed:
        if former in (None, (team, model)) or not current.url.endswith(f"/{old_tail}"):
            return Placement(current.url, kept=True, typed=False)
        root = Setting(current.url.removesuffix(f"/{old_tail}"), root.origin)
    url = f"{root.value}/{team}/{model}"
    if current and current.url == url:
        return Placement(url, kept=True, typed=typed)
    if has_pointers and (current or (former and folder_of(url) is None)):
        raise _moved(current.url if current else None, root.value)
    return _placed(settings, url, typed=typed)


def typed_place(settings: Settings, root: str, *, team: str, model: str) -> Placement:
    """The placement under a ROOT that the user typed just now, or at `ROOT/<team>/<model>` typed in full.

    ConfigError for what can't be a root.
    """
    url = root_of(Setting(root, "option"))
    tail = f"/{team}/{model}"
    return _placed(settings, url if url.endswith(tail) else url + tail, typed=True)


def refuse_inside(top: Path, placed: Placement) -> None:
    """ConfigError for a folder inside of the worktree, where objects would look like the user's files."""
    folder = folder_of(placed.url)
    if folder and not placed.kept and Path(os.path.realpath(folder)).is_relative_to(top):
        raise ConfigError(
            f"the storage '{folder}' would lie inside of the repository", hint="name a folder outside of it"
        )


def make_folder(placed: Placement, hint: str) -> None:
    """A folder is made at once, so that one that can't be is known now."""
    from cpvlib.stores import durable
    from cpvlib.stores.files import disk_error

    folder = folder_of(placed.url)
    if folder is None or placed.kept:
        return
    try:
        for made in durable.make_folder(folder):
            durable.sync_folder(made.parent)
    except OSError as error:
        failure = disk_error(error, f"cannot make the storage '{folder}'")
        failure.hint = hint
        raise failure from error


def write_local_config(repo: GitRepository, edit: Callable[[bytes | None], bytes]) -> None:
    """Applies `edit` to the `.dvc/config.local` of the main worktree."""
    from cpvlib.stores.dvc.layout import CONFIG_LOCAL
    from cpvlib.stores.files import disk_error, write_atomic

    path = (repo.main_top or repo.top) / CONFIG_LOCAL
    before = path.read_bytes() if path.exists() else b""
    after = edit(before)
    if after == before:
        return
    try:
        write_atomic(path, after)
    except OSError as error:
        raise disk_error(error, f"cannot write '{path}'") from error


def _placed(settings: Settings, url: str, *, typed: bool) -> Placement:
    if folder_of(url) is not None:
        return Placement(url, kept=False, typed=typed, personal={"url": url})
    shared = {"url": url, **_stored(settings, _SHARED_OPTIONS)}
    return Placement(
        url, kept=False, typed=typed, shared=shared, personal=_stored(settings, _PERSONAL_OPTIONS)
    )


def _moved(url: str | None, root: str) -> ConfigError:
    kept = f"'{printable(url)}'" if url else "a folder of the machine that made it"
    return ConfigError(
        f"the storage can't change now: the repository's pointers name objects that are kept in {kept}",
        hint=f"to take them along: git cpv storage move {printable(root)}",
    )


def _stored(settings: Settings, options: Mapping[str, str]) -> dict[str, str]:
    """Values that the user has stored for CPV; those of an AWS_* variable are not ours to write down."""
    found = {option: settings.get(key) for option, key in options.items()}
    return {
        option: setting.value
        for option, setting in found.items()
        if setting is not None and not setting.origin.startswith("AWS_")
    }


def _edited(data: bytes | None, wanted: Mapping[str, str], *, default: str | None) -> bytes:
    """A configuration file whose remote of ours says just what is wanted, and is the default if it has a url.

    Without a url the file's own choice of a default remote goes, if it is `default`; if that is None, any.
    """
    from cpvlib.stores.dvc.configtext import decode, parse, remove_entry, set_entry

    text = data or b""
    sections = parse(decode(text, "DVC's configuration"), "DVC's configuration")
    chosen = sections["core"].entries.get("remote") if "core" in sections else None
    if "url" not in wanted and chosen and default in (None, chosen.value):
        text = remove_entry(text, "core", "remote")
    if "url" in wanted:
        text = set_entry(text, "core", "remote", DVC_REMOTE)
    return with_remote(text, DVC_REMOTE, wanted)


def with_remote(data: bytes, name: str, wanted: Mapping[str, str]) -> bytes:
    """A configuration file whose DVC remote `name` says just what is wanted, `url` first."""
    from cpvlib.stores.dvc.configtext import decode, parse, remote_section, remove_entry, set_entry

    section = remote_section(name)
    sections = parse(decode(data, "DVC's configuration"), "DVC's configuration")
    for key in sections[section].entries if section in sections else ():
        if key not in wanted:
            data = remove_entry(data, section, key)
    for key, value in wanted.items():
        data = set_entry(data, section, key, value)
    return data
