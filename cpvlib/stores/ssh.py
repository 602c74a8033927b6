"""OpenSSH's client, as git uses it: the only module that starts ssh and ssh-keygen. ssh(1), ssh-keygen(1)."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cpvlib.base.errors import ConfigError, CredentialError
from cpvlib.base.values import NamedTuple
from cpvlib.stores.ssh_errors import explain, last_line

_CONNECT_S = 10
_PATIENCE_S = 25
_NEVER_ASK = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_S}")


class HostKey(NamedTuple):
    """What a host shows of itself: lines for a known_hosts file, and the fingerprint 'SHA256:…'."""

    lines: list[str]
    fingerprint: str


class Ssh:
    """The ssh that git starts: `command` is its program and options, `config` the file it reads first.

    `known_hosts` are found by asking it, so that what is written is what will be read.
    """

    def __init__(self, command: Sequence[str], config: Path, env: Mapping[str, str]) -> None:
        self.command = tuple(command)
        self.config = config
        self.folder = config.parent
        self.env = {**env, "LC_MESSAGES": "C"}
        self.env.pop("LC_ALL", None)

    @classmethod
    def of(cls, environ: Mapping[str, str], core_ssh_command: str | None) -> Ssh:
        """By git's rules: GIT_SSH_COMMAND, else core.sshCommand, else GIT_SSH, else ssh. git-config(1).

        ConfigError where it is another program than OpenSSH, or reads its configuration from elsewhere than
        HOME says.
        """
        text = environ.get("GIT_SSH_COMMAND") or core_ssh_command
        try:
            command = shlex.split(text) if text else [environ.get("GIT_SSH") or "ssh"]
        except ValueError as error:
            raise ConfigError(f"git's ssh command can't be read: {error}") from error
        program = Path(command[0]).name.lower().removesuffix(".exe") if command else ""
        if program != "ssh":
            raise ConfigError(
                f"git uses '{program}' here, and only OpenSSH can be set up",
                hint="unset GIT_SSH_COMMAND, GIT_SSH and core.sshCommand, or set that program up by hand",
            )
        named = _option_f(command)
        return cls(command, Path(named).expanduser() if named else _usual_config(environ), environ)

    def options(self, host: str) -> dict[str, str]:
        """What the configuration says for `host`, lower-case keys, the first value of each. ssh(1), -G."""
        done = self._run([*self.command, "-G", "--", host])
        if done.returncode:
            raise ConfigError(
                f"ssh can't use '{self.config}': {last_line(done.stderr)}", hint=f"ssh -G {host} tells more"
            )
        pairs = (line.partition(" ") for line in os.fsdecode(done.stdout).splitlines())
        found: dict[str, str] = {}
        for key, _, value in pairs:
            found.setdefault(key, value)
        return found

    def known_hosts(self, host: str) -> list[Path]:
        """The files in which `host` is looked for, the user's first; what is added goes to the first."""
        options = self.options(host)
        users = shlex.split(options.get("userknownhostsfile", ""))
        every = [*users, *shlex.split(options.get("globalknownhostsfile", ""))]
        found = [Path(name).expanduser() for name in every if name not in ("none", "/dev/null")]
        if not users or users[0] == "none":
            raise ConfigError("ssh is set up to know no hosts: UserKnownHostsFile", hint=f"ssh -G {host}")
        return found

    def is_known(self, host: str) -> bool:
        """Whether ssh would not have to ask about the key of `host`."""
        options = self.options(host)
        name = options.get("hostkeyalias") or _with_port(options.get("hostname", host), options.get("port"))
        return any(
            self._run(["ssh-keygen", "-F", name, "-f", str(file)]).returncode == 0
            for file in self.known_hosts(host)
            if file.is_file()
        )

    def ask_host_key(self, host: str, user: str) -> HostKey:
        """The key that `host` shows now, by whichever way ssh goes there. GitError where it can't be reached.

        Nothing that it shows is proved: compare the fingerprint with what the host's owner publishes.
        """
        with tempfile.TemporaryDirectory(prefix="cpv-") as folder:
            file = Path(folder, "known_hosts")
            asking = ("StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={file}", "HashKnownHosts=no")
            alone = ("GlobalKnownHostsFile=/dev/null", "PreferredAuthentications=none", "UpdateHostKeys=no")
            settings = [word for option in (*asking, *alone) for word in ("-o", option)]
            done = self._connect([*settings, *_NEVER_ASK, "-T", "--", f"{user}@{host}"], host)
            if not file.is_file():
                raise explain(os.fsdecode(done.stderr), host, None)
            return HostKey(file.read_text("utf-8").splitlines(), self.fingerprints(file)[0])

    def fingerprints(self, file: Path) -> list[str]:
        """Of the keys in a known_hosts file, or of one key: 'SHA256:…'. CredentialError where it is none."""
        done = self._run(["ssh-keygen", "-l", "-f", str(file)])
        words = [line.split() for line in os.fsdecode(done.stdout).splitlines()]
        found = [line[1] for line in words if len(line) > 1 and line[1].startswith("SHA256:")]
        if not found:
            raise CredentialError(f"'{file}' holds no SSH key: {last_line(done.stderr or done.stdout)}")
        return found

    def make_key(self, path: Path, comment: str, *, ask_passphrase: bool = False) -> None:
        """A new ed25519 key at `path`, where there must be none; its public half beside it, as `.pub`.

        With `ask_passphrase`, ssh-keygen asks for one on the terminal.
        """
        for taken in (path, path.with_name(f"{path.name}.pub")):
            if taken.exists() or taken.is_symlink():
                raise ConfigError(f"'{taken}' is there already, and no key is ever overwritten")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-C", comment, "-f", str(path)]
        done = self._run(words if ask_passphrase else [*words, "-N", ""], timeout_s=None)
        if done.returncode:
            raise CredentialError(f"no SSH key could be made at '{path}': {last_line(done.stderr)}")

    def public_key(self, path: Path) -> str:
        """The public half of the key at `path`, one line. CredentialError where it can't be had."""
        beside = path.with_name(f"{path.name}.pub")
        if beside.is_file():
            self.fingerprints(beside)
            return beside.read_text("utf-8", "replace").strip()
        done = self._run(["ssh-keygen", "-y", "-P", "", "-f", str(path)])
        if done.returncode:
            raise CredentialError(
                f"the public half of '{path}' is missing: {last_line(done.stderr)}",
                hint=f"make it again: ssh-keygen -y -f {shlex.quote(str(path))} > {shlex.quote(str(beside))}",
            )
        return os.fsdecode(done.stdout).strip()

    def log_in(self, host: str, key: Path | None, *, user: str | None = None, ask: bool = False) -> str:
        """Logs in to `host` and leaves; what it said, in one line. git hosts give no shell: that is fine.

        Without `user` the configuration says who logs in.
        With `ask`, ssh may ask for the key's passphrase on the terminal. CredentialError where the key or the
        host's own key is refused, GitError where it can't be reached.
        """
        batch = ("-o", f"ConnectTimeout={_CONNECT_S}") if ask else _NEVER_ASK
        strict = ("-o", "StrictHostKeyChecking=yes", "-o", "PreferredAuthentications=publickey")
        words = ["-T", *strict, *batch, "--", f"{user}@{host}" if user else host]
        done = self._connect(words, host, timeout_s=None if ask else _PATIENCE_S)
        if done.returncode == 255:  # ssh's own; whatever else, the host's program has run
            raise explain(os.fsdecode(done.stderr), host, key)
        return _first_line(done.stdout) or _first_line(done.stderr)

    def _connect(
        self, words: Sequence[str], host: str, *, timeout_s: float | None = _PATIENCE_S
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return self._run([*self.command, *words], timeout_s=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise explain("timed out", host, None) from error

    def _run(
        self, words: Sequence[str], *, timeout_s: float | None = _PATIENCE_S
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                words, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s
            )
        except FileNotFoundError as error:
            raise ConfigError(f"'{words[0]}' is not on PATH", hint="install OpenSSH's client") from error


def _option_f(command: Sequence[str]) -> str | None:
    """The value of ssh's -F. ConfigError for 'none', which leaves nothing to set up."""
    for at, word in enumerate(command[1:], start=1):
        if word.startswith("-F"):
            value = word[2:] or (command[at + 1] if at + 1 < len(command) else "")
            if value in ("", "none"):
                raise ConfigError("git's ssh command reads no configuration file: -F none")
            return value
    return None


def _usual_config(environ: Mapping[str, str]) -> Path:
    """`~/.ssh/config` by the password database, which ssh goes by; HOME must say the same."""
    home = environ.get("HOME")
    try:
        import pwd

        real = pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        real = home or str(Path.home())
    if home and os.path.realpath(home) != os.path.realpath(real):
        raise ConfigError(
            f"HOME is '{home}', and ssh would read '{real}/.ssh' all the same",
            hint='let git use the one in HOME: export GIT_SSH_COMMAND="ssh -F $HOME/.ssh/config"',
        )
    return Path(real, ".ssh", "config")


def _with_port(name: str, port: str | None) -> str:
    return name if port in (None, "22") else f"[{name}]:{port}"


def _first_line(data: bytes) -> str:
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[0] if lines else ""
