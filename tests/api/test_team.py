"""A team on S3 and SSH: one member sets up and publishes, another one clones and goes on."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from cpvlib import CPVConfig, CredentialError, GitError, ModelsCheckpointsManage, RepositoryError
from desk import Desk
from servers.s3 import S3Server
from servers.sshd import SshServer

SERVE = """#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
git-*) eval "$SSH_ORIGINAL_COMMAND" ;;
*) echo 'authenticated via ssh key.' ;;
esac
"""


@pytest.fixture
def host(desk: Desk, ssh_home: Path, ssh_server: SshServer) -> str:
    """The URL of an empty repository at a git host that does not know anybody yet."""
    names = ("bitbucket.org", "ssh.bitbucket.org", "altssh.bitbucket.org")
    with (ssh_home / "config").open("a") as config:
        config.write(ssh_server.reached_as(*names))
    (ssh_home / "serve").write_text(SERVE)
    (ssh_home / "serve").chmod(0o755)
    desk.git("init", "-q", "--bare", "central.git")
    return f"{ssh_server.user}@bitbucket.org:{desk.cwd}/central.git"


def test_from_nothing_to_a_colleagues_download(
    desk: Desk, ceph_server: S3Server, ssh_home: Path, ssh_server: SshServer, host: str
) -> None:
    config = CPVConfig()
    credentials = desk.write(
        "credentials",
        f"[team]\naws_access_key_id = {ceph_server.access_key}\n"
        f"aws_secret_access_key = {ceph_server.secret_key}\n",
    )
    config.setup_aws_profile(
        credentials,
        "team",
        storage=f"s3://{ceph_server.new_bucket()}",
        endpoint=ceph_server.endpoint,
        region="us-east-1",
    )

    def set_up_ssh() -> object:
        return config.setup_bitbucket_ssh(
            ssh_home / "id_team",
            "ada",
            host=f"{ssh_server.user}@bitbucket.org",
            host_key=ssh_server.fingerprint,
        )

    with pytest.raises(CredentialError, match="refuses the key"):
        set_up_ssh()
    ssh_server.authorize((ssh_home / "id_team.pub").read_text().strip(), str(ssh_home / "serve"))
    assert set_up_ssh()
    assert config.is_configured()
    assert config.get_config("bitbucket_user") == "ada"

    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(git_remote=host)
    desk.write("whisper/model.bin", "weights 1")
    commit = models.upload_model_checkpoint(metrics={"loss": 0.2})
    assert models.tag_model_checkpoint("v1.0", "first release") == "v1.0"
    refs = desk.at("central.git").git("for-each-ref", "--format=%(refname) %(*objectname)%(objectname)")
    assert f"refs/heads/main {commit}" in refs and f"refs/tags/v1.0 {commit}" in refs

    colleague = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="theirs")
    found = colleague.download_model_checkpoint("v1.0", git_url=host, output_dir="deployed", use_cache=False)
    assert Path(found.model_path).read_text() == "weights 1"
    desk.ok(["git", "cpv", "clone", "-q", host, "theirs"])
    desk.write("theirs/model.bin", "weights 2")
    colleague.upload_model_checkpoint(metrics={"loss": 0.1})
    assert colleague.tag_model_checkpoint(message="better") == "v1.1"
    assert models.download_model_checkpoint().tag == "v1.1"
    assert desk.read("whisper/model.bin") == "weights 2"


def test_two_members_who_tag_at_once(desk: Desk) -> None:
    """Both have a number free; the one who comes second gets the next."""
    desk.git("init", "-q", "--bare", "central.git")
    ada = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="ada")
    ada.import_model_init(git_remote=str(desk.cwd / "central.git"))
    desk.write("ada/model.bin", "weights 1")
    ada.upload_model_checkpoint(metrics={"loss": 1})
    desk.ok("git cpv clone -q central.git bob")
    bob = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="bob")
    desk.write("bob/model.bin", "weights 2")
    bob.upload_model_checkpoint(metrics={"loss": 0.5})
    assert ada.tag_model_checkpoint() == "v0.1"
    assert bob.tag_model_checkpoint() == "v0.2"
    assert bob.read_checkpoint_tag(fetch=True) == ["v0.1", "v0.2"]


def test_a_download_brings_two_peoples_work_together(desk: Desk) -> None:
    desk.git("init", "-q", "--bare", "central.git")
    ada = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="ada")
    ada.import_model_init(git_remote=str(desk.cwd / "central.git"))
    desk.write("ada/model.bin", "weights 1")
    ada.upload_model_checkpoint(metrics={"loss": 1})
    desk.ok("git cpv clone -q central.git bob")
    bob = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="bob")
    for who, name in ((bob, "bob"), (ada, "ada")):
        desk.write(f"{name}/model.bin", f"weights of {name}")
        with suppress(GitError):
            who.upload_model_checkpoint(metrics={"loss": 0.5})
    with pytest.raises(RepositoryError, match=r"'model\.bin' changed on both sides"):
        ada.download_model_checkpoint()
    with pytest.raises(TypeError, match="'prefer' is 'ours' or 'theirs', not 'mine'"):
        ada.download_model_checkpoint(prefer="mine")
    ada.download_model_checkpoint(prefer="theirs")
    assert desk.read("ada/model.bin") == "weights of bob"


def test_the_far_end_is_a_plain_dvc_repository(desk: Desk) -> None:
    """What a member without CPV sees: pointers in git, as DVC writes them."""
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init()
    desk.write("whisper/model.bin", "weights 1")
    models.upload_model_checkpoint(metrics={"loss": 1})
    pointer = desk.at("whisper").git("show", "HEAD:model.bin.dvc")
    md5 = subprocess.run(["md5sum", "whisper/model.bin"], capture_output=True, text=True, check=True)
    assert pointer == f"outs:\n- md5: {md5.stdout.split()[0]}\n  size: 9\n  hash: md5\n  path: model.bin"
