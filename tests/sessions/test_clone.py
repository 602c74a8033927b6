"""clone: a repository with the objects of its checkpoint."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from servers.s3 import S3Server
from shell import Shell


@pytest.fixture
def origin(shell: Shell) -> Shell:
    """A bare repository that a model was pushed to; the shell is beside it."""
    shell.git("init", "-q", "--bare", "digits.git")
    shell.ok("git cpv init --team Vision --model digits --remote ../digits.git first")
    first = shell.at("first")
    first.ok("python3 train.py && git cpv push -m 'first training' && git cpv tag --push")
    return shell


def outs(folder: Shell) -> dict[str, bytes]:
    found = folder.files()
    return {path: found[path] for path in found if path.startswith(("data/", "model.bin", "metrics.log"))}


def test_a_clone_is_whole(origin: Shell) -> None:
    said = origin.run("git cpv clone digits.git")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("cloned into 'digits'; 5 files, ")
    assert said.out.endswith(" fetched and verified\n")
    mine = origin.at("digits")
    assert outs(mine) == outs(origin.at("first"))
    assert mine.git("status", "--porcelain") == ""
    assert mine.git("tag") == "v0.1"
    assert mine.git("rev-parse", "@{upstream}") == mine.git("rev-parse", "HEAD")


def test_a_clone_can_push_on(origin: Shell) -> None:
    origin.ok("git cpv clone digits.git second")
    second = origin.at("second")
    second.ok("python3 train.py --epochs 9 && git cpv push -m more && git cpv tag --push")
    origin.at("first").ok("git cpv pull")
    assert outs(origin.at("first")) == outs(second)


def test_without_objects_and_then_with_them(origin: Shell) -> None:
    said = origin.ok("git cpv clone --no-objects digits.git bare-bones")
    assert (
        said == "cloned into 'bare-bones'; no objects (git cpv pull PATH brings some, git cpv pull --all all)"
    )
    assert outs(origin.at("bare-bones")).keys() == {"model.bin.dvc", "metrics.log.dvc"}
    origin.at("bare-bones").ok("git cpv pull --all")
    assert outs(origin.at("bare-bones")) == outs(origin.at("first"))


def test_json(origin: Shell) -> None:
    told = json.loads(origin.ok("git cpv clone --json digits.git d"))
    assert told["top"] == f"{origin.cwd}/d"
    assert told["commit"] == origin.git("-C", "first", "rev-parse", "HEAD")
    assert sorted(told["outs"]) == ["data", "metrics.log", "model.bin"]
    assert told["adopted"] is True
    assert told["fetched_bytes"] > 0


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("./digits.git/", "digits"),
        ("file://{cwd}/digits.git", "digits"),
        ("first/.git", "first2"),
    ],
)
def test_the_folder_is_named_as_git_names_it(origin: Shell, url: str, folder: str) -> None:
    target = "" if folder == "digits" else folder
    origin.ok(f"git cpv clone --no-objects {url.format(cwd=origin.cwd)} {target}")
    assert (origin.cwd / folder / ".cpvconfig").is_file()


def test_a_branch_and_a_version_can_be_chosen(origin: Shell) -> None:
    origin.ok("git cpv clone -b v0.1 digits.git at-version")
    assert origin.at("at-version").git("describe", "--tags") == "v0.1"


def test_a_storage_elsewhere_is_told(origin: Shell, tmp_path: Path, sealed: Path) -> None:
    moved = tmp_path / "moved"
    (sealed / ".local/share/cpv/storage").rename(moved)
    said = origin.run("git cpv clone digits.git")
    assert said.code == 128
    assert said.err.startswith(f"error: cloned into '{origin.cwd}/digits', without its objects: ")
    assert "\nhint: cd " in said.err
    assert (origin.cwd / "digits/.cpvconfig").is_file()
    origin.ok(f"git cpv clone --storage {moved} digits.git found")
    assert outs(origin.at("found")) == outs(origin.at("first"))
    origin.at("found").ok("python3 train.py --epochs 2 && git cpv push")


def test_plain_dvc_finds_the_folder_too(origin: Shell, sealed: Path) -> None:
    origin.ok("git cpv clone --no-objects digits.git")
    assert origin.read("digits/.dvc/config.local") == (
        "[core]\n    remote = storage\n['remote \"storage\"']\n"
        f"    url = {sealed}/.local/share/cpv/storage/Vision/digits\n"
    )


def test_an_object_that_was_changed_is_not_installed(origin: Shell, sealed: Path) -> None:
    storage = sealed / ".local/share/cpv/storage/Vision/digits/files/md5"
    model = next(path for path in storage.rglob("*") if path.is_file() and path.read_bytes()[8:9] == b"{")
    model.chmod(0o644)
    model.write_bytes(b"junk" * 25)
    said = origin.run("git cpv clone digits.git")
    assert said.code == 128
    assert "without its objects" in said.err
    assert not (origin.cwd / "digits/model.bin").exists()


def test_a_repository_of_no_model(origin: Shell) -> None:
    origin.git("init", "-q", "plain")
    origin.git("-C", "plain", "commit", "-q", "--allow-empty", "-m", "x")
    assert origin.ok("git cpv clone plain copy") == (
        "cloned into 'copy'; it is not a CPV repository yet (git cpv init adopts it)"
    )


def test_a_model_without_a_checkpoint(origin: Shell) -> None:
    origin.ok("git cpv init --team T --model m empty")
    assert origin.ok("git cpv clone empty copy") == "cloned into 'copy'; no checkpoint in it yet"


def test_a_clone_without_its_objects_goes_on_when_typed_again(origin: Shell) -> None:
    storage = Path(os.environ["HOME"]) / ".local/share/cpv/storage/Vision/digits"
    away = storage.with_name("away")
    storage.rename(away)
    refused = origin.fails("git cpv clone digits.git second")
    assert refused.startswith(f"error: cloned into '{origin.cwd}/second', without its objects: ")
    away.rename(storage)
    assert "already exists" in origin.fails("git cpv clone digits.git/ second")
    assert origin.ok("git cpv clone digits.git second").startswith("cloned into 'second'; 5 files, ")
    assert outs(origin.at("second")) == outs(origin.at("first"))
    assert "already exists" in origin.fails("git cpv clone digits.git second")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the process to kill in /proc")
def test_a_killed_clone_is_not_in_the_way(origin: Shell) -> None:
    hook = origin.write("hooks/post-checkout", "#!/bin/sh\nkill -9 $(cut -d' ' -f4 /proc/$PPID/stat)\n")
    hook.chmod(0o755)
    killing = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hook.parent),
    }
    origin.run("exec git-cpv-clone digits.git second", **killing)
    assert not (origin.cwd / "second").exists()
    assert (origin.cwd / ".second.cpv-clone").exists()
    assert origin.ok("git cpv clone digits.git second").startswith("cloned into 'second'; 5 files, ")
    assert sorted(each.name for each in origin.cwd.iterdir()) == ["digits.git", "first", "hooks", "second"]
    assert origin.at("second").git("status", "--porcelain") == ""


def test_a_dry_run_asks_and_makes_nothing(origin: Shell) -> None:
    assert origin.ok("git cpv clone -n digits.git") == f"would clone into '{origin.cwd}/digits'"
    assert "has no branch or tag 'none'" in origin.fails("git cpv clone -n -b none digits.git")
    assert "ls-remote failed" in origin.fails("git cpv clone -n nowhere")
    assert "already exists" in origin.fails("git cpv clone -n digits.git first")
    assert sorted(each.name for each in origin.cwd.iterdir()) == ["digits.git", "first"]


def test_what_can_not_be_cloned(origin: Shell) -> None:
    assert "git clone failed: repository 'nowhere' does not exist" in origin.fails("git cpv clone nowhere")
    assert "already exists" in origin.fails("git cpv clone digits.git first")
    assert origin.fails(["git-cpv-clone", "--", "--upload-pack=touch pwned"], code=128)
    assert not (origin.cwd / "pwned").exists()
    assert origin.run("git cpv clone").code == 129


def test_a_clone_of_a_clone_in_a_home_of_its_own_says_what_is_missing(origin: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "home", other, ignore=shutil.ignore_patterns(".local"))
    said = origin.run("git cpv clone digits.git", HOME=str(other), XDG_DATA_HOME=str(other / "data"))
    assert said.code == 128
    assert f"{other}/data/cpv/storage/Vision/digits" in said.err
    assert not (other / "data").exists()


def test_a_bucket_is_read_from_at_once_and_written_to_after_a_word_of_trust(
    shell: Shell, moto_server: S3Server
) -> None:
    bucket, env = moto_server.new_bucket(), moto_server.environment
    shell.git("init", "-q", "--bare", "common.git")
    shell.ok(f"git cpv init --team T --model m --storage s3://{bucket} --remote ../common.git first")
    shell.at("first").ok("python3 train.py && git cpv push -m first", **env)
    shell.ok("git cpv clone common.git second", **env)
    second = shell.at("second")
    assert outs(second) == outs(shell.at("first"))
    second.ok("python3 train.py --epochs 7")
    assert second.fails("git cpv push", **env) == (
        f"error: storage 's3://{bucket}/T/m' can't be written to yet: its url came with the clone, "
        "in '.dvc/config'\n"
        "hint: see it with git cpv storage show; if it is right: git cpv storage trust"
    )
    second.ok("git cpv storage trust")
    second.ok("git cpv push -m second", **env)
    shell.at("first").ok("git cpv pull", **env)
    assert outs(second) == outs(shell.at("first"))


def test_an_endpoint_that_the_user_has_set_is_written_for_all(shell: Shell) -> None:
    shell.git("config", "--global", "cpv.endpoint", "https://s3.example.org")
    shell.git("config", "--global", "cpv.awsProfile", "work")
    shell.ok("git cpv init --team T --model m --storage s3://bucket first", AWS_PROFILE="")
    assert "    endpointurl = https://s3.example.org\n" in shell.read("first/.dvc/config")
    assert "profile" not in shell.read("first/.dvc/config")
    assert shell.read("first/.dvc/config.local") == "['remote \"storage\"']\n    profile = work\n"
    told = json.loads(shell.at("first").ok("git cpv storage --json"))
    assert (told["readable"], told["writable"]) == (True, True)
    assert told["options"] == {"endpointurl": "https://s3.example.org", "profile": "work"}
