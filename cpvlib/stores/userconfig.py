"""The user's own corner of the machine: `config.json`, and where data and logs go.

Folders come from platformdirs, which is asked only where nothing else has said: loading it takes longer than
starting git.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.typed import Any
from cpvlib.stores.files import write_atomic

_SIZE_LIMIT_BYTES = 1 << 20
_PATIENCE_S = 10.0
_POLL_S = 0.02
_KEPT_AT_MOST = 1000


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The user's home; `/` for one whom the machine does not know, as containers have it."""
    given = environ.get("HOME")
    try:
        return Path(given) if given else Path.home()
    except RuntimeError:
        return Path("/")


def login() -> str:
    """The user's login name; empty for one whom the machine does not know."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # the last on Windows
        return ""


def _folder(ask: Callable[..., Path], below_home: str) -> Path:
    """What platformdirs says; for a user without a home it says nothing, or leaves its '~' as it is."""
    try:
        found = ask("cpv", appauthor=False)
    except RuntimeError:
        return home() / below_home
    return found if found.is_absolute() else home() / below_home


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """`config.json`: in CPV_CONFIG_DIR; else in `~/.cpv` where it exists; else in the user's config dir."""
    if chosen := environ.get("CPV_CONFIG_DIR"):
        return Path(chosen) / "config.json"
    classic = home(environ) / ".cpv" / "config.json"
    if classic.is_file():
        return classic
    from platformdirs import user_config_path

    return _folder(user_config_path, ".config/cpv") / "config.json"


def data_dir() -> Path:
    """Where storage goes that no one has placed elsewhere (under `storage`). Nothing is created."""
    from platformdirs import user_data_path

    return _folder(user_data_path, ".local/share/cpv")


def cache_dir() -> Path:
    """Where downloads without a place of their own go. Nothing is created."""
    from platformdirs import user_cache_path

    return _folder(user_cache_path, ".cache/cpv")


def log_dir() -> Path:
    """Where logs go. Nothing is created."""
    if sys.platform == "linux":
        # What platformdirs says too, a test sees to that; every command that says something asks.
        state = os.environ.get("XDG_STATE_HOME", "").strip() or f"{os.environ.get('HOME', '')}/.local/state"
        if state.startswith("/"):
            return Path(state) / "cpv" / "log"
    from platformdirs import user_log_path

    return _folder(user_log_path, ".local/state/cpv/log")


class DamagedError(ConfigError):
    """`config.json` is there, and is not a JSON object."""


def read(path: Path) -> dict[str, str]:
    """What `config.json` says: its string values; empty where there is no such file.

    ConfigError where it can't be read, DamagedError where it is not a JSON object. Values of other kinds are
    ignored.
    """
    return {key: value for key, value in _load(path).items() if isinstance(value, str)}


def update(path: Path, edit: Callable[[dict[str, Any]], None]) -> Path | None:
    """Changes what `config.json` holds, one process at a time, and replaces the file as a whole, mode 0600.

    A damaged file is kept aside and begun anew; its new name is returned. One that can't be read stays as it
    is: ConfigError. Paths and profile names only: never a secret.
    """
    try:
        with _locked(path):
            aside = None
            try:
                content = _load(path)
            except DamagedError:
                aside = _keep_aside(path)
                content = {}
            before = dict(content)
            edit(content)
            if content != before:
                _replace(path, content)
            return aside
    except OSError as error:
        raise ConfigError(f"cannot write '{path}': {error.strerror}") from error


def _load(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"cannot read '{path}': {error.strerror}") from error
    way_out = "correct it, or type git cpv setup, which keeps it aside and begins anew"
    try:
        content: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"'{path}' is not JSON: {error}", hint=way_out) from error
    if not isinstance(content, dict):
        raise DamagedError(f"'{path}' is not a JSON object", hint=way_out)
    return content


def _replace(path: Path, content: Mapping[str, Any]) -> None:
    write_atomic(path, json.dumps(dict(content), indent=2, sort_keys=True).encode() + b"\n", 0o600)


def _keep_aside(path: Path) -> Path:
    """Gives the file a name that nothing has: a hard link to it first, since link(2) never replaces."""
    for number in range(1, _KEPT_AT_MOST):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        try:
            aside.hardlink_to(path)
        except FileExistsError:
            continue
        path.unlink()
        return aside
    raise ConfigError(f"too many damaged files beside '{path}'", hint=f"remove {path}.damaged-*")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds an flock on a file beside `path`, which stays. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: the replacement is still atomic
        yield
        return
    lock = path.with_name(f".{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ConfigError(
                        f"another process has been changing '{path}' for {_PATIENCE_S:.0f} s",
                        hint="run the command again when it has ended",
                    ) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
