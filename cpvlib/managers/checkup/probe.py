"""What a check of the doctor's is: a record with a stable id, and what it looks at."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from cpvlib.base.errors import CPVError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import NamedTuple, dataclass
from cpvlib.managers import checks

if TYPE_CHECKING:
    from cpvlib.managers.place import FoundPlace
    from cpvlib.managers.settings import Settings
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.door import Git
    from cpvlib.stores.storage.s3_settings import S3Settings

_CONNECT_S = 5
_TRIES = 2


class NotHere(Exception):  # noqa: N818 - no error: the check has nothing to look at
    """Raised by a check that does not apply; the text says why."""


class Verdict(NamedTuple):
    """What a check found. One that fails raises CPVError instead, or says FAILED here."""

    state: str
    finding: str
    fix: str | None = None


def ok(finding: str) -> Verdict:
    return Verdict(checks.OK, finding)


def warning(finding: str, fix: str | None = None) -> Verdict:
    return Verdict(checks.WARNING, finding, fix)


def failed(finding: str, fix: str | None = None) -> Verdict:
    return Verdict(checks.FAILED, finding, fix)


@dataclass(frozen=True)
class Probe:
    """A check: `id` never changes once published. It is skipped unless all that it `needs` passed, and cut
    off after `limit_s` seconds."""

    id: str
    look: Callable[[Patient], Verdict]
    needs: tuple[str, ...] = ()
    limit_s: float = 5.0


class Patient:
    """What is looked at: this machine and, where the current folder lies in one, its CPV repository.

    Used by one thread at a time. Its git never asks and never waits for long.
    """

    def __init__(self, cwd: Path, environ: Mapping[str, str]) -> None:
        self.cwd = cwd
        self.environ = {**environ, **_NEVER_ASK, **_impatient_ssh(cwd, environ)}
        self.written: dict[str, bytes] = {}
        """What checks have left at the storage for later ones to read and delete, by key."""

    @cached_property
    def git(self) -> Git:
        from cpvlib.stores.git.door import Git, clean_environment

        return Git(self.cwd, clean_environment(self.environ))

    @cached_property
    def repository(self) -> Workspace | None:
        """None outside of CPV's repositories; raises what is wrong with one."""
        from cpvlib.managers.workspace import Workspace
        from cpvlib.stores.git.repository import NoRepositoryError

        try:
            return Workspace.open(self.cwd, self.environ)
        except NoRepositoryError:
            return None

    @property
    def ws(self) -> Workspace:
        if self.repository is None:
            raise NotHere("not in a CPV repository")
        return self.repository

    @cached_property
    def settings(self) -> Settings:
        from cpvlib.managers.configuring import user_settings

        return self.repository.settings if self.repository else user_settings(environ=self.environ)

    @cached_property
    def place(self) -> FoundPlace:
        """The repository's storage; elsewhere the root under which the user's repositories keep theirs."""
        from cpvlib.managers.place import FoundPlace, user_options
        from cpvlib.stores.storage.open import StoragePlace

        if self.repository:
            return self.repository.found_place
        root = self.settings.storage_root
        options = user_options(self.settings) if root.value.startswith("s3://") else {}
        return FoundPlace(StoragePlace(root.value, options, root.origin, self.settings.engine))

    @cached_property
    def s3(self) -> S3Settings:
        """How the bucket is asked, with little patience."""
        from cpvlib.base.values import replace
        from cpvlib.stores.storage.s3_settings import S3Settings

        place = self.place.place
        if not place.url.startswith("s3://"):
            raise NotHere("the storage is a folder")
        found = S3Settings.of(place.url, place.options)
        return replace(found, tries=_TRIES, connect_timeout_s=_CONNECT_S, read_timeout_s=2 * _CONNECT_S)

    def private(self) -> dict[str, str]:
        """Words that a report must not show, each with what stands for it. Nothing here raises."""
        found: dict[str, str] = {}
        for look in (_of_user, _of_git, _of_storage, _of_repository, _of_environment):
            try:
                found |= {word: mask for word, mask in look(self) if word}
            except (CPVError, NotHere, OSError, KeyError):
                continue
        return found


_NEVER_ASK = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_HTTP_LOW_SPEED_LIMIT": "1",
    "GIT_HTTP_LOW_SPEED_TIME": "8",
}


def _impatient_ssh(cwd: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The ssh that git uses, never asking. Of another program than OpenSSH's the options are not known."""
    from cpvlib.stores.git.door import Git, clean_environment

    command = environ.get("GIT_SSH_COMMAND")
    if not command:
        try:
            asked = Git(cwd, clean_environment(environ)).ask("config", "--get", "core.sshcommand")
        except CPVError:
            return {}
        command = os.fsdecode(asked.out).removesuffix("\n")
    if not command and environ.get("GIT_SSH"):
        return {}
    program = Path((command or "ssh").split(maxsplit=1)[0]).name.lower().removesuffix(".exe")
    if program != "ssh":
        return {}
    return {"GIT_SSH_COMMAND": f"{command or 'ssh'} -o BatchMode=yes -o ConnectTimeout={_CONNECT_S}"}


def _of_user(patient: Patient) -> list[tuple[str, str]]:
    from cpvlib.stores import userconfig

    home = str(userconfig.home(patient.environ))
    return [
        (str(patient.cwd), "<folder>"),
        (home.rstrip("/"), "~"),
        (userconfig.login(), "<user>"),
        (os.uname().nodename, "<host>"),
    ]


def _of_git(patient: Patient) -> list[tuple[str, str]]:
    from cpvlib.stores.git.config import GitConfig

    config = GitConfig.load(patient.git)
    return [(config.get("user.name") or "", "<name>"), (config.get("user.email") or "", "<email>")]


def _of_storage(patient: Patient) -> list[tuple[str, str]]:
    from cpvlib.stores.storage.s3_settings import S3Settings

    place = patient.place.place
    settings = patient.settings
    words = [
        (settings.value("cpv.bitbucketUser") or "", "<user>"),
        (settings.value("cpv.bitbucketWorkspace") or "", "<workspace>"),
        (settings.value("cpv.awsProfile") or "", "<profile>"),
        (place.options.get("profile", ""), "<profile>"),
    ]
    secret = ("access_key_id", "secret_access_key", "session_token", "sse_customer_key")
    words += [(place.options.get(name, ""), "<secret>") for name in secret]
    if not place.url.startswith("s3://"):
        return [*words, (place.url, "<storage folder>")]
    found = S3Settings.of(place.url, place.options)
    endpoint = found.host if found.endpoint else ""
    return [*words, (found.prefix, "<prefix>"), (found.bucket, "<bucket>"), (endpoint, "<endpoint>")]


def _of_repository(patient: Patient) -> list[tuple[str, str]]:
    from cpvlib.domain.githosts import BITBUCKET
    from cpvlib.stores.git import remotes

    ws = patient.ws
    words = [
        (str(ws.top), "<repository>"),
        (ws.settings.team or "", "<team>"),
        (ws.settings.model or "", "<model>"),
    ]
    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote)
    if git_remote:
        url = remotes.url_of(ws.repo, git_remote)
        host = remotes.ssh_host(url)
        words.append((url, "<git remote>"))
        words += [(host.name, "<git host>"), (host.user, "<user>")] if host and host.name != BITBUCKET else []
    return words


def _of_environment(patient: Patient) -> list[tuple[str, str]]:
    signs = ("SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY")
    return [
        (value, "<secret>")
        for name, value in patient.environ.items()
        if len(value) >= 6 and any(sign in name.upper() for sign in signs)
    ]
