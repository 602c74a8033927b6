"""Connects stdin and stdout with a port of loopback: for ssh's ProxyCommand."""

from __future__ import annotations

import os
import selectors
import socket
import sys


def main() -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as there:
        ways = {0: lambda data: there.sendall(data), there.fileno(): lambda data: _write(data)}
        with selectors.DefaultSelector() as selector:
            for source in ways:
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    data = os.read(key.fd, 65536)
                    if not data:
                        return
                    ways[key.fd](data)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


main()
