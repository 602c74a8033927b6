"""config.json: where it is, what is read of it, and how it is replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import platformdirs
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
    userconfig.update(path, lambda content: content.update(storage="s3://a", aws_profile="work"))
    assert userconfig.read(path) == {"storage": "s3://a", "aws_profile": "work"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    userconfig.update(path, lambda content: content.pop("storage"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert {entry.name for entry in path.parent.iterdir()} == {"config.json", ".config.json.lock"}


def test_what_others_keep_in_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"theirs": {"deep": [1]}, "region": "a"}')
    assert userconfig.update(path, lambda content: content.update(region="b")) is None
    assert json.loads(path.read_text()) == {"theirs": {"deep": [1]}, "region": "b"}


def test_a_damaged_file_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for number, content in enumerate((b"{", b"[]"), start=1):
        path.write_bytes(content)
        aside = userconfig.update(path, lambda content: content.update(region="b"))
        assert aside == tmp_path / f"config.json.damaged-{number}"
        assert aside.read_bytes() == content
        assert userconfig.read(path) == {"region": "b"}


def test_a_file_that_can_not_be_read_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read"):
        userconfig.update(path, lambda content: content.update(region="b"))
    assert path.is_dir()


def test_nobody_loses_what_another_writes_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    script = (
        "import sys; from pathlib import Path; from cpvlib.stores.userconfig import update\n"
        "for i in range(20): update(Path(sys.argv[1]), lambda c: c.update({f'{sys.argv[2]}-{i}': 'x'}))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in "abcd"]
    assert [writer.wait(timeout=600) for writer in writers] == [0] * 4
    assert len(userconfig.read(path)) == 80


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
        userconfig.update(Path("/proc/nowhere/config.json"), lambda content: content.update(region="b"))


@pytest.mark.parametrize("state", ["/elsewhere/state", "", None])
def test_logs_go_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch, state: str | None) -> None:
    if state is None:
        monkeypatch.delenv("XDG_STATE_HOME")
    else:
        monkeypatch.setenv("XDG_STATE_HOME", state)
    assert userconfig.log_dir() == platformdirs.user_log_path("cpv", appauthor=False)
