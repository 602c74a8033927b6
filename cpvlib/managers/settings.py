"""One answer to "what is set?", from all the places where a setting can be.

Stronger first: an option, a CPV_* variable, `git config cpv.*`, the repository's `.cpvconfig` (safe keys
only), the user's `config.json`, the default.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.regex import regex
from cpvlib.base.typed import TYPE_CHECKING, Protocol
from cpvlib.base.values import dataclass
from cpvlib.domain.cpvconfig import FILE, SIZE_LIMIT_BYTES, CommittedConfig, canonical, is_safe
from cpvlib.domain.names import check_name, check_tag_prefix
from cpvlib.domain.rate import RATES, parse_rate
from cpvlib.stores import userconfig

if TYPE_CHECKING:
    from cpvlib.stores.git.repository import GitRepository

_S3_PLACE = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}(?:/[^/?#@\\\x00-\x1f\x7f]+)*/?")
_BACK = f"put it out of the way, then git checkout HEAD -- {FILE}"
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0", ""})


@dataclass(frozen=True)
class Rule:
    """Where a setting can be, besides an option and git's configuration.

    `variables` are tried in order; those of AWS stand here so that they outrank what the user once stored.
    """

    variables: tuple[str, ...] = ()
    user_key: str | None = None
    default: str | None = None
    choices: tuple[str, ...] = ()


RULES: Mapping[str, Rule] = {
    "cpv.team": Rule(("CPV_TEAM",)),
    "cpv.model": Rule(("CPV_MODEL",)),
    "cpv.tagprefix": Rule(("CPV_TAG_PREFIX",), default=""),
    "cpv.autotag": Rule(("CPV_AUTOTAG",), default="off"),
    "cpv.requiresigned": Rule(("CPV_REQUIRE_SIGNED",), default="false"),
    "cpv.remote": Rule(("CPV_REMOTE",)),
    "cpv.cache": Rule(("CPV_CACHE",), default="auto", choices=("auto", "copy", "none")),
    "cpv.link": Rule(("CPV_LINK",), default="copy", choices=("copy", "hardlink", "symlink")),
    "cpv.pickle": Rule(("CPV_PICKLE",), default="warn", choices=("warn", "refuse", "off")),
    "cpv.storage": Rule(("CPV_STORAGE",), user_key="storage"),
    "cpv.storageshared": Rule(("CPV_STORAGE_SHARED",), default="false"),
    "cpv.allowmissing": Rule(("CPV_ALLOW_MISSING",), default="false"),
    "cpv.jobs": Rule(("CPV_JOBS",)),
    "cpv.limitrate": Rule(("CPV_LIMIT_RATE",)),
    "cpv.engine": Rule(("CPV_ENGINE",), default="auto", choices=("auto", "boto3")),
    "cpv.awsprofile": Rule(("CPV_AWS_PROFILE", "AWS_PROFILE"), user_key="aws_profile"),
    "cpv.awscredentialpath": Rule(
        ("CPV_AWS_CREDENTIAL_PATH", "AWS_SHARED_CREDENTIALS_FILE"), user_key="aws_credential_path"
    ),
    "cpv.region": Rule(("CPV_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"), user_key="region"),
    "cpv.endpoint": Rule(("CPV_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"), user_key="endpoint"),
    "cpv.bitbucketkeyfile": Rule(("CPV_BITBUCKET_KEYFILE",), user_key="bitbucket_ssh_keyfile"),
    "cpv.bitbucketuser": Rule(("CPV_BITBUCKET_USER",), user_key="bitbucket_user"),
    "cpv.bitbucketworkspace": Rule(("CPV_BITBUCKET_WORKSPACE",), user_key="bitbucket_workspace"),
}


@dataclass(frozen=True)
class Setting:
    """A value with its origin as a user would name it: 'option', 'CPV_TEAM', 'git config', '.cpvconfig', …"""

    value: str
    origin: str


class GitValues(Protocol):
    """Git's configuration, all levels in one."""

    def get_all(self, key: str) -> Sequence[str]:
        """Every value of a canonical key, the strongest last."""


class Settings:
    """The settings of one repository (or, with neither `git` nor `committed`, of the user).

    `options` is by key ('cpv.team'). A file is read when a key is asked for that nothing stronger sets.
    """

    def __init__(
        self,
        *,
        options: Mapping[str, str] | None = None,
        environ: Mapping[str, str] = os.environ,
        git: GitValues | None = None,
        top: Path | None = None,
        user: Mapping[str, str] | None = None,
    ) -> None:
        self.environ = environ
        self._user = user
        self.options = {canonical(key): value for key, value in (options or {}).items()}
        self._git = git
        self._top = top

    @classmethod
    def of(
        cls,
        repo: GitRepository,
        environ: Mapping[str, str] = os.environ,
        options: Mapping[str, str] | None = None,
    ) -> Settings:
        return cls(options=options, environ=environ, git=repo.config, top=repo.top)

    @cached_property
    def committed(self) -> CommittedConfig:
        """The worktree's `.cpvconfig`; empty where there is none. ConfigError names a malformed line."""
        return CommittedConfig.parse(read_committed(self._top) if self._top else None)

    @property
    def is_adopted(self) -> bool:
        """Whether the worktree has a `.cpvconfig`, which makes it CPV's."""
        return self._top is not None and os.path.lexists(self._top / FILE)

    @cached_property
    def user(self) -> Mapping[str, str]:
        """The user's `config.json`, or what was given for it."""
        return self._user if self._user is not None else userconfig.read(userconfig.config_path(self.environ))

    def get(self, key: str) -> Setting | None:
        """The strongest value of `key` with its origin; None where not even a default is.

        ConfigError for a value that is not among the key's choices.
        """
        key = canonical(key)
        rule = RULES.get(key, Rule())
        found = self._strongest(key, rule)
        if found and rule.choices and found.value not in rule.choices:
            raise ConfigError(
                f"{spelled(key)} can't be '{found.value}' ({found.origin})",
                hint=f"it is one of {', '.join(rule.choices)}",
            )
        return found

    def _strongest(self, key: str, rule: Rule) -> Setting | None:
        if key in self.options:
            return Setting(self.options[key], "option")
        for variable in rule.variables:
            if value := self.environ.get(variable):
                return Setting(value, variable)
        if self._git and (values := self._git.get_all(key)):
            return Setting(values[-1], "git config")
        if is_safe(key) and (committed := self.committed.get(key)) is not None:
            return Setting(committed, FILE)
        if rule.user_key and (value := self.user.get(rule.user_key)):
            return Setting(value, "config.json")
        return Setting(rule.default, "default") if rule.default is not None else None

    def value(self, key: str) -> str | None:
        found = self.get(key)
        return found.value if found else None

    def is_true(self, key: str) -> bool:
        """A yes or no, as git spells them. ConfigError for anything else."""
        found = self.get(key)
        if found is None or found.value.lower() in _FALSE:
            return False
        if found.value.lower() in _TRUE:
            return True
        raise ConfigError(
            f"{spelled(key)} can't be '{found.value}' ({found.origin})", hint="it is true or false"
        )

    @property
    def team(self) -> str | None:
        """None where no one has said; ConfigError for a name that can't be a folder's or a key's."""
        value = self.value("cpv.team")
        return check_name("team", value) if value else None

    @property
    def model(self) -> str | None:
        """As `team`."""
        value = self.value("cpv.model")
        return check_name("model", value) if value else None

    @property
    def model_outs(self) -> tuple[str, ...]:
        """Paths of the model's outs, from the top; only `.cpvconfig` says them. `metrics.log` is not here."""
        return self.committed.model_outs

    @property
    def data_outs(self) -> tuple[str, ...]:
        return self.committed.data_outs

    @property
    def adopted(self) -> str | None:
        """The commit at which `init` found pointers that CPV had not made; None where it found none."""
        return self.committed.get("cpv.adopted")

    @property
    def autotag(self) -> str:
        """'off', 'changed', or conditions, not parsed here."""
        return self.value("cpv.autotag") or "off"

    @property
    def tag_prefix(self) -> str:
        return check_tag_prefix(self.value("cpv.tagprefix") or "")

    @property
    def cache_mode(self) -> str:
        """'auto', 'copy' or 'none'."""
        return self.value("cpv.cache") or "auto"

    @property
    def link_mode(self) -> str:
        """'copy', 'hardlink' or 'symlink'."""
        return self.value("cpv.link") or "copy"

    @property
    def pickle_mode(self) -> str:
        """'warn', 'refuse' or 'off': what becomes of files that would run code when they are loaded."""
        return self.value("cpv.pickle") or "warn"

    @property
    def remote(self) -> str | None:
        """The git remote to publish to where the branch has no upstream."""
        return self.value("cpv.remote")

    @property
    def storage_shared(self) -> bool:
        """Whether a storage folder of this machine is one of the others' too."""
        return self.is_true("cpv.storageshared")

    @property
    def require_signed(self) -> bool:
        """Whether only signed versions may come. A committed yes counts where the user has said nothing; a
        committed no never outranks the user."""
        return self.is_true("cpv.requiresigned")

    @property
    def allow_missing(self) -> bool:
        return self.is_true("cpv.allowmissing")

    @property
    def jobs(self) -> int | None:
        """How many transfers, or files to hash, at once; None leaves it to those who do it."""
        found = self.get("cpv.jobs")
        if found is None:
            return None
        if not (found.value.isascii() and found.value.isdigit() and 1 <= int(found.value[:6]) <= 1024):
            raise ConfigError(
                f"cpv.jobs can't be '{found.value}' ({found.origin})", hint="it is a number from 1 to 1024"
            )
        return int(found.value)

    @property
    def limit_rate(self) -> int | None:
        """Bytes a second that all transfers together may move; None for as many as can be."""
        found = self.get("cpv.limitrate")
        if found is None:
            return None
        try:
            return parse_rate(found.value)
        except ValueError as wrong:
            raise ConfigError(
                f"cpv.limitRate can't be '{found.value}' ({found.origin})", hint=f"it is {RATES}"
            ) from wrong

    @property
    def engine(self) -> str:
        """'auto' or 'boto3': what moves objects to and from S3."""
        return self.value("cpv.engine") or "auto"

    @property
    def storage_root(self) -> Setting:
        """ROOT, under which `<team>/<model>` is: an s3:// URL or the absolute path of a folder.

        A folder that an option or variable names counts from the current folder; elsewhere it must be
        absolute ('~' is the user's home).
        """
        found = self.get("cpv.storage")
        if found is None:
            return Setting(str(userconfig.data_dir() / "storage"), "default")
        return Setting(root_of(found), found.origin)

    def goal(self, metric: str) -> str | None:
        """'min' or 'max' where the metric has a goal (`cpv.metric.<name>.goal`)."""
        found = self.get(f"cpv.metric.{metric}.goal")
        if found is None:
            return None
        if found.value not in ("min", "max"):
            raise ConfigError(
                f"cpv.metric.{metric}.goal can't be '{found.value}' ({found.origin})", hint="it is min or max"
            )
        return found.value


def root_of(found: Setting) -> str:
    """A storage root in its one form: an s3:// URL with no slash at its end, or a folder's absolute path."""
    text = found.value
    scheme, colon, rest = text.partition("://")
    if colon and scheme == "s3":
        if not _S3_PLACE.fullmatch(rest):  # not quoted: some write their keys into it
            raise ConfigError(
                f"the storage is not s3://BUCKET[/PREFIX] ({found.origin})",
                hint="credentials stay out of it: they belong in ~/.aws/credentials"
                if "@" in rest
                else "a bucket's name has 3 to 63 characters: a to z, 0 to 9, '.' and '-'",
            )
        return f"s3://{rest.rstrip('/')}"
    if colon and scheme == "file":
        text = rest
    elif colon:
        raise ConfigError(
            f"storage can't be kept at '{scheme}://' yet ({found.origin})",
            hint="use s3://BUCKET[/PREFIX] or a folder",
        )
    folder = Path(text).expanduser()
    if not folder.is_absolute():
        if found.origin in ("git config", "config.json"):
            raise ConfigError(
                f"cpv.storage must be an absolute path, not '{text}' ({found.origin})",
                hint=f"git config cpv.storage {Path.cwd() / folder}",
            )
        folder = Path.cwd() / folder
    return os.path.normpath(folder)


def read_committed(top: Path) -> bytes | None:
    """The worktree's `.cpvconfig`, None where there is none. A symlink is not followed: ConfigError."""
    path = top / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "it is a symbolic link" if path.is_symlink() else (error.strerror or "").lower()
        raise ConfigError(f"cannot read '{FILE}': {reason}", hint=_BACK) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError(f"cannot read '{FILE}': it is no file", hint=_BACK)
        return os.read(descriptor, SIZE_LIMIT_BYTES + 1)
    finally:
        os.close(descriptor)


_SPELLING = {
    key.lower(): key
    for key in (
        "cpv.tagPrefix",
        "cpv.requireSigned",
        "cpv.storageShared",
        "cpv.allowMissing",
        "cpv.limitRate",
        "cpv.awsProfile",
        "cpv.awsCredentialPath",
        "cpv.bitbucketKeyfile",
        "cpv.bitbucketUser",
        "cpv.bitbucketWorkspace",
    )
}


def spelled(key: str) -> str:
    """The key as the manual spells it."""
    return _SPELLING.get(canonical(key), key)
