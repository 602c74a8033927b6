"""What `init` finds: the repository, its settings, and what stands in its way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cpvlib.base.errors import ConfigError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass, field
from cpvlib.domain.cpvconfig import FILE, CommittedConfig
from cpvlib.domain.text import listed
from cpvlib.domain.version import Series, Version
from cpvlib.managers import adoption, templates
from cpvlib.managers.outs import LOG
from cpvlib.managers.settings import Settings

if TYPE_CHECKING:
    from cpvlib.stores.dvc.config import DvcConfig, DvcRemote
    from cpvlib.stores.git.repository import GitRepository

_POINTERS = ":(glob)**/?*.dvc"


@dataclass
class Scene:
    """What is there before: gathered once, read by the parts of the plan."""

    top: Path
    repo: GitRepository | None
    settings: Settings
    dvc: DvcConfig
    config: CommittedConfig
    pointers: dict[str, Series] = field(default_factory=dict)
    has_history: bool = False

    @property
    def was_adopted(self) -> bool:
        return self.settings.is_adopted

    @property
    def was_committed(self) -> bool:
        """Whether an init has ended here: HEAD has a `.cpvconfig`."""
        from cpvlib.stores.git.trees import read_file

        head = self.repo.head().commit if self.repo else None
        return self.repo is not None and head is not None and read_file(self.repo, head, FILE) is not None

    @property
    def former(self) -> tuple[str, str] | None:
        """The team and model that `.cpvconfig` names, if it does."""
        team, model = self.config.get("cpv.team"), self.config.get("cpv.model")
        return (team, model) if team and model else None

    @property
    def has_pointers(self) -> bool:
        return bool(self.pointers) or self.has_history

    @property
    def remote(self) -> DvcRemote | None:
        """The repository's DVC remote; one of the user's own level counts only where DVC was here first."""
        remote = self.dvc.remote()
        if remote and remote.level not in ("repo", "local") and not (self.top / ".dvc" / "config").exists():
            return None
        return remote


def look(cwd: Path, folder: Path | None, storage: str | None, environ: Mapping[str, str]) -> Scene:
    """What is there for an init in `cwd`, or in the `folder` that the user named; `storage` is the option."""
    from cpvlib.stores.dvc.config import read_config
    from cpvlib.stores.git.config import GitConfig
    from cpvlib.stores.git.door import Git, clean_environment

    target = Path(os.path.realpath(cwd / folder if folder else cwd))
    if target.exists() and not target.is_dir():
        raise RepositoryError(f"'{target}' is not a folder")
    repo = _discover(target, folder is not None, environ)
    top = repo.top if repo else target
    git_values = repo.config if repo else GitConfig.load(Git(_existing(target), clean_environment(environ)))
    options = {"cpv.storage": storage} if storage else {}
    settings = Settings(options=options, environ=environ, git=git_values, top=top)
    scene = Scene(top, repo, settings, read_config(top, repo.main_top if repo else None), settings.committed)
    if repo:
        scene.pointers = _pointers(repo)
        scene.has_history = _has_pointer_history(repo)
    return scene


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _discover(folder: Path, named: bool, environ: Mapping[str, str]) -> GitRepository | None:
    """The repository to adopt, None where one has to be made. A folder that was named must be its top."""
    from cpvlib.stores.git.door import Git, clean_environment
    from cpvlib.stores.git.repository import GitRepository

    nearest = _existing(folder)
    if not environ.get("GIT_DIR"):
        asked = Git(nearest, clean_environment(environ)).ask("rev-parse", "--git-dir")
        if asked.code and "not a git repository" in asked.err:
            return None
    repo = GitRepository.discover(nearest, environ)
    if named and Path(os.path.realpath(repo.top)) != folder:
        raise RepositoryError(
            f"'{folder}' lies inside the repository '{repo.top}'",
            hint=f"git cpv init, without a folder, adopts that one; to nest one: git init '{folder}' first",
        )
    return repo


def refuse_unready(repo: GitRepository) -> None:
    """RepositoryError where a commit can't be made now."""
    operation = repo.unfinished()
    if operation:
        raise RepositoryError(
            f"a {operation} is not finished here", hint="finish it first, or use --no-commit"
        )
    if repo.head().branch is None:
        raise RepositoryError(
            "HEAD is detached, so that the commit would belong to no branch", hint="git switch -c NAME"
        )


def refuse_tags(repo: GitRepository, prefix: str) -> None:
    """ConfigError where tags that are there would be taken for versions, or leave no room for them."""
    from cpvlib.stores.git.refs import read_tags

    tags = {tag.name: tag for tag in read_tags(repo)}
    way_out = f"git cpv init --tag-prefix {'cpv/' if prefix != 'cpv/' else 'checkpoints/'}"
    blocking = [name for name in _parents(f"{prefix}data/v0.1") if name in tags]
    if blocking:
        raise ConfigError(
            f"the tag '{blocking[0]}' leaves no room for tags such as '{prefix}data/v0.1'", hint=way_out
        )
    numbered = [name for name in tags if name.startswith(prefix) and Version.of(name.removeprefix(prefix))]
    foreign = [name for name in numbered if not _has_pointers(repo, tags[name].commit)]
    if foreign:
        raise ConfigError(
            f"tags that look like versions are in use here for something else: {listed(foreign, limit=3)}",
            hint=way_out,
        )


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _has_pointers(repo: GitRepository, commit: str | None) -> bool:
    from cpvlib.stores.git.trees import files_at

    return commit is not None and bool(files_at(repo, commit, ".dvc"))


def is_new(scene: Scene, names: tuple[str, str]) -> bool:
    """Whether there is nothing yet but what an interrupted init may have left: then the templates go in."""
    if scene.repo and scene.repo.head().commit:
        return False
    ours = templates.data() | templates.code(*names)
    for folder, below, files in os.walk(scene.top):
        below[:] = [name for name in below if name not in (".git", ".dvc")]
        for file in files:
            path = Path(folder, file).relative_to(scene.top).as_posix()
            if path not in (FILE, ".dvcignore") and not _begins(Path(folder, file), ours.get(path)):
                return False
    return True


def _begins(file: Path, content: bytes | None) -> bool:
    return content is not None and file.is_file() and file.read_bytes().startswith(content)


def _pointers(repo: GitRepository) -> dict[str, Series]:
    """The outs that the worktree's pointers name already, each with the series it most likely belongs to."""
    from cpvlib.domain.pointer import parse_pointer
    from cpvlib.stores.git.trees import files_here

    found: dict[str, Series] = {}
    for name in files_here(repo, "?*.dvc"):
        data = _read_small(repo.top / name)
        if data is None:
            continue
        pointer = parse_pointer(name, data)
        paths = [pointer.out_path(entry) for entry in pointer.outs if entry.cached]
        found |= {path: adoption.series_of(path) for path in paths if path != LOG}
    return found


def pipeline_outs(repo: GitRepository) -> dict[str, tuple[str, str]]:
    """What the worktree's DVC pipelines write, by path: the stage, and the file that says so.

    DVC refuses every command in a repository where a pointer names such a path.
    """
    from cpvlib.domain.pipeline import LOCK, PIPELINE, stage_outs
    from cpvlib.stores.git.trees import files_here

    found: dict[str, tuple[str, str]] = {}
    for name in files_here(repo, PIPELINE):
        folder = name.removesuffix(PIPELINE)
        lock = _read_small(repo.top / f"{folder}{LOCK}")
        written = stage_outs(folder, _read_small(repo.top / name) or b"", lock)
        found |= {path: (stage, name) for path, stage in written.items()}
    return found


def _read_small(place: Path) -> bytes | None:
    """A file's beginning, up to more than a pointer may have; None for what is no file."""
    from cpvlib.domain.pointeryaml import MAX_BYTES

    if place.is_symlink() or not place.is_file():
        return None
    with place.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _has_pointer_history(repo: GitRepository) -> bool:
    """Whether any commit of any branch or tag touched a pointer."""
    return bool(repo.git.text("rev-list", "-1", "--all", "--", _POINTERS))
