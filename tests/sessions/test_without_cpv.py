"""The program at the end of FORMAT.md restores versions that CPV made, with git and Python alone."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from shell import Shell

PAGE = (Path(__file__).parents[2] / "FORMAT.md").read_text()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    found = re.search(r"<!-- example: restore.py -->\n```python\n(.*?)```\n", PAGE, re.DOTALL)
    assert found is not None
    path = tmp_path / "restore.py"
    path.write_text(found[1])
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_version_is_restored_from_what_the_page_says(shell: Shell, program: Path, tmp_path: Path) -> None:
    first = {
        "model.bin": b"first weights",
        "data/train/a b.csv": b"1,2\n",
        "data/train/\u00e9t\u00e9.csv": b"",
        "data/test/twin.csv": b"1,2\n",
    }
    for path, content in first.items():
        shell.write(path, content)
    shell.ok("git init -q . && git cpv init -q --team Vision --model digits")
    shell.ok("git cpv track -q model.bin && git cpv track -q --data data")
    shell.ok("git cpv push -q -m first --metric loss=1")
    shell.ok("git cpv tag --combined")
    shell.write("model.bin", b"second weights")
    shell.ok("git cpv push -q -m second --metric loss=2")
    shell.ok("git cpv tag")
    storage = tmp_path / "home/.local/share/cpv/storage/Vision/digits"

    for tag, model in {
        "v0.1": b"first weights",
        "data/v0.1": b"first weights",
        "v0.2": b"second weights",
    }.items():
        output = tmp_path / tag
        shell.ok([sys.executable, str(program), ".", tag, str(storage), str(output)])

        restored = files_below(output)
        log = restored.pop("metrics.log")
        assert restored == {**first, "model.bin": model}
        assert b'"metrics": {"loss": 1}' in log


def test_a_damaged_object_is_not_restored(shell: Shell, program: Path, tmp_path: Path) -> None:
    shell.write("model.bin", b"weights")
    shell.ok("git init -q . && git cpv init -q --team Vision --model digits")
    shell.ok("git cpv track -q model.bin && git cpv push -q -m first --metric loss=1 && git cpv tag")
    storage = tmp_path / "home/.local/share/cpv/storage/Vision/digits"
    for path in storage.glob("files/md5/*/*"):
        path.chmod(0o644)
        path.write_bytes(b"something else")

    said = shell.fails(
        [sys.executable, str(program), ".", "v0.1", str(storage), str(tmp_path / "out")], code=1
    )

    assert said.endswith("is damaged")
