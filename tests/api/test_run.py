"""`cpvlib.run`: a training that is recorded while it runs."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import cpvlib
from cpvlib import ModelsCheckpointsManage, RepositoryError
from cpvlib.stores.repolock import alone
from desk import Desk


@pytest.fixture
def repo(desk: Desk) -> Desk:
    """A new repository, its code committed, nothing trained yet."""
    ModelsCheckpointsManage("AI-Convo", "whisper").import_model_init()
    return desk.at("whisper")


def log_of(repo: Desk) -> list[dict[str, Any]]:
    return [json.loads(line) for line in repo.read("metrics.log").splitlines()]


@contextmanager
def held(repo: Desk) -> Iterator[None]:
    """Nothing can be pushed meanwhile, as when the storage is slow."""
    with alone(repo.cwd / ".git/cpv/lock", lambda _: None):
        yield


def test_a_training(repo: Desk) -> None:
    started_from = repo.git("rev-parse", "HEAD")
    with cpvlib.run("AI-Convo", "whisper", params={"lr": 1e-4, "optimizer": {"name": "adam"}}) as run:
        for epoch in range(3):
            run.log(step=epoch, loss=1 / (epoch + 1))
            repo.write("model.bin", f"weights {epoch}")
            run.checkpoint("whisper/model.bin")
        run.log({"eval": {"wer": 0.2}})

    subjects = repo.git("log", "--format=%s", "-3").splitlines()
    assert subjects == [
        "Update model (loss=0.333333, step=2)",
        "Update model (loss=0.5, step=1)",
        "Update model (loss=1, step=0)",
    ]
    facts = json.loads(repo.read("checkpoint.json"))
    assert facts["code"] == {"commit": started_from, "uncommitted": []}
    assert facts["params"] == {"lr": 1e-4, "optimizer.name": "adam"}
    assert facts["metrics"] == {"loss": 1 / 3, "step": 2}
    lines = [line for line in log_of(repo) if line.get("run") == run.id]
    assert [line.get("cpv") for line in lines] == ["start", None, None, None, None]
    assert lines[0]["code"]["commit"] == started_from
    assert lines[-1]["eval.wer"] == 0.2
    assert repo.ok("git cpv status --json") and repo.git("status", "--short") == ""


def test_each_line_is_in_the_file_when_log_returns(repo: Desk) -> None:
    with cpvlib.run("AI-Convo", "whisper") as run:
        for step in range(5):
            run.log(step=step)
            assert log_of(repo)[-1]["step"] == step


def test_a_checkpoint_does_not_keep_the_training_waiting(repo: Desk) -> None:
    file = repo.write("model.bin", "weights 1")
    with cpvlib.run("AI-Convo", "whisper", params={"lr": 1}) as run:
        with held(repo):
            upload = run.checkpoint(file, metrics={"loss": 0.5})
            assert not upload.done and upload.commit is None
            assert upload.wait(0) is None
            file.write_text("the training goes on")
            run.log(step=1, loss=0.4)
            assert not upload.done
        commit = upload.wait()
    assert commit == repo.git("rev-parse", "HEAD")
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    assert (
        Path(models.download_model_checkpoint("HEAD", output_dir="out").model_path).read_text() == "weights 1"
    )
    assert models.get_model_metadata()["metrics"] == {"loss": 0.5}
    assert repo.read("model.bin") == "the training goes on"


def test_a_log_that_grows_while_it_is_pushed(repo: Desk) -> None:
    """Lines are written all the while; none is lost, and no push fails for it."""
    over = threading.Event()
    with cpvlib.run("AI-Convo", "whisper") as run:

        def write() -> None:
            step = 0
            while not over.is_set():
                step += 1
                run.log(step=step, loss=1 / step)

        writer = threading.Thread(target=write)
        writer.start()
        uploads = []
        for number in range(5):
            repo.write("model.bin", f"weights {number}")
            uploads.append(run.checkpoint("whisper/model.bin", metrics={"epoch": number}))
        assert all(upload.wait() for upload in uploads)
        over.set()
        writer.join()
    steps = [line["step"] for line in log_of(repo) if line.get("run") == run.id and "step" in line]
    assert steps == list(range(1, len(steps) + 1))
    committed = repo.git("log", "--format=%s", "-5").splitlines()
    assert len([subject for subject in committed if subject.startswith("Update model")]) == 5


def test_half_a_line_is_waited_for(repo: Desk) -> None:
    """Which another process has written: a line that crosses a page is seen in halves."""
    with (
        cpvlib.run("AI-Convo", "whisper") as run,
        (repo.cwd / "metrics.log").open("ab", buffering=0) as other,
    ):
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(b'{"step": 1, ')
        writer = threading.Thread(target=run.log, kwargs={"step": 2})
        writer.start()
        writer.join(0.2)
        assert writer.is_alive()
        other.write(b'"loss": 1}\n')
        fcntl.flock(other, fcntl.LOCK_UN)
        writer.join()
    assert [line["step"] for line in log_of(repo) if "step" in line] == [1, 2]


def test_a_folder_of_shards_and_one_from_elsewhere(repo: Desk, desk: Desk) -> None:
    desk.write("runs/checkpoint-10/a.bin", "a")
    desk.write("runs/checkpoint-10/b.bin", "b")
    with cpvlib.run("AI-Convo", "whisper") as run:
        run.checkpoint("runs/checkpoint-10", metrics={"loss": 1}, message="step 10").wait()
    assert repo.git("log", "-1", "--format=%s") == "step 10"
    found = ModelsCheckpointsManage("AI-Convo", "whisper").download_model_checkpoint("HEAD", output_dir="out")
    assert desk.files("out/model.bin") == {"a.bin": b"a", "b.bin": b"b"}
    assert found.metrics == {"loss": 1}


def test_numbers_that_are_none(repo: Desk) -> None:
    with cpvlib.run("AI-Convo", "whisper", params={"clip": float("inf")}) as run:
        run.log(step=1, loss=0.5)
        run.log(step=2, loss=float("nan"))
        repo.write("model.bin", "weights")
        run.checkpoint("whisper/model.bin")
    lines = log_of(repo)
    assert (lines[0]["params"], lines[2]["loss"]) == ({"clip": "inf"}, "nan")
    assert json.loads(repo.read("checkpoint.json"))["metrics"] == {"step": 2}


def test_numbers_of_numpy(repo: Desk) -> None:
    numpy = pytest.importorskip("numpy")
    with cpvlib.run("AI-Convo", "whisper", params={"layers": numpy.int64(3)}) as run:
        run.log(loss=numpy.float32(0.5), accuracy=numpy.array([0.25]), weights=numpy.array([1, 2]))
    lines = log_of(repo)
    assert lines[0]["params"] == {"layers": 3}
    assert (lines[1]["loss"], lines[1]["accuracy"], lines[1]["weights"]) == (0.5, 0.25, "[1 2]")


@pytest.mark.parametrize("variable", ["RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"])
def test_other_ranks_record_nothing_and_say_so_once(repo: Desk, desk: Desk, variable: str) -> None:
    program = """
        import cpvlib
        for _ in range(2):
            with cpvlib.run("AI-Convo", "whisper") as run:
                run.log(loss=1)
                upload = run.checkpoint("nothing-there.bin")
                print(run.is_recording, upload.done, upload.wait())
        """
    result = desk.script(program, **{variable: "3"})
    assert (result.code, result.out) == (0, "False True None\n" * 2)
    assert result.err == f"cpv: {variable}=3: this process records nothing; rank 0 does\n"
    assert not (repo.cwd / "metrics.log").exists()


def test_rank_0_records(repo: Desk, desk: Desk) -> None:
    program = """
        import cpvlib
        with cpvlib.run("AI-Convo", "whisper") as run:
            run.log(loss=1)
        """
    desk.answers(program, RANK="0", SLURM_PROCID="0", OMPI_COMM_WORLD_RANK="0")
    assert log_of(repo)[-1]["loss"] == 1


TRAINING = """
import signal, sys
import cpvlib
if "--exit" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with cpvlib.run("AI-Convo", "whisper", params={"lr": 1}) as run:
    step = 0
    while True:
        step += 1
        run.log(step=step, loss=1 / step)
        if step % 50 == 0:
            open("whisper/model.bin", "w").write(f"weights {step}")
            run.checkpoint("whisper/model.bin").wait()
            print(step, flush=True)
"""


@pytest.mark.parametrize("option", ["--die", "--exit"])
def test_sigterm_leaves_a_history_that_can_be_used(repo: Desk, desk: Desk, option: str) -> None:
    training = subprocess.Popen(
        [sys.executable, "-c", TRAINING, option], cwd=desk.cwd, stdout=subprocess.PIPE, text=True
    )
    assert training.stdout is not None
    assert training.stdout.readline() == "50\n"
    assert training.stdout.readline() == "100\n"
    training.send_signal(signal.SIGTERM)
    assert training.wait(600) == (143 if option == "--exit" else -signal.SIGTERM)

    steps = [line["step"] for line in log_of(repo) if "step" in line]
    assert steps == list(range(1, len(steps) + 1)) and len(steps) >= 100
    assert repo.git("log", "--format=%s").count("Update model") >= 2
    assert repo.run("git cpv status").code == 0
    repo.write("model.bin", "weights after")
    repo.ok("git cpv push -q")
    assert repo.ok("git cpv tag -q") == "v0.1"
    assert [tag["tag"] for tag in json.loads(repo.ok("git cpv list --json"))["versions"]] == ["v0.1"]


@pytest.mark.skipif(
    (3, 12) <= sys.version_info[:3] < (3, 12, 2),
    reason="this Python starts no thread once the main one has ended (python/cpython#113964)",
)
def test_a_program_that_ends_without_ceremony_loses_no_checkpoint(repo: Desk, desk: Desk) -> None:
    said = desk.answers(
        """
        import cpvlib
        run = cpvlib.run("AI-Convo", "whisper")
        open("whisper/model.bin", "w").write("weights")
        run.checkpoint("whisper/model.bin", metrics={"loss": 1})
        """
    )
    assert said == ""
    assert repo.git("log", "-1", "--format=%s") == "Update model (loss=1)"


def test_an_error_of_the_training_stands(repo: Desk) -> None:
    with pytest.raises(ZeroDivisionError), cpvlib.run("AI-Convo", "whisper") as run:
        repo.write("model.bin", "weights")
        run.checkpoint("whisper/model.bin", metrics={"loss": 1})
        1 / 0  # noqa: B018
    assert repo.git("log", "-1", "--format=%s") == "Update model (loss=1)"


def test_ctrl_c_drops_what_waits(repo: Desk) -> None:
    uploads = []
    with pytest.raises(KeyboardInterrupt), cpvlib.run("AI-Convo", "whisper") as run, held(repo):
        for number in range(3):
            repo.write("model.bin", f"weights {number}")
            uploads.append(run.checkpoint("whisper/model.bin", metrics={"loss": number}))
        wait_until(lambda: len(run._orders) == 2)
        raise KeyboardInterrupt
    assert run.wait(600)
    assert uploads[0].commit == repo.git("rev-parse", "HEAD")
    with pytest.raises(RepositoryError, match="the training was interrupted"):
        uploads[2].wait()
    with pytest.raises(RepositoryError, match="takes no more checkpoints"):
        run.checkpoint("whisper/model.bin")
    assert left_over(repo) == []


def test_of_too_many_that_wait_the_oldest_is_left_out(repo: Desk) -> None:
    uploads = []
    with cpvlib.run("AI-Convo", "whisper") as run:
        with held(repo):
            for number in range(11):
                repo.write("model.bin", f"weights {number}")
                uploads.append(run.checkpoint("whisper/model.bin", metrics={"loss": number}))
                if number == 0:
                    wait_until(lambda: not run._orders)
        run.wait()
    recorded = [upload.error is None for upload in uploads]
    assert recorded == [True, False, False, *[True] * 8]
    assert left_over(repo) == []


def test_what_keeps_the_last_checkpoint_from_being_recorded_is_raised_at_the_end(repo: Desk) -> None:
    repo.write("model.bin", "weights")
    run = cpvlib.run("AI-Convo", "whisper")
    repo.git("remote", "add", "origin", "ssh://git@example.org/x.git")
    upload = run.checkpoint("whisper/model.bin", metrics={"loss": 1})
    with pytest.raises(cpvlib.CPVError, match="git remote 'origin' is on another machine"), run:
        run.log(loss=0.5)
    assert isinstance(upload.error, cpvlib.CPVError)
    assert left_over(repo) == []


def test_what_could_not_be_pushed_is_said_at_the_start(repo: Desk, desk: Desk) -> None:
    with pytest.raises(RepositoryError, match="no repository of 'AI-Convo/bert'"):
        cpvlib.run("AI-Convo", "bert")
    repo.git("checkout", "-q", "--detach")
    with pytest.raises(RepositoryError, match="HEAD is detached"):
        cpvlib.run("AI-Convo", "whisper")
    with cpvlib.run("AI-Convo", "whisper", branch="elsewhere") as run:
        repo.write("model.bin", "weights")
        run.checkpoint("whisper/model.bin", metrics={"loss": 1})
    assert repo.git("log", "-1", "--format=%s", "elsewhere") == "Update model (loss=1)"


def test_jobs_that_share_a_clone(repo: Desk, desk: Desk) -> None:
    program = """
import sys
import cpvlib
name = sys.argv[1]
with cpvlib.run("AI-Convo", "whisper", params={"lr": name}, branch=f"sweep/{name}") as run:
    for step in range(3):
        run.log(step=step, loss=1 / (step + 1))
        open(f"{name}.pt", "w").write(f"{name} {step}")
        run.checkpoint(f"{name}.pt", message=f"{name} {step}")
"""
    head = repo.git("rev-parse", "HEAD")
    names = ["a", "b", "c"]
    jobs = [subprocess.Popen([sys.executable, "-c", program, name], cwd=desk.cwd) for name in names]
    assert [job.wait(600) for job in jobs] == [0, 0, 0]
    for name in names:
        subjects = repo.git("log", "--format=%s", f"{head}..sweep/{name}").splitlines()
        assert subjects == [f"{name} {step}" for step in (2, 1, 0)]
        facts = json.loads(repo.git("show", f"sweep/{name}:checkpoint.json"))
        assert (facts["params"], facts["code"]["commit"]) == ({"lr": name}, head)
    assert repo.git("rev-parse", "HEAD") == head
    assert repo.git("status", "--short") == ""
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    found = models.download_model_checkpoint("sweep/b", output_dir="out")
    assert Path(found.model_path).read_text() == "b 2"


def test_the_gate_names_what_improves(repo: Desk) -> None:
    repo.git("config", "cpv.autotag", "loss improves")
    repo.git("config", "cpv.metric.loss.goal", "min")
    lines: list[str] = []
    with cpvlib.run("AI-Convo", "whisper", notify=lines.append) as run:
        for number, loss in enumerate((0.5, 0.7, 0.3)):
            repo.write("model.bin", f"weights {number}")
            run.checkpoint("whisper/model.bin", metrics={"loss": loss})
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    assert models.read_checkpoint_tag() == ["v0.1", "v0.2"]
    assert [models.get_model_metadata(tag)["metrics"]["loss"] for tag in ("v0.1", "v0.2")] == [0.5, 0.3]
    assert "; v0.1: " in lines[0] and "; no version: " in lines[1] and "; v0.2: " in lines[2]


def test_the_run_stays_where_it_began(repo: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with cpvlib.run("AI-Convo", "whisper") as run:
        repo.write("model.bin", "weights")
        monkeypatch.chdir("/")
        run.log(loss=1)
        run.checkpoint(repo.cwd / "model.bin").wait()
    assert repo.git("log", "-1", "--format=%s") == "Update model (loss=1)"


def test_a_dry_run_records_nothing(repo: Desk) -> None:
    with cpvlib.run("AI-Convo", "whisper", dry_run=True) as run:
        run.log(loss=1)
        run.checkpoint("nothing")
    assert not run.is_recording and not (repo.cwd / "metrics.log").exists()


def test_a_child_that_was_forked_records_nothing(repo: Desk, desk: Desk) -> None:
    desk.answers(
        """
        import os
        import cpvlib
        with cpvlib.run("AI-Convo", "whisper") as run:
            child = os.fork()
            if not child:
                run.log(loss=2)
                run.finish()
                os._exit(0)
            os.waitpid(child, 0)
            run.log(loss=1)
        """
    )
    assert [line["loss"] for line in log_of(repo) if "loss" in line] == [1]


def left_over(repo: Desk) -> list[str]:
    folder = repo.cwd / ".git/cpv/runs"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 600
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
