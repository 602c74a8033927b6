"""What the downloads give: where the files are, and what they are."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelArtifacts:
    """A model's files in a folder, complete and checked against their md5.

    `model_path` is the file or folder; where the model is several outs, the folder that they have in common.
    `timestamp` is when it was tagged, else committed (ISO 8601, UTC); `tag` is '' for a checkpoint that has
    no version; `size_mb` counts in units of 1,048,576 bytes.
    """

    model_path: str
    metrics: dict[str, float] = field(default_factory=dict)
    timestamp: str = ""
    tag: str = ""
    size_mb: float = 0.0


@dataclass(frozen=True)
class DataArtifacts:
    """A data set's files in a folder, complete and checked against their md5.

    `data_path`, `timestamp`, `tag` and `size_mb` are as in ModelArtifacts, and `version` is `tag`.
    `sample_count` is how many files its folders hold, which is the number of samples where each is a file of
    its own; None where the data, or a part of it, is a single file.
    """

    data_path: str
    version: str = ""
    timestamp: str = ""
    tag: str = ""
    size_mb: float = 0.0
    sample_count: int | None = None
