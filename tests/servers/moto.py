"""moto's S3 server over HTTP: quick to start; it checks neither secrets nor checksums."""

from __future__ import annotations

import sys
from pathlib import Path

from servers.processes import free_port, launch, wait_for_port


def start(folder: Path) -> str:
    """The endpoint of a new, empty server."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    launch(folder, "moto", command, AWS_ACCESS_KEY_ID="moto", AWS_SECRET_ACCESS_KEY="moto")
    wait_for_port(port, folder)
    return f"http://127.0.0.1:{port}"
