"""The user's configuration: set up, shown with its origins, proved. No secret is ever stored.

Nothing here prints or asks; the command and the Python API are both made of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError, CPVError
from cpvlib.base.regex import regex
from cpvlib.base.typed import Any
from cpvlib.base.values import NamedTuple, replace
from cpvlib.domain.cpvconfig import canonical
from cpvlib.domain.githosts import BITBUCKET
from cpvlib.managers import githost, signin
from cpvlib.managers.checks import Check, Checked
from cpvlib.managers.githost import GitHostRequest, GitHostSetup
from cpvlib.managers.settings import RULES, Settings, spelled
from cpvlib.stores import userconfig

__all__ = ["BitbucketSetup", "Check", "Checked", "setup_aws", "setup_bitbucket", "stored", "validate"]

BitbucketSetup = GitHostSetup
FILE = "config.file"
_LONGEST = 4096
# Access keys of AWS; API tokens, access tokens and app passwords of Atlassian.
_SECRET = regex(r"(AKIA|ASIA)[A-Z0-9]{16}$|ATATT|ATCTT|ATBB|BBDC-")
_BITBUCKET_KEYS = {
    "bitbucket_ssh_keyfile": "cpv.bitbucketKeyfile",
    "bitbucket_user": "cpv.bitbucketUser",
    "bitbucket_workspace": "cpv.bitbucketWorkspace",
}
_KEYS = {**signin.KEYS, **_BITBUCKET_KEYS}
_PARAMETERS = {
    "aws": {name.removeprefix("aws_"): key for name, key in signin.KEYS.items()},
    "bitbucket": {
        name.removeprefix("bitbucket_").removeprefix("ssh_"): key for name, key in _BITBUCKET_KEYS.items()
    },
}


class Shown(NamedTuple):
    """A setting for people; `origin` as Setting has it, 'not set' where nothing says anything."""

    key: str
    value: str | None
    origin: str


def stored(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What config.json holds. ConfigError where it can't be read."""
    return userconfig.read(userconfig.config_path(environ))


def answered(environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """What config.json holds; nothing where it is damaged, since what is set up now takes its place."""
    try:
        return stored(environ)
    except userconfig.DamagedError:
        return {}


def variables(part: str, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The answers that CPV_* variables give to `part`, "aws" or "bitbucket", by the set-up's parameters."""
    found = {}
    for parameter, key in _PARAMETERS[part].items():
        for variable in RULES[canonical(key)].variables:
            if variable.startswith("CPV_") and (value := environ.get(variable)):
                found[parameter] = value
    return found


def is_aws_configured(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether config.json names a profile, a credentials file or a bucket; nothing is proved."""
    held = stored(environ)
    named = held.get("aws_profile") or held.get("aws_credential_path")
    return bool(named) or held.get("storage", "").startswith("s3://")


def is_bitbucket_configured(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether config.json names an SSH key that is there."""
    key = stored(environ).get("bitbucket_ssh_keyfile")
    return bool(key) and Path(str(key)).expanduser().is_file()


def user_settings(
    options: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    user: Mapping[str, str] | None = None,
) -> Settings:
    """The settings that hold in the current folder: of its repository, if it has one, else the user's alone.

    `user` stands in for what config.json holds.
    """
    from cpvlib.stores.git.config import GitConfig
    from cpvlib.stores.git.door import Git, clean_environment

    git = Git(Path.cwd(), clean_environment(environ))
    asked = git.ask("rev-parse", "--show-toplevel")
    top = Path(os.fsdecode(asked.out).removesuffix("\n")) if asked.code == 0 else None
    return Settings(options=options, environ=environ, git=GitConfig.load(git), top=top, user=user)


def show(settings: Settings) -> list[Shown]:
    """Every setting there is, with the place that decides it."""
    rows = []
    for key in RULES:
        if key == "cpv.storage":
            found = settings.storage_root
            rows.append(Shown(key, found.value, found.origin))
            continue
        found_or_none = settings.get(key)
        rows.append(
            Shown(spelled(key), found_or_none.value, found_or_none.origin)
            if found_or_none
            else Shown(spelled(key), None, "not set")
        )
    return rows


def setup_aws(
    *,
    credential_path: str | None = None,
    profile: str | None = None,
    storage: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    check: bool = True,
    save: bool = True,
    local: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> Checked:
    """Proves that these answers work together with what is set already, and then stores them.

    The checks are aws.profile, aws.sign-in and aws.bucket; where one fails nothing is stored. Without `check`
    nothing is asked over the network; without `save` nothing is stored; with `local` they are stored for the
    current folder's repository alone. An empty answer takes the stored one away. ConfigError for an answer
    that can't be.
    """
    answers = {
        "aws_credential_path": _absolute(credential_path),
        "aws_profile": profile,
        "storage": storage,
        "region": region,
        "endpoint": signin.check_endpoint(endpoint),
    }
    given = _names_only(answers)
    options = {signin.KEYS[name]: value for name, value in given.items() if value}
    held = {name: value for name, value in answered(environ).items() if given.get(name) != ""}
    settings = user_settings(options, environ, user=held)
    if storage:
        given["storage"] = settings.storage_root.value
    if local:
        return _setup_locally(given, check=check, save=save, environ=environ)
    checks = tuple(signin.check_sign_in(settings).checks) if check else ()
    found = Checked(checks)
    if not found or not save or not given:
        return found
    aside = _store(given, environ)
    return Checked((*checks, *_outranked(given, environ)), given, aside)


def setup_bitbucket(
    *,
    keyfile: str | None = None,
    user: str | None = None,
    workspace: str | None = None,
    host: str | None = None,
    port: int | None = None,
    host_key: str | None = None,
    confirm: Callable[[str, str], bool] | None = None,
    passphrase: bool = False,
    may_ask: bool = False,
    check: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> GitHostSetup:
    """Makes what SSH to the git host needs, stores the names, then tests the login.

    The checks are ssh.key, ssh.config, ssh.host-key and ssh.login. What was done stays when a later one
    fails: the login of a new key can't work before its public half was pasted. An empty user or workspace
    takes the stored one away. ConfigError for an answer that can't be.
    """
    request = _request(environ, keyfile, host, port, host_key)
    request = replace(request, confirm=confirm, ask_passphrase=passphrase, may_ask=may_ask)
    given = _names_only({"bitbucket_user": user, "bitbucket_workspace": workspace})
    done = githost.set_up(githost.ssh_of(environ), request, check=check)
    if request.host == BITBUCKET and done.public_key:
        given["bitbucket_ssh_keyfile"] = str(done.key)
    aside = _store(given, environ) if given else None
    return replace(done, checks=(*done.checks, *_outranked(given, environ)), stored=given, kept_aside=aside)


def plan_bitbucket(
    *,
    keyfile: str | None = None,
    host: str | None = None,
    port: int | None = None,
    host_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
    **names: str,
) -> list[str]:
    """What `setup_bitbucket` would do, a line each; `names` are those that it would only store."""
    request = _request(environ, keyfile, host, port, host_key)
    lines = githost.plan(githost.ssh_of(environ), request)
    return [*lines, *(f"store the {name}: {value}" for name, value in names.items() if value)]


def validate(
    *,
    settings: Settings | None = None,
    aws: bool = True,
    bitbucket: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> Checked:
    """Proves what is configured now; changes nothing. Uses the network.

    What is not set up at all is skipped, not failed. Ids: config.file; aws.*; ssh.*.
    """
    path = userconfig.config_path(environ)
    try:
        userconfig.read(path)
    except CPVError as error:
        return Checked((Check(FILE, "failed", error.message, error.hint, error),))
    checks = [Check(FILE, "ok", f"{path} {'is there' if path.exists() else 'is not needed yet'}")]
    settings = settings or user_settings(environ=environ)
    if aws:
        checks += signin.check_sign_in(settings).checks
    if bitbucket:
        key = settings.value("cpv.bitbucketKeyfile")
        if key:
            try:
                checks += githost.check_host(
                    githost.ssh_of(environ), BITBUCKET, Path(key).expanduser()
                ).checks
            except CPVError as error:
                checks.append(Check(githost.LOGIN, "failed", error.message, error.hint, error))
        else:
            checks.append(Check(githost.LOGIN, "skipped", "no SSH key is set up", "git cpv setup bitbucket"))
    return Checked(tuple(checks))


def _request(
    environ: Mapping[str, str],
    keyfile: str | None,
    host: str | None,
    port: int | None,
    host_key: str | None,
) -> GitHostRequest:
    user, at, host = (host or BITBUCKET).rpartition("@")
    settings = user_settings(environ=environ, user=answered(environ))
    named = keyfile or (settings.value("cpv.bitbucketKeyfile") if host == BITBUCKET else None)
    key = Path(named) if named else None
    return githost.check_request(GitHostRequest(host, user if at else "git", key, port, host_key))


def _setup_locally(
    given: Mapping[str, str], *, check: bool, save: bool, environ: Mapping[str, str]
) -> Checked:
    """The same for one repository: what it has in its own place of S3 is proved with these answers."""
    from cpvlib.managers import localsignin

    scene = localsignin.look(environ)
    localsignin.check(given)
    options = {signin.KEYS[name]: value for name, value in given.items()}
    settings = user_settings({**scene.options, **options}, environ)
    found = Checked(tuple(signin.check_sign_in(settings).checks) if check else ())
    if not found or not save:
        return found
    localsignin.store(scene, given)
    return Checked(found.checks, given)


def _store(given: Mapping[str, str], environ: Mapping[str, str]) -> Path | None:
    def edit(content: dict[str, Any]) -> None:
        if any(content.get(name, "") != value for name, value in given.items()):
            content.update(given)
            for name in [name for name, value in given.items() if not value]:
                del content[name]
            content["last_updated"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    return userconfig.update(userconfig.config_path(environ), edit)


def _outranked(given: Mapping[str, str], environ: Mapping[str, str]) -> list[Check]:
    """A warning for each value that something stronger makes ineffective in the current folder."""
    settings = user_settings(environ=environ)
    warnings = []
    for name, value in given.items():
        found = settings.get(_KEYS[name])
        if value and found and found.origin != "config.json" and found.value != value:
            finding = (
                f"{found.origin} says '{found.value}' for {spelled(_KEYS[name])}, and outranks '{value}'"
            )
            warnings.append(Check(FILE, "warning", finding, "git cpv setup --show"))
    return warnings


def _names_only(answers: Mapping[str, str | None]) -> dict[str, str]:
    """The answers that were given. ConfigError for one that is a key or token, or no name at all."""
    for name, value in answers.items():
        if value and _SECRET.match(value):
            raise ConfigError(f"the answer for {name} is a key or token, and nothing secret is stored")
        if value and not (value.isprintable() and len(value) <= _LONGEST):
            raise ConfigError(f"the answer for {name} can't be one: control characters, or too long")
    return {name: value for name, value in answers.items() if value is not None}


def _absolute(path: str | None) -> str | None:
    if not path:
        return path
    return str(Path(path).expanduser().absolute())
