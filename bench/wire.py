"""A wire to a server that counts what passes, and may be as slow as a wide-area network."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from timing import Traffic

_BLOCK = 1 << 16
_REQUEST = b" HTTP/1.1\r\n"


@dataclass
class Pace:
    """One pipe of `bytes_per_s`, shared by all connections; 0 for as fast as it goes."""

    bytes_per_s: float = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _free_at: float = 0

    def wait(self, n_bytes: int) -> None:
        if not self.bytes_per_s:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic()) + n_bytes / self.bytes_per_s
            left_s = self._free_at - time.monotonic()
        if left_s > 0:
            time.sleep(left_s)


@dataclass
class Wire:
    """Where clients connect to, and what has passed so far. `latency_s` is added before each answer."""

    endpoint: str
    latency_s: float
    up: Pace
    down: Pace
    sent_bytes: int = 0
    received_bytes: int = 0
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def traffic(self) -> Traffic:
        with self.lock:
            return Traffic(self.sent_bytes, self.received_bytes, self.requests)

    def note(self, *, sent: int = 0, received: int = 0, requests: int = 0) -> None:
        with self.lock:
            self.sent_bytes += sent
            self.received_bytes += received
            self.requests += requests


@contextmanager
def wire_to(endpoint: str, *, latency_s: float = 0, bytes_per_s: float = 0) -> Iterator[Wire]:
    """A wire to `endpoint` for as long as the block runs. Plain HTTP only."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    wire = Wire(
        f"http://127.0.0.1:{listener.getsockname()[1]}", latency_s, Pace(bytes_per_s), Pace(bytes_per_s)
    )
    there = urlsplit(endpoint)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((there.hostname, there.port or 80))
                for link in (client, server):
                    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for carry, ends in ((_up, (client, server)), (_down, (server, client))):
                    threading.Thread(target=carry, args=(wire, *ends), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _up(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    """Requests are counted by their first lines, which nothing in random bytes looks like."""
    rest = b""
    with suppress(OSError):
        while data := client.recv(_BLOCK):
            seen = rest + data
            wire.note(sent=len(data), requests=seen.count(_REQUEST))
            rest = seen[-len(_REQUEST) + 1 :]
            wire.up.wait(len(data))
            server.sendall(data)
    with suppress(OSError):
        server.shutdown(socket.SHUT_WR)


def _down(wire: Wire, server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(_BLOCK):
            wire.note(received=len(data))
            if wire.latency_s and data.startswith(b"HTTP/1.1 "):
                time.sleep(wire.latency_s)
            wire.down.wait(len(data))
            client.sendall(data)
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
