"""config.json: where it is, what is read of it, and how it is replaced."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cpvlib.base.errors import ConfigError
from cpvlib.stores import userconfig


def test_the_place_that_was_chosen_wins(sealed: Path) -> None:
    assert userconfig.config_path(os.environ) == sealed / ".config/cpv/config.json"
    classic = sealed / ".cpv/config.json"
    classic.parent.mkdir()
    assert userconfig.config_path(os.environ) == sealed / ".config/cpv/config.json"
    classic.write_text("{}")
    assert userconfig.config_path(os.environ) == classic
    chosen = {**os.environ, "CPV_CONFIG_DIR": "/somewhere"}
    assert userconfig.config_path(chosen) == Path("/somewhere/config.json")


def test_folders_of_the_user(sealed: Path) -> None:
    assert userconfig.data_dir() == sealed / ".local/share/cpv"
    assert userconfig.cache_dir() == sealed / ".cache/cpv"
    assert userconfig.log_dir() == sealed / ".local/state/cpv/log"


def test_what_is_written_is_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.json"
    userconfig.write(path, {"storage": "s3://a", "aws_profile": "work"})
    assert userconfig.read(path) == {"storage": "s3://a", "aws_profile": "work"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    userconfig.write(path, {})
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert userconfig.read(tmp_path / "config.json") == {}


def test_values_that_are_no_text_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"storage": "s3://a", "region": None, "endpoint": 3, "last_updated": ["x"]}))
    assert userconfig.read(path) == {"storage": "s3://a"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff\xfe\xff", b'{"a": ' * 9_000])
def test_what_is_broken_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not"):
        userconfig.read(path)


def test_a_place_that_can_not_be_written() -> None:
    with pytest.raises(ConfigError, match="cannot write"):
        userconfig.write(Path("/proc/nowhere/config.json"), {})
