"""A model and its data as one version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpvlib.api import describing, naming
from cpvlib.api.manager import Manager, find
from cpvlib.api.options import ReadOptions
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from cpvlib.api.options import RevertOptions, TagOptions, Unpack


class CombinedCheckpointsManage(Manager):
    """Versions that name a model together with its data: both tags on one commit, or neither."""

    def tag_model_and_data(
        self,
        version_tag: str | None = None,
        model_message: str | None = None,
        data_message: str | None = None,
        **options: Unpack[TagOptions],
    ) -> tuple[str, str]:
        """Gives what is committed one number in both series and publishes it; the number, for each of the
        two.

        Where one message is missing the other serves for both. Raises NegativeAnswer where neither changed
        since it was named, RepositoryError where one of the two is not committed yet.
        """
        messages = [
            data_message if model_message is None else model_message,
            model_message if data_message is None else data_message,
        ]
        version = naming.tag(self, tuple(Series), version_tag, messages, options, "tag_model_and_data")
        return version, version

    def revert_model_and_data(self, tag: str, **options: Unpack[RevertOptions]) -> str:
        """Brings both halves of a combined version back in one new commit; the commit's id.

        Raises CheckpointNotFoundError where the model and the data of that number are on two commits.
        """
        return naming.revert(self, frozenset(Series), tag, options, "revert_model_and_data")

    def get_combined_metadata(self, tag: str | None = None, **options: Unpack[ReadOptions]) -> dict[str, Any]:
        """`model` and `data`, as `get_model_metadata` and `get_data_metadata` give them, and `timestamp`, the
        later of the two."""
        settled = self._options(ReadOptions, options, "get_combined_metadata")
        with self._work("get_combined_metadata", settled, changes=False) as work:
            model, data = (describing.describe(work.ws, find(work, tag, series), series) for series in Series)
            return {
                "model": describing.model_facts(model, self.team_name, self.model_name),
                "data": describing.data_facts(data),
                "timestamp": max(model.timestamp, data.timestamp),
            }
