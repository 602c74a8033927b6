"""Where the objects of a repository are, and whether this machine's user lets a clone decide that.

The place is the repository's DVC remote, else `<root>/<team>/<model>`. What of it came with a clone (in the
committed `.dvc/config`) is used freely only to read from a bucket; the rest must equal the user's own
configuration or have been trusted once, for that repository and that value.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.names import FORMER_REMOTE
from cpvlib.domain.text import printable
from cpvlib.managers.settings import Settings
from cpvlib.stores.storage.open import StoragePlace

if TYPE_CHECKING:
    from cpvlib.stores.dvc.config import DvcConfig, DvcRemote
    from cpvlib.stores.git.repository import GitRepository

LOCAL_CONFIG = ".dvc/config.local"
_USER_PART = regex(r"(\w://)[^/@\s]*@")

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
        "allow_anonymous_login",
        "checksum_jobs",
        "no_traverse",
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
        return {
            key: "(hidden)" if key in _SECRETS else without_password(value)
            for key, value in self.place.options.items()
        }

    @property
    def shown_url(self) -> str:
        return without_password(self.place.url)

    @property
    def fingerprint(self) -> str:
        """Of the values that need trust: SHA-256, so that the record of trust holds no secret."""
        text = json.dumps([self.place.url, sorted(self._concern.items())])
        import hashlib

        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def fit_place(found: FoundPlace, repo: GitRepository, *, write: bool) -> StoragePlace:
    """The place, proved fit for reading or for writing.

    ConfigError where it came with the clone and is neither the user's nor trusted.
    """
    doubtful = found.for_writing if write else found.for_reading
    if not doubtful or is_trusted(repo, found):
        return found.place
    verb = "written to" if write else "used"
    raise ConfigError(
        f"storage '{printable(found.shown_url)}' can't be {verb} yet: "
        f"its {', '.join(sorted(doubtful))} came with the clone, in '{found.place.origin}'",
        hint="see it with git cpv storage show; if it is right: git cpv storage trust",
    )


def find_place(settings: Settings, dvc: DvcConfig, repo: GitRepository) -> FoundPlace:
    """The place as it is configured, trusted or not. ConfigError where nothing tells it."""
    remote = dvc.remote()
    return FoundPlace(own_place(settings)) if remote is None else _found(remote, settings, repo)


def former_place(settings: Settings, dvc: DvcConfig, repo: GitRepository) -> StoragePlace | None:
    """Where the objects were before the storage moved, if it did in this clone and may be read there."""
    remote = dvc.remote(FORMER_REMOTE)
    found = _found(remote, settings, repo) if remote else None
    return found.place if found and (not found.for_reading or is_trusted(repo, found)) else None


def _found(remote: DvcRemote, settings: Settings, repo: GitRepository) -> FoundPlace:
    foreign = _from_clone(remote, repo)
    options = dict(remote.options)
    if remote.url.startswith("s3://"):
        options = user_options(settings) | options
    place = StoragePlace(remote.url, options, _origin(remote), settings.engine)
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
    options = user_options(settings) if url.startswith("s3://") else {}
    return StoragePlace(url, options, root.origin, settings.engine)


def without_password(text: str) -> str:
    """The text for people: what stands before the '@' of a URL may be a secret."""
    return _USER_PART.sub(r"\1", text)


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


def cache_folder(dvc: DvcConfig, repo: GitRepository) -> Path:
    """Where the cache is: `cache.dir`, else `.dvc/cache` of the main worktree.

    ConfigError for a `cache.dir` that came with the clone, leads out of the worktree and is not trusted.
    """
    chosen = dvc.cache_dir
    if chosen is None:
        folder = (repo.main_top or repo.top) / ".dvc" / "cache"
        _refuse_links_of_clone(repo, folder)
        return folder
    if not foreign_cache(dvc, repo):
        _refuse_links_of_clone(repo, chosen)
    elif _cache_fingerprint(chosen) not in _trusted(repo):
        raise ConfigError(
            f"the cache folder '{printable(str(chosen))}' can't be used yet: it came with the clone",
            hint="see it with git cpv storage show; if it is right: git cpv storage trust",
        )
    return chosen


def _refuse_links_of_clone(repo: GitRepository, cache: Path) -> None:
    """A user may make a link of the cache or of a folder in it, but a clone may not bring one."""
    top = repo.main_top or repo.top
    for place in _links_of(cache):
        if place.is_relative_to(top) and _is_tracked(repo, place.relative_to(top).as_posix()):
            from shlex import quote

            raise ConfigError(
                f"'{printable(str(place))}' is a symbolic link that came with the clone, "
                f"to '{printable(str(place.readlink()))}'",
                hint=f"remove it from git: git rm --cached {quote(str(place))}",
            )


def _links_of(cache: Path) -> Iterator[Path]:
    """The links through which objects, or what is on its way to become one, would be written."""
    yield from (place for place in (cache.parent, cache) if place.is_symlink())
    for below in ("", "files", "files/md5", "cpv"):  # DVC 2 has its folders right in the cache
        with suppress(OSError), os.scandir(cache / below) as entries:
            yield from (Path(entry.path) for entry in entries if entry.is_symlink())


def foreign_cache(dvc: DvcConfig, repo: GitRepository) -> Path | None:
    """A `cache.dir` that a clone brought and that leads out of the worktree or into git's folder, if any."""
    chosen, level = dvc.cache_dir, dvc.level("cache", "dir")
    if chosen is None or level not in ("repo", "local") or (level == "local" and not _brings_local(repo)):
        return None
    real, git_dir = Path(os.path.realpath(chosen)), os.path.realpath(repo.common_dir)
    inside = real.is_relative_to(os.path.realpath(repo.top)) and not real.is_relative_to(git_dir)
    return None if inside else chosen


def is_trusted(repo: GitRepository, found: FoundPlace) -> bool:
    """Whether `trust` was given to exactly these values."""
    return found.fingerprint in _trusted(repo)


def trust(repo: GitRepository, found: FoundPlace) -> bool:
    """Remembers that the user wants this place; False where nothing of it needed that, or it was there."""
    return bool(found.for_writing) and _remember(repo, found.fingerprint, found.shown_url)


def trust_cache(repo: GitRepository, folder: Path) -> bool:
    """The same for a cache folder."""
    return _remember(repo, _cache_fingerprint(folder), str(folder))


def _remember(repo: GitRepository, fingerprint: str, what: str) -> bool:
    from cpvlib.stores.files import write_atomic

    known = _trusted(repo)
    if fingerprint in known:
        return False
    lines = [f"{each} {shown}\n" for each, shown in {**known, fingerprint: printable(what)}.items()]
    write_atomic(_record(repo), "".join(lines).encode(), 0o600)
    return True


def _trusted(repo: GitRepository) -> dict[str, str]:
    """What trust was given to: by fingerprint, with what it looked like."""
    try:
        text = _record(repo).read_text("utf-8", "replace")
    except FileNotFoundError:
        return {}
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in text.splitlines()}


def _cache_fingerprint(folder: Path) -> str:
    import hashlib

    return hashlib.sha256(f"cache.dir {folder}".encode("utf-8", "surrogateescape")).hexdigest()


def _record(repo: GitRepository) -> Path:
    return Path(repo.common_dir, "cpv", "trust")


def _origin(remote: DvcRemote) -> str:
    return {"repo": ".dvc/config", "local": LOCAL_CONFIG}.get(remote.level, f"DVC's {remote.level} config")


def _from_clone(remote: DvcRemote, repo: GitRepository) -> set[str]:
    """The options of the remote that a clone could have brought, 'url' among them."""
    levels = {**remote.levels, "url": remote.level}
    suspect = {"repo"}
    if "local" in levels.values() and _brings_local(repo):
        suspect.add("local")
    return {key for key, level in levels.items() if level in suspect}


def _brings_local(repo: GitRepository) -> bool:
    """Whether git brings `.dvc/config.local`, in whatever case: then it isn't this machine's own."""
    if ((repo.main_top or repo.top) / ".dvc").is_symlink():
        return True
    return _is_tracked(repo, LOCAL_CONFIG)


def _is_tracked(repo: GitRepository, path: str) -> bool:
    """Whether the main worktree's index holds the path, in whatever case."""
    return bool(repo.git.run(f"--git-dir={repo.common_dir}", "ls-files", "-z", "--", f":(top,icase){path}"))


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


def user_options(settings: Settings) -> dict[str, str]:
    return {option: value for option, key in _USER_KEYS.items() if (value := settings.value(key))}
