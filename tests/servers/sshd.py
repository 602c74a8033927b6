"""A real sshd on loopback that stands for a git host: keys only, and a forced command instead of a shell."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.processes import free_port, launch, stop_all, wait_for_port

GREETING = "authenticated via ssh key."
_SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")
_CONFIG = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""


def missing() -> bool:
    return _SSHD is None or shutil.which("ssh-keygen") is None


class SshServer:
    """`user` may log in with the keys that were authorized; nobody at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = getpass.getuser()
        self.port = free_port()
        self.new_host_key()
        (folder / "authorized_keys").touch()
        (folder / "sshd_config").write_text(_CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd insists on it; usually its unit's
        self.start()

    @property
    def fingerprint(self) -> str:
        line = subprocess.run(
            ["ssh-keygen", "-lf", str(self.folder / "host_key.pub")],
            capture_output=True,
            text=True,
            check=True,
        )
        return line.stdout.split()[1]

    def authorize(self, public_key: str, command: str = f"echo '{GREETING}'") -> None:
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(f'restrict,command="{command}" {public_key}\n')

    def new_host_key(self) -> None:
        """Used from the next start on."""
        key = self.folder / "host_key"
        key.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)

    def start(self) -> None:
        launch(self.folder, "sshd", [str(_SSHD), "-D", "-e", "-f", str(self.folder / "sshd_config")])
        wait_for_port(self.port, self.folder)

    def stop(self) -> None:
        stop_all(self.folder)

    def reached_as(self, *names: str) -> str:
        """Lines of ssh's configuration that lead these names here, whatever port they are said to have."""
        return proxied(names, self.port)


def proxied(names: tuple[str, ...], port: int) -> str:
    relay = f"{sys.executable} -I {Path(__file__).with_name('relay.py')} {port}"
    return f"Host {' '.join(names)}\n    ProxyCommand {relay}\n"


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def take() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
    for connection in taken:
        connection.close()
