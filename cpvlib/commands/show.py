"""git cpv show: one version whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cpvlib.base.errors import DONE, NEGATIVE
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import DATA, MODEL, OUTPUT, version
from cpvlib.cli.record import Command, Example, Group, flag

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.domain.checkpoint import Checkpoint
    from cpvlib.managers.comparing import Details
    from cpvlib.stores.git.signing import Signature


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import open_workspace
    from cpvlib.cli.versiontext import signature_facts
    from cpvlib.domain.version import Series
    from cpvlib.managers import signatures
    from cpvlib.managers.comparing import details

    series = Series(args.series) if args.series else None
    ws = open_workspace(ui)
    shown = details(ws, args.version or "HEAD", series)
    record = shown.found.record
    signed = signatures.signature(ws, record) if args.show_signature and record else None
    if ui.json_wanted:
        ui.json({**_facts(shown), **(signature_facts(signed) if signed else {})})
    else:
        with ui.pager():
            for line in _lines(ui, shown, signed):
                ui.answer(line)
    if not shown.mismatches:
        return DONE
    from cpvlib.domain.text import listed

    ui.warn(f"the manifest of {shown.found} differs from its commit's pointers: {listed(shown.mismatches)}")
    return NEGATIVE


def _lines(ui: UI, shown: Details, signed: Signature | None) -> Iterator[str]:
    from cpvlib.cli.versiontext import moment, signature_words
    from cpvlib.domain.text import columns, human_size, plural, printable

    record, made = shown.found.record, shown.authorship
    if record is not None:
        pending = " (pending)" if record.pending else ""
        yield ui.paint("yellow", f"version {record.name}{pending}")
        yield f"tagger  {printable(f'{record.tagger} <{record.email}>')}"
        yield f"date    {moment(record.date, record.zone)}"
        yield f"commit  {shown.found.commit}"
        if signed is not None:
            yield f"signed  {signature_words(signed)}"
        if shown.aliases:
            yield f"alias   {printable(', '.join(shown.aliases))}"
        if record.manifest.companion:
            yield f"with    {printable(record.manifest.companion)}"
    else:
        yield ui.paint("yellow", f"commit  {shown.found.commit}")
        yield f"author  {printable(f'{made.author} <{made.email}>')}"
        yield f"date    {moment(made.date, made.zone)}"
    text = record.manifest.text if record else made.message.strip("\n")
    yield ""
    yield from (f"    {line}".rstrip() for line in printable(text, keep="\n").split("\n"))
    yield ""
    yield from _checkpoint(ui, shown.checkpoint)
    yield ui.paint("bold", "outs")
    rows = []
    for path, out in sorted(shown.outs.items()):
        if entry := out.entry:
            n_files = "" if entry.nfiles is None else plural(entry.nfiles, "file")
            size = "" if entry.size is None else human_size(entry.size)
            rows.append([f"  {printable(path)}", size, n_files, entry.oid or ""])
    yield from columns(rows, right=(1, 2))


def _checkpoint(ui: UI, checkpoint: Checkpoint | None) -> Iterator[str]:
    from cpvlib.domain.text import listed, plural, printable

    if checkpoint is None:
        return
    yield from _values(ui, "metrics", checkpoint.metrics)
    yield from _values(ui, "params", checkpoint.params)
    code, data = checkpoint.code, checkpoint.data
    if code.commit:
        dirty = f"; {plural(len(code.uncommitted), 'file')} not committed: {listed(code.uncommitted)}"
        yield f"code    {printable(code.commit)}{dirty if code.uncommitted else ''}"
    if data:
        yield f"data    {printable(data.version or 'no version')} ({printable(data.md5)})"
    if checkpoint.time:
        yield f"pushed  {printable(checkpoint.time)}"
    yield ""


def _values(ui: UI, title: str, values: Mapping[str, Any]) -> Iterator[str]:
    from cpvlib.cli.versiontext import number
    from cpvlib.domain.text import columns, printable

    if values:
        yield ui.paint("bold", title)
        yield from columns([[f"  {printable(name)}", number(values[name])] for name in sorted(values)])


def _facts(shown: Details) -> dict[str, Any]:
    from cpvlib.cli.versiontext import facts, iso, out_facts

    checkpoint, made = shown.checkpoint, shown.authorship
    about: dict[str, Any] = {"version": None, "commit": shown.found.commit}
    if shown.found.record:
        about = facts(shown.found.record, shown.aliases)
        del about["on_branch"]
    if checkpoint:
        data = checkpoint.data
        about |= {
            "metrics": dict(checkpoint.metrics),
            "params": dict(checkpoint.params),
            "code": {"commit": checkpoint.code.commit, "uncommitted": list(checkpoint.code.uncommitted)},
            "data": {"md5": data.md5, "version": data.version} if data else None,
            "time": checkpoint.time,
        }
    return {
        **about,
        "committed": {
            "author": made.author,
            "email": made.email,
            "date": iso(made.date, made.zone),
            "message": made.message,
        },
        "outs": [
            {**out_facts(path, entry.oid, entry.size, entry.nfiles), "series": str(out.series)}
            for path, out in sorted(shown.outs.items())
            if (entry := out.entry)
        ],
        "mismatches": list(shown.mismatches),
    }


COMMAND = Command(
    name="show",
    summary="Show one version whole",
    group=Group.LOOK,
    description=(
        "Shows a version: who named it and when, its message, metrics and parameters, the code and data that "
        "it was trained with, and its files with their md5. A git revision without a version is shown as the "
        "checkpoint it is; without VERSION it is the current commit's.\n\n"
        "The pointers in the commit are the truth. If what the tag says of the objects differs from them, "
        "that is said, and the exit code is 1."
    ),
    arguments=(
        version("`v1.2`, `data/v1.2`, `latest`, an alias, or any git revision (default: `HEAD`)"),
        MODEL,
        DATA,
        flag("--show-signature", help="say who signed the version, by the keys that git trusts here"),
        *OUTPUT,
    ),
    examples=(
        Example("What the last version is", "git cpv show latest"),
        Example("The second version of the data", "git cpv show --data v0.2"),
        Example("Its metrics, for a script", "git cpv show v0.2 --json | jq .metrics"),
    ),
    see_also=("list", "diff", "gitrevisions(7)"),
    negative="the version's tag and its commit name different objects",
    run=run,
)
