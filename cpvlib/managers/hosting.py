"""Making a repository's home at Bitbucket: a private repository, in the team's private project.

Done again, it finds what is there. The token is used, and kept nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError, CredentialError, GitError
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.githosts import BITBUCKET
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from cpvlib.managers.settings import Settings
    from cpvlib.stores.bitbucket import Bitbucket, HostedRepository, Token

TOKEN_VARIABLE = "CPV_BITBUCKET_TOKEN"
API_VARIABLE = "CPV_BITBUCKET_API"
_WORKSPACE = regex(r"[a-z0-9][a-z0-9_-]{0,61}", re.ASCII)
_SLUG = regex(r"[a-z0-9_.-]{1,62}", re.ASCII)
_KEY = regex(r"[A-Z][A-Z0-9_]{0,127}", re.ASCII)


@dataclass(frozen=True)
class HostingPlan:
    """Where the repository is to live. `project_name` is None where the project must be there already."""

    workspace: str
    project: str
    project_name: str | None
    slug: str

    @property
    def url(self) -> str:
        """The git remote, at the host that takes SSH."""
        return f"git@ssh.{BITBUCKET}:{self.workspace}/{self.slug}.git"

    @property
    def page(self) -> str:
        return f"https://{BITBUCKET}/{self.workspace}/{self.slug}"


@dataclass(frozen=True)
class Hosted:
    """What was made of a plan; a repository that was there before may be public."""

    plan: HostingPlan
    made_project: bool
    made_repository: bool
    is_private: bool


def plan_hosting(
    settings: Settings,
    *,
    team: str,
    model: str,
    workspace: str | None = None,
    project: str | None = None,
    repository: str | None = None,
) -> HostingPlan:
    """The names: the project is 'AI-<team>-model-checkpoints' unless its key is named, the repository is the
    model.

    ConfigError for names that Bitbucket does not allow, and where no workspace is known.
    """
    workspace = workspace or settings.value("cpv.bitbucketWorkspace")
    if not workspace:
        raise ConfigError(
            "no Bitbucket workspace is named",
            hint="git cpv init --create --workspace NAME, or once: git cpv setup bitbucket --workspace NAME",
        )
    name = team if team.lower().startswith("ai-") else f"AI-{team}"
    name = f"{name}-model-checkpoints"
    key = project.upper() if project else re.sub(r"[^A-Z0-9]", "", name.upper())
    slug = (repository or model).lower()
    for what, text, pattern in (
        ("workspace", workspace, _WORKSPACE),
        ("project key", key, _KEY),
        ("repository name", slug, _SLUG),
    ):
        if not pattern.fullmatch(text):
            raise ConfigError(f"'{printable(text)}' can't be a {what} at Bitbucket")
    return HostingPlan(workspace, key, None if project else name, slug)


def create(plan: HostingPlan, settings: Settings, environ: Mapping[str, str] = os.environ) -> Hosted:
    """Makes what is missing at Bitbucket.

    ConfigError where the names stand for something else there; CredentialError without a token, or with one
    that may not do this; GitError where Bitbucket can't be reached.
    """
    from cpvlib.stores.bitbucket import API, Bitbucket

    bitbucket = Bitbucket(_token(settings, environ), environ.get(API_VARIABLE) or API)
    found = bitbucket.repository(plan.workspace, plan.slug)
    if found:
        _refuse_elsewhere(plan, found)
        return Hosted(plan, False, False, found.is_private)
    made_project = _see_to_project(bitbucket, plan)
    try:
        made = bitbucket.create_repository(plan.workspace, plan.slug, plan.project)
    except GitError:
        found = bitbucket.repository(plan.workspace, plan.slug)
        if found is None:
            raise
        _refuse_elsewhere(plan, found)  # somebody was quicker
        return Hosted(plan, made_project, False, found.is_private)
    return Hosted(plan, made_project, True, made.is_private)


def _see_to_project(bitbucket: Bitbucket, plan: HostingPlan) -> bool:
    """Whether the project had to be made."""
    name = bitbucket.project_name(plan.workspace, plan.project)
    if name is not None:
        if plan.project_name not in (None, name):
            raise ConfigError(
                f"the Bitbucket project {plan.project} is '{printable(name)}', not '{plan.project_name}'",
                hint=f"if it is the team's: git cpv init --create --project {plan.project}",
            )
        return False
    if plan.project_name is None:
        raise ConfigError(f"there is no project {plan.project} in the workspace '{plan.workspace}'")
    try:
        bitbucket.create_project(plan.workspace, plan.project, plan.project_name)
    except GitError:
        if bitbucket.project_name(plan.workspace, plan.project) != plan.project_name:
            raise
        return False
    return True


def _refuse_elsewhere(plan: HostingPlan, found: HostedRepository) -> None:
    if found.project != plan.project:
        raise ConfigError(
            f"'{plan.workspace}/{plan.slug}' is there already, in the project {printable(found.project)}",
            hint="git cpv init --create --repository NAME chooses another name; "
            f"to use that one: git cpv init --remote {plan.url}",
        )


def _token(settings: Settings, environ: Mapping[str, str]) -> Token:
    """From the variable, else from git's credential helper."""
    from cpvlib.stores.bitbucket import SCOPES, TOKENS, Token
    from cpvlib.stores.git.credentials import fill
    from cpvlib.stores.git.door import Git, clean_environment

    user = settings.value("cpv.bitbucketUser")
    email = user if user and "@" in user else None
    if secret := environ.get(TOKEN_VARIABLE):
        return Token(email, secret)
    found = fill(Git(Path.cwd(), clean_environment(environ)), BITBUCKET)
    if found is None:
        raise CredentialError(
            "there is no Bitbucket token",
            hint=f"make one with {SCOPES}, {TOKENS}; it goes to {TOKEN_VARIABLE} or git's credential helper",
        )
    if found.user == "x-token-auth":  # an access token of a workspace or project
        return Token(None, found.secret)
    name = email or (found.user if "@" in found.user else None)
    if name is None:
        raise CredentialError(
            "git's credential helper has a Bitbucket token, but not the email of its account",
            hint="git cpv setup bitbucket --user EMAIL",
        )
    return Token(name, found.secret)
