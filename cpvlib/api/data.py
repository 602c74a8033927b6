"""Checkpoints of a model's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpvlib.api import describing, downloading, naming, uploading
from cpvlib.api.artifacts import DataArtifacts
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


class DataCheckpointsManage(Manager):
    """The checkpoints of the data of one model: a series of versions of its own, in the same repository."""

    def import_data_init(self, data_path: StrPath, **options: Unpack[InitOptions]) -> str:
        """Makes the repository, or adopts the one that is there, and takes `data_path` in as its data.

        As `ModelsCheckpointsManage.import_model_init`.
        """
        return uploading.initialise(self, data_path, options, "import_data_init")

    def upload_data_checkpoint(
        self, data_path: StrPath | None = None, **options: Unpack[UploadOptions]
    ) -> str:
        """Stores the data, commits its pointers, publishes both; the commit's id.

        `data_path` is the file or folder to take, wherever it lies; without it, the data's place in the
        repository.
        """
        return uploading.upload(self, Series.DATA, data_path, None, options, "upload_data_checkpoint")

    def download_data_checkpoint(
        self, tag: str | None = None, **options: Unpack[DownloadOptions]
    ) -> DataArtifacts:
        """The files of a version, checked against their md5; as `download_model_checkpoint`."""
        folder, found = downloading.download(self, Series.DATA, tag, options, "download_data_checkpoint")
        return DataArtifacts(
            data_path=found.path_in(folder),
            version=found.tag,
            timestamp=found.timestamp,
            tag=found.tag,
            size_mb=found.size_mb,
            sample_count=found.sample_count,
        )

    def tag_data_checkpoint(
        self, version_tag: str | None = None, message: str | None = None, **options: Unpack[TagOptions]
    ) -> str:
        """Gives the committed data a version and publishes it; the version. As `tag_model_checkpoint`."""
        return naming.tag(self, (Series.DATA,), version_tag, [message], options, "tag_data_checkpoint")

    def read_data_checkpoint_tag(self, **options: Unpack[ReadOptions]) -> list[str]:
        """The data's versions in version order."""
        return naming.read_tags(self, Series.DATA, options, "read_data_checkpoint_tag")

    def revert_data_checkpoint(self, tag: str, **options: Unpack[RevertOptions]) -> str:
        """Brings a version's data back as a new commit; the commit's id. As `revert_model_checkpoint`."""
        return naming.revert(self, frozenset({Series.DATA}), tag, options, "revert_data_checkpoint")

    def get_data_metadata(self, tag: str | None = None, **options: Unpack[ReadOptions]) -> dict[str, Any]:
        """What is known of a version (without a tag: of the current checkpoint), read from git alone.

        `tag` and `version` (None where it has none), `size_mb` (in 1,048,576 bytes), `sample_count` (see
        DataArtifacts), `timestamp` (when it was tagged, else committed; ISO 8601, UTC); also `commit` and
        `message`.
        """
        settled = self._options(ReadOptions, options, "get_data_metadata")
        with self._work("get_data_metadata", settled, changes=False) as work:
            found = describing.describe(work.ws, find(work, tag, Series.DATA), Series.DATA)
            return describing.data_facts(found)
