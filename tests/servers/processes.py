"""Server processes of one test session: started on first use, ended with it, by pid.

Under pytest-xdist the workers share them: the first worker that needs one starts it while it holds a lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_VARIABLE = "CPVTEST_SERVERS"
_POLL_S = 0.05


def shared(name: str, start: Callable[[Path], str]) -> str:
    """What `start(folder)` says, such as an endpoint; it is called once in a session, by whoever is first."""
    folder = Path(os.environ[FOLDER_VARIABLE]) / name
    with _locked(folder.with_suffix(".lock")):
        answer = folder.with_suffix(".answer")
        if not answer.exists():
            folder.mkdir()
            answer.write_text(start(folder))
        return answer.read_text()


def launch(folder: Path, name: str, command: Sequence[str], **env: str) -> None:
    """A daemon in a process group of its own; its output goes to `<name>.log`, its pid to `<name>.pid`."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (folder / f"{name}.pid").write_text(str(process.pid))


def keeper(folder: Path) -> subprocess.Popen[bytes]:
    """A process that ends the servers in `folder`, and removes it, when its stdin closes: when its parent
    closes it, or is killed.
    """
    return subprocess.Popen(
        [sys.executable, __file__, str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )


def stop_all(folder: Path) -> None:
    """Kill every process that was launched below `folder`: what they hold is not wanted any more."""
    for path in folder.rglob("*.pid"):
        with suppress(ProcessLookupError):
            os.kill(int(path.read_text()), signal.SIGKILL)


def wait_for_port(port: int, folder: Path, timeout_s: float = 60) -> None:
    """Until something listens on loopback; the logs are shown where nothing does in time."""
    wait_until(lambda: _listens(port), f"port {port}", folder, timeout_s)


def wait_until(ready: Callable[[], bool], what: str, folder: Path, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            for log in sorted(folder.glob("*.log")):
                sys.stderr.write(f"== {log}\n{log.read_text(errors='replace')[-2000:]}\n")
            raise RuntimeError(f"{what} is not ready after {timeout_s:.0f} s; see {folder}")
        time.sleep(_POLL_S)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.stdin.read()
    stop_all(Path(sys.argv[1]))
    time.sleep(_POLL_S)
    shutil.rmtree(sys.argv[1], ignore_errors=True)
