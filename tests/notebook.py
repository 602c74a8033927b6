"""Notebooks without Jupyter: their cells run one after the other in one Python, as a kernel would run them.

`python tests/notebook.py NOTEBOOK` writes it again with every output renewed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Notebook = dict[str, Any]

# Its answer is one JSON list: what each cell printed, stdout and stderr in one.
_KERNEL = """
import contextlib, io, json, sys
names = {"__name__": "__main__"}
answers = []
for cell in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        exec(compile(cell, "<cell>", "exec"), names)
    answers.append(said.getvalue())
print(json.dumps(answers))
"""


def code_cells(notebook: Notebook) -> list[Notebook]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def printed(cell: Notebook) -> str:
    """What the notebook says that the cell prints."""
    return "".join(line for output in cell["outputs"] for line in output["text"])


def run(notebook: Notebook, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """What each code cell prints, started in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", _KERNEL],
        input=json.dumps(["".join(cell["source"]) for cell in code_cells(notebook)]),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    answers: list[str] = json.loads(done.stdout)
    return answers


def main(path: str) -> None:
    import tempfile

    from sealing import sealed_environment, write_identity

    file = Path(path)
    notebook = json.loads(file.read_text())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve() / "ada"
        write_identity(home)
        environment = {**sealed_environment(home), "PYTHONPATH": os.getcwd()}  # noqa: PTH109
        answers = run(notebook, home, environment)
    for number, (cell, answer) in enumerate(zip(code_cells(notebook), answers, strict=True), 1):
        lines = answer.splitlines(keepends=True)
        output = {"name": "stdout", "output_type": "stream", "text": lines}
        cell |= {"execution_count": number, "outputs": [output] if lines else []}
    file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
