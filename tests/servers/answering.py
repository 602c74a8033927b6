"""An HTTP server on loopback that answers as it is told: for what no real server here would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple

from servers.listening import listening


class Request(NamedTuple):
    """`headers` have lower-case names; `path` includes the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Answering:
    url: str
    seen: list[Request] = field(default_factory=list)


@contextmanager
def answering(answer: Callable[[Request], Answer]) -> Iterator[Answering]:
    """`answer` is called from the server's threads, once for each request."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            server.seen.append(request)
            status, data, more = answer(request)
            self.send_response(status)
            for name, value in more:
                self.send_header(name, value)
            if not any(
                name == "Content-Length" for name, _ in more
            ):  # HEAD tells the length of another answer
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815  # names of http.server's

        def log_message(self, *args: object) -> None: ...

    server = Answering("")
    with listening(Handler) as server.url:
        yield server
