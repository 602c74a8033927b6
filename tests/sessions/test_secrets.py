"""P9: whatever is typed, and however it fails, no secret is said, logged or left in a file."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

import pytest

from sealing import CHECKOUT
from servers.s3 import S3Server
from shell import Result, Shell

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYSECRETKEY"
TOKEN = "FwoGZXIvYXdzEPn//////////SESSIONTOKEN"
PASSWORD = "hunter2-of-the-endpoint"
GIT_TOKEN = "ghp_x0123456789abcdefTOKENofGIT"
ALL = (SECRET, TOKEN, PASSWORD, GIT_TOKEN)

COMMANDS = (
    *(
        "push --metric loss=1 -vv",
        "push --check -vv",
        "push -n --json",
        "status --check -vv",
        "status --json",
    ),
    *("tag --force -vv", "show -v", "pull -vv", "pull v0.1 -o ../out -vv", "revert v0.1 -vv"),
    *("storage show -vv", "storage show --json", "storage trust -vv"),
)


def type_all(repo: Shell, **env: str) -> list[Result]:
    """Every command that has to do with keys, as loud as it can be; most of them fail, in whatever way."""
    return [repo.run(f"git cpv {command}", **env) for command in COMMANDS]


def leaks(places: Iterable[Path], ran: Iterable[Result], allowed: Iterable[Path] = ()) -> list[str]:
    """Where a secret, plain or as the header of an HTTP login, was said or written."""
    plain = [secret.encode() for secret in ALL]
    coded = [base64.b64encode(f"ada:{secret}".encode())[8:-4] for secret in ALL]
    found = [
        f"said by {result.command}: {secret!r}"
        for result in ran
        for secret in (*plain, *coded)
        if secret in (result.out + result.err).encode("utf-8", "surrogateescape")
    ]
    may = set(allowed)
    for place in places:
        for file in place.rglob("*"):
            if file.is_file() and not file.is_symlink() and file not in may and file.suffix != ".pyc":
                content = file.read_bytes()
                found += [f"{secret!r} in {file}" for secret in (*plain, *coded) if secret in content]
    return found


@pytest.fixture
def repo(shell: Shell, moto_server: S3Server) -> Shell:
    shell.ok(f"git cpv init -q --team T --model m --storage s3://{moto_server.new_bucket()} repo")
    repo = shell.at("repo", AWS_ENDPOINT_URL=moto_server.endpoint, AWS_DEFAULT_REGION="us-east-1")
    repo.write("model.bin", "weights 1")
    return repo


def test_keys_in_the_environment(repo: Shell, sealed: Path) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
    }
    repo.ok("git cpv push -vv --metric loss=1 && git cpv tag -q", **keys)
    ran = type_all(repo, **keys)
    assert not [result for result in ran if result.code not in (0, 1)]
    assert leaks([repo.cwd.parent, sealed], ran) == []
    repo.write("found.txt", TOKEN)
    assert len(leaks([repo.cwd], [repo.run(f"echo {SECRET}")])) == 2  # so that it would be found


def test_keys_in_a_file_of_the_users(repo: Shell, sealed: Path) -> None:
    credentials = sealed / ".aws/credentials"
    credentials.parent.mkdir()
    credentials.write_text(
        f"[work]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = {SECRET}\n"
        f"aws_session_token = {TOKEN}\n"
    )
    ran = [repo.run("git cpv push -vv --metric loss=1 && git cpv tag -q", AWS_PROFILE="work")]
    assert ran[0].code == 0
    ran += type_all(repo, AWS_PROFILE="work")
    assert leaks([repo.cwd.parent, sealed], ran, allowed=[credentials]) == []


def test_keys_in_dvcs_config(repo: Shell, sealed: Path, moto_server: S3Server) -> None:
    """Where `dvc remote modify --local` puts them. What is committed by mistake is not made worse."""
    local = repo.write(
        ".dvc/config.local",
        "['remote \"storage\"']\n    access_key_id = AKIAEXAMPLE\n"
        f"    secret_access_key = {SECRET}\n    session_token = {TOKEN}\n"
        f"    endpointurl = {moto_server.endpoint.replace('//', f'//ada:{PASSWORD}@')}\n",
    )
    ran = [repo.run("git cpv push -vv --metric loss=1"), repo.run("git cpv tag -q"), *type_all(repo)]
    assert ran[0].code == 0, str(ran[0])
    assert leaks([repo.cwd.parent, sealed], ran, allowed=[local]) == []
    committed = repo.cwd / ".dvc/config"
    committed.write_text(committed.read_text() + local.read_text())
    local.unlink()
    ran = type_all(repo)
    assert leaks([repo.cwd.parent, sealed], ran, allowed=[committed]) == []


@pytest.mark.parametrize("wrong", ["secret", "both", "token"])
def test_wrong_keys(shell: Shell, sealed: Path, ceph_server: S3Server, wrong: str) -> None:
    """The server is asked, refuses, and says so in its own words."""
    shell.ok(f"git cpv init -q --team T --model m --storage s3://{ceph_server.new_bucket()} repo")
    keys = {**ceph_server.environment, "AWS_SECRET_ACCESS_KEY": SECRET}
    if wrong == "both":
        keys["AWS_ACCESS_KEY_ID"] = "AKIAUNKNOWN"
    if wrong == "token":
        keys["AWS_SESSION_TOKEN"] = TOKEN
    repo = shell.at("repo", **keys)
    repo.write("model.bin", "weights 1")
    ran = [repo.run(f"git cpv push --metric loss=1 {loud}") for loud in ("-vv", "--json")]
    assert [result.code for result in ran] == [128] * 2
    ran += [repo.run("git cpv pull --from . HEAD -o ../out -vv"), repo.run("git cpv status --check --json")]
    assert leaks([repo.cwd.parent, sealed], ran) == []


def test_passwords_in_urls(repo: Shell, sealed: Path) -> None:
    """Of the endpoint, the git remote and the storage, where people and tools put them."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
    endpoint = f"http://ada:{PASSWORD}@127.0.0.1:9"
    repo.git("remote", "add", "origin", f"https://ada:{GIT_TOKEN}@127.0.0.1:9/t/m.git")
    config = repo.cwd / ".git/config"
    ran = [
        repo.run(f"git cpv {command} -vv", **{**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_MAX_ATTEMPTS": "1"})
        for command in ("push --metric loss=1", "storage show")
    ]
    ran += type_all(repo, **keys)
    url = f"https://{GIT_TOKEN}@127.0.0.1:9/t/m.git"
    outside = repo.at("..")
    ran += [
        outside.run(f"git cpv clone -v {url} clone"),
        outside.run(f"git cpv pull --from {url} latest -o from -vv"),
        outside.run(f"git cpv pull --from https://ada:{GIT_TOKEN}@127.0.0.1:9/x latest --json"),
        repo.run(f"git cpv init --remote https://ada:{GIT_TOKEN}@127.0.0.1:9/other.git"),
        repo.run(f"git cpv init --storage s3://AKIAEXAMPLE:{SECRET.replace('/', '')}@bucket"),
        repo.run("git cpv storage show", CPV_STORAGE=f"s3://AKIAEXAMPLE:{PASSWORD}@bucket/x"),
        repo.run("git cpv init --json", CPV_STORAGE=f"https://ada:{PASSWORD}@host/x"),
        repo.run(f"git cpv https://ada:{PASSWORD}@host"),
        repo.run(f"git cpv push https://ada:{PASSWORD}@host --from https://ada:{PASSWORD}@host/x"),
        repo.run(f"git cpv revert https://ada:{PASSWORD}@host"),
        repo.run(f"git cpv push -n --metrics https://ada:{PASSWORD}@host/metrics.json"),
    ]
    assert not [result for result in ran if "Traceback" in result.err]
    assert leaks([repo.cwd.parent, sealed], ran, allowed=[config]) == []


def test_passwords_of_proxies_and_signed_urls(repo: Shell, sealed: Path) -> None:
    """Of the way to the endpoint and the git host, which libraries quote in their own errors."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_MAX_ATTEMPTS": "1"}
    proxy = {**keys, "HTTPS_PROXY": f"http://ada:{PASSWORD}@127.0.0.1:9", "AWS_ENDPOINT_URL": ""}
    signed = {**keys, "AWS_ENDPOINT_URL": f"http://127.0.0.1:9/?X-Amz-Signature={TOKEN}"}
    url = f"https://ada:{GIT_TOKEN}@example.org/x.git"
    ran = [
        repo.run(f"git cpv {command}", **env)
        for env in (proxy, signed)
        for command in (
            "push --metric loss=1 -vv",
            "status --check --json",
            "doctor --report",
            "doctor --json",
        )
    ]
    ran.append(repo.at("..").run(f"git cpv pull --from {url} latest -o from -vv", **proxy))
    assert not [result for result in ran if "Traceback" in result.err]
    assert leaks([repo.cwd.parent, sealed], ran) == []


def test_headers_and_helpers_of_git(repo: Shell, sealed: Path) -> None:
    """`-vv` shows the git commands that run, and none of the settings that they run with."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": SECRET}
    with (sealed / ".gitconfig").open("a") as config:
        config.write(
            f"[http]\n\textraHeader = Authorization: Bearer {GIT_TOKEN}\n"
            f'[credential]\n\thelper = "!f() {{ echo username=ada; echo password={PASSWORD}; }}; f"\n'
        )
    repo.git("remote", "add", "origin", "https://127.0.0.1:9/t/m.git")
    ran = type_all(repo, **keys)
    assert leaks([repo.cwd.parent, sealed], ran, allowed=[sealed / ".gitconfig"]) == []


def test_a_bug_of_ours(shell: Shell, sealed: Path) -> None:
    """Its log is to be sent to strangers."""
    shell.ok(["cp", "-R", str(CHECKOUT / "cpvlib"), "cpvlib"])
    shell.ok(["cp", "-R", str(CHECKOUT / "bin"), "bin"])
    (shell.cwd / ".venv").symlink_to(CHECKOUT / ".venv")
    url = f"https://ada:{PASSWORD}@host/x"
    shell.write(
        "cpvlib/managers/push.py",
        f"raise RuntimeError('cannot use {url} nor https://{GIT_TOKEN}@host')\n",
    )
    shell.write("model.bin", "weights")
    shell.ok("git init -q && git cpv init -q --team T --model m && git cpv track -q model.bin")
    keys = {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN}
    said = shell.run(f"bin/git-cpv push --from '{url}' -vv", **keys)
    assert "error: this is a bug in cpv: RuntimeError: cannot use https://ada:***@host/x" in said.err
    assert list(sealed.rglob("bug-*.log"))
    source = shell.cwd / "cpvlib/managers/push.py"
    assert leaks([shell.cwd, sealed], [said], allowed=[source]) == []
