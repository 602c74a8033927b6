"""Settings: who is asked first, and what each may say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from cpvlib.base.errors import ConfigError
from cpvlib.managers.settings import Setting, Settings


class Values(dict[str, list[str]]):
    """git's configuration, said by hand."""

    def get_all(self, key: str) -> Sequence[str]:
        return self.get(key, [])


def settings(top: Path | None = None, *, git: dict[str, list[str]] | None = None, **environ: str) -> Settings:
    return Settings(environ={**os.environ, **environ}, git=Values(git or {}), top=top)


def test_the_stronger_place_wins(tmp_path: Path) -> None:
    (tmp_path / ".cpvconfig").write_text("[cpv]\n\tteam = committed\n")
    git = {"cpv.team": ["system", "git"]}
    assert settings().get("cpv.team") is None
    assert settings(tmp_path).get("cpv.team") == Setting("committed", ".cpvconfig")
    assert settings(tmp_path, git=git).get("cpv.team") == Setting("git", "git config")
    assert settings(tmp_path, git=git, CPV_TEAM="var").get("cpv.Team") == Setting("var", "CPV_TEAM")
    option = Settings(
        options={"cpv.team": "typed"}, environ={"CPV_TEAM": "var"}, git=Values(git), top=tmp_path
    )
    assert option.get("cpv.team") == Setting("typed", "option")


def test_defaults() -> None:
    found = settings()
    assert (found.autotag, found.tag_prefix, found.cache_mode, found.link_mode) == ("off", "", "auto", "copy")
    assert (found.remote, found.storage_shared, found.allow_missing, found.jobs) == (None, False, False, None)
    assert (found.team, found.model, found.model_outs, found.data_outs) == (None, None, (), ())
    assert found.get("cpv.nonsense") is None


def test_the_users_file_is_weaker_than_aws_variables(sealed: Path) -> None:
    config = sealed / ".config/cpv/config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"aws_profile": "stored", "region": "eu-north-1", "cpv.team": "no"}')
    assert settings().get("cpv.awsProfile") == Setting("stored", "config.json")
    assert settings(AWS_PROFILE="now").get("cpv.awsProfile") == Setting("now", "AWS_PROFILE")
    assert settings().value("cpv.region") == "eu-north-1"
    assert settings().team is None


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("cpv.cache", "fast", "it is one of auto, copy, none"),
        ("cpv.link", "reflink", "it is one of copy, hardlink, symlink"),
        ("cpv.storageShared", "maybe", "it is true or false"),
        ("cpv.engine", "obstore", "it is one of auto, boto3"),
        ("cpv.jobs", "0", "it is a number from 1 to 1024"),
        ("cpv.jobs", "many", "it is a number from 1 to 1024"),
        ("cpv.jobs", "99999999999999999999", "it is a number from 1 to 1024"),
        ("cpv.limitRate", "fast", "it is bytes a second, such as 500k, 10M or 1.5G"),
        ("cpv.metric.loss.goal", "low", "it is min or max"),
    ],
)
def test_values_that_mean_nothing_are_named_with_their_origin(key: str, value: str, hint: str) -> None:
    found = settings(git={key.lower(): [value]})
    with pytest.raises(ConfigError) as caught:
        _ = (
            found.cache_mode,
            found.link_mode,
            found.storage_shared,
            found.jobs,
            found.limit_rate,
            found.engine,
            found.goal("loss"),
        )
    assert caught.value.message == f"{key} can't be '{value}' (git config)"
    assert caught.value.hint == hint


def test_a_clone_does_not_choose_the_engine(tmp_path: Path) -> None:
    (tmp_path / ".cpvconfig").write_text("[cpv]\n\tengine = boto3\n")
    assert settings(tmp_path).get("cpv.engine") == Setting("auto", "default")
    assert settings(CPV_ENGINE="boto3").get("cpv.engine") == Setting("boto3", "CPV_ENGINE")


def test_goals_and_outs_come_from_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".cpvconfig").write_text(
        '[cpv "model"]\n\tout = a/\n\tout = b\n\tout = a\n[cpv "metric.word error"]\n\tgoal = min\n'
    )
    found = settings(tmp_path, git={"cpv.model.out": ["elsewhere"], "cpv.metric.wer.goal": ["max"]})
    assert found.model_outs == ("a", "b")
    assert (found.goal("word error"), found.goal("wer"), found.goal("loss")) == ("min", "max", None)


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("/mnt/store/../objects/", "/mnt/objects"),
        ("file:///mnt/store", "/mnt/store"),
        ("~/objects", "{home}/objects"),
    ],
)
def test_the_storage_root_in_its_one_form(sealed: Path, text: str, root: str) -> None:
    found = settings(git={"cpv.storage": [text]}).storage_root
    assert found == Setting(root.format(home=sealed), "git config")


def test_a_relative_root_counts_from_here_where_it_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings(CPV_STORAGE="objects").storage_root.value == str(tmp_path / "objects")
    with pytest.raises(ConfigError, match="absolute"):
        _ = settings(git={"cpv.storage": ["objects"]}).storage_root


@pytest.mark.parametrize(
    "text", ["s3://", "s3:///x", "s3://a b", "s3://b?x=1", "s3://b//c", "ftp://x", "s3://k:s@b/c"]
)
def test_roots_that_can_not_be(text: str) -> None:
    with pytest.raises(ConfigError):
        _ = settings(CPV_STORAGE=text).storage_root


def test_nothing_of_the_user_is_read_that_is_not_asked_for(sealed: Path) -> None:
    config = sealed / ".config/cpv/config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{ broken")
    found = settings(git={"cpv.storage": ["s3://mine"]})
    assert (found.team, found.storage_root.value) == (None, "s3://mine")
    with pytest.raises(ConfigError, match="is not JSON"):
        found.value("cpv.region")
