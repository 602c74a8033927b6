"""Setting up SSH for a git host: a key, one block in ssh's configuration, the host's own key, a login.

Typed again it changes nothing that is right already. What is the user's stays: keys are never overwritten,
and of the configuration only CPV's own block is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import ConfigError, CredentialError
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain import sshconfig
from cpvlib.domain.githosts import BITBUCKET, git_host
from cpvlib.domain.text import printable
from cpvlib.managers.checks import Checked, Checklist
from cpvlib.stores import userconfig

if TYPE_CHECKING:
    from cpvlib.stores.ssh import Ssh

KEY, CONFIG, HOST_KEY, LOGIN = "ssh.key", "ssh.config", "ssh.host-key", "ssh.login"

_HOST = regex(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?", re.ASCII)
_USER = regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)
_FINGERPRINT = regex(r"SHA256:[A-Za-z0-9+/]{43}", re.ASCII)

Confirm = Callable[[str, str], bool]


@dataclass(frozen=True)
class GitHostRequest:
    """What was asked for. `host_key` is a fingerprint that the user has compared already ('SHA256:…');
    `confirm` is asked about one that nobody vouches for, with the host and the fingerprint. `port` None keeps
    what is there; `may_ask` lets ssh ask for a passphrase on the terminal.
    """

    host: str = BITBUCKET
    user: str = "git"
    key: Path | None = None
    port: int | None = None
    host_key: str | None = None
    confirm: Confirm | None = None
    ask_passphrase: bool = False
    may_ask: bool = False


@dataclass(frozen=True)
class GitHostSetup(Checked):
    """What became of it: `public_key` is to be pasted at `key_page`; `backup` is ssh's configuration as it
    was, None where it was left as it is.
    """

    public_key: str = ""
    key_page: str = ""
    key: Path = Path()
    made_key: bool = False
    config: Path = Path()
    backup: Path | None = None


def check_request(request: GitHostRequest) -> GitHostRequest:
    """The request itself. ConfigError for a host, port or fingerprint that can't be one."""
    if not _HOST.fullmatch(request.host) or not _USER.fullmatch(request.user):
        raise ConfigError(f"'{printable(request.host)}' is not the name of a host")
    if request.port is not None and not 0 < request.port < 65536:
        raise ConfigError(f"{request.port} is not a port")
    ways = git_host(request.host).ways
    if ways and request.port not in (None, *ways):
        raise ConfigError(f"{request.host} is reached at port {' or '.join(map(str, ways))}")
    if request.host_key and not _FINGERPRINT.fullmatch(request.host_key):
        raise ConfigError(
            f"'{printable(request.host_key)}' is not a host key's fingerprint",
            hint="SHA256: and 43 characters",
        )
    return request


def ssh_of(environ: Mapping[str, str]) -> Ssh:
    """The ssh that git uses in the current folder."""
    from cpvlib.stores.git.config import GitConfig
    from cpvlib.stores.git.door import Git, clean_environment
    from cpvlib.stores.ssh import Ssh

    git = GitConfig.load(Git(Path.cwd(), clean_environment(environ)))
    return Ssh.of(environ, git.get("core.sshcommand"))


def set_up(ssh: Ssh, request: GitHostRequest, *, check: bool = True) -> GitHostSetup:
    """Carries it out, step by step; what a step needs from one that failed is skipped."""
    key = default_key(ssh, request)
    checklist = Checklist()
    made = not key.exists()
    checklist.make(KEY, lambda: _see_to_key(ssh, key, request))
    backup: list[Path] = []
    checklist.make(CONFIG, lambda: _write_block(ssh, key, request, backup))
    checklist.make(HOST_KEY, lambda: _see_to_host_key(ssh, request))
    if check:
        checklist.make(LOGIN, lambda: log_in(ssh, request.host, key, user=request.user, ask=request.may_ask))
    else:
        checklist.skip(LOGIN, "not asked for")
    return GitHostSetup(
        checks=tuple(checklist.checks),
        public_key=ssh.public_key(key) if checklist.checks[0].state == "ok" else "",
        key_page=git_host(request.host).key_page,
        key=key,
        made_key=made,
        config=ssh.config,
        backup=backup[0] if backup else None,
    )


def plan(ssh: Ssh, request: GitHostRequest) -> list[str]:
    """What `set_up` would do, a line each; nothing is changed, and nobody is asked."""
    from cpvlib.stores import sshfiles

    key = default_key(ssh, request)
    lines = [] if key.exists() else [f"make an SSH key: {key}"]
    before = sshfiles.read(ssh.config)
    if _block(before, key, request) != before:
        lines.append(f"write the block for {request.host} to {ssh.config}")
    if request.host_key or not ssh.is_known(request.host):
        lines.append(f"pin the host key of {request.host} in {ssh.known_hosts(request.host)[0]}")
    return lines


def check_host(ssh: Ssh, host: str, key: Path | None) -> Checklist:
    """Whether all is in place and the login works; changes nothing."""
    checklist = Checklist()
    if key:
        checklist.make(KEY, lambda: _key_is_there(ssh, key))
    checklist.make(HOST_KEY, lambda: _host_is_known(ssh, host))
    checklist.make(LOGIN, lambda: log_in(ssh, host, key))
    return checklist


def default_key(ssh: Ssh, request: GitHostRequest) -> Path:
    """The key that was named, else the one in our block, else `id_ed25519` beside ssh's configuration."""
    from cpvlib.stores import sshfiles

    if request.key:
        return request.key.expanduser().absolute()
    former = sshconfig.option_in_block(sshfiles.read(ssh.config), request.host, "IdentityFile")
    return Path(former) if former else ssh.folder.absolute() / "id_ed25519"


def log_in(ssh: Ssh, host: str, key: Path | None, *, user: str | None = None, ask: bool = False) -> str:
    """Logs in, and says what the host said. Raises what `Ssh.log_in` does."""
    said = ssh.log_in(host, key, user=user, ask=ask)
    return f"logged in to {host}" + (f": {printable(said)}" if said else "")


def _see_to_key(ssh: Ssh, key: Path, request: GitHostRequest) -> str:
    if key.exists():
        return _key_is_there(ssh, key)
    sshconfig.quoted(str(key))
    comment = f"{userconfig.login()}@{os.uname().nodename}"
    ssh.make_key(key, comment, ask_passphrase=request.ask_passphrase)
    return f"made {printable(str(key))}"


def _key_is_there(ssh: Ssh, key: Path) -> str:
    if not key.is_file():
        raise CredentialError(f"there is no SSH key '{printable(str(key))}'", hint="git cpv setup bitbucket")
    ssh.public_key(key)
    return f"{printable(str(key))} is there"


def _write_block(ssh: Ssh, key: Path, request: GitHostRequest, backup: list[Path]) -> str:
    from cpvlib.stores import sshfiles

    before = sshfiles.read(ssh.config)
    after = _block(before, key, request)
    where = f"the block for {request.host} is in {printable(str(ssh.config))}"
    if after != before:
        kept = sshfiles.replace(ssh.config, before, after)
        backup += [kept] if kept else []
    return where


def _block(before: bytes, key: Path, request: GitHostRequest) -> bytes:
    """ssh's configuration with the block as it should be; without a port it keeps that of the block."""
    host = git_host(request.host)
    former = sshconfig.option_in_block(before, request.host, "Port")
    port = request.port or (int(former) if former and former.isdecimal() else None)
    options: list[tuple[str, str]] = []
    if host.ways:
        name, port = host.ways.get(port or 0) or next(iter(host.ways.values()))
        options = [("HostName", name), ("HostKeyAlias", request.host)]  # one key, whichever way is taken
    if port:
        options.append(("Port", str(port)))
    options += [
        ("User", request.user),
        ("IdentityFile", sshconfig.quoted(str(key))),
        ("IdentitiesOnly", "yes"),
    ]
    return sshconfig.with_block(before, request.host, host.names, options)


def _see_to_host_key(ssh: Ssh, request: GitHostRequest) -> str:
    host, published = request.host, git_host(request.host).known_hosts
    if request.host_key:
        shown = ssh.ask_host_key(host, request.user)
        if shown.fingerprint == request.host_key:
            return _pin(ssh, host, shown.lines, f"the key {shown.fingerprint}")
        raise CredentialError(
            f"'{host}' shows the key {shown.fingerprint}, not {request.host_key}",
            hint="ask its owner which one is right; until then nothing is sent there",
        )
    if published:
        return _pin(ssh, host, published, "the keys that it publishes")
    if ssh.is_known(host):
        return f"the key of {host} is known"
    shown = ssh.ask_host_key(host, request.user)
    if request.confirm and request.confirm(host, shown.fingerprint):
        return _pin(ssh, host, shown.lines, f"the key {shown.fingerprint}")
    raise CredentialError(
        f"nobody has vouched yet for the key that '{host}' shows: {shown.fingerprint}",
        hint="compare it with what the host's owner publishes, then: "
        f"git cpv setup bitbucket --host {host} --host-key {shown.fingerprint}",
    )


def _host_is_known(ssh: Ssh, host: str) -> str:
    if not ssh.is_known(host):
        raise CredentialError(f"the host key of '{host}' is not known here", hint="git cpv setup bitbucket")
    return f"the key of {host} is known"


def _pin(ssh: Ssh, host: str, lines: Sequence[str], what: str) -> str:
    from cpvlib.stores import sshfiles

    file = ssh.known_hosts(host)[0]
    sshfiles.add_lines(file, lines)
    return f"{host} is known by {what}, in {printable(str(file))}"
