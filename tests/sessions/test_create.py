"""git cpv init --create: a home at Bitbucket, made through its REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.answering import Answer
from servers.bitbucket import ALL_SCOPES, FakeBitbucket, bitbucket
from servers.processes import free_port
from shell import Shell

TOKEN = "ATATT3xFfGF0-the-secret-token"
INIT = "git cpv init --create --team AI-Convo --model Whisper"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBitbucket]:
    with bitbucket() as fake:
        monkeypatch.setenv("CPV_BITBUCKET_API", fake.url)
        monkeypatch.setenv("CPV_BITBUCKET_WORKSPACE", "acme")
        monkeypatch.setenv("CPV_BITBUCKET_USER", "ada@example.org")
        fake.let_in("ada@example.org", TOKEN)
        yield fake


def requests(host: FakeBitbucket) -> list[str]:
    assert host.server
    return [f"{request.method} {request.path}" for request in host.server.seen]


def test_a_private_repository_in_the_teams_private_project(shell: Shell, host: FakeBitbucket) -> None:
    result = shell.run(INIT, CPV_BITBUCKET_TOKEN=TOKEN)
    assert result.code == 0, str(result)
    assert result.err.splitlines()[:2] == [
        "made the private Bitbucket project 'AI-Convo-model-checkpoints' (AICONVOMODELCHECKPOINTS)",
        "made https://bitbucket.org/acme/whisper, private",
    ]
    project = host.projects["acme", "AICONVOMODELCHECKPOINTS"]
    assert (project["name"], project["is_private"]) == ("AI-Convo-model-checkpoints", True)
    repository = host.repositories["acme", "whisper"]
    assert (repository["scm"], repository["is_private"]) == ("git", True)
    assert repository["project"] == {"key": "AICONVOMODELCHECKPOINTS"}
    assert shell.git("remote", "get-url", "origin") == "git@ssh.bitbucket.org:acme/whisper.git"
    assert requests(host) == [
        "GET /repositories/acme/whisper",
        "GET /workspaces/acme/projects/AICONVOMODELCHECKPOINTS",
        "POST /workspaces/acme/projects",
        "POST /repositories/acme/whisper",
    ]
    again = shell.run(INIT, CPV_BITBUCKET_TOKEN=TOKEN)
    assert (again.code, again.err) == (0, "https://bitbucket.org/acme/whisper is there already\n")
    # the second model of the team shares the project
    second = shell.run(f"{INIT} --repository other ../other", CPV_BITBUCKET_TOKEN=TOKEN)
    assert second.err.splitlines()[0] == "made https://bitbucket.org/acme/other, private"
    assert len(host.projects) == 1


def test_the_token_is_kept_nowhere(shell: Shell, host: FakeBitbucket, sealed: Path) -> None:
    result = shell.run(f"{INIT} -v", CPV_BITBUCKET_TOKEN=TOKEN)
    assert TOKEN not in result.out + result.err
    for folder in (sealed, shell.cwd):
        for path in folder.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_gits_credential_helper(shell: Shell, host: FakeBitbucket) -> None:
    helper = shell.write(
        "../helper", f'#!/bin/sh\n[ "$1" = get ] && echo "username=$NAME" && echo "password={TOKEN}"\n'
    )
    helper.chmod(0o755)
    shell.git("config", "--global", "credential.helper", str(helper))
    shell.ok(f"{INIT} one", NAME="x-bitbucket-api-token-auth")
    host.tokens.clear()
    host.let_in(None, TOKEN)
    shell.ok(f"{INIT} two", NAME="x-token-auth")
    assert shell.fails(f"{INIT} three", NAME="ada", CPV_BITBUCKET_USER="").splitlines() == [
        "error: git's credential helper has a Bitbucket token, but not the email of its account",
        "hint: git cpv setup bitbucket --user EMAIL",
    ]


def test_without_a_token_nobody_is_asked(shell: Shell, host: FakeBitbucket) -> None:
    ask = shell.write("../ask", "#!/bin/sh\necho asked >&2\necho secret\n")
    ask.chmod(0o755)
    error = shell.fails(INIT, GIT_ASKPASS=str(ask), SSH_ASKPASS=str(ask))
    assert error.startswith(
        "error: there is no Bitbucket token\nhint: make one with read and admin of projects"
    )
    assert (requests(host), shell.files()) == ([], {})
    assert not (shell.cwd / ".git").exists()


@pytest.mark.parametrize(
    ("trouble", "error", "hint"),
    [
        (
            Answer(401, b'{"type": "error", "error": {"message": "Token is invalid."}}'),
            "Bitbucket does not accept the token: Token is invalid.",
            "an API token goes with its account's email, CPV_BITBUCKET_USER; a new one: "
            "https://id.atlassian.com/manage-profile/security/api-tokens",
        ),
        (
            Answer(429, b'{"type": "error", "error": {"message": "Rate limit"}}', (("Retry-After", "30"),)),
            "Bitbucket asks for fewer requests",
            "run the same command again in 30 s",
        ),
        (
            Answer(503, b"<html>down</html>"),
            "Bitbucket is in trouble, or 'HOST' is not Bitbucket: 503",
            "run the same command again; what is made already is not made twice",
        ),
        (
            Answer(200, b"<html>a proxy's page</html>"),
            "Bitbucket is in trouble, or 'HOST' is not Bitbucket: 200",
            "run the same command again; what is made already is not made twice",
        ),
        (
            Answer(302, b"", (("Location", "https://elsewhere.example/"),)),
            "Bitbucket is in trouble, or 'HOST' is not Bitbucket: 302",
            "run the same command again; what is made already is not made twice",
        ),
        (
            Answer(400, b'{"type": "error", "error": {"message": "no ' + TOKEN.encode() + b'\\u001b[31m"}}'),
            "Bitbucket refuses: no ***\\x1b[31m",
            "you need the right to make repositories in that workspace",
        ),
    ],
)
def test_what_bitbucket_says(
    shell: Shell, host: FakeBitbucket, trouble: Answer, error: str, hint: str
) -> None:
    host.trouble = trouble
    said = shell.fails(INIT, CPV_BITBUCKET_TOKEN=TOKEN)
    assert said == f"error: {error.replace('HOST', host.url.removeprefix('http://'))}\nhint: {hint}"
    assert not (shell.cwd / ".git").exists()


def test_a_token_of_too_little(shell: Shell, host: FakeBitbucket) -> None:
    host.tokens.clear()
    host.let_in("ada@example.org", TOKEN, ALL_SCOPES - {"admin:repository:bitbucket"})
    assert shell.fails(INIT, CPV_BITBUCKET_TOKEN=TOKEN) == (
        "error: the Bitbucket token may not do this: "
        "Your credentials lack one or more required privilege scopes.\n"
        "hint: it needs: admin:repository:bitbucket"
    )
    host.let_in("ada@example.org", TOKEN)  # the project is there by now, and found
    assert shell.run(INIT, CPV_BITBUCKET_TOKEN=TOKEN).err.splitlines()[0] == (
        "made https://bitbucket.org/acme/whisper, private"
    )


def test_names_that_stand_for_something_else(shell: Shell, host: FakeBitbucket) -> None:
    env = {"CPV_BITBUCKET_TOKEN": TOKEN}
    assert shell.fails(f"{INIT} --workspace gone", **env).splitlines()[0] == (
        "error: there is no Bitbucket workspace 'gone' that this token can see"
    )
    host.projects["acme", "AICONVOMODELCHECKPOINTS"] = {"name": "Another"}
    assert shell.fails(INIT, **env).splitlines() == [
        "error: the Bitbucket project AICONVOMODELCHECKPOINTS is 'Another', not 'AI-Convo-model-checkpoints'",
        "hint: if it is the team's: git cpv init --create --project AICONVOMODELCHECKPOINTS",
    ]
    host.repositories["acme", "whisper"] = {"project": {"key": "OTHER"}, "is_private": True}
    assert shell.fails(INIT, **env).splitlines()[0] == (
        "error: 'acme/whisper' is there already, in the project OTHER"
    )
    assert shell.fails(f"{INIT} --project none --repository free", **env).splitlines()[0] == (
        "error: there is no project NONE in the workspace 'acme'"
    )
    assert not (shell.cwd / ".git").exists()
    host.repositories["acme", "whisper"]["is_private"] = False
    assert shell.run(f"{INIT} --project other", **env).err.splitlines()[:2] == [
        "https://bitbucket.org/acme/whisper is there already",
        "warning: https://bitbucket.org/acme/whisper is public: "
        "everyone can read the pointers, names and metrics",
    ]


def test_what_is_refused_before_bitbucket_is_asked(shell: Shell, host: FakeBitbucket) -> None:
    env = {"CPV_BITBUCKET_TOKEN": TOKEN}
    for words, code in (
        ("--remote git@elsewhere:x.git", 129),
        ("--workspace ../x", 128),
        ("--repository a/b", 128),
        ("--project 1x", 128),
    ):
        shell.fails(f"{INIT} {words}", code=code, **env)
    shell.fails("git cpv init --workspace acme", code=129)
    shell.fails(INIT, CPV_BITBUCKET_API="http://evil.example", **env)
    shell.git("init", "-q")
    shell.git("remote", "add", "origin", "git@elsewhere:x.git")
    assert shell.fails(INIT, **env).startswith("error: the git remote 'origin' exists already")
    assert requests(host) == []


def test_no_network(shell: Shell, host: FakeBitbucket) -> None:
    port = free_port()
    error = shell.fails(INIT, CPV_BITBUCKET_TOKEN=TOKEN, CPV_BITBUCKET_API=f"http://127.0.0.1:{port}")
    assert error == (
        f"error: '127.0.0.1:{port}' can't be reached: Connection refused\n"
        "hint: check the network and HTTPS_PROXY"
    )


def test_a_dry_run_asks_nobody(shell: Shell, host: FakeBitbucket) -> None:
    first = shell.ok(f"{INIT} -n").splitlines()[0]
    assert first == (
        "would make https://bitbucket.org/acme/whisper in the project AICONVOMODELCHECKPOINTS, "
        "where it is missing"
    )
    assert (requests(host), shell.files()) == ([], {})


def test_json(shell: Shell, host: FakeBitbucket) -> None:
    facts = json.loads(shell.ok(f"{INIT} --json", CPV_BITBUCKET_TOKEN=TOKEN))
    assert facts["git_remote"] == "git@ssh.bitbucket.org:acme/whisper.git"
