"""The examples of trainings, as a user starts them.

The one in numpy always runs. Those in PyTorch and Hugging Face run where they are installed: in this Python,
or in the one that CPVTEST_TORCH_PYTHON names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cpvlib import ModelsCheckpointsManage
from desk import Desk

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "examples/training"


def python_with(*packages: str) -> str:
    """A Python that has them; else the test is skipped, loudly."""
    python = os.environ.get("CPVTEST_TORCH_PYTHON", sys.executable)
    program = f"import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, {packages!r})))"
    if subprocess.run([python, "-c", program]).returncode:
        missing = " AND ".join(package.upper() for package in packages)
        fix = f"pip install {' '.join(packages)}"
        pytest.skip(f"{missing} NOT INSTALLED, so that its example was not run: {fix}")
    return python


def start(desk: Desk, python: str, example: str, *words: str, model: str) -> Desk:
    ModelsCheckpointsManage("AI-Convo", model).import_model_init()
    result = desk.run([python, str(EXAMPLES / example), *words], PYTHONPATH=str(CHECKOUT))
    assert result.code == 0, str(result)
    return desk.at(model)


def lines_of(repo: Desk) -> list[dict[str, object]]:
    return [json.loads(line) for line in repo.read("metrics.log").splitlines()]


def subjects(repo: Desk, branch: str = "HEAD") -> list[str]:
    return repo.git("log", "--format=%s", "--reverse", branch).splitlines()[1:]


def test_a_plain_loop(desk: Desk) -> None:
    pytest.importorskip("numpy")
    repo = start(desk, sys.executable, "loop.py", "--epochs", "3", model="line")
    assert [subject.partition(":")[0] for subject in subjects(repo)] == ["epoch 0", "epoch 1", "epoch 2"]
    lines = lines_of(repo)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 49))
    assert json.loads(repo.read("checkpoint.json"))["params"] == {"epochs": 3, "rate": 0.1}
    metrics = ModelsCheckpointsManage("AI-Convo", "line").get_model_metadata()["metrics"]
    assert metrics.keys() == {"step", "loss", "epoch", "eval.loss"}
    assert metrics["eval.loss"] < 2


def test_loops_that_share_a_clone(desk: Desk) -> None:
    pytest.importorskip("numpy")
    ModelsCheckpointsManage("AI-Convo", "line").import_model_init()
    repo = desk.at("line")
    jobs = []
    for rate in ("0.1", "0.2"):
        words = [sys.executable, str(EXAMPLES / "loop.py"), "--epochs", "2", "--rate", rate]
        env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        jobs.append(subprocess.Popen([*words, "--branch", f"rate-{rate}"], cwd=repo.cwd, env=env))
    assert [job.wait(600) for job in jobs] == [0, 0]
    for rate in ("0.1", "0.2"):
        assert len(subjects(repo, f"rate-{rate}")) == 2
        facts = json.loads(repo.git("show", f"rate-{rate}:checkpoint.json"))
        assert facts["params"]["rate"] == float(rate)
    assert subjects(repo) == []


def test_pytorch(desk: Desk) -> None:
    python = python_with("torch")
    repo = start(desk, python, "pytorch.py", "--epochs", "2", model="circle")
    assert len(subjects(repo)) == 2
    assert json.loads(repo.read("checkpoint.json"))["metrics"].keys() == {"step", "loss", "epoch", "accuracy"}


def test_pytorch_on_two_processes(desk: Desk) -> None:
    python = python_with("torch")
    ModelsCheckpointsManage("AI-Convo", "circle").import_model_init()
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = desk.run(
        [python, *words, str(EXAMPLES / "pytorch.py"), "--epochs", "2"], PYTHONPATH=str(CHECKOUT)
    )
    assert result.code == 0, str(result)
    assert result.err.count("this process records nothing; rank 0 does") == 1
    assert len(subjects(desk.at("circle"))) == 2
    assert len([line for line in lines_of(desk.at("circle")) if line.get("cpv") == "start"]) == 1


def test_the_trainer_of_hugging_face(desk: Desk) -> None:
    python = python_with("torch", "transformers", "accelerate")
    repo = start(desk, python, "trainer.py", "--epochs", "2", model="counting")
    assert subjects(repo) == ["step 8", "step 16"]
    facts = json.loads(repo.read("checkpoint.json"))
    assert facts["params"]["learning_rate"] == 0.01 and facts["metrics"]["step"] == 16
    models = ModelsCheckpointsManage("AI-Convo", "counting")
    found = models.download_model_checkpoint("HEAD", output_dir="out")
    assert "config.json" in [path.name for path in Path(found.model_path).iterdir()]
