"""What the Python API refuses, and how it says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import cpvlib
from cpvlib import (
    CheckpointNotFoundError,
    ConfigError,
    CPVError,
    DataCheckpointsManage,
    GitError,
    ModelsCheckpointsManage,
    NegativeAnswer,
    OptionError,
    RepositoryError,
    UsageError,
)
from desk import Desk


@pytest.fixture
def models(desk: Desk, data: Path) -> ModelsCheckpointsManage:
    """A repository with data and a model of one version."""
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(data)
    desk.write("whisper/model.bin", "weights 1")
    models.upload_model_checkpoint(metrics={"loss": 0.5})
    models.tag_model_checkpoint()
    return models


@pytest.mark.parametrize(
    ("call", "keyword", "nearest"),
    [
        ("upload_model_checkpoint", "forse", "force"),
        ("upload_model_checkpoint", "commit_message", "message"),
        ("download_model_checkpoint", "outputdir", "output_dir"),
        ("tag_model_checkpoint", "mayor", "major"),
        ("read_checkpoint_tag", "verbos", "verbose"),
        ("get_model_metadata", "fetched", "fetch"),
        ("import_model_init", "storag", "storage"),
    ],
)
def test_an_unknown_keyword_names_the_nearest(call: str, keyword: str, nearest: str) -> None:
    models: Any = ModelsCheckpointsManage("AI-Convo", "whisper")
    with pytest.raises(OptionError) as raised:
        getattr(models, call)(**{keyword: 1})
    assert str(raised.value) == f"{call}() takes no keyword '{keyword}': did you mean '{nearest}'?"
    assert isinstance(raised.value, TypeError) and isinstance(raised.value, CPVError)


def test_the_constructor_and_run_name_it_too() -> None:
    for make in (
        ModelsCheckpointsManage,
        DataCheckpointsManage,
        cpvlib.CombinedCheckpointsManage,
        cpvlib.run,
    ):
        with pytest.raises(OptionError, match="did you mean 'repo_path'"):
            make("AI-Convo", "whisper", repo_pth=".")  # type: ignore[call-arg]
    with pytest.raises(OptionError, match="did you mean 'endpoint'"):
        cpvlib.CPVConfig().setup_aws_profile(endpont="http://x")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            {"notify": "mailto://ada"},
            "'notify' is a function that takes one line of text, not 'mailto://ada'",
        ),
        ({"verbose": "yes"}, "'verbose' can't be 'yes'"),
        ({"repo_path": 3}, "'repo_path' can't be 3"),
        ({"jobs": 0}, "'jobs' is a number from 1, not 0"),
    ],
)
def test_a_value_of_the_wrong_kind(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        ModelsCheckpointsManage("AI-Convo", "whisper", **keywords)


def test_names_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match=r"'\.\./x' can't be a team name"):
        ModelsCheckpointsManage("../x", "whisper")


def test_a_misspelled_name_of_the_module() -> None:
    with pytest.raises(AttributeError, match="module 'cpvlib' has no attribute 'ModelCheckpoints'"):
        cpvlib.ModelCheckpoints  # noqa: B018


def test_every_name_of_the_module_is_there() -> None:
    assert set(cpvlib.__all__) <= set(dir(cpvlib))
    assert all(getattr(cpvlib, name) is not None for name in cpvlib.__all__)


def test_where_there_is_no_repository(desk: Desk) -> None:
    with pytest.raises(RepositoryError) as raised:
        ModelsCheckpointsManage("AI-Convo", "whisper").upload_model_checkpoint()
    assert raised.value.message == f"there is no repository of 'AI-Convo/whisper' at '{desk.cwd}/whisper'"
    assert str(raised.value).splitlines()[1].startswith("hint: make one with import_model_init()")


def test_where_the_repository_is_another_models(desk: Desk, models: ModelsCheckpointsManage) -> None:
    other = ModelsCheckpointsManage("AI-Convo", "bert", repo_path="whisper")
    with pytest.raises(ConfigError, match="is 'AI-Convo/whisper', not 'AI-Convo/bert'"):
        other.read_checkpoint_tag()


def test_a_version_that_there_is_not(models: ModelsCheckpointsManage) -> None:
    for call in (models.download_model_checkpoint, models.get_model_metadata, models.revert_model_checkpoint):
        with pytest.raises(CheckpointNotFoundError, match=r"no model version or revision 'v0\.2'"):
            call("v0.2")


def test_a_number_that_is_taken_and_one_that_is_none(desk: Desk, models: ModelsCheckpointsManage) -> None:
    desk.write("whisper/model.bin", "weights 2")
    models.upload_model_checkpoint(metrics={"loss": 0.4})
    with pytest.raises(RepositoryError, match=r"tag 'v0\.1' exists already"):
        models.tag_model_checkpoint("v0.1")
    with pytest.raises(UsageError, match=r"'1\.0' is not a version"):
        models.tag_model_checkpoint("1.0")
    with pytest.raises(UsageError, match="'major' finds the number"):
        models.tag_model_checkpoint("v2.0", major=True)
    assert models.tag_model_checkpoint(major=True) == "v1.0"


def test_what_has_a_version_already(models: ModelsCheckpointsManage) -> None:
    with pytest.raises(NegativeAnswer, match=r"already v0\.1"):
        models.tag_model_checkpoint()
    assert models.tag_model_checkpoint(force=True) == "v0.2"


def test_an_upload_of_nothing(desk: Desk, data: Path) -> None:
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(data)
    with pytest.raises(RepositoryError, match=r"there is no model to upload: 'model\.bin' does not exist"):
        models.upload_model_checkpoint()
    with pytest.raises(RepositoryError, match=r"'.*/nowhere\.pt' does not exist"):
        models.upload_model_checkpoint("nowhere.pt")


def test_metrics_that_are_none(models: ModelsCheckpointsManage) -> None:
    with pytest.raises(RepositoryError, match="metric 'loss' in 'metrics' is not a finite number"):
        models.upload_model_checkpoint(metrics={"loss": float("nan")})
    with pytest.raises(RepositoryError, match="metric 'loss' in 'metrics' is not a finite number"):
        models.upload_model_checkpoint(metrics={"loss": "low"})


def test_unsaved_work_is_not_overwritten(desk: Desk, models: ModelsCheckpointsManage) -> None:
    desk.write("whisper/model.bin", "weights 2")
    models.upload_model_checkpoint(metrics={"loss": 0.4})
    desk.write("whisper/model.bin", "not saved")
    with pytest.raises(RepositoryError, match=r"'model\.bin' changed here and would be overwritten"):
        models.revert_model_checkpoint("v0.1")
    assert desk.read("whisper/model.bin") == "not saved"
    lines: list[str] = []
    models.revert_model_checkpoint("v0.1", force=True, notify=lines.append)
    assert desk.read("whisper/model.bin") == "weights 1"
    kept = list((desk.cwd / "whisper/.git/cpv/kept").rglob("model.bin"))
    assert [file.read_text() for file in kept] == ["not saved"]


def test_data_that_is_saved_nowhere_is_not_replaced(desk: Desk, models: ModelsCheckpointsManage) -> None:
    desk.write("whisper/data/train/mine.txt", "labelled by hand\n")
    desk.write("other/a.txt", "other\n")
    with pytest.raises(RepositoryError, match="'data' has data that is saved nowhere"):
        models.import_model_init("other")
    assert desk.read("whisper/data/train/mine.txt") == "labelled by hand\n"
    models.import_model_init("other", force=True)
    assert desk.files("whisper/data") == {"a.txt": b"other\n"}
    kept = list((desk.cwd / "whisper/.git/cpv/kept").rglob("mine.txt"))
    assert [file.read_text() for file in kept] == ["labelled by hand\n"]


def test_an_output_folder_that_is_in_use(desk: Desk, models: ModelsCheckpointsManage) -> None:
    desk.write("out/notes.txt", "mine")
    with pytest.raises(RepositoryError, match=r"the folder '.*/out' is not empty"):
        models.download_model_checkpoint("v0.1", output_dir="out")
    assert desk.files("out") == {"notes.txt": b"mine"}
    models.download_model_checkpoint("v0.1", output_dir="out", force=True)
    assert desk.files("out") == {"model.bin": b"weights 1"}
    (aside,) = desk.cwd.glob("out.before-*")
    assert (aside / "notes.txt").read_text() == "mine"


def test_a_git_remote_that_is_away(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """The version is made, the error says what failed, and the same call completes it."""
    repo = desk.at("whisper")
    repo.git("remote", "add", "origin", str(desk.cwd / "away.git"))
    desk.write("whisper/model.bin", "weights 2")
    with pytest.raises(GitError):
        models.upload_model_checkpoint(metrics={"loss": 0.4})
    with pytest.raises(GitError):
        models.tag_model_checkpoint()
    desk.git("init", "-q", "--bare", "away.git")
    assert models.tag_model_checkpoint() == "v0.2"
    assert "v0.2" in desk.at("away.git").git("tag", "--list").splitlines()
    with pytest.raises(NegativeAnswer, match=r"already v0\.2"):
        models.tag_model_checkpoint()


def test_what_notify_is_told(desk: Desk, models: ModelsCheckpointsManage) -> None:
    lines: list[str] = []
    desk.write("whisper/model.bin", "weights 2")
    models.upload_model_checkpoint(metrics={"loss": 0.4}, message="better", notify=lines.append)
    with pytest.raises(CheckpointNotFoundError):
        models.revert_model_checkpoint("v9.9", notify=lines.append)
    models.read_checkpoint_tag(notify=lines.append)
    assert [re.sub(r"\b[0-9a-f]{7}\b", "<id>", line) for line in lines] == [
        "uploaded 2 objects, 327 B; [main <id>] better; no git remote",
        "revert_model_checkpoint: failed: no model version or revision 'v9.9'",
    ]


def test_a_notify_that_fails_fails_nothing(desk: Desk, models: ModelsCheckpointsManage) -> None:
    def broken(line: str) -> None:
        raise OSError("the mail server is away")

    desk.write("whisper/model.bin", "weights 2")
    log = desk.cwd / "cpv.log"
    models.upload_model_checkpoint(metrics={"loss": 0.4}, notify=broken, log_file=log)
    assert "notify failed: OSError: the mail server is away" in log.read_text()


def test_a_password_in_a_url_is_not_repeated(desk: Desk, models: ModelsCheckpointsManage) -> None:
    log = desk.cwd / "cpv.log"
    lines: list[str] = []
    with pytest.raises(GitError) as raised:
        models.download_model_checkpoint(
            "v0.1", git_url="http://ada:hunter2@127.0.0.1:9/x.git", log_file=log, notify=lines.append
        )
    assert "hunter2" not in f"{raised.value} {lines} {log.read_text()}"


def test_a_dry_run_changes_nothing(desk: Desk, data: Path) -> None:
    lines: list[str] = []
    models = ModelsCheckpointsManage("AI-Convo", "whisper", dry_run=True, notify=lines.append)
    assert models.import_model_init(data) == str(desk.cwd / "whisper")
    assert not (desk.cwd / "whisper").exists()
    real = ModelsCheckpointsManage("AI-Convo", "whisper")
    real.import_model_init(data)
    desk.write("whisper/model.bin", "weights 1")
    before = real.upload_model_checkpoint(metrics={"loss": 0.5})
    real.tag_model_checkpoint()
    desk.write("whisper/model.bin", "weights 2")
    state = (desk.files("whisper"), desk.at("whisper").git("for-each-ref"))
    assert models.upload_model_checkpoint(metrics={"loss": 0.4}) == before
    assert models.tag_model_checkpoint(force=True) == "v0.2"
    assert models.download_model_checkpoint("v0.1", output_dir="out").model_path == str(
        desk.cwd / "out/model.bin"
    )
    assert models.download_model_checkpoint().tag == "v0.1"
    with pytest.raises(RepositoryError, match="would be overwritten"):
        models.revert_model_checkpoint("v0.1")
    assert (desk.files("whisper"), desk.at("whisper").git("for-each-ref")) == state
    assert not (desk.cwd / "out").exists()
    assert lines[:3] == [
        f"would set up '{desk.cwd}/whisper' with the data of '{data}'",
        "would upload 'model.bin' and commit to 'main': Update model (loss=0.4)",
        f"would name {before[:7]} v0.2",
    ]
