"""A clone does not decide where private bytes go, who is asked for them, or with whose credentials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell

EVIL = "https://evil.example"


@pytest.fixture
def clone(shell: Shell) -> Shell:
    """Another person's repository, cloned; `committed` is what its `.dvc/config` says next."""
    shell.ok("git cpv init --team T --model m theirs")
    shell.git("clone", "-q", "theirs", "mine")
    shell.git("-C", "mine", "remote", "remove", "origin")
    return shell.at("mine")


def committed(clone: Shell, **options: str) -> None:
    rows = "".join(f"    {key} = {value}\n" for key, value in options.items())
    clone.write(".dvc/config", f"[core]\n    remote = storage\n['remote \"storage\"']\n{rows}")
    clone.git("commit", "-q", "-a", "-m", "Change the storage")


def allowed(clone: Shell, **env: str) -> tuple[bool, bool]:
    """Whether the storage may be read, and written."""
    told = json.loads(clone.ok("git cpv storage --json", **env))
    return told["readable"], told["writable"]


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({"url": "s3://bucket/T/m"}, True),
        ({"url": "s3://bucket/T/m", "region": "eu-central-1", "read_timeout": "10"}, True),
        ({"url": "s3://bucket/T/m", "acl": "public-read"}, True),
        ({"url": "s3://bucket/T/m", "endpointurl": EVIL}, False),
        ({"url": "s3://bucket/T/m", "profile": "production"}, False),
        ({"url": "s3://bucket/T/m", "credentialpath": "/home/ada/.aws/credentials"}, False),
        ({"url": "s3://bucket/T/m", "ssl_verify": "false"}, False),
        ({"url": "s3://bucket/T/m", "something_new": "x"}, False),
        ({"url": "/etc"}, False),
        ({"url": "../../outside"}, False),
        ({"url": "ssh://evil.example/x", "keyfile": "/home/ada/.ssh/id"}, False),
    ],
)
def test_what_a_clone_names_is_at_most_read_from(clone: Shell, options: dict[str, str], read: bool) -> None:
    committed(clone, **options)
    assert allowed(clone) == (read, False)
    clone.write("model.bin", b"private")
    said = clone.fails("git cpv push")
    assert said.splitlines()[-1] == (
        "hint: see it with git cpv storage show; if it is right: git cpv storage trust"
    )


def test_trust_is_for_exactly_what_was_seen(clone: Shell) -> None:
    committed(clone, url="s3://bucket/T/m", endpointurl=EVIL)
    said = clone.run("git cpv storage trust")
    assert said.out == "trusted: s3://bucket/T/m\n"
    assert f"endpointurl = {EVIL}" in said.err
    assert allowed(clone) == (True, True)
    committed(clone, url="s3://bucket/T/m", endpointurl=EVIL + "/elsewhere")
    assert allowed(clone) == (False, False)
    committed(clone, url="s3://other/T/m", endpointurl=EVIL)
    assert allowed(clone) == (False, False)
    committed(clone, url="s3://bucket/T/m", endpointurl=EVIL)
    assert allowed(clone) == (True, True)


def test_trust_is_for_this_clone_only(clone: Shell) -> None:
    committed(clone, url="s3://bucket/T/m")
    clone.ok("git cpv storage trust")
    clone.ok("git clone -q . ../third")
    assert allowed(clone.at("../third")) == (True, False)


def test_what_equals_the_users_own_configuration_needs_no_trust(clone: Shell) -> None:
    committed(clone, url="s3://bucket/team/T/m", endpointurl="https://s3.example", profile="work")
    own = {"CPV_STORAGE": "s3://bucket/team", "CPV_ENDPOINT": "https://s3.example", "CPV_AWS_PROFILE": "work"}
    assert allowed(clone, **own) == (True, True)
    assert allowed(clone, **{**own, "CPV_STORAGE": "s3://bucket/te"}) == (True, False)
    assert allowed(clone, **{**own, "CPV_ENDPOINT": "https://s3.example.evil"}) == (False, False)
    committed(clone, url="s3://bucket/team/../other/m")
    assert allowed(clone, **own) == (True, False)


def test_a_folder_below_the_users_root_needs_no_trust(clone: Shell, tmp_path: Path) -> None:
    root = tmp_path / "objects"
    (root / "T").mkdir(parents=True)
    committed(clone, url=str(root / "T/m"))
    assert allowed(clone, CPV_STORAGE=str(root)) == (True, True)
    assert allowed(clone) == (False, False)
    (root / "T/m").symlink_to("/etc")
    assert allowed(clone, CPV_STORAGE=str(root)) == (False, False)


def test_what_the_user_typed_is_trusted(clone: Shell) -> None:
    clone.ok("git cpv init --storage s3://typed")
    assert allowed(clone) == (True, True)


def test_an_endpoint_of_a_clone_does_not_ride_on_a_url_of_ones_own(clone: Shell) -> None:
    clone.write(
        ".dvc/config.local", "['remote \"storage\"']\n    url = s3://mine/T/m\n[core]\n    remote = storage\n"
    )
    assert allowed(clone) == (True, True)
    clone.write(".dvc/config", f"['remote \"storage\"']\n    endpointurl = {EVIL}\n")
    assert allowed(clone) == (False, False)


@pytest.mark.parametrize("name", [".dvc/config.local", ".DVC/config.local"])
def test_a_local_file_that_git_brings_is_not_local(clone: Shell, name: str) -> None:
    clone.write(".dvc/config.local", "['remote \"storage\"']\n    url = /etc\n[core]\n    remote = storage\n")
    assert allowed(clone) == (True, True)
    blob = clone.git("hash-object", "-w", ".dvc/config.local")
    clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    assert allowed(clone) == (False, False)


def test_a_cache_outside_of_the_worktree_needs_trust(clone: Shell, tmp_path: Path) -> None:
    clone.ok("git cpv init")
    clone.write(".dvc/config", f"[cache]\n    dir = {tmp_path}/elsewhere\n")
    clone.write("model.bin", b"private")
    assert clone.fails("git cpv push") == (
        f"error: the cache folder '{tmp_path}/elsewhere' can't be used yet: it came with the clone\n"
        "hint: see it with git cpv storage show; if it is right: git cpv storage trust"
    )
    assert not (tmp_path / "elsewhere").exists()
    assert f"the cache folder '{tmp_path}/elsewhere' came with the clone" in clone.ok("git cpv storage show")
    clone.ok("git cpv storage trust")
    clone.ok("git cpv push")
    assert (tmp_path / "elsewhere/files/md5").is_dir()


@pytest.mark.parametrize(("folder", "ok"), [("cache", True), ("../.git/hooks", False), ("../objects", True)])
def test_a_cache_inside_of_the_worktree_needs_none(clone: Shell, folder: str, ok: bool) -> None:
    clone.ok("git cpv init")
    clone.write(".dvc/config", f"[cache]\n    dir = {folder}\n")
    clone.write("model.bin", b"private")
    assert clone.run("git cpv push").code == (0 if ok else 128)


def test_no_secret_is_shown_or_recorded(clone: Shell) -> None:
    secret = "Sup3rS3cret"
    committed(
        clone,
        url="s3://bucket/T/m",
        access_key_id="AKIA",
        secret_access_key=secret,
        endpointurl=f"https://user:{secret}@s3.example",
    )
    runs = [
        clone.run(f"git cpv {line}")
        for line in ("storage show", "storage --json", "storage trust", "push -vv")
    ]
    assert not [run for run in runs if secret in run.out + run.err]
    record = (clone.cwd / ".git/cpv/trust").read_bytes()
    assert secret.encode() not in record
    assert b"s3://bucket/T/m" in record


def test_unsafe_keys_of_cpvconfig_are_ignored(clone: Shell, sealed: Path) -> None:
    clone.write(
        ".cpvconfig",
        "[cpv]\n\tteam = T\n\tmodel = m\n\tstorage = /etc\n\tremote = evil\n"
        "\tendpoint = https://evil.example\n"
        "\tawsProfile = production\n\tstorageShared = true\n[include]\n\tpath = /etc/passwd\n",
    )
    told = json.loads(clone.ok("git cpv storage --json"))
    assert told["url"] == f"{sealed}/.local/share/cpv/storage/T/m"
    assert told["options"] == {}


@pytest.mark.parametrize("key", ["team", "model"])
def test_a_clone_can_not_climb_out_of_root_by_its_name(clone: Shell, key: str) -> None:
    names = {"team": "T", "model": "m", key: "../../etc"}
    clone.write(".cpvconfig", "[cpv]\n" + "".join(f"\t{name} = {value}\n" for name, value in names.items()))
    assert clone.fails("git cpv storage").startswith(f"error: '../../etc' can't be a {key} name\n")


def test_a_cpvconfig_that_is_a_link_is_refused(clone: Shell) -> None:
    (clone.cwd / ".cpvconfig").unlink()
    (clone.cwd / ".cpvconfig").symlink_to("/etc/passwd")
    assert clone.fails("git cpv storage") == (
        "error: cannot read '.cpvconfig': it is a symbolic link\n"
        "hint: put it out of the way, then git checkout HEAD -- .cpvconfig"
    )


def test_what_a_clone_says_reaches_no_terminal_raw(clone: Shell) -> None:
    committed(clone, url="s3://bucket/\x1b]0;pwned\x07", profile="\x1b[31mred")
    for line in ("storage", "storage trust", "push"):
        run = clone.run(f"git cpv {line}")
        assert "\x1b" not in run.out + run.err
