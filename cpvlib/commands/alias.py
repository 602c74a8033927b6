"""git cpv alias: names such as `production` for versions."""

from __future__ import annotations

from cpvlib.base.errors import DONE, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import DATA, DRY_RUN, JOBS, MODEL, OUTPUT, SIGN
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand, option
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from cpvlib.cli.ui import UI
    from cpvlib.managers.aliases import AliasPlan, AliasRequest
    from cpvlib.managers.destination import Publication
    from cpvlib.managers.pending import Pending
    from cpvlib.managers.versions import AliasRecord
    from cpvlib.managers.workspace import Workspace


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import changing

    _check(args)
    if args.version is None and not args.delete:
        return _look(args, ui)
    with changing(ui, dry_run=args.dry_run) as ws:
        return _set(args, ui, ws)


def _check(args: Namespace) -> None:
    changes = args.version is not None or args.delete
    if args.name is None and (args.delete or args.log):
        raise UsageError("which alias?", hint="git cpv alias shows those there are")
    if args.delete and args.version is not None:
        raise UsageError("an alias that is taken away names no version", hint=f"git cpv alias -d {args.name}")
    if args.log and changes:
        raise UsageError("--log only looks", hint=f"git cpv alias {args.name} --log")
    if not changes and any([args.message, args.push, args.sign is not None, args.series]):
        raise UsageError("which version is it to name?", hint=f"git cpv alias {args.name or 'NAME'} VERSION")


def _look(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import open_workspace
    from cpvlib.managers.aliases import history, unknown
    from cpvlib.managers.versions import Tags

    ws = open_workspace(ui)
    if args.log:
        _tell_records(ui, history(ws, args.name), log=True)
        return DONE
    tags = Tags(ws)
    if args.name is None:
        if not tags.aliases and not ui.json_wanted:
            ui.say("there are no aliases yet (git cpv alias production VERSION sets one)")
        _tell_records(ui, list(tags.aliases.values()), log=False)
        return DONE
    record = tags.aliases.get(args.name)
    if record is None:
        if args.name in tags.settings:
            tags.find(args.name)  # says who took it away
        raise unknown(tags, args.name)
    if ui.json_wanted:
        ui.json(_facts(record))
        return DONE
    ui.say(_who(record))
    ui.answer(record.setting.target or "")
    return DONE


def _who(record: AliasRecord) -> str:
    """`set by Ada Lovelace on 2026-03-01, pending: Two weeks in staging`."""
    from cpvlib.cli.versiontext import day

    pending = ", pending" if record.pending else ""
    subject = record.setting.text.partition("\n")[0]
    said = f": {subject}" if subject else ""
    when = day(record.source.date, record.source.zone)
    return f"set by {printable(record.source.tagger)} on {when}{pending}{printable(said)}"


def _tell_records(ui: UI, records: Sequence[AliasRecord], *, log: bool) -> None:
    from cpvlib.cli.versiontext import day

    if ui.json_wanted:
        ui.json({"settings" if log else "aliases": [_facts(record) for record in records]})
        return
    marked = any(record.pending for record in records)
    rows = [
        [
            f"{record.name.name}/{record.name.turn}" if log else record.name.name,
            record.setting.target or "none",
            day(record.source.date, record.source.zone),
            printable(record.source.tagger),
            *(["pending" if record.pending else ""] if marked else []),
            printable(record.setting.text.partition("\n")[0]),
        ]
        for record in records
    ]
    with ui.pager():
        ui.table(rows)


def _facts(record: AliasRecord) -> dict[str, Any]:
    from cpvlib.cli.versiontext import iso

    return {
        **_named(record.name.name, record.setting.target),
        "setting": record.name.turn,
        "tag": str(record.name),
        "commit": record.commit,
        "pending": record.pending,
        "author": record.source.tagger,
        "email": record.source.email,
        "date": iso(record.source.date, record.source.zone),
        "message": record.setting.text,
    }


def _named(name: str, target: str | None) -> dict[str, Any]:
    return {"alias": name, "target": target}


def _set(args: Namespace, ui: UI, ws: Workspace) -> int:
    from cpvlib.managers import aliases

    request = _request(args)
    try:
        plan = aliases.plan_alias(ws, request)
    except aliases.SetAlready as answer:
        if not args.push or not answer.awaiting or args.dry_run:
            raise
        _publish(args, ui, ws)
        return DONE
    if args.dry_run:
        ui.say(f"{args.name} would be {plan.setting.target or 'taken away'}{_before(plan)}")
        _answer(ui, plan, pending=True)
        return DONE
    plan, _ = aliases.set_alias(ws, plan, request)
    if args.push and _publish(args, ui, ws, plan):
        return DONE
    ui.say(f"{_told(plan.setting.name, plan.setting.target)}{_before(plan)}; {_state(ws, pushed=args.push)}")
    _answer(ui, plan, pending=True)
    return DONE


def _request(args: Namespace) -> AliasRequest:
    from cpvlib.domain.version import Series
    from cpvlib.managers.aliases import AliasRequest

    series = Series(args.series) if args.series else None
    message = "\n\n".join(args.message) if args.message else None
    return AliasRequest(args.name, None if args.delete else args.version, series, message, args.sign)


def _publish(args: Namespace, ui: UI, ws: Workspace, plan: AliasPlan | None = None) -> bool:
    """False where there is no git remote. Without a plan: what an interrupted run left to do."""
    from cpvlib.managers import aliases, publish

    waiting: list[Pending] = [*aliases.awaiting(ws, args.name)]
    publication = publish.publish_tags(ws, waiting, progress=ui.progress(), jobs=args.jobs)
    if publication is None:
        if plan is None:
            ui.say(_state(ws, pushed=True))
        return False
    _tell_published(ui, publication, args.name, plan)
    if ui.json_wanted:
        holder = aliases.history(ws, args.name)[0]
        ui.json({**_facts(holder), "replaced": plan.before.setting.target if plan and plan.before else None})
    else:
        target = aliases.history(ws, args.name)[0].setting.target
        ui.answer(target or "none")
    return True


def _tell_published(ui: UI, publication: Publication, name: str, plan: AliasPlan | None) -> None:
    from cpvlib.cli.publishing import tell_lost_races

    tell_lost_races(ui, publication)
    if publication.published:
        ui.say(f"versions published: {', '.join(map(str, publication.published))}")
    last = [setting for setting in publication.aliases if setting.name == name][-1:]
    for setting in last:
        before = _before(plan) if plan and name not in publication.replaced else ""
        ui.say(
            f"{_told(name, setting.target)}{before}; published to {printable(publication.git_remote or '')}"
        )


def _told(name: str, target: str | None) -> str:
    return f"{name} is {target}" if target else f"{name} names nothing any more"


def _before(plan: AliasPlan) -> str:
    """`, was v1.3 (set by Ada Lovelace on 2026-03-01)`."""
    from cpvlib.cli.versiontext import day

    before = plan.before
    if before is None:
        return ""
    who, when = printable(before.source.tagger), day(before.source.date, before.source.zone)
    return f", was {before.setting.target} (set by {who} on {when})"


def _state(ws: Workspace, *, pushed: bool) -> str:
    from cpvlib.managers.tagging import has_git_remote

    if has_git_remote(ws):
        return "pending until git cpv push"
    return "there is no git remote to publish to" if pushed else "no git remote"


def _answer(ui: UI, plan: AliasPlan, *, pending: bool) -> None:
    if not ui.json_wanted:
        ui.answer(plan.setting.target or "none")
        return
    ui.json(
        {
            **_named(plan.setting.name, plan.setting.target),
            "setting": plan.setting.turn,
            "tag": str(plan.tag),
            "commit": plan.commit,
            "pending": pending,
            "replaced": plan.before.setting.target if plan.before else None,
        }
    )


COMMAND = Command(
    name="alias",
    summary="Name the version that is in production, or what you like",
    group=Group.SHARE,
    description=(
        "An alias is a name such as `production` that is moved from version to version. It stands wherever a "
        "VERSION may stand: `git cpv pull production`, `git cpv diff production latest`, `git cpv revert "
        "production`.\n\n"
        "Without NAME: lists the aliases. With NAME: prints the version that it names, and on standard error "
        "who set it and when. With VERSION, which may be `latest`, another alias or a revision that has a "
        "version: sets it.\n\n"
        "Each setting is an annotated tag of its own, `alias/production/3`, and the highest number holds, so "
        "that who, when and why stay: `--log` shows them. A setting is pending until it is published, by "
        "`git cpv push` or `--push`. Where two people set an alias at once, the second setting comes after "
        "the first and holds; it is told whose it came after.\n\n"
        "An alias names what VERSION means: a version of the model, or with `--data` or `data/v1.2` one of "
        "the data. Of a combined version it names both: its two tags are on one commit, and `git cpv pull` "
        "and `git cpv revert --combined` take model and data from there."
    ),
    arguments=(
        operand(
            "name",
            metavar="NAME",
            nargs="?",
            complete=Complete.ALIAS,
            help="letters, digits, `.`, `_` and `-` after a letter; no branch, tag or out",
        ),
        operand(
            "version", metavar="VERSION", nargs="?", complete=Complete.VERSION, help="what it is to name"
        ),
        option("-m", "--message", metavar="MESSAGE", many=True, help="why; several times for paragraphs"),
        flag("--log", help="show every setting of NAME, the newest first"),
        flag("-d", "--delete", help="take NAME away; that is a setting too, and its history stays"),
        flag("--push", help="publish it at once, with the version it names if that is pending"),
        *SIGN,
        MODEL,
        DATA,
        DRY_RUN,
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("Put a version into production", "git cpv alias production v1.4 --push"),
        Example("What is in production, for a script", "git cpv alias production"),
        Example("Since when, by whom, and what was before", "git cpv alias production --log"),
        Example(
            "Deploy it on a machine without a clone",
            "git cpv pull --from git@bitbucket.org:team/model.git production --output /srv/model",
        ),
    ),
    see_also=("tag", "pull", "list", "git-tag(1)"),
    negative="the alias names that version already",
    run=run,
)
