"""Fixtures of the S3 servers, for any test; a plugin of pytest's."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from servers import ceph, moto
from servers.processes import FOLDER_VARIABLE, keeper, shared
from servers.s3 import S3Server

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
    if any(_NO_CEPH in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.section("S3", red=True, bold=True)
        terminalreporter.line(_NO_CEPH, red=True, bold=True)


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
