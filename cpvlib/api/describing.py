"""What a checkpoint is, in the words of the API: its version, its size, when it was made, its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cpvlib.base.errors import CheckpointNotFoundError
from cpvlib.base.values import dataclass
from cpvlib.domain.checkpoint import Checkpoint, utc
from cpvlib.domain.version import Series

if TYPE_CHECKING:
    from cpvlib.managers.outs import Out
    from cpvlib.managers.versions import Found, Tags, VersionRecord
    from cpvlib.managers.workspace import Workspace

_MIB = 1 << 20


@dataclass(frozen=True)
class Description:
    """The outs of one series at one commit, and what is known of them."""

    commit: str
    tag: str
    timestamp: str
    outs: Mapping[str, Out]
    checkpoint: Checkpoint
    message: str
    data_version: str | None

    @property
    def size_mb(self) -> float:
        """In units of 1,048,576 bytes; a size that a pointer doesn't say counts as nothing."""
        return sum(out.entry.size or 0 for out in self.outs.values() if out.entry) / _MIB

    @property
    def sample_count(self) -> int | None:
        """Files in the folders; None where an out is a single file."""
        counts = [out.entry.nfiles for out in self.outs.values() if out.entry]
        known = [count for count in counts if count is not None]
        return sum(known) if counts and len(known) == len(counts) else None

    @property
    def metrics(self) -> dict[str, float]:
        return dict(self.checkpoint.metrics)

    def path_in(self, folder: Path) -> str:
        """Where the outs are below a folder: the out itself, or what several have in common."""
        if len(self.outs) == 1:
            return str(folder / next(iter(self.outs)))
        parents = [PurePosixPath(path).parent.parts for path in self.outs]
        common = []
        for parts in zip(*parents, strict=False):
            if len(set(parts)) > 1:
                break
            common.append(parts[0])
        return str(folder.joinpath(*common))


def describe(ws: Workspace, found: Found, series: Series) -> Description:
    """Raises CheckpointNotFoundError where the commit has nothing of the series."""
    from cpvlib.managers.comparing import data_used
    from cpvlib.managers.outs import checkpoint_at, in_series, outs_at
    from cpvlib.managers.versions import Tags
    from cpvlib.stores.git.authorship import authorship

    named = in_series(outs_at(ws, found.commit), [series])
    outs = {path: out for path, out in sorted(named.items()) if out.oid is not None}
    if not outs:
        raise CheckpointNotFoundError(f"'{found}' names no {series}", hint=f"git cpv list --{series}")
    record = found.record if found.record and found.record.series is series else None
    tags = Tags(ws)
    record = record or _naming(tags, found.commit, series, outs)
    made = authorship(ws.repo, found.commit)
    facts = (checkpoint_at(ws, found.commit) if series is Series.MODEL else None) or Checkpoint()
    used = data_used(tags, facts, record)
    return Description(
        commit=found.commit,
        tag=str(record.version) if record else "",
        timestamp=utc(record.date if record and record.date else made.date),
        outs=outs,
        checkpoint=facts,
        message=(record.manifest.text if record else made.message).strip("\n"),
        data_version=used.version if used else None,
    )


def _naming(tags: Tags, commit: str, series: Series, outs: Mapping[str, Out]) -> VersionRecord | None:
    """The newest version that names these very objects, of this commit if there is one."""
    records = tags.versions([series])
    wanted = {path: out.oid for path, out in outs.items()}
    here = [record for record in records if record.commit == commit]
    # The look at the text spares parsing thousands of manifests.
    likely = [record for record in records if all(oid in record.message for oid in wanted.values() if oid)]
    same = [record for record in likely if {out.path: out.oid for out in record.manifest.outs} == wanted]
    found = here or same
    return found[-1] if found else None


def model_facts(found: Description, team: str, model: str) -> dict[str, Any]:
    """What `get_model_metadata` gives."""
    checkpoint = found.checkpoint
    return {
        "tag": found.tag or None,
        "model_size_mb": found.size_mb,
        "metrics": found.metrics,
        "timestamp": found.timestamp,
        "team_name": team,
        "model_name": model,
        "commit": found.commit,
        "message": found.message,
        "params": dict(checkpoint.params),
        "code_commit": checkpoint.code.commit,
        "data_version": found.data_version,
    }


def data_facts(found: Description) -> dict[str, Any]:
    """What `get_data_metadata` gives."""
    return {
        "tag": found.tag or None,
        "version": found.tag or None,
        "size_mb": found.size_mb,
        "sample_count": found.sample_count,
        "timestamp": found.timestamp,
        "commit": found.commit,
        "message": found.message,
    }
