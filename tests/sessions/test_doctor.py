"""doctor: what works is proved by doing it, what does not is named with its fix, and nothing takes long."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from servers.listening import listening
from servers.s3 import S3Server
from servers.sshd import SshServer, silent_port
from shell import Shell

ALL = [
    "git.version",
    "git.identity",
    "config.file",
    "config.values",
    "dvc",
    "completion",
    "manual",
    "repository",
    "repository.files",
    "disk.free",
    "hooks",
    "storage.place",
    "clock",
    "aws.profile",
    "aws.sign-in",
    "aws.bucket",
    "storage.write",
    "storage.multipart",
    "storage.read",
    "storage.delete",
    "storage.versioning",
    "ssh.host-key",
    "ssh.login",
    "remote.fetch",
    "remote.push",
    "remote.storage",
]


def examined(shell: Shell, words: str = "", code: int = 0, **env: str) -> dict[str, dict[str, Any]]:
    """The checks by their id."""
    done = shell.run(f"git cpv doctor --json {words}", **env)
    assert done.code == code, str(done)
    return {check["id"]: check for check in json.loads(done.out)["checks"]}


def states(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: check["state"] for name, check in found.items()}


@pytest.fixture
def repo(shell: Shell) -> Shell:
    shell.ok("git cpv init -q --team Speech --model whisper repo")
    repo = shell.at("repo")
    repo.write("model.bin", "weights")
    repo.ok("git cpv push -q --metric loss=1")
    return repo


def in_bucket(shell: Shell, server: S3Server, **env: str) -> tuple[Shell, str]:
    """A repository whose storage is a new bucket."""
    bucket = server.new_bucket()
    shell.ok(f"git cpv init -q --team Speech --model whisper --storage s3://{bucket} repo")
    return shell.at("repo", **{**server.environment, **env}), bucket


def test_on_a_laptop_with_a_folder(repo: Shell) -> None:
    storage = Path(os.environ["HOME"]) / ".local/share/cpv/storage"
    before = {path for path in storage.rglob("*") if path.is_file()}
    done = repo.run("git cpv doctor", SHELL="/bin/sh")
    assert done.code == 0, str(done)
    lines = {line.split()[1]: line for line in done.out.splitlines() if not line.startswith(" ")}
    assert list(lines) == ALL
    assert lines["git.identity"] == "ok       git.identity        Ada Lovelace <ada@example.org>"
    assert lines["repository"] == "ok       repository          Speech/whisper, on main"
    assert lines["storage.read"] == "ok       storage.read        what was written came back the same"
    assert lines["aws.bucket"] == "skipped  aws.bucket          the storage is a folder"
    assert lines["hooks"] == "ok       hooks               no hooks are installed"
    assert done.err.startswith("26 checks: ")
    assert {path for path in storage.rglob("*") if path.is_file()} == before
    assert repo.git("status", "--short") == ""


def test_outside_of_a_repository(shell: Shell) -> None:
    found = examined(shell)
    assert list(found) == ALL
    assert found["repository"]["finding"] == "not in a CPV repository"
    assert found["git.version"]["state"] == "ok"
    assert not (Path(os.environ["HOME"]) / ".local/share/cpv").exists()


def test_all_of_s3_is_tried(shell: Shell, s3_server: S3Server) -> None:
    repo, bucket = in_bucket(shell, s3_server)
    found = examined(repo, "storage aws clock")
    assert states(found) == {
        "storage.place": "ok",
        "clock": "ok",
        "aws.profile": "ok",
        "aws.sign-in": "ok",
        "aws.bucket": "ok",
        "storage.write": "ok",
        "storage.multipart": "ok",
        "storage.read": "ok",
        "storage.delete": "ok",
        "storage.versioning": "warning",
    }
    assert found["storage.versioning"]["fix"].startswith(
        f"aws s3api put-bucket-versioning --bucket {bucket} "
    )
    client = s3_server.client()
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert examined(repo, "storage.versioning")["storage.versioning"]["state"] == "ok"


def test_wrong_denied_and_missing_are_told_apart(shell: Shell, ceph_server: S3Server) -> None:
    repo, bucket = in_bucket(shell, ceph_server)
    wrong = examined(repo, "storage", 1, AWS_SECRET_ACCESS_KEY="not-the-secret")
    assert wrong["aws.bucket"]["finding"].endswith(" refuses the secret access key as wrong")
    assert wrong["storage.write"] == {
        "id": "storage.write",
        "state": "skipped",
        "finding": "'aws.bucket' did not pass",
        "fix": None,
    }
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:DeleteObject", "s3:GetBucketVersioning"],
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
    client = ceph_server.client()
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    kept = examined(repo, "storage")
    assert (kept["storage.read"]["state"], kept["storage.delete"]["state"]) == ("ok", "warning")
    assert kept["storage.delete"]["fix"].endswith("ask the bucket's owner for s3:DeleteObject")
    assert kept["storage.versioning"]["state"] == "skipped"
    assert len(client.list_objects_v2(Bucket=bucket)["Contents"]) == 2
    examined(repo, "storage")
    assert len(client.list_objects_v2(Bucket=bucket)["Contents"]) == 2
    policy["Statement"][0]["Action"] = ["s3:PutObject"]  # type: ignore[index]
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    denied = examined(repo, "storage", 1)
    assert states(denied)["aws.bucket"] == "ok"
    assert denied["storage.write"]["state"] == "failed"
    assert "access denied" in denied["storage.write"]["finding"]
    repo.git("config", "cpv.endpoint", ceph_server.endpoint)
    shell.ok("git cpv init -q --team T --model m --storage s3://no-such-bucket-here gone")
    gone = examined(shell.at("gone", **ceph_server.environment), "aws", 1)
    assert "no-such-bucket-here' does not exist" in gone["aws.bucket"]["finding"]


def test_a_place_that_came_with_a_clone_is_not_written_to(shell: Shell, moto_server: S3Server) -> None:
    _, bucket = in_bucket(shell, moto_server)
    shell.git("clone", "-q", "repo", "clone")
    clone = shell.at("clone", **moto_server.environment)
    found = examined(clone, "storage")
    assert (found["storage.place"]["state"], found["aws.bucket"]["state"]) == ("warning", "ok")
    assert found["storage.place"]["fix"].endswith("git cpv storage trust")
    assert found["storage.write"]["finding"] == "this clone's storage is not trusted for writing"
    assert found["storage.read"]["state"] == "skipped"
    assert "Contents" not in moto_server.client().list_objects_v2(Bucket=bucket)
    clone.write(
        ".dvc/config",
        "[core]\n    remote = storage\n['remote \"storage\"']\n"
        f"    url = s3://{bucket}/T/m\n    endpointurl = https://evil.example\n",
    )
    evil = examined(clone, "storage", 1)
    assert evil["storage.place"]["state"] == "failed"
    assert evil["aws.sign-in"]["state"] == "skipped"


def test_what_never_answers_is_cut_off(shell: Shell, moto_server: S3Server) -> None:
    repo, _ = in_bucket(shell, moto_server)
    with silent_port() as port:
        repo.git("remote", "add", "origin", f"git://127.0.0.1:{port}/x.git")
        found = examined(repo, "--limit 2 aws clock remote", 1, AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    assert found["clock"]["finding"] == "no answer within 2 s"
    assert found["remote.fetch"]["finding"] == "no answer within 2 s"
    assert found["remote.push"]["state"] == "skipped"


@contextmanager
def server_an_hour_ahead() -> Iterator[str]:
    """An S3 server whose clock is off, and which refuses what is signed by any other."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>RequestTimeTooSkewed</Code><Message>Too far</Message></Error>"
            self.send_response_only(403)
            self.send_header("Date", formatdate(time.time() + 3600, usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with listening(Handler) as url:
        yield url


def test_a_clock_that_is_off(shell: Shell, moto_server: S3Server) -> None:
    repo, _ = in_bucket(shell, moto_server)
    with server_an_hour_ahead() as endpoint:
        found = examined(repo, "clock aws.bucket", 1, AWS_ENDPOINT_URL=endpoint)
    assert found["clock"]["state"] == "failed"
    assert found["clock"]["finding"].startswith("this clock and the storage's differ by 3")
    assert found["clock"]["fix"] == "sudo timedatectl set-ntp true"


def git_host(server: SshServer, home: Path, repository: Path, *, writers: bool) -> str:
    """The URL of a bare repository at `server`, which lets this test's key fetch, and push if `writers`."""
    key = home / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    program = home / "serve"
    refuse = "" if writers else "git-receive-pack*) echo 'fatal: you may not push here' >&2; exit 1;;"
    program.write_text(
        f'#!/bin/sh\ncase $SSH_ORIGINAL_COMMAND in {refuse} git-*) eval "$SSH_ORIGINAL_COMMAND";; '
        "*) echo welcome;; esac\n"
    )
    program.chmod(0o755)
    server.authorize(key.with_suffix(".pub").read_text().strip(), str(program))
    with (home / "config").open("a") as config:
        config.write(server.reached_as("git.example") + f"    IdentityFile {key}\n")
    public = (server.folder / "host_key.pub").read_text().split()
    (home / "known_hosts").write_text(f"git.example {public[0]} {public[1]}\n")
    return f"{server.user}@git.example:{repository}"


@pytest.mark.parametrize("writers", [True, False])
def test_a_git_host_reached_by_ssh(
    repo: Shell, ssh_home: Path, ssh_server: SshServer, tmp_path: Path, writers: bool
) -> None:
    repo.git("init", "-q", "--bare", str(tmp_path / "central.git"))
    url = git_host(ssh_server, ssh_home, tmp_path / "central.git", writers=writers)
    repo.git("remote", "add", "origin", url)
    found = examined(repo, "ssh remote", 0 if writers else 1)
    assert states(found) == {
        "ssh.host-key": "ok",
        "ssh.login": "ok",
        "remote.fetch": "ok",
        "remote.push": "ok" if writers else "failed",
        "remote.storage": "warning",
    }, found
    assert found["ssh.login"]["finding"] == "logged in to git.example: welcome"
    assert "git cpv storage move" in found["remote.storage"]["fix"]
    assert repo.git("ls-remote", str(tmp_path / "central.git")) == ""


def test_a_host_that_is_not_known(repo: Shell, ssh_home: Path, ssh_server: SshServer, tmp_path: Path) -> None:
    url = git_host(ssh_server, ssh_home, tmp_path / "central.git", writers=True)
    (ssh_home / "known_hosts").unlink()
    repo.git("remote", "add", "origin", url)
    found = examined(repo, "ssh", 1)
    assert found["ssh.host-key"]["finding"] == "the host key of 'git.example' is not known here"
    assert found["ssh.login"]["state"] == "skipped"


def test_what_is_wrong_with_a_repository(repo: Shell) -> None:
    repo.git("switch", "-q", "--detach")
    assert examined(repo, "repository")["repository"]["fix"] == "git switch -c NAME"
    repo.write("model.bin.dvc", "outs: [\n")
    broken = examined(repo, "repository", 1)
    assert broken["repository.files"]["state"] == "failed"
    assert "model.bin.dvc" in broken["repository.files"]["finding"]
    repo.write(".git/hooks/pre-push", "#!/bin/sh\n").chmod(0o755)
    assert examined(repo, "hooks")["hooks"]["finding"] == "installed: 'pre-push'"


def test_settings_and_identity_that_are_wrong(repo: Shell, sealed: Path) -> None:
    (sealed / ".gitconfig").write_text("[cpv]\n\tjobs = many\n")
    found = examined(repo, "git config", 1)
    assert found["git.identity"]["state"] in ("warning", "failed")
    assert found["git.identity"]["fix"].startswith("git config --global user.name ")
    assert found["config.values"]["finding"] == "cpv.jobs can't be 'many' (git config)"
    config = sealed / ".config/cpv/config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{ broken")
    damaged = examined(repo, "config", 1)
    assert damaged["config.file"]["state"] == "failed"
    assert damaged["config.values"]["finding"] == "'config.file' did not pass"


def test_a_report_names_nobody(shell: Shell, moto_server: S3Server, sealed: Path) -> None:
    credentials = sealed / "keys"
    credentials.write_text(
        "[secretprofile]\naws_access_key_id = AKIAEXAMPLE0000SEEN\naws_secret_access_key = wJalrXUtnFEMI\n"
    )
    repo, bucket = in_bucket(shell, moto_server)
    env = {
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_PROFILE": "secretprofile",
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_ENDPOINT_URL": moto_server.endpoint,
    }
    repo.git("remote", "add", "origin", "https://ada:hunter2@git.example.invalid/Speech/whisper.git")
    plain = repo.run("git cpv doctor", **env).out
    private = [bucket, "secretprofile", "Ada Lovelace", "ada@example.org", "Speech", "whisper", str(sealed)]
    assert [word for word in (*private[:2], *private[2:4]) if word not in plain] == []
    for words in ("--report", "--report --json", "--report -v"):
        done = repo.run(f"git cpv doctor {words}", **env)
        shown = done.out + done.err
        secrets = [*private, "hunter2", "AKIA", "wJalr", moto_server.endpoint.removeprefix("http://")]
        assert [word for word in secrets if word in shown] == [], shown
    report = repo.run("git cpv doctor --report", **env).out
    assert report.startswith("cpv ")
    assert "s3://<bucket>/<prefix>" in report


def test_quiet_and_unknown_words(repo: Shell) -> None:
    quiet = repo.run("git cpv doctor -q git repository")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    said = repo.fails("git cpv doctor nonsense", 129)
    assert said.splitlines()[0] == "error: there is no check 'nonsense'"


def test_where_the_shell_and_man_look(repo: Shell, tmp_path: Path) -> None:
    checkout = Path(__file__).resolve().parents[2]
    below = tmp_path / "share/bash-completion/completions"
    below.mkdir(parents=True)
    bare = examined(repo, "completion", SHELL="/bin/bash", XDG_DATA_DIRS=str(tmp_path / "share"))
    assert bare["completion"]["fix"] == f"in ~/.bashrc: . '{checkout}/completions/bash/git-cpv'"
    (below / "git-cpv").write_bytes((checkout / "completions/bash/git-cpv").read_bytes())
    there = examined(repo, "completion", SHELL="/bin/bash", XDG_DATA_DIRS=str(tmp_path / "share"))
    assert there["completion"]["state"] == "ok"
    git = shlex.quote(os.path.dirname(subprocess.check_output(["which", "git"], text=True)))  # noqa: PTH120
    lone = repo.run(f"PATH={git}:/bin {checkout}/bin/git-cpv doctor --json manual")
    assert json.loads(lone.out)["checks"][0]["fix"] == f'export MANPATH="{checkout}/man:"'
