"""Checkpoints of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cpvlib.api import describing, downloading, naming, uploading
from cpvlib.api.artifacts import ModelArtifacts
from cpvlib.api.manager import Manager, find
from cpvlib.api.options import ReadOptions, StrPath
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from cpvlib.api.options import (
        DownloadOptions,
        InitOptions,
        RevertOptions,
        TagOptions,
        Unpack,
        UploadOptions,
    )


class ModelsCheckpointsManage(Manager):
    """The checkpoints of one model: uploads, versions, downloads."""

    def import_model_init(self, data_path: StrPath | None = None, **options: Unpack[InitOptions]) -> str:
        """Makes the repository, or adopts the one that is there, and takes `data_path` in as its data.

        A repository that is there keeps all it has. Typed again it completes what was interrupted. Returns
        the repository's top. Raises RepositoryError where the data would replace other data that is saved
        nowhere.
        """
        return uploading.initialise(self, data_path, options, "import_model_init")

    def upload_model_checkpoint(
        self,
        model_path: StrPath | None = None,
        metrics: Mapping[str, Any] | StrPath | None = None,
        **options: Unpack[UploadOptions],
    ) -> str:
        """Stores the model, commits its pointers and `checkpoint.json`, publishes both; the commit's id.

        `model_path` is the file or folder to take, wherever it lies; without it, the model's place in the
        repository. `metrics` are numbers by name, nested or not, or a JSON file of them; without them, what
        the training appended last to `metrics.log`. Where nothing changed the commit is the one that is
        there.
        """
        return uploading.upload(self, Series.MODEL, model_path, metrics, options, "upload_model_checkpoint")

    def download_model_checkpoint(
        self, tag: str | None = None, **options: Unpack[DownloadOptions]
    ) -> ModelArtifacts:
        """The files of a version, checked against their md5.

        `tag` is 'v1.2', 'latest', an alias or a git revision; its files go to `output_dir`, else to a folder
        of their own in the user's cache, and are used again from there. Without a tag the worktree is brought
        up to date. Raises CheckpointNotFoundError, with the nearest names.
        """
        folder, found = downloading.download(self, Series.MODEL, tag, options, "download_model_checkpoint")
        return ModelArtifacts(
            model_path=found.path_in(folder),
            metrics=found.metrics,
            timestamp=found.timestamp,
            tag=found.tag,
            size_mb=found.size_mb,
        )

    def load_model(self, tag: str | None = None, **options: Unpack[DownloadOptions]) -> ModelArtifacts:
        """The same as `download_model_checkpoint`."""
        return self.download_model_checkpoint(tag, **options)

    def tag_model_checkpoint(
        self, version_tag: str | None = None, message: str | None = None, **options: Unpack[TagOptions]
    ) -> str:
        """Gives the committed model a version and publishes it; the version.

        Without `version_tag` it is the next free number. Raises NegativeAnswer where a version names this
        very model already (`force=True` names it again), RepositoryError where the number is taken.
        """
        return naming.tag(self, (Series.MODEL,), version_tag, [message], options, "tag_model_checkpoint")

    def read_checkpoint_tag(self, **options: Unpack[ReadOptions]) -> list[str]:
        """The model's versions in version order: v0.9 comes before v0.10."""
        return naming.read_tags(self, Series.MODEL, options, "read_checkpoint_tag")

    def revert_model_checkpoint(self, tag: str, **options: Unpack[RevertOptions]) -> str:
        """Brings a version's model back as a new commit; the commit's id. The history stays.

        Raises NegativeAnswer where that is what is there, RepositoryError where the worktree has changes that
        are saved nowhere.
        """
        return naming.revert(self, frozenset({Series.MODEL}), tag, options, "revert_model_checkpoint")

    def get_model_metadata(self, tag: str | None = None, **options: Unpack[ReadOptions]) -> dict[str, Any]:
        """What is known of a version (without a tag: of the current checkpoint), read from git alone.

        `tag` (None where it has no version), `model_size_mb` (in 1,048,576 bytes), `metrics`, `timestamp`
        (when it was tagged, else committed; ISO 8601, UTC), `team_name`, `model_name`; also `commit`,
        `message`, `params`, `code_commit` and `data_version`.
        """
        settled = self._options(ReadOptions, options, "get_model_metadata")
        with self._work("get_model_metadata", settled, changes=False) as work:
            found = describing.describe(work.ws, find(work, tag, Series.MODEL), Series.MODEL)
            return describing.model_facts(found, self.team_name, self.model_name)
