"""Where a branch is published to, whether it is there, and what was."""

from __future__ import annotations

from collections.abc import Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.managers.place import is_folder

if TYPE_CHECKING:
    from cpvlib.domain.alias import Setting
    from cpvlib.domain.version import TagName
    from cpvlib.managers.claims import Replaced
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Publication:
    """What was made visible: `git_remote` is None where there is none to publish to.

    `renamed` maps a version's old name to its new one; `dropped` to the version, of the same objects, that
    won. `aliases` are the settings that were published; `replaced` and `agreed` as in claims.Outcome.
    """

    git_remote: str | None
    branch: str | None = None
    branch_moved: bool = False
    published: tuple[TagName, ...] = ()
    renamed: Mapping[TagName, TagName] = field(default_factory=dict)
    dropped: Mapping[TagName, TagName] = field(default_factory=dict)
    aliases: tuple[Setting, ...] = ()
    replaced: Mapping[str, Replaced] = field(default_factory=dict)
    agreed: Mapping[str, Replaced] = field(default_factory=dict)

    @property
    def is_news(self) -> bool:
        """Whether the git remote learned of anything."""
        return bool(self.branch_moved or self.published or self.aliases)


def destination(ws: Workspace) -> str | None:
    """The git remote to publish to: the upstream's, else `cpv.remote`, else `origin`, else None.

    Raises RepositoryError where others would see pointers whose objects lie in a folder of this machine only.
    """
    from cpvlib.stores.git import remotes

    git_remote = remotes.choose_remote(ws.repo, ws.settings.remote)
    if git_remote is not None:
        refuse_private_storage(ws, git_remote, remotes.url_of(ws.repo, git_remote))
    return git_remote


def refuse_private_storage(ws: Workspace, git_remote: str, url: str) -> None:
    """Raises RepositoryError where a push to `url` would show others pointers whose objects they can't
    get."""
    from cpvlib.stores.git import remotes

    place = ws.found_place.place
    elsewhere = not remotes.is_local(url)
    if elsewhere and is_folder(place) and not ws.settings.storage_shared:
        raise RepositoryError(
            f"git remote '{git_remote}' is on another machine, but the storage is a folder of this one: "
            f"'{place.url}'",
            hint=(
                "git cpv storage move s3://BUCKET; or, for a shared filesystem, git config "
                "cpv.storageShared true"
            ),
        )


def is_published(ws: Workspace, git_remote: str, branch: str, tip: str) -> bool:
    """Whether the git remote had exactly this tip when it was last asked, and the branch follows it."""
    there = ws.repo.objects.read(f"refs/remotes/{git_remote}/{branch}^{{commit}}")
    return there is not None and there.oid == tip


def follow(ws: Workspace, git_remote: str, branch: str) -> None:
    """The first publication of a branch sets what it follows, as `git push --set-upstream` does."""
    from cpvlib.stores.git import remotes

    if remotes.upstream(ws.repo, branch) is None:
        remotes.set_upstream(ws.repo, branch, git_remote, f"refs/heads/{branch}")
