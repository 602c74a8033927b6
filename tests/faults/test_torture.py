"""A quick share of `make torture`: a few commands killed at random moments, with storage in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = Path(__file__).with_name("torture.py")


@pytest.mark.skipif(
    sys.platform != "linux", reason="WHAT A KILLED COMMAND LEAVES BEHIND IS WAITED FOR AS LINUX DOES IT"
)
def test_random_kills_lose_nothing() -> None:
    done = subprocess.run(
        [sys.executable, TORTURE, "--kills", "4", "--on", "folder"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on folder: 4 killed" in done.stdout
    assert "0 losses" in done.stdout.splitlines()[-1]
