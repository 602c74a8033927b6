"""git cpv tag: names the committed checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cpvlib.base.errors import DONE, NegativeAnswer, RepositoryError, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import DRY_RUN, JOBS, OUTPUT, SERIES, SIGN, force, transfer_settings, version
from cpvlib.cli.record import Command, Complete, Example, Group, flag, option

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.domain.version import Series, TagName
    from cpvlib.managers.destination import Publication
    from cpvlib.managers.pending import PendingVersion
    from cpvlib.managers.tagging import TagPlan, TagRequest
    from cpvlib.managers.workspace import Workspace


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import changing

    if args.list:
        return _list(args, ui)
    message = _message(args)
    if args.auto:
        _check_auto(args)
    with changing(ui, transfer_settings(args), dry_run=args.dry_run) as ws:
        if args.delete:
            return _delete(ws, args, ui)
        return _auto(ws, args, ui) if args.auto else _tag(ws, args, ui, message)


def _tag(ws: Workspace, args: Namespace, ui: UI, message: str | None) -> int:
    from cpvlib.managers import tagging

    request = _request(ws, args, message)
    try:
        plan = tagging.plan_tag(ws, request)
    except tagging.AlreadyNamed as answer:
        if not args.push or not answer.awaiting:
            raise
        return _publish_named(ws, args, ui, answer.awaiting)
    if args.dry_run:
        return _tell_plan(ui, plan)
    plan = _carry_out(ws, args, ui, plan, request)
    changed = tagging.moved_on(ws, plan.commit, request.series)
    if changed:
        ui.say(_moved_on(changed, plan))
    return DONE


def _tell_plan(ui: UI, plan: TagPlan) -> int:
    ui.say(f"{' and '.join(str(half.name) for half in plan.halves)} would name {plan.commit[:7]}")
    _answer(ui, [half.name for half in plan.halves], plan.commit, None)
    return DONE


def _carry_out(ws: Workspace, args: Namespace, ui: UI, plan: TagPlan, request: TagRequest) -> TagPlan:
    """Makes the version, publishes it where asked to, and tells; the plan as it was carried out."""
    from cpvlib.managers import tagging

    plan, made = tagging.tag(ws, plan, request)
    publication = None
    if args.push:
        from cpvlib.managers import publish

        publication = publish.publish_tags(ws, made, progress=ui.progress(), jobs=args.jobs)
    if publication is None:
        _tell_pending(ui, made, tagging.has_git_remote(ws), pushed=args.push)
    else:
        _tell_published(ui, publication)
    _answer(ui, [each.name for each in made], plan.commit, publication)
    return plan


def _check_auto(args: Namespace) -> None:
    if any([args.version, args.major, args.message, args.file, args.force, args.delete]):
        raise UsageError(
            "--auto finds number and message by itself, and forces nothing", hint="git cpv tag --auto"
        )
    if args.series == "data":
        raise UsageError(
            "--auto is about the model, or with --combined about both", hint="git cpv tag --data"
        )


def _auto(ws: Workspace, args: Namespace, ui: UI) -> int:
    """Silence where there is nothing to name; a refusal is one line, and a negative answer."""
    from cpvlib.domain.version import Series
    from cpvlib.managers import gating

    gate = gating.load(ws)
    commit = ws.repo.head().commit
    if gate is None or commit is None or ws.repo.unfinished():
        return DONE
    decision = gating.decide(ws, gate, commit, _series(args.series) or (Series.MODEL,))
    if decision is None:
        return DONE
    if decision.plan is None:
        raise NegativeAnswer(f"no version: {decision.reason}")
    if decision.reason:
        ui.say(decision.reason)
    if args.dry_run:
        return _tell_plan(ui, decision.plan)
    _carry_out(ws, args, ui, decision.plan, decision.request)
    return DONE


def _publish_named(ws: Workspace, args: Namespace, ui: UI, awaiting: Sequence[PendingVersion]) -> int:
    """`--push` of what has a version that still awaits publication: a run that was interrupted goes on."""
    from cpvlib.managers import publish, tagging

    publication = None
    if not args.dry_run:
        publication = publish.publish_tags(ws, awaiting, progress=ui.progress(), jobs=args.jobs)
    if publication is None:
        _tell_pending(ui, awaiting, tagging.has_git_remote(ws), pushed=args.push)
    else:
        _tell_published(ui, publication)
    _answer(ui, [each.name for each in awaiting], awaiting[0].commit, publication)
    return DONE


def _request(ws: Workspace, args: Namespace, message: str | None) -> TagRequest:
    from cpvlib.domain.version import Series, TagName, Version
    from cpvlib.managers.tagging import TagRequest

    series: tuple[Series, ...] = _series(args.series) or (Series.MODEL,)
    if args.version is None:
        return TagRequest(series, None, args.major, message, args.force, sign=args.sign, publishes=args.push)
    if args.major:
        raise UsageError("--major finds the number, so none is typed with it")
    prefix = ws.settings.tag_prefix
    whole = TagName.parse(args.version, prefix) or TagName.parse(f"{prefix}{args.version}", prefix)
    number = Version.of(args.version) or (whole.version if whole else None)
    if number is None:
        raise UsageError(
            f"'{args.version}' is not a version", hint=f"type it as in: git cpv tag {_spelled(args.version)}"
        )
    if whole is not None and whole.series is Series.DATA:
        if args.series not in (None, "data"):
            raise UsageError(f"'{args.version}' is a data version", hint=f"git cpv tag --data {number}")
        series = (Series.DATA,)
    return TagRequest(series, number, False, message, args.force, sign=args.sign, publishes=args.push)


def _spelled(text: str) -> str:
    """The version that was probably meant: 'v1.0' for '1.0', 'V1' or 'v1.0.0'."""
    import re

    match = re.match(r"v?0*([0-9]{1,9})(?:\.0*([0-9]{1,9}))?(?![0-9])", text, re.IGNORECASE | re.ASCII)
    return f"v{match[1]}.{match[2] or 0}" if match else "v1.2"


def _series(word: str | None) -> tuple[Series, ...] | None:
    from cpvlib.domain.version import Series

    if word is None:
        return None
    return tuple(Series) if word == "combined" else (Series(word),)


def _message(args: Namespace) -> str | None:
    """Several -m are paragraphs, as in git."""
    if args.file is None:
        return "\n\n".join(args.message) if args.message else None
    if args.message:
        raise UsageError("-m and -F exclude one another")
    try:
        content = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
    except OSError as error:
        raise RepositoryError(
            f"cannot read '{args.file}': {(error.strerror or '').lower()}", hint="`-F -` reads stdin"
        ) from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RepositoryError(
            f"'{args.file}' is not text in UTF-8", hint=f"iconv -t utf-8 {args.file} | git cpv tag -F -"
        ) from error


def _tell_pending(ui: UI, made: Sequence[PendingVersion], has_git_remote: bool, *, pushed: bool) -> None:
    names = " and ".join(str(each.name) for each in made)
    verb = "name" if len(made) > 1 else "names"
    if has_git_remote:
        state = "pending until git cpv push"
    else:
        state = "there is no git remote to publish to" if pushed else "no git remote"
    ui.say(f"{names} {verb} {made[0].commit[:7]}; {state}")


def _tell_published(ui: UI, publication: Publication) -> None:
    from cpvlib.cli.publishing import tell_lost_races

    tell_lost_races(ui, publication)
    if publication.published:
        ui.say(f"{' and '.join(map(str, publication.published))} published to {publication.git_remote}")


def _answer(ui: UI, names: Sequence[TagName], commit: str, publication: Publication | None) -> None:
    if publication is not None:
        names = [publication.renamed.get(name) or publication.dropped.get(name) or name for name in names]
    version = str(names[0].version)
    if ui.json_wanted:
        tags = [_facts(name, publication) for name in names]
        ui.json({"version": version, "commit": commit, "tags": tags})
    else:
        ui.answer(version)


def _facts(name: Any, publication: Publication | None) -> dict[str, Any]:
    pending = publication is None or name not in publication.published
    return {"tag": str(name), "series": str(name.series), "version": str(name.version), "pending": pending}


def _moved_on(paths: list[str], plan: TagPlan) -> str:
    from cpvlib.domain.text import listed

    return (
        f"note: {listed(paths)} changed since; {plan.version} names what is committed, and git cpv push "
        "records the change"
    )


def _delete(ws: Workspace, args: Namespace, ui: UI) -> int:
    from cpvlib.managers import tagging

    if args.version is None:
        raise UsageError("which pending version is to be deleted?", hint="git cpv tag -d v1.2")
    chosen = _series(args.series)
    records = tagging.plan_delete(ws, args.version, chosen[0] if chosen and len(chosen) == 1 else None)
    if not args.dry_run:
        tagging.delete(ws, records)
    verb = "would delete" if args.dry_run else "deleted"
    ui.say(f"{verb} {' and '.join(str(record.name) for record in records)}")
    if ui.json_wanted:
        ui.json({"deleted": [str(record.name) for record in records]})
    return DONE


def _list(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.arguments import parse
    from cpvlib.commands import list as listing

    words = [f"--{args.series}"] if args.series else []
    return listing.run(parse(listing.COMMAND, words), ui)


COMMAND = Command(
    name="tag",
    summary="Name the committed checkpoint as a version",
    group=Group.SHARE,
    description=(
        "Gives the checkpoint of the current commit a version: the next number of its series, `v0.1` at "
        "first, or the one you type. The version is an annotated git tag, `v1.2` for the model and "
        "`data/v1.2` for the data, and lists its objects and metrics. What it names is what is committed; a "
        "file that changed since is pointed out.\n\n"
        "A version is made without the network and is pending until `git cpv push` publishes it. If "
        "somebody else has published the same number by then, yours gets the next free one, unless you "
        "typed it. A published version never moves.\n\n"
        "`--sign` signs the tag as git is set up to: `gpg.format`, `user.signingKey`. With "
        "`cpv.requireSigned` pull, revert and clone take only versions that are signed by somebody whom git "
        "trusts on this machine: in the OpenPGP keyring, or in the file `gpg.ssh.allowedSignersFile`, which "
        "must not lie in the repository. What a branch names is taken where a signed version names the same "
        "objects.\n\n"
        "Refused when a version names the same objects already, and when an object is neither in the cache "
        "nor known to be at the storage. Only the version is printed on standard output."
    ),
    arguments=(
        version("the number to give, instead of the next one; with `-d` the version to delete"),
        flag("--major", help="give the next major number: `v2.0` after `v1.4`"),
        option(
            "-m",
            "--message",
            metavar="MESSAGE",
            many=True,
            help="what to say of the version; given several times, each is a paragraph "
            "(default: the subject of the commit)",
        ),
        option(
            "-F",
            "--file",
            metavar="FILE",
            complete=Complete.FILE,
            help="take the message from FILE; `-` is standard input",
        ),
        flag(
            "--auto",
            help="name the checkpoint only if it is new and `cpv.autotag` wants it named; where there is "
            "nothing to do, say nothing",
        ),
        flag("--push", help="publish the version at once, objects first"),
        *SIGN,
        flag("-d", "--delete", help="delete a version that is still pending"),
        flag("-l", "--list", help="list the versions, as `git cpv list` does"),
        *SERIES,
        DRY_RUN,
        force("name objects again that have a version already"),
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("Name what was pushed last", "git cpv tag"),
        Example("Name the model and its data together", 'git cpv tag --combined -m "first release"'),
        Example("Begin a new major number and publish it at once", "git cpv tag --major --push"),
        Example("In a script, name what is better", "git -c cpv.autotag='loss improves' cpv tag --auto"),
        Example("Take a version back that is not yet published", "git cpv tag -d v0.3"),
    ),
    see_also=("list", "push", "show", "git-tag(1)"),
    negative="the checkpoint has a version already, or what `--auto` asks for does not hold",
    run=run,
)
