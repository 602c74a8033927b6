"""Publishing to a git remote that can't move several refs as one: each in its turn, so that whatever stops
it, what is there is right so far.

The branch goes first, since commits without a version yet are as they should be. Then each version claims its
number, by a ref that must not exist, before its tags are made: whoever holds `refs/cpv/claims/v0.2` alone may
make `v0.2` and `data/v0.2`, so nobody comes between the halves of a combined version. A run that is stopped
there, or refused one of the tags, finds its claim again. Claims are removed once the tags are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cpvlib.base.faults import step
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.managers.claims import CLAIMS
from cpvlib.managers.pending import Pending, PendingVersion, pairs, settings_of

if TYPE_CHECKING:
    from cpvlib.managers.workspace import Workspace
    from cpvlib.stores.git.remotes import PushResult, RefPush


def push_in_turn(
    ws: Workspace, git_remote: str, branch: RefPush | None, wanted: Sequence[Pending]
) -> list[PushResult]:
    """What became of each ref, up to the first that failed; the rest was withheld."""
    from cpvlib.stores.git import remotes

    results: list[PushResult] = []
    if branch is not None:
        results += remotes.push(ws.repo, git_remote, [branch])
    for group in pairs(wanted):
        whole = all(_is_there(result) for result in results)
        results += _push_version(ws, git_remote, group) if whole else _withheld(group)
    return results + _push_tags(ws, git_remote, settings_of(wanted), after=results)


def _is_there(result: PushResult) -> bool:
    from cpvlib.stores.git import remotes

    return result.status in (remotes.OK, remotes.UP_TO_DATE)


def _withheld(group: Sequence[Pending]) -> list[PushResult]:
    from cpvlib.stores.git import remotes

    why = "another ref of the same push failed"
    return [remotes.PushResult(p.name.ref, remotes.WITHHELD, why) for p in group]


def _push_version(ws: Workspace, git_remote: str, group: Sequence[PendingVersion]) -> list[PushResult]:
    from cpvlib.stores.git import remotes

    name = group[0].name
    claim = f"{CLAIMS}{name.prefix}{name.version}"
    held = _claim(ws, git_remote, claim, group[0].tag_object)
    if held is not None and (len(group) > 1 or held.status != remotes.REFUSED):
        return [held._replace(dst=p.name.ref) for p in group]
    step("publish:claimed")
    there = remotes.ls_remote(ws.repo, git_remote, [p.name.ref for p in group])
    taken = {p.name.ref for p in group if there.get(p.name.ref) not in (None, p.tag_object)}
    if taken:
        status, why = remotes.REJECTED_LEASE, "reference already exists"
        results = [remotes.PushResult(p.name.ref, status, why) for p in group]
    else:
        results = _push_tags(ws, git_remote, [p for p in group if p.name.ref not in there])
        results += [remotes.PushResult(ref, remotes.UP_TO_DATE, "") for ref in there]
    is_half = any(map(_is_there, results)) and not all(map(_is_there, results))
    # The claim of a half keeps others out until it is whole. Where removing is refused, a claim stays all the
    # same, beside the version or as a gap.
    if held is None and not is_half:
        remotes.push(ws.repo, git_remote, [remotes.RefPush("", claim, lease=group[0].tag_object)])
    return results


def _claim(ws: Workspace, git_remote: str, claim: str, oid: str) -> PushResult | None:
    """None where the number is ours now, or has been since an earlier run; else what was said to it."""
    from cpvlib.stores.git import remotes

    [result] = remotes.push(ws.repo, git_remote, [remotes.RefPush(oid, claim, lease="")])
    if _is_there(result) or remotes.ls_remote(ws.repo, git_remote, [claim]).get(claim) == oid:
        return None
    return result


def _push_tags(
    ws: Workspace, git_remote: str, tags: Iterable[Pending], *, after: Iterable[PushResult] = ()
) -> list[PushResult]:
    """One after the other, as long as all went well."""
    from cpvlib.stores.git import remotes

    results: list[PushResult] = []
    for p in tags:
        if all(_is_there(result) for result in [*after, *results]):
            results += remotes.push(
                ws.repo, git_remote, [remotes.RefPush(p.tag_object, p.name.ref, lease="")]
            )
            step("publish:tag")
        else:
            results += _withheld([p])
    return results
