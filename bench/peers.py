"""The programs that CPV is held against, each where it is installed: `make bench-peers` brings them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scenes import CHECKOUT, DVC

_BIN = CHECKOUT / ".bench/bin"


@dataclass(frozen=True)
class Mover:
    """A program that moves files to and from S3 and names nothing. The templates are for a shell: {file} or
    {folder} here, {url} there; {key} is the URL without its scheme."""

    name: str
    program: str
    put: str
    get: str
    put_folder: str
    get_folder: str

    @property
    def path(self) -> str | None:
        own = _BIN / self.program
        return str(own) if own.exists() else shutil.which(self.program)

    def line(self, template: str, **words: str | Path) -> str:
        return f"{self.path} {template.format(**words)}"


_MOVERS = (
    Mover(
        "s5cmd cp",
        "s5cmd",
        "cp {file} {url}",
        "cp {url} {file}",
        "cp {folder}/ {url}/",
        "cp '{url}/*' {folder}/",
    ),
    Mover(
        "aws s3 cp",
        "aws",
        "s3 cp --only-show-errors {file} {url}",
        "s3 cp --only-show-errors {url} {file}",
        "s3 cp --only-show-errors --recursive {folder} {url}",
        "s3 cp --only-show-errors --recursive {url} {folder}",
    ),
    Mover(
        "rclone copy",
        "rclone",
        "copyto --ignore-times --s3-no-check-bucket {file} :s3:{key}",
        "copyto :s3:{key} {file}",
        "copy --ignore-times --s3-no-check-bucket --transfers 32 {folder} :s3:{key}",
        "copy --transfers 32 :s3:{key} {folder}",
    ),
)


def movers() -> list[Mover]:
    """Those that are installed."""
    return [mover for mover in _MOVERS if mover.path is not None]


def has_git_lfs() -> bool:
    return shutil.which("git-lfs") is not None


def versions() -> dict[str, str]:
    """Of every program that takes part, as it says itself."""
    from cpvlib import __version__

    asked = {
        "git": ["git", "--version"],
        "dvc": [str(DVC), "--version"],
        "git-lfs": ["git-lfs", "--version"],
        **{
            m.program: [m.path or m.program, "--version" if m.program == "aws" else "version"]
            for m in _MOVERS
        },
    }
    return {"cpv": __version__} | {name: _first_line(command) for name, command in asked.items()}


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return "not installed"
    words = (done.stdout or done.stderr).strip().splitlines()
    return words[0] if words else "?"
