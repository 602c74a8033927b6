"""A sign-in for one repository alone: beside its DVC remote, so that DVC signs in the same way.

Where the repository has no place in S3 yet, git's own configuration of it keeps the answers, and `init`
writes them beside the remote that it makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.managers.settings import spelled
from cpvlib.managers.signin import KEYS

if TYPE_CHECKING:
    from cpvlib.stores.dvc.config import DvcRemote
    from cpvlib.stores.git.repository import GitRepository

_OPTIONS = {
    "aws_profile": "profile",
    "aws_credential_path": "credentialpath",
    "region": "region",
    "endpoint": "endpointurl",
}


@dataclass(frozen=True)
class LocalScene:
    """The repository, and its DVC remote where that is in S3."""

    repo: GitRepository
    remote: DvcRemote | None

    @property
    def options(self) -> dict[str, str]:
        """What the remote says, as settings that outrank the user's."""
        if self.remote is None:
            return {}
        said = {
            KEYS[name]: self.remote.options[option]
            for name, option in _OPTIONS.items()
            if option in self.remote.options and self.remote.levels.get(option) == "local"
        }
        return {"cpv.storage": self.remote.url, **said}


def look(environ: Mapping[str, str]) -> LocalScene:
    """The current folder's repository. RepositoryError where it is in none."""
    from cpvlib.stores.dvc.config import read_config
    from cpvlib.stores.git.repository import GitRepository

    repo = GitRepository.discover(Path.cwd(), environ)
    remote = read_config(repo.top, repo.main_top, environ).remote()
    return LocalScene(repo, remote if remote and remote.url.startswith("s3://") else None)


def check(given: Mapping[str, str]) -> None:
    """ConfigError for a storage: that is `init`'s to choose, or `storage move`'s; and for an empty answer."""
    if "" in given.values():
        raise ConfigError("an empty answer takes nothing away here", hint="git config --unset, or dvc remote")
    if "storage" in given:
        raise ConfigError(
            "the storage of one repository is not chosen here",
            hint="git cpv init --storage s3://BUCKET, or git cpv storage move s3://BUCKET",
        )


def store(scene: LocalScene, given: Mapping[str, str]) -> None:
    """Writes the answers down."""
    if scene.remote is None:
        for name, value in given.items():
            scene.repo.git.run("config", "--local", spelled(KEYS[name]), value)
        return
    from cpvlib.managers.placement import write_local_config
    from cpvlib.stores.dvc.config import set_remote_option

    remote = scene.remote

    def edit(data: bytes | None) -> bytes:
        text = data or b""
        for name, value in given.items():
            text = set_remote_option(text, remote.name, _OPTIONS[name], value)
        return text

    write_local_config(scene.repo, edit)
