"""The tutorial notebook is one, runs from its first cell to its last, and says what it really prints."""

from __future__ import annotations

import json
import os
from pathlib import Path

import console
import notebook

PAGE = console.CHECKOUT / "docs/tutorial.ipynb"


def test_it_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    page = json.loads(PAGE.read_text())
    environment = {**os.environ, "PYTHONPATH": str(console.CHECKOUT)}
    answers = notebook.run(page, tmp_path, environment)
    said = [notebook.printed(cell) for cell in notebook.code_cells(page)]
    assert [console.masked(answer) for answer in answers] == [console.masked(text) for text in said]
    assert sum(1 for text in said if text) >= 6


def test_it_is_in_the_format_of_jupyter() -> None:
    """nbformat 4.5: what its schema requires of a notebook and of each cell."""
    page = json.loads(PAGE.read_text())
    assert (page["nbformat"], page["nbformat_minor"]) == (4, 5)
    assert page["metadata"]["kernelspec"]["name"] == "python3"
    for cell in page["cells"]:
        required = {"id", "cell_type", "metadata", "source"}
        if cell["cell_type"] == "code":
            required |= {"execution_count", "outputs"}
        assert cell.keys() == required
        assert all(output["output_type"] == "stream" for output in cell.get("outputs", []))
    ids = [cell["id"] for cell in page["cells"]]
    assert len(set(ids)) == len(ids)
