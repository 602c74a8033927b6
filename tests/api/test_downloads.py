"""Downloads: where they go, when they are used again, and that they are what was uploaded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cpvlib import (
    DataCheckpointsManage,
    ModelsCheckpointsManage,
    OptionError,
    RepositoryError,
    StorageError,
    UsageError,
)
from desk import Desk


@pytest.fixture
def models(desk: Desk) -> ModelsCheckpointsManage:
    """A repository with two versions, published to a git remote of this machine."""
    desk.git("init", "-q", "--bare", "team.git")
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init(git_remote=str(desk.cwd / "team.git"))
    for number in (1, 2):
        desk.write("whisper/model.bin", f"weights {number}")
        models.upload_model_checkpoint(metrics={"loss": 1 / number})
        models.tag_model_checkpoint()
    return models


def objects(desk: Desk) -> Path:
    return Path(os.environ["HOME"]) / ".local/share/cpv/storage/AI-Convo/whisper/files/md5"


def test_a_download_is_used_again(desk: Desk, models: ModelsCheckpointsManage) -> None:
    lines: list[str] = []
    first = Path(models.download_model_checkpoint("v0.1").model_path)
    before = first.stat()
    again = models.download_model_checkpoint("v0.1", verbose=0, log_file="cpv.log")
    assert again.model_path == str(first)
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert "is in" in desk.read("cpv.log") and not lines


def test_a_download_that_somebody_changed_is_made_anew(desk: Desk, models: ModelsCheckpointsManage) -> None:
    first = Path(models.download_model_checkpoint("v0.1").model_path)
    first.write_text("fine-tuned by hand")
    again = Path(models.download_model_checkpoint("v0.1").model_path)
    assert again == first and again.read_text() == "weights 1"
    (aside,) = again.parent.parent.glob(f"{again.parent.name}.before-*")
    assert (aside / "model.bin").read_text() == "fine-tuned by hand"


def test_an_interrupted_download_goes_on(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """An output folder that holds a part of the version, and nothing else, is completed."""
    repo = desk.at("whisper")
    repo.write("shards/1.bin", "one")
    repo.write("shards/2.bin", "two")
    repo.ok("git cpv track shards")
    models.upload_model_checkpoint(metrics={"loss": 0.1})
    desk.write("out/shards/1.bin", "one")
    found = models.download_model_checkpoint("HEAD", output_dir="out")
    assert found.model_path == str(desk.cwd / "out")
    assert desk.files("out") == {"model.bin": b"weights 2", "shards/1.bin": b"one", "shards/2.bin": b"two"}
    desk.write("out/shards/2.bin", "mine")
    with pytest.raises(RepositoryError, match="is not empty"):
        models.download_model_checkpoint("HEAD", output_dir="out")


def test_without_the_cache_objects_come_from_the_storage(desk: Desk, models: ModelsCheckpointsManage) -> None:
    for file in objects(desk).rglob("*"):
        if file.is_file() and file.read_bytes() == b"weights 1":
            file.chmod(0o644)
            file.write_bytes(b"weights X")
    assert Path(models.download_model_checkpoint("v0.1").model_path).read_text() == "weights 1"
    with pytest.raises(StorageError, match=r"is not what its name promises|md5"):
        models.download_model_checkpoint("v0.1", output_dir="out", use_cache=False)
    found = models.download_model_checkpoint("v0.2", output_dir="out2", use_cache=False)
    assert Path(found.model_path).read_text() == "weights 2"


def test_an_upload_without_the_cache_keeps_no_copy(desk: Desk, models: ModelsCheckpointsManage) -> None:
    def cached() -> set[bytes]:
        cache = desk.cwd / "whisper/.dvc/cache/files/md5"
        return {file.read_bytes() for file in cache.rglob("*") if file.is_file()}

    desk.write("whisper/model.bin", "weights 3")
    models.upload_model_checkpoint(metrics={"loss": 0.3}, use_cache=False)
    assert b"weights 3" not in cached()
    stored = {file.read_bytes() for file in objects(desk).rglob("*") if file.is_file()}
    assert b"weights 3" in stored


def test_a_colleagues_versions(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """A clone learns of a version when it is asked for, and of the branch when the worktree is updated."""
    desk.ok("git cpv clone -q team.git theirs")
    theirs = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="theirs")
    desk.write("whisper/model.bin", "weights 3")
    models.upload_model_checkpoint(metrics={"loss": 0.1})
    models.tag_model_checkpoint("v1.0")

    assert theirs.read_checkpoint_tag() == ["v0.1", "v0.2"]
    assert Path(theirs.download_model_checkpoint("v1.0").model_path).read_text() == "weights 3"
    assert theirs.get_model_metadata("v1.0")["metrics"] == {"loss": 0.1}
    assert theirs.read_checkpoint_tag() == ["v0.1", "v0.2", "v1.0"]
    assert desk.read("theirs/model.bin") == "weights 2"

    found = theirs.download_model_checkpoint()
    assert (found.model_path, found.tag) == (str(desk.cwd / "theirs/model.bin"), "v1.0")
    assert desk.read("theirs/model.bin") == "weights 3"

    desk.write("whisper/model.bin", "weights 4")
    models.upload_model_checkpoint(metrics={"loss": 0.05})
    models.tag_model_checkpoint()
    assert theirs.read_checkpoint_tag(fetch=True)[-1] == "v1.1"
    assert Path(theirs.load_model("latest").model_path).read_text() == "weights 4"


def test_without_a_clone(desk: Desk, models: ModelsCheckpointsManage) -> None:
    anywhere = ModelsCheckpointsManage("AI-Convo", "whisper", repo_path="nowhere")
    found = anywhere.download_model_checkpoint("v0.1", git_url=str(desk.cwd / "team.git"), output_dir="out")
    assert Path(found.model_path).read_text() == "weights 1"
    assert not (desk.cwd / "nowhere").exists()


def test_a_checkpoint_folder_from_anywhere(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """`model_path` is taken where it lies: the worktree's own file stays."""
    desk.write("runs/epoch_3.pt", "weights 3")
    desk.write("metrics.json", '{"eval": {"loss": 0.31}}')
    models.upload_model_checkpoint(model_path="runs/epoch_3.pt", metrics="metrics.json")
    models.tag_model_checkpoint()
    assert desk.read("whisper/model.bin") == "weights 2"
    found = models.load_model("v0.3")
    assert (Path(found.model_path).read_text(), found.metrics) == ("weights 3", {"eval.loss": 0.31})
    desk.write("runs/epoch_4.pt", "weights 4")
    models.upload_model_checkpoint(model_path="runs/epoch_4.pt", metrics={"loss": 0.3})
    models.download_model_checkpoint()
    assert desk.read("whisper/model.bin") == "weights 4"


def test_a_repository_that_has_no_outs_gets_its_first(desk: Desk) -> None:
    repo = desk.at("mine")
    repo.cwd.mkdir()
    repo.git("init", "-q")
    repo.write("train.py", "print()")
    repo.git("add", ".")
    repo.git("commit", "-qm", "code")
    repo.write("weights/a.safetensors", "a")
    repo.write("weights/b.safetensors", "b")
    models = ModelsCheckpointsManage("t", "m", repo_path="mine")
    models.import_model_init()
    models.upload_model_checkpoint("mine/weights", metrics={"loss": 1})
    assert repo.git("ls-files").splitlines().count("weights.dvc") == 1
    assert models.get_model_metadata()["model_size_mb"] == 2 / 1_048_576
    desk.write("corpus.csv", "x,y\n1,2\n")
    models.import_model_init("corpus.csv")
    assert repo.read("data.csv") == "x,y\n1,2\n"


def test_one_file_becomes_the_data_folder(desk: Desk) -> None:
    desk.write("corpus.csv", "x,y\n1,2\n")
    models = ModelsCheckpointsManage("t", "m")
    models.import_model_init("corpus.csv")
    assert desk.files("m/data") == {"corpus.csv": b"x,y\n1,2\n"}
    assert desk.at("m").git("status", "--short") == ""


def test_an_init_typed_again_completes(desk: Desk, models: ModelsCheckpointsManage) -> None:
    tip = desk.at("whisper").git("rev-parse", "HEAD")
    assert models.import_model_init() == str(desk.cwd / "whisper")
    assert desk.at("whisper").git("rev-parse", "HEAD") == tip


def test_a_part_of_the_data(desk: Desk) -> None:
    desk.write("sounds/train/1.wav", "one")
    desk.write("sounds/raw/1.wav", "raw one")
    data = DataCheckpointsManage("AI-Convo", "whisper")
    data.import_data_init("sounds")
    data.upload_data_checkpoint()
    data.tag_data_checkpoint("v0.1")
    part = Path(data.download_data_checkpoint("v0.1", include="train/").data_path)
    assert desk.files(str(part)) == {"train/1.wav": b"one"}
    assert data.download_data_checkpoint("v0.1", include="train/").data_path == str(part)
    rest = data.download_data_checkpoint("v0.1", exclude=["raw/"], output_dir="rest").data_path
    assert list(desk.files(rest)) == ["train/1.wav"]
    with pytest.raises(OptionError, match=r"no keyword 'includes': did you mean 'include'\?"):
        data.download_data_checkpoint("v0.1", includes="train/")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="'#' is not a pattern"):
        data.download_data_checkpoint("v0.1", include="#")
