"""Automatic versions: what `cpv.autotag` makes of a commit.

The same gate serves push, the post-commit hook, `git cpv tag --auto` and the Python API.
"""

from __future__ import annotations

from collections.abc import Sequence

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.gate import Gate, Measured, check_goals, judge, parse_gate
from cpvlib.domain.version import Series
from cpvlib.managers import tagging
from cpvlib.managers.outs import checkpoint_at, in_series, outs_at
from cpvlib.managers.versions import Tags

if TYPE_CHECKING:
    from cpvlib.managers.tagging import TagPlan, TagRequest
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Decision:
    """The version to make, or None where the gate refuses; `reason` has the numbers that counted, if any."""

    plan: TagPlan | None
    request: TagRequest
    reason: str


def load(ws: Workspace) -> Gate | None:
    """What `cpv.autotag` says; None for off. ConfigError, with the column, for what can't be understood."""
    found = ws.settings.get("cpv.autotag")
    if found is None:
        return None
    gate = parse_gate(found.value, f"cpv.autotag ({found.origin})")
    if gate is not None:
        check_goals(gate, ws.settings.goal)
    return gate


def decide(
    ws: Workspace, gate: Gate, commit: str, series: Sequence[Series] = (Series.MODEL,)
) -> Decision | None:
    """Whether `commit`, which no ref need name yet, gets a version. None where there is nothing to decide:
    nothing of the series is committed, or a version names these objects already.

    Raises RepositoryError where an object is neither in the cache nor confirmed.
    """
    outs = outs_at(ws, commit)
    chosen = {each: {p: o for p, o in in_series(outs, [each]).items() if o.oid} for each in series}
    if not all(chosen.values()):
        return None
    request = tagging.TagRequest(tuple(series), commit=commit)
    records = Tags(ws).versions()
    if all(tagging.naming(records, each, mine) for each, mine in chosen.items()):
        return None
    facts = checkpoint_at(ws, commit)
    earlier = _earlier(ws, commit) if gate.compares else []
    verdict = judge(gate, ws.settings.goal, facts.metrics if facts else {}, earlier)
    plan = tagging.plan_tag(ws, request) if verdict.passes else None
    return Decision(plan, request, str(verdict))


def _earlier(ws: Workspace, commit: str) -> list[Measured]:
    """The model's versions that the commit's history holds, in version order."""
    from cpvlib.stores.git import refs

    records = Tags(ws).versions([Series.MODEL])
    held = refs.merged_tags(ws.repo, commit, [f"{ws.settings.tag_prefix}v*"])
    return [Measured(str(r.version), r.manifest.metrics) for r in records if r.tag in held]
