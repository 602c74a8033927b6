"""The dvc program, if it is on PATH: asked for its version only. CPV needs none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_PATIENCE_S = 10


def find(environ: Mapping[str, str] = os.environ) -> Path | None:
    found = shutil.which("dvc", path=environ.get("PATH"))
    return Path(found) if found else None


def version(program: Path, environ: Mapping[str, str] = os.environ) -> tuple[int, ...] | None:
    """Its version as numbers; None where it does not say one in time."""
    quiet = {**environ, "DVC_NO_ANALYTICS": "1", "DVC_STUDIO_OFFLINE": "1"}
    try:
        done = subprocess.run(
            [os.fspath(program), "--version"],
            env=quiet,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(rb"(\d+)\.(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in found.groups()) if found else None
