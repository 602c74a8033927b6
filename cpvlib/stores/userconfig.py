"""The user's own corner of the machine: `config.json`, and where data and logs go.

Folders come from platformdirs, which is asked only where nothing else has said: loading it takes longer than
starting git.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cpvlib.base.errors import ConfigError
from cpvlib.stores.files import write_atomic

_SIZE_LIMIT_BYTES = 1 << 20


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """`config.json`: in CPV_CONFIG_DIR; else in `~/.cpv` where it exists; else in the user's config dir."""
    if chosen := environ.get("CPV_CONFIG_DIR"):
        return Path(chosen) / "config.json"
    home = environ.get("HOME")
    classic = (Path(home) if home else Path.home()) / ".cpv" / "config.json"
    if classic.is_file():
        return classic
    from platformdirs import user_config_path

    return user_config_path("cpv", appauthor=False) / "config.json"


def data_dir() -> Path:
    """Where storage goes that no one has placed elsewhere (under `storage`). Nothing is created."""
    from platformdirs import user_data_path

    return user_data_path("cpv", appauthor=False)


def cache_dir() -> Path:
    """Where downloads without a place of their own go. Nothing is created."""
    from platformdirs import user_cache_path

    return user_cache_path("cpv", appauthor=False)


def log_dir() -> Path:
    """Where logs go. Nothing is created."""
    from platformdirs import user_log_path

    return user_log_path("cpv", appauthor=False)


def read(path: Path) -> dict[str, str]:
    """What `config.json` says: its string values; empty where there is no such file.

    ConfigError where it can't be read or is not a JSON object. Values of other kinds are ignored.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read '{path}': {error.strerror}") from error
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"'{path}' is not JSON: {error}", hint="correct it, or remove it") from error
    if not isinstance(content, dict):
        raise ConfigError(f"'{path}' is not a JSON object", hint="correct it, or remove it")
    return {key: value for key, value in content.items() if isinstance(value, str)}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Replaces `config.json` as a whole, mode 0600, its folder 0700 where it has to be made.

    Paths and profile names only: never a secret.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, json.dumps(dict(values), indent=2, sort_keys=True).encode() + b"\n", 0o600)
    except OSError as error:
        raise ConfigError(f"cannot write '{path}': {error.strerror}") from error
