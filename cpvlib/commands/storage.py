"""git cpv storage: where the objects are, whether this clone may use it, and how they get elsewhere."""

from __future__ import annotations

from cpvlib.base.errors import DONE, UsageError
from cpvlib.base.packed import in_order
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.options import DRY_RUN, JOBS, OUTPUT
from cpvlib.cli.record import Command, Complete, Example, Group, operand
from cpvlib.domain.text import human_size, listed, plural, printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.moving import Moved, MovePlan
    from cpvlib.managers.place import FoundPlace
    from cpvlib.managers.workspace import Workspace


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import open_workspace

    if (args.url is None) is (args.action == "move"):
        lacking = "move needs the URL to move to" if args.url is None else f"'{args.action}' takes no URL"
        raise UsageError(lacking, hint="git cpv storage move s3://BUCKET")
    if args.dry_run and args.action != "move":
        raise UsageError(f"'{args.action}' has no --dry-run", hint="git cpv storage show")
    return _ACTIONS[args.action](open_workspace(ui), args, ui)


def _show(ws: Workspace, args: Namespace, ui: UI) -> int:
    from cpvlib.managers.place import foreign_cache, former_place, is_trusted, without_password

    found = ws.found_place
    trusted = is_trusted(ws.repo, found)
    former = former_place(ws.settings, ws.dvc, ws.repo)
    if ui.json_wanted:
        ui.json({**_facts(found, trusted), "former": without_password(former.url) if former else None})
        return DONE
    for line in _described(found):
        ui.answer(line)
    ui.answer(_verdict(found, trusted))
    if former:
        ui.answer(f"before the move it was {printable(without_password(former.url))}")
    cache = foreign_cache(ws.dvc, ws.repo)
    if cache:
        ui.answer(f"the cache folder '{printable(str(cache))}' came with the clone, too")
    return DONE


def _trust(ws: Workspace, args: Namespace, ui: UI) -> int:
    from cpvlib.managers.place import foreign_cache, trust, trust_cache

    found = ws.found_place
    given = trust(ws.repo, found)
    cache = foreign_cache(ws.dvc, ws.repo)
    if cache and trust_cache(ws.repo, cache):
        ui.say(f"trusted the cache folder '{printable(str(cache))}'")
    if ui.json_wanted:
        ui.json(_facts(found, True))
        return DONE
    lead = "trusted" if given else "nothing of it needed trust, or had it before"
    for line in _described(found):
        ui.say(line)
    ui.answer(f"{lead}: {printable(found.shown_url)}")
    return DONE


def _move(ws: Workspace, args: Namespace, ui: UI) -> int:
    from cpvlib.managers.moving import move, plan_move

    progress = ui.progress()
    plan = plan_move(ws, args.url, progress=progress, jobs=args.jobs)
    if plan.lost:
        verbs = ("is", "stays") if len(plan.lost) == 1 else ("are", "stay")
        ui.warn(
            f"{plural(len(plan.lost), 'object')} that commits name {verbs[0]} nowhere any more, "
            f"and {verbs[1]} behind"
        )
    if args.dry_run:
        _tell_plan(plan, ui)
        return DONE
    moved = move(ws, plan, progress=progress, jobs=args.jobs)
    for oid, proof in in_order(moved.stored.proofs):
        ui.detail(f"{oid}: {proof.how}")
    if ui.json_wanted:
        ui.json({**_plan_facts(plan), "sent": moved.stored.n_sent, "commit": moved.commit})
        return DONE
    _tell_move(moved, ui)
    return DONE


_ACTIONS = {"show": _show, "trust": _trust, "move": _move}


def _tell_plan(plan: MovePlan, ui: UI) -> None:
    if ui.json_wanted:
        ui.json({"dry_run": True, **_plan_facts(plan)})
        return
    where = printable(plan.target.url)
    ui.answer(f"would copy {_amount(plan.n_to_send, plan.bytes_to_send)} to {where}{_rest(plan)}")
    if not plan.is_there:
        ui.answer(f"would commit: {printable(plan.message)}")


def _tell_move(moved: Moved, ui: UI) -> None:
    plan = moved.plan
    sent = _amount(moved.stored.n_sent, moved.stored.sent_bytes)
    lead = f"copied {sent} to {printable(plan.target.url)}{_rest(plan)}"
    if plan.is_there:
        ui.answer(f"{lead}; it is the storage already")
        return
    commit = f"; [{moved.branch} {moved.commit[:7]}] {plan.message}" if moved.commit else ""
    ui.answer(printable(lead + commit))
    ui.say(f"nothing was removed from the old place, {printable(_shown(plan.source.url))}")
    if plan.dropped:
        ui.warn(
            f"options of the old DVC remote that the new one does not have: {listed(plan.dropped)} "
            "(dvc remote modify storage OPTION VALUE)"
        )
    if moved.behind:
        ui.say(f"not yet on {listed(moved.behind)}: git merge {printable(moved.branch or 'HEAD')} there")
    if moved.commit and moved.to_publish:
        ui.say("the others learn of it by: git cpv push")


def _amount(count: int, n_bytes: int) -> str:
    return f"{plural(count, 'object')}, {human_size(n_bytes)}," if count else "nothing"


def _rest(plan: MovePlan) -> str:
    n_there = plan.n_objects - plan.n_to_send
    return f" ({n_there:,} more were there)" if n_there else ""


def _shown(url: str) -> str:
    from cpvlib.managers.place import without_password

    return without_password(url)


def _plan_facts(plan: MovePlan) -> dict[str, object]:
    return {
        "from": _shown(plan.source.url),
        "to": _shown(plan.target.url),
        "objects": plan.n_objects,
        "bytes": plan.size_bytes,
        "to_send": plan.n_to_send,
        "bytes_to_send": plan.bytes_to_send,
        "lost": plan.lost,
        "dropped_options": list(plan.dropped),
        "already_there": plan.is_there,
    }


def _described(found: FoundPlace) -> list[str]:
    lines = [f"{printable(found.shown_url)} (from {printable(found.place.origin)})"]
    return lines + [
        f"  {printable(key)} = {printable(value)}" for key, value in sorted(found.shown().items())
    ]


def _verdict(found: FoundPlace, trusted: bool) -> str:
    if trusted or not found.for_writing:
        return "read and written to freely"
    what = ", ".join(sorted(found.for_writing))
    allowed = "not used" if found.for_reading else "only read from"
    return f"{allowed} until you trust it, since its {what} came with the clone: git cpv storage trust"


def _facts(found: FoundPlace, trusted: bool) -> dict[str, object]:
    return {
        "url": found.shown_url,
        "origin": found.place.origin,
        "options": found.shown(),
        "needs_trust": sorted(found.for_writing),
        "readable": trusted or not found.for_reading,
        "writable": trusted or not found.for_writing,
    }


COMMAND = Command(
    name="storage",
    summary="Show where objects are kept, trust that place, or move to another",
    group=Group.START,
    description=(
        "Objects are kept at the repository's DVC remote, or else under `ROOT/TEAM/MODEL` (see "
        "git-cpv-init(1)).\n\n"
        "`git cpv storage show` says where that is, which file says so, and whether it may be used. A place "
        "that came with a clone, in the committed `.dvc/config`, is read from if it is a bucket; before "
        "anything is written to it, and before an endpoint, a profile, a credentials file or a folder named "
        "there is used, it must equal your own configuration, or you must have looked at it and typed `git "
        "cpv storage trust`. That word is remembered for this repository and exactly these values; what "
        "changes later needs it again.\n\n"
        "`git cpv storage move URL` takes the objects of every version, branch and pending version, and of "
        "all commits between them, to `URL/TEAM/MODEL`: from the folder on a laptop to S3, or from any "
        "place to any. What the cache has is sent from there, the rest goes from storage to storage, each "
        "checked against its md5 on the way and looked for at the end. Only then does one commit name the "
        "new place (a folder is named in `.dvc/config.local` instead, being this machine's own). After an "
        "interruption the same command goes on where it stopped. Nothing is removed from the old place; "
        "this clone remembers it as the DVC remote `former-storage`, and the same command, typed again "
        "later, fetches what others stored there in the meantime."
    ),
    arguments=(
        operand(
            "action",
            metavar="ACTION",
            nargs="?",
            default="show",
            choices=("show", "trust", "move"),
            help="`show` (the default), `trust`, or `move`",
        ),
        operand(
            "url",
            metavar="URL",
            nargs="?",
            complete=Complete.FOLDER,
            help="where to move to: `s3://BUCKET`, `s3://BUCKET/PREFIX`, or a folder",
        ),
        DRY_RUN,
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("Where the objects of this repository are", "git cpv storage show"),
        Example("Let pushes write to the bucket that this clone names", "git cpv storage trust"),
        Example("Share what was kept in a folder so far", "git cpv storage move s3://checkpoints"),
        Example("How much that would send", "git cpv storage move -n s3://checkpoints"),
    ),
    see_also=("init", "clone", "push"),
    files=(("cpv/trust in git's folder", "which places you have trusted, as digests"),),
    run=run,
)
