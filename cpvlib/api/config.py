"""The user's configuration: set up once on a machine, for every repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, overload

from cpvlib.api.call import Voice, speaking
from cpvlib.api.options import StrPath, path_of, settled

if TYPE_CHECKING:
    from cpvlib.api.options import Unpack
    from cpvlib.managers.checks import Check, Checked


class ConfigOptions(TypedDict, total=False):
    """What every method of CPVConfig takes."""

    verbose: int
    """1 or True: each check and its finding, on stderr. Default 0: silent."""
    notify: Callable[[str], object] | None
    """Called with one line of text when a set-up has ended, well or not."""
    log_file: StrPath | None
    """Where the log goes; without it there is none, since no repository is concerned."""


class SetupOptions(ConfigOptions, total=False):
    """What the set-ups take besides."""

    check: bool
    """False: store the answers without asking anybody whether they work. Default True."""


class AwsOptions(SetupOptions, total=False):
    """Options of `setup_aws_profile`."""

    storage: str | None
    """The root under which each model has `<team>/<model>`: `s3://BUCKET[/PREFIX]`, or a folder."""
    region: str | None
    """The bucket's region, such as `eu-central-1`."""
    endpoint: str | None
    """The URL of an S3 that is not Amazon's."""


class BitbucketOptions(SetupOptions, total=False):
    """Options of `setup_bitbucket_ssh`."""

    workspace: str | None
    """The Bitbucket workspace in which repositories are made."""
    host: str | None
    """Another git host, `[USER@]HOST`; default `bitbucket.org`."""
    port: int | None
    """Another port of it."""
    host_key: str | None
    """The fingerprint (`SHA256:…`) of the host's key, where it is not one that Bitbucket publishes."""


class ValidateOptions(ConfigOptions, total=False):
    """Options of `validate_credentials`."""

    aws: bool
    """False: leave AWS out. Default True."""
    bitbucket: bool
    """False: leave Bitbucket out. Default True."""


class Checks(tuple["Check", ...]):
    """What was looked at, one entry per check: `id`, `state` ('ok', 'warning', 'failed' or 'skipped'),
    `finding` and `fix`. True where none failed."""

    def __bool__(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """Those that failed."""
        return tuple(check for check in self if check.state == "failed")


class CPVConfig:
    """`config.json`: names of profiles, files, users and places, and never a secret.

    Where it is: `CPV_CONFIG_DIR`, else `~/.cpv` where that exists, else the user's configuration folder.
    """

    def setup_aws_profile(
        self,
        credential_path: StrPath | None = None,
        aws_profile: str = "default",
        **options: Unpack[AwsOptions],
    ) -> Checks:
        """Proves that the profile of the credentials file (AWS's own, unless one is named) can sign in and
        that the bucket answers; then stores the names.

        Raises CredentialError, StorageError or ConfigError, and stores nothing, where a check fails.
        """
        from cpvlib.managers.configuring import setup_aws

        given = settled({}, options, AwsOptions, "setup_aws_profile")
        with speaking("setup_aws_profile", given, changes=True) as voice:
            done = setup_aws(
                credential_path=str(path_of(credential_path)) if credential_path is not None else None,
                profile=aws_profile,
                storage=given.get("storage"),
                region=given.get("region"),
                endpoint=given.get("endpoint"),
                check=given.get("check", True),
            )
            return _told(done, voice, "AWS is set up")

    def setup_bitbucket_ssh(
        self,
        keygen_filename: StrPath | None = None,
        bitbucket_user: str | None = None,
        **options: Unpack[BitbucketOptions],
    ) -> Checks:
        """Makes an SSH key where there is none, sets ssh up for bitbucket.org, stores the names, and tests
        the login.

        `keygen_filename` is the key's file, made where it does not exist and never overwritten. Raises
        CredentialError where Bitbucket does not know the key yet: the hint says where to paste it, and the
        same call then completes.
        """
        from cpvlib.managers.configuring import setup_bitbucket

        given = settled({}, options, BitbucketOptions, "setup_bitbucket_ssh")
        with speaking("setup_bitbucket_ssh", given, changes=True) as voice:
            done = setup_bitbucket(
                keyfile=str(path_of(keygen_filename)) if keygen_filename is not None else None,
                user=bitbucket_user,
                workspace=given.get("workspace"),
                host=given.get("host"),
                port=given.get("port"),
                host_key=given.get("host_key"),
                check=given.get("check", True),
            )
            return _told(done, voice, "Bitbucket is set up")

    def validate_credentials(self, **options: Unpack[ValidateOptions]) -> Checks:
        """Proves by doing what is configured now, and changes nothing; true where no check failed."""
        from cpvlib.managers.configuring import validate

        given = settled({}, options, ValidateOptions, "validate_credentials")
        with speaking("validate_credentials", given, changes=False) as voice:
            found = validate(aws=given.get("aws", True), bitbucket=given.get("bitbucket", True))
            return _say(found, voice)

    @overload
    def get_config(self, key: None = None) -> dict[str, str]: ...

    @overload
    def get_config(self, key: str) -> str | None: ...

    def get_config(self, key: str | None = None) -> dict[str, str] | str | None:
        """All that is stored; or one value, None where it is not set.

        The keys: `aws_credential_path`, `aws_profile`, `storage`, `region`, `endpoint`,
        `bitbucket_ssh_keyfile`, `bitbucket_user`, `bitbucket_workspace`, `last_updated`. Raises ConfigError
        where the file is damaged.
        """
        from cpvlib.managers.configuring import stored

        held: Mapping[str, Any] = stored()
        return dict(held) if key is None else held.get(key)

    def is_configured(self) -> bool:
        """Whether both AWS and Bitbucket are set up; nothing is proved."""
        return self.is_aws_configured() and self.is_bitbucket_configured()

    def is_aws_configured(self) -> bool:
        """Whether a profile, a credentials file or a bucket is stored; nothing is proved."""
        from cpvlib.managers.configuring import is_aws_configured

        return is_aws_configured()

    def is_bitbucket_configured(self) -> bool:
        """Whether an SSH key is stored and its file is there; nothing is proved."""
        from cpvlib.managers.configuring import is_bitbucket_configured

        return is_bitbucket_configured()


def _told(done: Checked, voice: Voice, line: str) -> Checks:
    """What was found; raises the first failed check's error."""
    found = _say(done, voice)
    done.require()
    voice.close(line)
    return found


def _say(done: Checked, voice: Voice) -> Checks:
    for check in done.checks:
        voice.say(f"{check.id}: {check.state}: {check.finding}")
    return Checks(done.checks)
