"""Makes man/man1, completions/, docs/reference.md and docs/api.md from records and docstrings.

With --check it only says what is not as they say.

usage: tools/generate.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import apipage
import completions
import manpages
import reference
from cpvlib.cli.registry import COMMANDS, load

TOP = Path(__file__).resolve().parent.parent


def wanted() -> Mapping[Path, str]:
    """Every generated file, with what it should hold."""
    commands = [load(name) for name in COMMANDS]
    pages = {TOP / "man" / "man1" / name: text for name, text in manpages.pages(commands).items()}
    scripts = {TOP / "completions" / name: text for name, text in completions.scripts(commands).items()}
    docs = {
        TOP / "docs" / "reference.md": reference.page(commands),
        TOP / "docs" / "api.md": apipage.page(TOP),
    }
    return pages | scripts | docs


def found() -> set[Path]:
    """What lies where only generated files may lie."""
    return {
        file for place in ("man/man1", "completions") for file in (TOP / place).rglob("*") if file.is_file()
    }


def main(words: list[str]) -> int:
    files = wanted()
    stale = [file for file, text in files.items() if not file.is_file() or file.read_text() != text]
    left_over = sorted(found() - set(files))
    if words == ["--check"]:
        for file in (*stale, *left_over):
            print(f"{file.relative_to(TOP)} is not what the sources say; run 'make generate'")
        return bool(stale or left_over)
    for file in stale:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[file])
    for file in left_over:
        file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
