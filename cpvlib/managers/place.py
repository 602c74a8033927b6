"""Where the objects of a repository are, and whether this machine's user lets a clone decide that.

The place is the repository's DVC remote, else `<root>/<team>/<model>`. What of it came with a clone (in the
committed `.dvc/config`) is used freely only to read from a bucket; the rest must equal the user's own
configuration or have been trusted once, for that repository and that value.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cpvlib.base.errors import ConfigError
from cpvlib.domain.text import printable
from cpvlib.managers.settings import Settings
from cpvlib.stores.storage.open import StoragePlace

if TYPE_CHECKING:
    from cpvlib.stores.dvc.config import DvcConfig, DvcRemote
    from cpvlib.stores.git.repository import GitRepository

LOCAL_CONFIG = ".dvc/config.local"

# Options of DVC's S3 remotes that neither send bytes or credentials elsewhere nor weaken how they travel.
_HARMLESS = frozenset(
    {
        "url",
        "region",
        "read_timeout",
        "connect_timeout",
        "jobs",
        "verify",
        "version_aware",
        "listobjects",
        "worktree",
    }
)
# These decide who may read what is written, so they matter for writing only.
_WRITE_ONLY = frozenset(
    {"acl", "grant_read", "grant_read_acp", "grant_full_control", "grant_write_acp", "sse", "sse_kms_key_id"}
)
_SECRETS = frozenset(
    {"access_key_id", "secret_access_key", "session_token", "sse_customer_key", "password", "key_passphrase"}
)
# The user's own answer to an option of a DVC remote, and what fills it in where the remote leaves it open.
_USER_KEYS = {
    "profile": "cpv.awsprofile",
    "region": "cpv.region",
    "endpointurl": "cpv.endpoint",
    "credentialpath": "cpv.awscredentialpath",
}


@dataclass(frozen=True)
class FoundPlace:
    """A place, with what of it came with the clone and isn't the user's own: option names ('url' is one)."""

    place: StoragePlace
    for_reading: frozenset[str] = frozenset()
    for_writing: frozenset[str] = frozenset()
    _concern: Mapping[str, str] = field(default_factory=dict, repr=False)

    def shown(self) -> dict[str, str]:
        """The options, with secrets left out of sight."""
        return {key: "(hidden)" if key in _SECRETS else value for key, value in self.place.options.items()}

    @property
    def fingerprint(self) -> str:
        """Of the values that need trust: SHA-256, so that the record of trust holds no secret."""
        text = json.dumps([self.place.url, sorted(self._concern.items())])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def storage_place(settings: Settings, dvc: DvcConfig, repo: GitRepository, *, write: bool) -> StoragePlace:
    """The place, proved fit for reading or for writing.

    ConfigError where nothing tells it, or where it came with the clone and is neither the user's nor trusted.
    """
    found = find_place(settings, dvc, repo)
    doubtful = found.for_writing if write else found.for_reading
    if not doubtful or is_trusted(repo, found):
        return found.place
    verb = "written to" if write else "used"
    raise ConfigError(
        f"storage '{printable(found.place.url)}' can't be {verb} yet: "
        f"its {', '.join(sorted(doubtful))} came with the clone, in '{found.place.origin}'",
        hint="see it with git cpv storage show; if it is right: git cpv storage trust",
    )


def find_place(settings: Settings, dvc: DvcConfig, repo: GitRepository) -> FoundPlace:
    """The place as it is configured, trusted or not. ConfigError where nothing tells it."""
    remote = dvc.remote()
    if remote is None:
        return FoundPlace(own_place(settings))
    foreign = _from_clone(remote, repo)
    options = dict(remote.options)
    if remote.url.startswith("s3://"):
        options = _user_options(settings) | options
    place = StoragePlace(remote.url, options, _origin(remote))
    concern = {
        key: value
        for key, value in {**remote.options, "url": remote.url}.items()
        if key in foreign and not _is_users_own(key, value, settings)
    }
    writing = frozenset(concern) - (_HARMLESS - {"url"})
    reading = writing - _WRITE_ONLY - ({"url"} if remote.url.startswith("s3://") else frozenset())
    return FoundPlace(place, reading, writing, concern)


def own_place(settings: Settings) -> StoragePlace:
    """`<root>/<team>/<model>`, from settings alone. ConfigError where team or model has not been said."""
    team, model = settings.team, settings.model
    if not team or not model:
        raise ConfigError(
            f"no {'model' if team else 'team'} name is set, which the place of the storage depends on",
            hint="git cpv init --team TEAM --model MODEL",
        )
    root = settings.storage_root
    url = f"{root.value}/{team}/{model}"
    options = _user_options(settings) if url.startswith("s3://") else {}
    return StoragePlace(url, options, root.origin)


def is_folder(place: StoragePlace) -> bool:
    """Whether objects are kept in a folder that this machine sees."""
    return folder_of(place.url) is not None


def folder_of(url: str) -> Path | None:
    """The folder that a storage URL stands for, None where it stands for something else."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return Path(url)
    if scheme != "file":
        return None
    from urllib.parse import unquote

    return Path(unquote(rest))


def is_trusted(repo: GitRepository, found: FoundPlace) -> bool:
    """Whether `trust` was given to exactly these values."""
    try:
        lines = _record(repo).read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return False
    return any(line.split(" ", 1)[0] == found.fingerprint for line in lines)


def trust(repo: GitRepository, found: FoundPlace) -> bool:
    """Remembers that the user wants this place; False where nothing of it needed that, or it was there."""
    if not found.for_writing or is_trusted(repo, found):
        return False
    from cpvlib.stores.files import write_atomic

    record = _record(repo)
    before = record.read_bytes() if record.exists() else b""
    record.parent.mkdir(parents=True, exist_ok=True)
    line = f"{found.fingerprint} {printable(found.place.url)}\n"
    write_atomic(record, before + line.encode(), 0o600)
    return True


def _record(repo: GitRepository) -> Path:
    return Path(repo.common_dir, "cpv", "trust")


def _origin(remote: DvcRemote) -> str:
    return {"repo": ".dvc/config", "local": LOCAL_CONFIG}.get(remote.level, f"DVC's {remote.level} config")


def _from_clone(remote: DvcRemote, repo: GitRepository) -> set[str]:
    """The options of the remote that a clone could have brought, 'url' among them."""
    levels = {**remote.levels, "url": remote.level}
    suspect = {"repo"}
    if "local" in levels.values() and _is_tracked(repo, LOCAL_CONFIG):
        suspect.add("local")
    return {key for key, level in levels.items() if level in suspect}


def _is_tracked(repo: GitRepository, path: str) -> bool:
    """Whether git brings the file, in the main worktree, in whatever case: then it isn't this machine's."""
    if (repo.main_top / ".dvc").is_symlink():
        return True
    tracked = repo.git.run(f"--git-dir={repo.common_dir}", "ls-files", "-z", "--", f":(top,icase){path}")
    return bool(tracked)


def _is_users_own(key: str, value: str, settings: Settings) -> bool:
    if key == "url":
        return _is_under_root(value, settings)
    if key not in _USER_KEYS:
        return False
    own = settings.value(_USER_KEYS[key])
    return own is not None and own == value


def _is_under_root(url: str, settings: Settings) -> bool:
    root = settings.storage_root.value
    folder = folder_of(url)
    if folder is None:
        return url.startswith(f"{root}/") and not {"..", "."} & set(url.split("/"))
    if root.startswith("s3://"):
        return False
    return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root))


def _user_options(settings: Settings) -> dict[str, str]:
    return {option: value for option, key in _USER_KEYS.items() if (value := settings.value(key))}
