"""How a pull tells of the two sides that it brought together."""

from __future__ import annotations

from collections.abc import Iterator

from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.domain.text import listed, plural

if TYPE_CHECKING:
    from cpvlib.managers.pull import PullPlan

_WHOSE = {"ours": "as here", "theirs": "as there", "merged": "of both sides"}


def merge_in_words(plan: PullPlan, *, would: bool) -> Iterator[str]:
    """One phrase for each thing that the branch gains: commits, a merge, conflicts that are settled."""
    join, held = plan.way.join, plan.settling
    if plan.n_commits:
        verb = ("would merge " if join else "would take in ") if would else ("merged " if join else "")
        yield f"{verb}{plural(plan.n_commits, 'commit')} from {plan.git_remote}"
    settled = held.files if held else plan.way.settled
    if settled:
        yield f"{'would settle' if would else 'settled'} the conflict in {listed(sorted(settled), limit=9)}"
    taken = join.merged.taken if join else held.taken if held else {}
    for whose, words in _WHOSE.items():
        paths = [path for path, side in taken.items() if side == whose]
        if paths:
            yield f"{listed(paths)} {words}"
    if held and held.concludes:
        yield "would commit the merge" if would else "the merge is committed"
    elif held and held.going_on:
        yield f"go on with: {held.going_on}"
    if would and join and join.code:
        yield f"would leave {listed(join.code)} in conflict, for you to settle"


def merge_facts(plan: PullPlan) -> dict[str, Any]:
    join, held = plan.way.join, plan.settling
    if join is None and held is None:
        return {"merge": None, "settled": list(plan.way.settled)}
    taken, code = (join.merged.taken, join.code) if join else (held.taken, held.code) if held else ({}, ())
    merge = {
        "theirs": join.theirs if join else None,
        "operation": held.operation if held else "merge",
        "outs": dict(taken),
        "conflicts": list(code),
    }
    return {"merge": merge, "settled": sorted(held.files) if held else list(plan.way.settled)}
