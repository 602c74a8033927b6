"""Fixtures of the S3 servers, for any test; a plugin of pytest's."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import ceph, moto, sshd
from servers.front import Front, front_of
from servers.processes import FOLDER_VARIABLE, keeper, shared
from servers.s3 import S3Server

_NO_SSHD = (
    "SSHD IS NOT INSTALLED, so that SSH was not tested: apt-get install -y openssh-server openssh-client"
)
_NO_CEPH = f"CEPH IS NOT INSTALLED, so that S3 was not tested against it; to install it: {ceph.INSTALL}"
_KEEPER = pytest.StashKey[subprocess.Popen[bytes]]()


def pytest_configure(config: pytest.Config) -> None:
    """The first process of a session makes the folder of its servers; xdist's workers inherit its name."""
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="cpv-servers-")
        os.environ[FOLDER_VARIABLE] = folder
        config.stash[_KEEPER] = keeper(Path(folder))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _KEEPER in config.stash:
        config.stash[_KEEPER].communicate()
        del os.environ[FOLDER_VARIABLE]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for title, words in (("S3", _NO_CEPH), ("SSH", _NO_SSHD)):
        if any(words in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
            terminalreporter.section(title, red=True, bold=True)
            terminalreporter.line(words, red=True, bold=True)


@pytest.fixture(scope="session")
def moto_server() -> S3Server:
    return S3Server("moto", shared("moto", moto.start), "cpvkey", "cpvsecret")


@pytest.fixture(scope="session")
def ceph_server() -> S3Server:
    if ceph.missing():
        pytest.skip(_NO_CEPH)
    return S3Server("ceph", shared("ceph", ceph.start), ceph.ACCESS_KEY, ceph.SECRET_KEY)


@pytest.fixture(scope="session")
def moto_endpoint(moto_server: S3Server) -> str:
    return moto_server.endpoint


@pytest.fixture(scope="session")
def ceph_endpoint(ceph_server: S3Server) -> str:
    return ceph_server.endpoint


@pytest.fixture(params=["moto", "ceph"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """The test runs on both servers."""
    server: S3Server = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture(params=["auto", "boto3"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs with each way to S3."""
    monkeypatch.setenv("CPV_ENGINE", request.param)
    return str(request.param)


@pytest.fixture
def front(moto_server: S3Server) -> Iterator[Front]:
    """What passes to moto may be broken here."""
    with front_of(moto_server.endpoint) as front:
        yield front


@pytest.fixture
def ssh_home(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`~/.ssh` of the test's own HOME, made ssh's by GIT_SSH_COMMAND: ssh goes by the password database.

    Its configuration is there and names its known_hosts.
    """
    folder = sealed / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(f"UserKnownHostsFile {folder}/known_hosts\n")
    (folder / "config").chmod(0o600)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {folder}/config")
    return folder


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[sshd.SshServer]:
    """A git host of this test alone, that nobody may log in to yet."""
    if sshd.missing():
        pytest.skip(_NO_SSHD)
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = sshd.SshServer(folder)
    yield server
    server.stop()
