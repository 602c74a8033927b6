"""Bitbucket Cloud's REST API on loopback, as far as it is documented for projects and repositories.

https://developer.atlassian.com/cloud/bitbucket/rest/: paths, bodies, statuses and the form of errors. A token
has scopes; what it lacks is 403 with the scopes that are needed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from servers.answering import Answer, Answering, Request, answering

_PATHS = (
    (re.compile(r"/workspaces/([^/]+)/projects"), "projects"),
    (re.compile(r"/workspaces/([^/]+)/projects/([^/]+)"), "project"),
    (re.compile(r"/repositories/([^/]+)/([^/]+)"), "repository"),
)
ALL_SCOPES = frozenset(
    f"{what}:{of}:bitbucket" for what in ("read", "admin") for of in ("project", "repository")
)


@dataclass
class FakeBitbucket:
    """`tokens` by their Authorization header; `projects` and `repositories` by workspace and key or slug.

    `trouble`, while there is one, is the answer to every request.
    """

    workspaces: set[str] = field(default_factory=lambda: {"acme"})
    tokens: dict[str, frozenset[str]] = field(default_factory=dict)
    projects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    repositories: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    trouble: Answer | None = None
    server: Answering | None = None

    @property
    def url(self) -> str:
        assert self.server
        return self.server.url

    def let_in(self, user: str | None, secret: str, scopes: frozenset[str] = ALL_SCOPES) -> None:
        """An API token with its account's email; without a user, an access token."""
        basic = base64.b64encode(f"{user}:{secret}".encode()).decode()
        self.tokens[f"Basic {basic}" if user else f"Bearer {secret}"] = scopes

    def answer(self, request: Request) -> Answer:
        if self.trouble:
            return self.trouble
        scopes = self.tokens.get(request.headers.get("authorization", ""))
        if scopes is None:
            return _error(401, "Token is invalid, expired, or not supported for this endpoint.")
        for pattern, kind in _PATHS:
            if match := pattern.fullmatch(request.path):
                return self._of(kind, request, scopes, *match.groups())
        return _error(404, "Resource not found")

    def _of(self, kind: str, request: Request, scopes: frozenset[str], *names: str) -> Answer:
        of = "repository" if kind == "repository" else "project"
        needed = f"{'read' if request.method == 'GET' else 'admin'}:{of}:bitbucket"
        if needed not in scopes:
            return _error(
                403,
                "Your credentials lack one or more required privilege scopes.",
                detail={"granted": sorted(scopes), "required": [needed]},
            )
        if names[0] not in self.workspaces:
            return _error(404, f"No workspace with identifier '{names[0]}'.")
        body = json.loads(request.body or b"{}")
        if kind == "projects" and request.method == "POST":
            return self._make_project(names[0], body)
        found = self.projects if kind == "project" else self.repositories
        key = (names[0], names[1])
        if request.method == "POST":
            return self._make_repository(key, body)
        return _object(200, found[key]) if key in found else _error(404, f"{of} {names[1]} not found")

    def _make_project(self, workspace: str, body: dict[str, Any]) -> Answer:
        key = (workspace, body["key"])
        if key in self.projects:
            return _error(400, "Bad request", fields={"key": ["A project with this key already exists."]})
        self.projects[key] = {"type": "project", **body}
        return _object(201, self.projects[key])

    def _make_repository(self, key: tuple[str, str], body: dict[str, Any]) -> Answer:
        if key in self.repositories:
            return _error(400, "Repository with this Slug and Owner already exists.")
        if key[1] != key[1].lower():
            return _error(400, "Invalid slug.")
        if (key[0], body["project"]["key"]) not in self.projects:
            return _error(400, "Bad request", fields={"project": ["Project not found."]})
        self.repositories[key] = {"type": "repository", "full_name": "/".join(key), **body}
        return _object(200, self.repositories[key])


def _object(status: int, content: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(content).encode(), (("Content-Type", "application/json"),))


def _error(status: int, message: str, **more: Any) -> Answer:
    return _object(status, {"type": "error", "error": {"message": message, **more}})


@contextmanager
def bitbucket() -> Iterator[FakeBitbucket]:
    fake = FakeBitbucket()
    with answering(lambda request: fake.answer(request)) as server:
        fake.server = server
        yield fake
