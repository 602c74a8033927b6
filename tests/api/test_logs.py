"""Logs: one file per repository that turns over, for commands and the API alike, and never a secret in it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cpvlib import ModelsCheckpointsManage, StorageError
from cpvlib.stores.logfile import KEPT, LogFile
from desk import Desk
from servers.s3 import S3Server

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEXAMPLETOKEN"
PASSWORD = "hunter2-and-more"


def logs() -> list[Path]:
    return sorted((Path(os.environ["XDG_STATE_HOME"]) / "cpv/log").glob("*.log"))


def trained(desk: Desk, **options: object) -> ModelsCheckpointsManage:
    models = ModelsCheckpointsManage("AI-Convo", "whisper", **options)  # type: ignore[arg-type]
    models.import_model_init()
    desk.write("whisper/model.bin", "weights")
    models.upload_model_checkpoint(metrics={"loss": 1})
    return models


def test_each_repository_has_a_log(desk: Desk) -> None:
    models = trained(desk)
    models.tag_model_checkpoint()
    (log,) = logs()
    assert log.name.startswith("AI-Convo-whisper-")
    assert log.stat().st_mode & 0o777 == 0o600
    lines = log.read_text().splitlines()
    assert all(line.split(" ", 2)[1] == str(os.getpid()) for line in lines)
    said = [line.split(" ", 2)[2] for line in lines]
    assert any(line.startswith("git ") and line.endswith("exit 0)") for line in said)
    assert any(line.startswith("uploaded 2 objects") for line in said)
    assert any(line.endswith(": part checksums and size") or ": md5" in line for line in said)


def test_commands_write_to_the_same_log(desk: Desk) -> None:
    trained(desk)
    repo = desk.at("whisper")
    repo.ok("git cpv tag -q")
    repo.fails("git cpv revert v0.9")
    (log,) = logs()
    text = log.read_text()
    assert "v0.1 names" in text and "CheckpointNotFoundError: no version or revision 'v0.9'" in text.replace(
        "model version", "version"
    )


def test_commands_that_only_look_write_nothing(desk: Desk) -> None:
    trained(desk).tag_model_checkpoint()
    (log,) = logs()
    before = log.read_text()
    repo = desk.at("whisper")
    for command in ("status", "list", "show", "diff"):
        repo.ok(f"git cpv {command}")
    ModelsCheckpointsManage("AI-Convo", "whisper").get_model_metadata()
    assert log.read_text().removeprefix(before) == ""


def test_a_log_of_ones_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    models = trained(desk, log_file="logs/cpv.log")
    monkeypatch.chdir("/")
    models.tag_model_checkpoint()
    assert "v0.1 names" in desk.read("logs/cpv.log")
    assert logs() == []


def test_a_log_that_cannot_be_written_stops_nothing(desk: Desk) -> None:
    desk.write("file", "")
    assert trained(desk, log_file="file/cpv.log").tag_model_checkpoint() == "v0.1"


def test_v_shows_git_and_vv_shows_s3(
    desk: Desk, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    ModelsCheckpointsManage("AI-Convo", "whisper").import_model_init(
        storage=f"s3://{moto_server.new_bucket()}"
    )
    repo = desk.at("whisper")
    repo.write("model.bin", "weights 1")
    once = repo.run("git cpv push -v").err
    assert "\ngit commit-tree" in once.replace("-c core.fsync=committed -c i18n.commitEncoding=UTF-8 ", "")
    assert "s3 PutObject" not in once
    repo.write("model.bin", "weights 2")
    twice = repo.run("git cpv push -vv").err
    assert "\ngit " in twice and "s3 PutObject" in twice and "/files/md5/" in twice
    (log,) = logs()
    assert "s3 PutObject" in log.read_text()


def test_the_api_says_as_much(
    desk: Desk, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(storage=f"s3://{moto_server.new_bucket()}")
    for level, shown in ((1, "cpv: uploaded"), (2, "cpv: git "), (3, "cpv: s3 PutObject")):
        desk.write("whisper/model.bin", f"weights {level}")
        models.upload_model_checkpoint(metrics={"loss": level}, verbose=level)
        out, err = capfd.readouterr()
        assert out == "" and shown in err
        assert ("cpv: git " in err, "cpv: s3 " in err) == (level > 1, level > 2)


def test_a_full_log_turns_over(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", limit_bytes=400)
    for number in range(100):
        log.write(f"line {number}")
    names = {path.name for path in tmp_path.glob("x.log*")}
    assert names == {"x.log", *(f"x.log.{number}" for number in range(1, KEPT + 1))}
    assert all((tmp_path / name).stat().st_size <= 400 for name in names)
    assert (tmp_path / "x.log").read_text().splitlines()[-1].endswith("line 99")


def test_no_line_is_lost_or_torn_while_it_turns_over(tmp_path: Path) -> None:
    logs = [LogFile(tmp_path / "x.log", limit_bytes=50_000, kept=9) for _ in range(4)]

    def write(name: int) -> None:
        for number in range(500):
            logs[name].write(f"<{name}:{number}>")

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = "".join(path.read_text() for path in tmp_path.glob("x.log*"))
    assert len(list(tmp_path.glob("x.log*"))) > 1
    assert sorted(line.split(" ")[2] for line in text.splitlines()) == sorted(
        f"<{name}:{number}>" for name in range(4) for number in range(500)
    )


def test_a_hostile_line_stays_one_line(tmp_path: Path) -> None:
    LogFile(tmp_path / "x.log").write("a\nb\x1b[31m https://ada:hunter2@example.org/")
    (line,) = (tmp_path / "x.log").read_text().splitlines()
    assert line.endswith("a\\nb\\x1b[31m https://ada:***@example.org/")


def test_no_secret_in_any_byte_written(
    desk: Desk, moto_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys in a credentials file and the environment, a password in a URL: through all that can fail."""
    bucket = moto_server.new_bucket()
    credentials = tmp_path / "credentials"
    credentials.write_text(
        f"[team]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = {SECRET}\n"
        f"aws_session_token = {TOKEN}\n",
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("CPV_AWS_CREDENTIAL_PATH", str(credentials))
    monkeypatch.setenv("CPV_AWS_PROFILE", "team")
    lines: list[str] = []
    models = ModelsCheckpointsManage("AI-Convo", "whisper", notify=lines.append)
    models.import_model_init(storage=f"s3://{bucket}")
    desk.write("whisper/model.bin", "weights")
    models.upload_model_checkpoint(metrics={"loss": 1})
    repo = desk.at("whisper")
    said = [
        str(repo.run(f"git cpv {words}")) for words in ("push -vv --check", "status", "storage show --json")
    ]
    client = moto_server.client()
    for found in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.delete_object(Bucket=bucket, Key=found["Key"])
    client.delete_bucket(Bucket=bucket)
    desk.write("whisper/model.bin", "weights 2")
    with pytest.raises(StorageError) as failed:
        models.upload_model_checkpoint(metrics={"loss": 2})
    repo.git("remote", "add", "origin", f"http://ada:{PASSWORD}@127.0.0.1:9/x.git")
    said += [
        str(repo.run(f"git cpv {words}"))
        for words in ("pull -v", "tag --push", "clone $(git remote get-url origin)")
    ]
    said += [str(failed.value), *lines]
    kept = {repo.cwd / ".git/config", credentials}  # where the user put them
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path not in kept}
    assert any("state/cpv/log" in str(path) for path in written)
    for secret in (SECRET, TOKEN, PASSWORD):
        assert not [text for text in said if secret in text]
        assert not [path for path, content in written.items() if secret.encode() in content]
