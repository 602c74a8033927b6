"""Bitbucket Cloud's REST API, version 2.0: projects and repositories. No other module speaks HTTP itself.

https://developer.atlassian.com/cloud/bitbucket/rest/, groups "Projects" and "Repositories".
"""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlsplit

from cpvlib.base.errors import ConfigError, CPVError, CredentialError, GitError
from cpvlib.base.typed import Any
from cpvlib.base.values import NamedTuple
from cpvlib.domain.text import printable

API = "https://api.bitbucket.org/2.0"
TOKENS = "https://id.atlassian.com/manage-profile/security/api-tokens"
SCOPES = "read and admin of projects and of repositories"
_TIMEOUT_S = 20
_ANSWER_BYTES = 1 << 20
_MESSAGE_CHARACTERS = 300
_AGAIN = "run the same command again; what is made already is not made twice"


class Token(NamedTuple):
    """`user` is the Atlassian account's email, for an API token; None for an access token, nobody's own."""

    user: str | None
    secret: str

    def __repr__(self) -> str:
        return f"Token(user={self.user!r}, secret=…)"

    @property
    def header(self) -> str:
        """Support article "Using API tokens", and the API's "Authentication methods"."""
        if self.user is None:
            return f"Bearer {self.secret}"
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


class HostedRepository(NamedTuple):
    """A repository at Bitbucket: `project` is its project's key."""

    full_name: str
    project: str
    is_private: bool


class Bitbucket:
    """Asks as the owner of a token, which goes nowhere else: redirects are refused.

    CredentialError where the token is not accepted or may not do what was asked; GitError where Bitbucket
    can't be reached, refuses or is in trouble.
    """

    def __init__(self, token: Token, api: str = API) -> None:
        parts = urlsplit(api)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ConfigError("Bitbucket's API is asked by https only", hint="unset CPV_BITBUCKET_API")
        self._token = token
        self._api = api.rstrip("/")
        self._host = parts.netloc.rpartition("@")[2]

    def project_name(self, workspace: str, key: str) -> str | None:
        """The name of a project; None where there is none. GET /workspaces/{workspace}/projects/{key}."""
        found = self._ask("GET", f"/workspaces/{quote(workspace, safe='')}/projects/{quote(key, safe='')}")
        return None if found is None else str(found.get("name", key))

    def create_project(self, workspace: str, key: str, name: str) -> None:
        """A private project. ConfigError for a workspace that is not there, or that the token can't see.

        POST /workspaces/{workspace}/projects.
        """
        body = {"key": key, "name": name, "is_private": True}
        if self._ask("POST", f"/workspaces/{quote(workspace, safe='')}/projects", body) is None:
            raise ConfigError(
                f"there is no Bitbucket workspace '{printable(workspace)}' that this token can see",
                hint="it is what follows bitbucket.org/ in the address of its page",
            )

    def repository(self, workspace: str, slug: str) -> HostedRepository | None:
        """None where there is none, or none that the token can see. GET /repositories/{workspace}/{slug}."""
        found = self._ask("GET", _repository(workspace, slug))
        return None if found is None else _hosted(found)

    def create_repository(self, workspace: str, slug: str, project: str) -> HostedRepository:
        """A private repository for git. POST /repositories/{workspace}/{slug}."""
        body = {"scm": "git", "is_private": True, "project": {"key": project}}
        made = self._ask("POST", _repository(workspace, slug), body)
        if made is None:
            raise ConfigError(f"there is no Bitbucket workspace '{printable(workspace)}'")
        return _hosted(made)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """The answer's object; None for 404."""
        status, data, headers = self._send(method, path, body)
        if status == 404:
            return None
        content = _parsed(data)
        if 200 <= status < 300 and content is not None:
            return content
        raise self._error(status, content, headers)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes, dict[str, str]]:
        import urllib.error
        import urllib.request

        class NoRedirect(urllib.request.HTTPRedirectHandler):
            """urllib would send the token on to wherever it is redirected."""

            def redirect_request(self, *_: Any) -> None:
                return None

        headers = {"Authorization": self._token.header, "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._api}{path}", data, headers, method=method)
        try:
            with urllib.request.build_opener(NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
                return answer.status, answer.read(_ANSWER_BYTES), dict(answer.headers)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read(_ANSWER_BYTES), dict(refused.headers)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            said = getattr(reason, "strerror", None) or str(reason)
            raise GitError(
                f"'{self._host}' can't be reached: {self._clean(said)}",
                hint="check the network and HTTPS_PROXY",
            ) from error

    def _error(self, status: int, content: dict[str, Any] | None, headers: dict[str, str]) -> CPVError:
        told = (content or {}).get("error")
        told = told if isinstance(told, dict) else {}
        said = self._clean(str(told.get("message") or "it did not say why"))
        if status == 401:
            return CredentialError(
                f"Bitbucket does not accept the token: {said}",
                hint=f"an API token goes with its account's email, CPV_BITBUCKET_USER; a new one: {TOKENS}",
            )
        if status == 403:
            detail = told.get("detail")
            needed = detail.get("required") if isinstance(detail, dict) else None
            scopes = ", ".join(map(str, needed)) if isinstance(needed, list) and needed else SCOPES
            return CredentialError(
                f"the Bitbucket token may not do this: {said}",
                hint=f"it needs: {printable(scopes)[:_MESSAGE_CHARACTERS]}",
            )
        if status == 429:
            after = headers.get("Retry-After", "")
            when = f"in {after} s" if after.isdecimal() else "later"
            return GitError("Bitbucket asks for fewer requests", hint=f"run the same command again {when}")
        if status >= 500 or content is None:
            return GitError(
                f"Bitbucket is in trouble, or '{self._host}' is not Bitbucket: {status}", hint=_AGAIN
            )
        return GitError(
            f"Bitbucket refuses: {said}", hint="you need the right to make repositories in that workspace"
        )

    def _clean(self, text: str) -> str:
        """Their words for people: without the token, one line, of some length at most."""
        return printable(text.replace(self._token.secret, "***"))[:_MESSAGE_CHARACTERS]


def _repository(workspace: str, slug: str) -> str:
    return f"/repositories/{quote(workspace, safe='')}/{quote(slug, safe='')}"


def _hosted(content: dict[str, Any]) -> HostedRepository:
    project = content.get("project")
    key = project.get("key") if isinstance(project, dict) else ""
    return HostedRepository(str(content.get("full_name", "")), str(key), content.get("is_private") is True)


def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
