"""DVC's pipelines, as far as they concern CPV: no pointer may name what their stages write.

Format (DVC's dvc/schema.py): `dvc.yaml` has the stages; `dvc.lock` beside it the outs of those that ran, with
the names that templates such as `${item}` came to.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.pointeryaml import load

PIPELINE = "dvc.yaml"
LOCK = "dvc.lock"
_KINDS = ("outs", "metrics", "plots")


def stage_outs(folder: str, pipeline: bytes, lock: bytes | None) -> dict[str, str]:
    """The path from the top, and the stage, of each out of the pipeline in `folder` ('' is the top).

    A file that isn't one of DVC's has none: to tell what is wrong with it is DVC's.
    """
    written = {name: _body(stage) for name, stage in _stages(PIPELINE, pipeline)}
    ran = dict(_stages(LOCK, lock)) if lock else {}
    found = {}
    for stages in (written, ran):
        for name, stage in stages.items():
            wdir = written.get(name.partition("@")[0], {}).get("wdir", ".")
            for out in _outs(stage):
                path = posixpath.join(folder, str(wdir), out)
                if "${" not in path:
                    found[posixpath.normpath(path)] = name
    return found


def _stages(name: str, data: bytes) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        stages = load(name, data).get("stages")
    except RepositoryError:
        return
    for stage_name, stage in stages.items() if isinstance(stages, Mapping) else ():
        if isinstance(stage, Mapping):
            yield str(stage_name), stage


def _body(stage: Mapping[str, object]) -> Mapping[str, object]:
    """What a stage that `foreach` repeats is made of, else the stage."""
    repeated = stage.get("do")
    return repeated if isinstance(repeated, Mapping) else stage


def _outs(stage: Mapping[str, object]) -> Iterator[str]:
    """An out is its path, a mapping of its path to its options, or, in a lock, one with a `path`."""
    for kind in _KINDS:
        items = stage.get(kind)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping):
                yield from [str(item["path"])] if "path" in item else map(str, item)
            else:
                yield str(item)
