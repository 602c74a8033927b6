"""What every test stands on: a sealed environment, and a shell to type commands in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sealing import sealed_environment, write_identity
from servers import ceph
from shell import Shell
from template import MakeTemplate, Template

pytest_plugins = ["first", "judge", "people", "servers.fixtures"]

# A busy machine proves nothing wrong. A service that runs the tests tries the same examples each time: a new
# one may not stop a change that has nothing to do with it.
settings.register_profile(
    "cpv", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cpv")


@pytest.fixture(autouse=True)
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test, in-process ones too, runs in a sealed environment; its HOME is returned.

    Whatever it did, no log and no configuration of CPV's may hold the servers' secret afterwards.
    """
    home = tmp_path / "home"
    write_identity(home)
    environment = sealed_environment(home)
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield home
    places = (home / ".local/state/cpv", home / ".config/cpv", home / ".cpv")
    written = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert [path for path in written if ceph.SECRET_KEY.encode() in path.read_bytes()] == []


@pytest.fixture
def shell(tmp_path: Path, sealed: Path) -> Shell:
    """A shell in an empty folder `work` beside HOME, with git-cpv on PATH."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Shell(folder)


@pytest.fixture(scope="session")
def make_template(tmp_path_factory: pytest.TempPathFactory) -> MakeTemplate:
    """Runs a function that types commands in an empty folder, once, and keeps what came of it for copying."""

    def make(commands: Callable[[Shell], None]) -> Template:
        folder = tmp_path_factory.mktemp("template")
        write_identity(folder / "home")
        return Template(folder, sealed_environment(folder / "home"), commands)

    return make
