"""DVC's configuration: four files, the later ones stronger, as `dvc config` reads them.

Levels (DVC's dvc/config.py): system, global (both by DVC_*_CONFIG_DIR or platform), repo (`.dvc/config`,
committed) and local (`.dvc/config.local`, this clone's). A committed level is not trusted: every value knows
where it is from.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex
from cpvlib.base.typed import Literal
from cpvlib.base.values import dataclass, field
from cpvlib.stores.dvc.configtext import Entry, decode, parse, remote_name, remote_section, set_entry
from cpvlib.stores.files import read_small
from cpvlib.stores.userconfig import home

Level = Literal["system", "global", "repo", "local"]

# Options that name a file: relative ones are relative to the configuration file's folder (Config._map_dirs).
_PATHS = frozenset(
    {
        "url",
        "credentialpath",
        "configpath",
        "keyfile",
        "cert_path",
        "key_path",
        "gdrive_user_credentials_file",
        "gdrive_service_account_json_file_path",
    }
)
_MAX_BYTES = 1 << 20
_INTERPOLATED = regex(r"%\([^)]*\)s")


@dataclass(frozen=True)
class DvcRemote:
    """A DVC remote with all levels merged.

    `url` is an URL or an absolute folder; `options` are the others, by DVC's names. `level` is the url's;
    `levels` has one for each option. Where a url is put together from two remotes by `remote://`, 'repo'
    wins: it is as little to be trusted as its worse half.
    """

    name: str
    url: str
    options: Mapping[str, str]
    level: Level
    levels: Mapping[str, Level]


@dataclass(frozen=True)
class DvcConfig:
    """All levels merged: section → key → (value, level), names in lower case."""

    values: Mapping[str, Mapping[str, tuple[str, Level]]] = field(default_factory=dict)

    def get(self, section: str, key: str) -> str | None:
        found = self.values.get(section, {}).get(key)
        return found[0] if found else None

    def level(self, section: str, key: str) -> Level | None:
        found = self.values.get(section, {}).get(key)
        return found[1] if found else None

    @property
    def default_remote(self) -> str | None:
        """What `core.remote` says, in lower case as DVC takes it."""
        name = self.get("core", "remote")
        return name.lower() if name else None

    @property
    def remote_names(self) -> tuple[str, ...]:
        return tuple(name for name in map(remote_name, self.values) if name is not None)

    def remote(self, name: str | None = None) -> DvcRemote | None:
        """The remote of that name, or DVC's default one; None where there is none.

        Raises ConfigError where `core.remote` names a remote that does not exist, where a remote has no url,
        and for values that DVC itself refuses or that need ConfigObj's interpolation.
        """
        wanted = name.lower() if name else self.default_remote
        if wanted is None:
            return None
        if remote_section(wanted) not in self.values:
            if name:
                return None
            raise ConfigError(
                f"DVC's configuration names '{wanted}' as its remote, and has no such remote",
                hint="dvc remote list shows them; dvc remote default NAME chooses one",
            )
        return self._remote(wanted, ())

    def _remote(self, name: str, seen: tuple[str, ...]) -> DvcRemote:
        entries = dict(self.values.get(remote_section(name), {}))
        if "url" not in entries or name in seen:
            raise ConfigError(f"the DVC remote '{name}' has no url")
        url, level = entries.pop("url")
        scheme, _, rest = url.partition("://")
        if scheme == "remote":
            base_name, _, below = rest.partition("/")
            base = self._remote(base_name.lower(), (*seen, name))
            url = f"{base.url}/{below.lstrip('/')}"
            level = "repo" if "repo" in (base.level, level) else level
            inherited = {key: (value, base.levels[key]) for key, value in base.options.items()}
            entries = inherited | entries
        options = {key: value for key, (value, _) in entries.items()}
        return DvcRemote(name, url, options, level, {key: origin for key, (_, origin) in entries.items()})

    @property
    def cache_dir(self) -> Path | None:
        """`cache.dir`, absolute; None where DVC's own place, `.dvc/cache`, holds. See `level("cache",
        "dir")`.
        """
        folder = self.get("cache", "dir")
        return Path(folder) if folder else None

    @property
    def hardlink_lock(self) -> bool:
        return (self.get("core", "hardlink_lock") or "").lower() == "true"


def read_config(
    top: Path, local_top: Path | None = None, environ: Mapping[str, str] = os.environ
) -> DvcConfig:
    """DVC's configuration for the worktree at `top`; files that don't exist count as empty.

    `local_top` is the main worktree's top where `top` is a linked one, whose `config.local` is the main
    one's. Raises ConfigError for a file that cannot be read or parsed.
    """
    files: dict[Level, Path] = {
        "system": system_folder(environ) / "config",
        "global": global_folder(environ) / "config",
        "repo": top / ".dvc" / "config",
        "local": (local_top or top) / ".dvc" / "config.local",
    }
    values: dict[str, dict[str, tuple[str, Level]]] = {}
    for level, file in files.items():
        for section, entries in _read(file, level).items():
            merged = values.setdefault(section, {})
            merged.update({key: (value, level) for key, value in entries.items()})
    return DvcConfig(values)


def set_remote(data: bytes | None, name: str, url: str, *, default: bool) -> bytes:
    """A configuration file's bytes with the remote's url set and, with `default`, `core.remote` naming it.

    Written into a new file this is what `dvc remote add [-d]` writes; in an old one every other line stays. A
    relative folder is written as it is: DVC takes it from the configuration file's own folder.
    """
    section = remote_section(name)
    if default:
        data = set_entry(data, "core", "remote", name.lower())
    return set_entry(data, section, "url", url)


def set_remote_option(data: bytes | None, name: str, key: str, value: str) -> bytes:
    """The same for one option of a remote, such as 'endpointurl'. What `dvc remote modify` writes."""
    return set_entry(data, remote_section(name), key, value)


def global_folder(environ: Mapping[str, str]) -> Path:
    """The folder of DVC's configuration of this user: platformdirs' user_config_dir('dvc', 'iterative')."""
    given = environ.get("DVC_GLOBAL_CONFIG_DIR")
    if given:
        return Path(given)
    if sys.platform == "darwin":
        return home(environ) / "Library" / "Application Support" / "dvc"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home(environ) / "AppData" / "Local") / "iterative" / "dvc"
    return Path(environ.get("XDG_CONFIG_HOME", "").strip() or home(environ) / ".config") / "dvc"


def system_folder(environ: Mapping[str, str]) -> Path:
    """The folder of DVC's configuration of this machine: platformdirs' site_config_dir."""
    given = environ.get("DVC_SYSTEM_CONFIG_DIR")
    if given:
        return Path(given)
    if sys.platform == "darwin":
        return Path("/Library/Application Support/dvc")
    if sys.platform == "win32":
        return Path(environ.get("ALLUSERSPROFILE", "C:\\ProgramData")) / "iterative" / "dvc"
    return Path(environ.get("XDG_CONFIG_DIRS", "").strip().split(os.pathsep)[0] or "/etc/xdg") / "dvc"


def _read(file: Path, level: Level) -> dict[str, dict[str, str]]:
    try:
        data = read_small(file, _MAX_BYTES, follow=level != "repo")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"'{file}' cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"'{file}' cannot be read: it is larger than {_MAX_BYTES >> 20} MiB")
    sections = parse(decode(data, str(file)), str(file))
    return {
        name: {key: _value(file, name, key, entry) for key, entry in section.entries.items()}
        for name, section in sections.items()
    }


def _value(file: Path, section: str, key: str, entry: Entry) -> str:
    of_remote = remote_name(section) is not None
    if of_remote and (entry.is_list or _INTERPOLATED.search(entry.value)):
        raise ConfigError(
            f"'{file}' line {entry.first_line + 1}: '{key}' of [{section}] is not one plain value"
        )
    if (of_remote and key in _PATHS) or (section, key) == ("cache", "dir"):
        return _resolved(file.parent, entry.value)
    return entry.value


def _resolved(folder: Path, value: str) -> str:
    """As Config._resolve does: URLs and absolute paths as they are, `~` expanded, the rest from the file's
    folder.
    """
    if re.match(r"\w+://", value) or Path(value).is_absolute():
        return value
    expanded = Path(value)
    if value.startswith("~"):
        try:
            expanded = expanded.expanduser()
        except RuntimeError as error:
            raise ConfigError(f"'{value}' names a home folder that does not exist") from error
    return os.path.normpath(folder / expanded)
