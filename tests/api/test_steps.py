"""The steps that users of the API know, as they write them: on a folder and on S3."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
from pathlib import Path

import pytest

from cpvlib import (
    CombinedCheckpointsManage,
    DataArtifacts,
    DataCheckpointsManage,
    ModelArtifacts,
    ModelsCheckpointsManage,
    NegativeAnswer,
)
from desk import Desk

COMMIT = re.compile(r"[0-9a-f]{40}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def model_file(content: bytes) -> None:
    Path("whisper/model.bin").write_bytes(content)


def test_a_models_seven_steps(
    desk: Desk, data: Path, storage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    models = ModelsCheckpointsManage(team_name="AI-Convo", model_name="whisper")

    assert models.import_model_init(data_path="corpus", storage=storage) == str(desk.cwd / "whisper")
    assert Path("whisper/data/train/7.txt").read_text() == "train 7\n"

    model_file(b"weights 1")
    commit = models.upload_model_checkpoint(metrics={"loss": 0.245, "eval": {"wer": 0.12}})
    assert COMMIT.fullmatch(commit) and commit == desk.at("whisper").git("rev-parse", "HEAD")

    assert models.tag_model_checkpoint(message="baseline") == "v0.1"

    model_file(b"weights 2, better")
    models.upload_model_checkpoint(metrics={"loss": 0.2})
    assert models.tag_model_checkpoint(version_tag="v1.0", message="first release") == "v1.0"

    assert models.read_checkpoint_tag() == ["v0.1", "v1.0"]

    found = models.download_model_checkpoint(tag="v0.1")
    assert isinstance(found, ModelArtifacts)
    assert Path(found.model_path).read_bytes() == b"weights 1"
    assert (found.tag, found.metrics) == ("v0.1", {"eval.wer": 0.12, "loss": 0.245})
    assert MOMENT.fullmatch(found.timestamp)
    assert found.size_mb == len(b"weights 1") / 1_048_576
    assert found.model_path.startswith(str(Path(os.environ["XDG_CACHE_HOME"]) / "cpv"))
    assert Path("whisper/model.bin").read_bytes() == b"weights 2, better"

    reverted = models.revert_model_checkpoint("v0.1")
    assert COMMIT.fullmatch(reverted)
    assert Path("whisper/model.bin").read_bytes() == b"weights 1"
    assert desk.at("whisper").git("log", "-1", "--format=%s") == "Revert model to v0.1"

    facts = models.get_model_metadata(tag="v1.0")
    wanted = {"tag", "model_size_mb", "metrics", "timestamp", "team_name", "model_name"}
    assert wanted <= facts.keys()
    assert {key: facts[key] for key in wanted - {"timestamp"}} == {
        "tag": "v1.0",
        "model_size_mb": 17 / 1_048_576,
        "metrics": {"loss": 0.2},
        "team_name": "AI-Convo",
        "model_name": "whisper",
    }
    assert facts["message"] == "first release"
    assert Path("whisper/model.bin").read_bytes() == b"weights 1"
    assert capfd.readouterr() == ("", "")


def test_the_data_has_versions_of_its_own(desk: Desk, data: Path, storage: str) -> None:
    datasets = DataCheckpointsManage("AI-Convo", "whisper")
    datasets.import_data_init(data_path=data, storage=storage)
    assert datasets.tag_data_checkpoint(message="first corpus") == "v0.1"

    desk.write("whisper/data/train/8.txt", "one more\n")
    datasets.upload_data_checkpoint()
    assert datasets.tag_data_checkpoint() == "v0.2"
    assert datasets.read_data_checkpoint_tag() == ["v0.1", "v0.2"]

    found = datasets.download_data_checkpoint(tag="v0.1", output_dir="first")
    assert isinstance(found, DataArtifacts)
    assert (found.data_path, found.version, found.tag, found.sample_count) == (
        str(desk.cwd / "first/data"),
        "v0.1",
        "v0.1",
        12,
    )
    assert desk.files("first/data") == desk.files("corpus")

    facts = datasets.get_data_metadata(tag="v0.2")
    assert {"tag", "version", "size_mb", "sample_count", "timestamp"} <= facts.keys()
    assert (facts["tag"], facts["version"], facts["sample_count"]) == ("v0.2", "v0.2", 13)

    datasets.revert_data_checkpoint("v0.1")
    assert desk.files("whisper/data") == desk.files("corpus")


def test_model_and_data_as_one_version(desk: Desk, data: Path, storage: str) -> None:
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(data_path=data, storage=storage)
    model_file(b"weights 1")
    models.upload_model_checkpoint(metrics={"loss": 0.3})
    both = CombinedCheckpointsManage("AI-Convo", "whisper")

    assert both.tag_model_and_data(model_message="the model", data_message="the data") == ("v0.1", "v0.1")

    repo = desk.at("whisper")
    assert repo.git("tag", "--list", "--format=%(refname:short) %(contents:subject)").splitlines() == [
        "data/v0.1 the data",
        "v0.1 the model",
    ]
    assert repo.git("rev-parse", "v0.1^{commit}") == repo.git("rev-parse", "data/v0.1^{commit}")
    model_file(b"weights 2")
    models.upload_model_checkpoint(metrics={"loss": 0.1})
    (repo.cwd / "data/train/0.txt").unlink()
    DataCheckpointsManage("AI-Convo", "whisper").upload_data_checkpoint()

    both.revert_model_and_data("v0.1")

    assert Path("whisper/model.bin").read_bytes() == b"weights 1"
    assert desk.files("whisper/data") == desk.files("corpus")
    facts = both.get_combined_metadata("v0.1")
    assert facts.keys() == {"model", "data", "timestamp"}
    assert (facts["model"]["metrics"], facts["data"]["sample_count"]) == ({"loss": 0.3}, 12)
    with pytest.raises(NegativeAnswer, match=r"this is v0\.1"):
        both.revert_model_and_data("v0.1")


def test_as_a_script_that_changes_nothing_of_its_process(desk: Desk, data: Path) -> None:
    said = desk.answers(
        """
        import logging, os, signal, sys, threading, warnings
        def state():
            return (os.getcwd(), dict(os.environ), os.umask(os.umask(0o22) or 0o22),
                    [signal.getsignal(number) for number in sorted(signal.valid_signals())],
                    logging.getLogger().handlers[:], logging.getLogger().level, logging.raiseExceptions,
                    sys.stdout, sys.stderr, sys.excepthook, threading.excepthook, warnings.filters[:],
                    threading.active_count())
        before = state()
        from cpvlib import ModelsCheckpointsManage
        models = ModelsCheckpointsManage("AI-Convo", "whisper")
        models.import_model_init("corpus")
        open("whisper/model.bin", "w").write("weights")
        models.upload_model_checkpoint(metrics={"loss": 0.2})
        models.tag_model_checkpoint()
        models.load_model("v0.1")
        models.load_model()
        assert state() == before, (state(), before)
        print(models.read_checkpoint_tag(), models.repo_path)
        """
    )
    assert said == f"['v0.1'] {desk.cwd / 'whisper'}\n"


def test_from_inside_of_the_repository(desk: Desk, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ModelsCheckpointsManage("AI-Convo", "whisper").import_model_init(data)
    desk.write("whisper/src/train.py", "")
    monkeypatch.chdir(desk.cwd / "whisper/src")
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    monkeypatch.chdir("/")
    assert models.repo_path == str(desk.cwd / "whisper")


def test_what_a_script_says_with_verbose(desk: Desk, data: Path) -> None:
    result = desk.script(
        """
        from cpvlib import ModelsCheckpointsManage
        models = ModelsCheckpointsManage("AI-Convo", "whisper", verbose=True)
        models.import_model_init("corpus")
        open("whisper/model.bin", "w").write("weights")
        models.upload_model_checkpoint(metrics={"loss": 0.2}, message="baseline")
        models.tag_model_checkpoint()
        """
    )
    assert result.code == 0 and result.out == ""
    assert result.masked.err.splitlines() == [
        f"cpv: set up AI-Convo/whisper in '{desk.cwd}/whisper', with the data of '{desk.cwd}/corpus' as <id>",
        "cpv: uploaded 2 objects, 166 B; [main <id>] baseline; no git remote",
        "cpv: v0.1 names <id>; there is no git remote to publish to",
    ]


def test_logging_is_left_alone(desk: Desk, data: Path) -> None:
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    old = signal.getsignal(signal.SIGINT)
    ModelsCheckpointsManage("AI-Convo", "whisper").import_model_init(data)
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)
    assert signal.getsignal(signal.SIGINT) is old


def test_what_the_commands_say_of_what_the_api_did(desk: Desk, data: Path) -> None:
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(data)
    model_file(b"weights")
    models.upload_model_checkpoint(metrics={"loss": 0.2}, params={"lr": 1e-4, "optimizer": {"name": "adam"}})
    models.tag_model_checkpoint()
    repo = desk.at("whisper")
    shown = json.loads(repo.ok("git cpv show v0.1 --json"))
    assert shown["params"] == {"lr": 0.0001, "optimizer.name": "adam"}
    assert shown["data"]["md5"] == re.findall("md5: (.*)", repo.read("data.dvc"))[0]
    assert repo.git("status", "--short") == ""
