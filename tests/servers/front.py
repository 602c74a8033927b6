"""A front before an S3 server that breaks what passes through it, as networks and busy servers do."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from servers.listening import listening

_GATHERING_S = 300


@dataclass
class Fault:
    """Breaks `times` requests of `method` whose path contains `path`, after the first `skip` of them.

    'refuse': answers 503; 'reset': cuts the connection once the request is read; 'cut': forwards
    the answer's head and half its body, then cuts; 'alter': changes the first byte of an answer's body;
    'age': puts every date in an answer's body back by decades; 'lose': the request takes effect, its answer
    is a cut connection; 'expire': says that the token has expired; 'silent': never answers; 'encrypt': says
    that the object is encrypted with a key of KMS, so that its ETag is no md5; 'stall': sends half the body,
    then nothing more; 'short': half the body, as if it were all; 'whole': knows no ranges; 'shift': sends the
    first bytes in place of those asked for, and says so.
    """

    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0


@dataclass
class Front:
    """`faults` may be added at any time; `seen` holds 'METHOD path' of every request, `sent_bytes` and
    `received_bytes` sum up the bodies of answers and of requests; `left_waiting` is set once one gets no
    answer."""

    endpoint: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    received_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    left_waiting: threading.Event = field(default_factory=threading.Event)
    gathered: int = 0
    _gathering: tuple[str, threading.Barrier] | None = None

    def gather(self, method: str, count: int) -> None:
        """Hold back the requests of a method until so many of them wait; `gathered` tells how many did."""
        self._gathering = (method, threading.Barrier(count, timeout=_GATHERING_S))

    def let_in(self, method: str) -> None:
        if self._gathering is None or self._gathering[0] != method:
            return
        with suppress(threading.BrokenBarrierError):
            self._gathering[1].wait()
            with self.lock:
                self.gathered += 1

    def clear(self) -> None:
        """Forgets what it saw."""
        with self.lock:
            self.seen.clear()
            self.sent_bytes = self.received_bytes = 0

    def fault_for(self, method: str, path: str) -> str:
        with self.lock:
            self.seen.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times and fault.method in ("", method) and fault.path in path:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault.kind
        return ""


@contextmanager
def front_of(endpoint: str, certificate: Path | None = None) -> Iterator[Front]:
    """A front for one test, behind TLS with a `certificate` (and its key, in one file).

    Host headers pass unchanged, so that signatures hold. It serves as an HTTP proxy, too.
    """
    behind = urlsplit(endpoint).netloc
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, BrokenPipeError):
                self.close_connection = True

        def _forward(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:  # whoever asked has gone
                self.close_connection = True
                return
            with front.lock:
                front.received_bytes += len(body)
            fault = front.fault_for(self.command, self.path)
            front.let_in(self.command)
            if fault == "refuse":
                self._answer(
                    503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
                )
                return
            if fault == "expire":
                self._answer(
                    400,
                    {},
                    b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>",
                )
                return
            if fault == "silent":
                front.left_waiting.set()
                over.wait()
                self.close_connection = True
                return
            if fault == "reset":
                self._cut()
                return
            if fault in ("whole", "shift"):
                wanted = self.headers["Range"]
                del self.headers["Range"]
                if fault == "shift" and wanted:
                    first, last = (int(end or 0) for end in wanted.removeprefix("bytes=").split("-"))
                    self.headers["Range"] = f"bytes=0-{last - first}"
            status, headers, data = self._ask(body)
            if fault == "lose":
                self._cut()
                return
            if fault == "age":
                data = re.sub(rb">20\d\d-", b">1970-", data)
            if fault == "encrypt":
                headers = {name: value for name, value in headers.items() if name.lower() != "etag"}
                headers |= {"ETag": f'"{"0" * 32}"', "x-amz-server-side-encryption": "aws:kms"}
            if fault == "alter":
                data = bytes([data[0] ^ 1]) + data[1:]
            if fault == "short":
                data = data[: len(data) // 2]
                headers = {name: value for name, value in headers.items() if name.lower() != "content-length"}
            self._answer(status, headers, data, cut=fault == "cut", stall=fault == "stall")

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815  # names of http.server's

        def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(behind, timeout=600)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            path = "/" + self.path.split("/", 3)[3] if self.path.startswith("http://") else self.path
            connection.request(self.command, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            connection.close()
            return answer.status, dict(answer.getheaders()), data

        def _answer(
            self,
            status: int,
            headers: dict[str, str],
            data: bytes,
            *,
            cut: bool = False,
            stall: bool = False,
        ) -> None:
            self.send_response_only(status)
            length = headers.pop("Content-Length", None) or headers.pop("content-length", None)
            for name, value in headers.items():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length if self.command == "HEAD" else len(data)))
            self.end_headers()
            if self.command != "HEAD":
                with front.lock:
                    front.sent_bytes += len(data)
                self.wfile.write(data[: len(data) // 2] if cut or stall else data)
            if stall:
                self.wfile.flush()
                front.left_waiting.set()
                over.wait()
                self.close_connection = True
            if cut:
                self._cut()

        def _cut(self) -> None:
            """A reset, not an orderly end."""
            self.wfile.flush()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, *words: object) -> None: ...

    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    front = Front("")
    with listening(Handler, tls) as front.endpoint:
        try:
            yield front
        finally:
            over.set()
