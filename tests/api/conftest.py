"""A user's folder for the Python API: scripts run in it, in this process or in one of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk import Desk
from servers.s3 import S3Server


@pytest.fixture
def desk(tmp_path: Path, sealed: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Desk(folder)


@pytest.fixture
def data(desk: Desk) -> Path:
    """Twelve samples, somewhere outside of the repository."""
    for part, count in {"train": 8, "validation": 2, "test": 2}.items():
        for number in range(count):
            desk.write(f"corpus/{part}/{number}.txt", f"{part} {number}\n")
    return desk.cwd / "corpus"


@pytest.fixture(params=["folder", "moto"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A root for objects: a folder of this machine, or a bucket; with the credentials in the environment."""
    if request.param == "folder":
        return str(tmp_path / "shared-disk")
    server: S3Server = request.getfixturevalue("moto_server")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{server.new_bucket()}/models"
