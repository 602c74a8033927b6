"""Threads and processes that use the API at once, and a lock that nobody is left waiting for."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cpvlib import ModelsCheckpointsManage
from cpvlib.stores.repolock import alone
from desk import Desk


@pytest.fixture
def models(desk: Desk) -> ModelsCheckpointsManage:
    models = ModelsCheckpointsManage("AI-Convo", "whisper")
    models.import_model_init()
    desk.write("whisper/model.bin", "weights")
    models.upload_model_checkpoint(metrics={"loss": 1})
    return models


def at_once(*work: Callable[[], object]) -> list[object]:
    """What each of the functions returned, or raised, all of them begun together."""
    results: list[object] = [None] * len(work)
    barrier = threading.Barrier(len(work))

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_threads_that_upload_and_read(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """Each upload is a commit of its own, on top of one another; the readers see whole states."""
    files = [desk.write(f"runs/{number}.pt", f"weights {number}") for number in range(4)]
    uploads = [
        lambda file=file, number=number: models.upload_model_checkpoint(file, {"loss": number})
        for number, file in enumerate(files)
    ]
    reads = [models.get_model_metadata, models.read_checkpoint_tag] * 2
    results = at_once(*uploads, *reads)
    assert not [result for result in results if isinstance(result, Exception)]
    history = desk.at("whisper").git("log", "--format=%H", "-4").splitlines()
    assert sorted(history) == sorted(map(str, results[:4]))
    assert desk.at("whisper").git("status", "--short") == ""


def test_threads_that_tag(models: ModelsCheckpointsManage) -> None:
    results = at_once(*[lambda: models.tag_model_checkpoint(force=True)] * 4)
    assert sorted(map(str, results)) == ["v0.1", "v0.2", "v0.3", "v0.4"]


def test_threads_that_download_the_same(models: ModelsCheckpointsManage) -> None:
    models.tag_model_checkpoint()
    results = at_once(*[lambda: models.download_model_checkpoint("v0.1").model_path] * 4)
    assert len(set(map(str, results))) == 1
    assert Path(str(results[0])).read_text() == "weights"
    folder = Path(str(results[0])).parent
    assert sorted(path.name for path in folder.parent.iterdir() if not path.name.startswith(".")) == [
        folder.name
    ]


def test_threads_that_init_the_same(desk: Desk) -> None:
    results = at_once(*[lambda: ModelsCheckpointsManage("t", "new").import_model_init()] * 3)
    assert results == [str(desk.cwd / "new")] * 3
    assert desk.at("new").git("rev-list", "--count", "HEAD") == "1"


def test_processes_that_upload(desk: Desk, models: ModelsCheckpointsManage) -> None:
    program = """
import sys
from cpvlib import ModelsCheckpointsManage
models = ModelsCheckpointsManage("AI-Convo", "whisper")
print(models.upload_model_checkpoint(sys.argv[1], {"loss": float(sys.argv[2])}, branch=sys.argv[3] or None))
"""
    wanted = [("", 1), ("", 2), ("lr-1", 3), ("lr-2", 4)]
    started = []
    for branch, number in wanted:
        file = desk.write(f"runs/{number}.pt", f"weights {number}")
        words = [sys.executable, "-c", program, str(file), str(number), branch]
        started.append(subprocess.Popen(words, cwd=desk.cwd, stdout=subprocess.PIPE, text=True))
    commits = [process.communicate(timeout=600)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0] * 4
    repo = desk.at("whisper")
    assert sorted(repo.git("log", "--format=%H", "-2", "main").splitlines()) == sorted(commits[:2])
    assert [repo.git("rev-parse", branch) for branch in ("lr-1", "lr-2")] == commits[2:]
    assert repo.git("status", "--short") == ""
    assert repo.read("model.bin") == "weights"


def test_who_waits_says_for_whom(desk: Desk, models: ModelsCheckpointsManage) -> None:
    told = threading.Event()
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        told.set()

    place = desk.cwd / "whisper/.git/cpv/lock"
    with alone(place, note):
        waiting = threading.Thread(target=lambda: alone(place, note).__enter__(), daemon=True)
        waiting.start()
        assert told.wait(600)
    waiting.join(600)
    assert lines == ["waiting for another thread of this process, which is changing this repository"]


def test_workers_that_are_forked_while_git_runs(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """As a DataLoader does at the start of an epoch, just when the checkpoint of the last one is pushed."""
    said = desk.answers(
        """
        import os, signal
        import cpvlib
        children = []
        with cpvlib.run("AI-Convo", "whisper") as run:
            for epoch in range(6):
                with open("whisper/model.bin", "w") as file:
                    file.write(f"weights {epoch}")
                upload = run.checkpoint("whisper/model.bin", metrics={"epoch": epoch})
                while not upload.done and len(children) < 40 * (epoch + 1):
                    child = os.fork()
                    if not child:
                        signal.pause()
                    children.append(child)
                print(upload.wait(600) is not None)
        for child in children:
            os.kill(child, signal.SIGKILL)
        """
    )
    assert said == "True\n" * 6


def test_a_forked_child_does_not_keep_the_lock(desk: Desk, models: ModelsCheckpointsManage) -> None:
    """A DataLoader's worker that was forked during an upload has the lock's file open as well."""
    said = desk.answers(
        """
        import os, signal
        from pathlib import Path
        from cpvlib import ModelsCheckpointsManage
        from cpvlib.stores.repolock import alone
        with alone(Path("whisper/.git/cpv/lock"), print):
            child = os.fork()
            if not child:
                signal.pause()
        print(ModelsCheckpointsManage("AI-Convo", "whisper").tag_model_checkpoint())
        os.kill(child, signal.SIGKILL)
        """
    )
    assert said == "v0.1\n"
