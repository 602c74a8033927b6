"""git cpv list: the versions of both series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cpvlib.base.errors import DONE
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.base.values import dataclass
from cpvlib.cli.options import OUTPUT, SERIES, positive
from cpvlib.cli.record import Command, Example, Group, flag, option
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.domain.query import Condition, Measured, Order
    from cpvlib.domain.template import Template
    from cpvlib.domain.version import TagName
    from cpvlib.managers.versions import VersionRecord
    from cpvlib.stores.git.signing import Signature

_FIELDS = (
    *("version", "series", "tag", "commit", "date", "isodate", "author", "email"),
    *("size", "metrics", "params", "subject", "message", "data", "pending", "aliases"),
)


@dataclass(frozen=True)
class _More:
    """What does not stand in a version's own tag: the names that people gave it, and, where that was asked
    for, who signed it."""

    aliases: Mapping[TagName, Sequence[str]]
    signed: Mapping[TagName, Signature]

    def names(self, record: VersionRecord) -> Sequence[str]:
        return self.aliases.get(record.name, ())


def run(args: Namespace, ui: UI) -> int:
    import gc

    from cpvlib.cli.opening import open_workspace
    from cpvlib.cli.series import chosen
    from cpvlib.domain.query import Measured, best_order, parse_conditions, parse_order
    from cpvlib.domain.template import Template
    from cpvlib.domain.version import Series
    from cpvlib.managers.signatures import signature
    from cpvlib.managers.versions import Tags

    conditions: list[Condition | Measured] = [*parse_conditions(args.where)]
    order = parse_order(args.sort) if args.sort else None
    template = Template(args.format, _FIELDS, ("metrics", "params")) if args.format is not None else None
    ws = open_workspace(ui)
    if args.best:
        order = best_order(args.best, ws.settings.goal(args.best))
        conditions.append(Measured(args.best))
    series = chosen(args.series, default=frozenset(Series))
    gc.disable()  # ten thousand versions hold no cycles, and looking for some takes a sixth of the time
    tags = Tags(ws, with_branch=template is None, with_brief=args.count is None or bool(conditions or order))
    by_series = [tags.versions([each]) for each in Series if each in series]
    if not any(by_series):
        ui.say("there are no versions yet (git cpv tag makes one)")
    count = args.count or (1 if args.best else None)
    shown = [record for records in by_series for record in _asked(records, conditions, order)[:count]]
    first = [condition.metric for condition in conditions] + ([order.metric] if order else [])
    signed = {record.name: signature(ws, record) for record in shown} if args.show_signature else {}
    _show(ui, shown, first, template, _More(tags.names, signed))
    return DONE


def _asked(
    records: Sequence[VersionRecord], conditions: Sequence[Condition | Measured], order: Order | None
) -> list[VersionRecord]:
    """Those that the conditions let through, in order, else the newest first."""
    found = [*reversed(records)]
    if conditions:
        found = [r for r in found if all(condition.holds(r.brief.metrics) for condition in conditions)]
    if order:
        found.sort(key=lambda record: order(record.brief.metrics))
    return found


def _show(
    ui: UI,
    records: Sequence[VersionRecord],
    first: Sequence[str],
    template: Template | None,
    more: _More,
) -> None:
    if ui.json_wanted:
        ui.json({"versions": [_facts(record, more) for record in records]})
        return
    with ui.pager():
        if template is None:
            _table(ui, records, first, more)
            return
        for record in records:
            ui.answer(template.render(_fields(record, more.names(record))))


def _facts(record: VersionRecord, more: _More) -> dict[str, Any]:
    from cpvlib.cli.versiontext import facts, signature_facts

    signed = more.signed.get(record.name)
    return {**facts(record, more.names(record)), **(signature_facts(signed) if signed else {})}


def _table(ui: UI, records: Sequence[VersionRecord], first: Sequence[str], more: _More) -> None:
    from functools import cache

    from cpvlib.cli.versiontext import day, pairs, signature_words
    from cpvlib.domain.text import human_size

    people = cache(printable)
    marks = [_marks(record, more) for record in records]
    marked = any(marks)
    rows = []
    for record, mark in zip(records, marks, strict=True):
        told, tag = record.brief, record.source
        row = [
            record.tag,
            day(tag.date, tag.zone),
            people(tag.tagger),
            "" if told.size is None else human_size(told.size),
            pairs(told.metrics, first),
            printable(told.subject),
        ]
        if marked:
            row.insert(5, mark)
        if more.signed:
            row.insert(-1, signature_words(more.signed[record.name]))
        rows.append(row)
    ui.table(rows, right=(3,))


def _marks(record: VersionRecord, more: _More) -> str:
    aliases = more.names(record) if more.aliases else ()
    if not (aliases or record.pending or record.on_branch is False):
        return ""
    marks = [*map(printable, aliases), *(["pending"] if record.pending else [])]
    return ", ".join([*marks, "other branch"] if record.on_branch is False else marks)


def _fields(record: VersionRecord, aliases: Sequence[str]) -> Callable[[str], str]:
    """What each field of a format stands for."""
    from cpvlib.cli.versiontext import day, iso, number, pairs

    manifest = record.manifest
    values: dict[str, Callable[[], str]] = {
        "version": lambda: str(record.version),
        "series": lambda: str(record.series),
        "tag": lambda: record.tag,
        "commit": lambda: record.commit,
        "date": lambda: day(record.date, record.zone),
        "isodate": lambda: iso(record.date, record.zone),
        "author": lambda: printable(record.tagger),
        "email": lambda: printable(record.email),
        "size": lambda: "" if manifest.size is None else str(manifest.size),
        "metrics": lambda: pairs(manifest.metrics, limit=len(manifest.metrics)),
        "params": lambda: pairs(manifest.params, limit=len(manifest.params)),
        "subject": lambda: printable(record.brief.subject),
        "message": lambda: printable(manifest.text, keep="\n"),
        "data": lambda: (manifest.data.version or manifest.data.md5) if manifest.data else "",
        "pending": lambda: "pending" if record.pending else "",
        "aliases": lambda: printable(", ".join(aliases)),
    }

    def value(field: str) -> str:
        kind, colon, name = field.partition(":")
        if not colon:
            return values[field]()
        facts = manifest.metrics if kind == "metrics" else manifest.params
        return number(facts[name]) if name in facts else ""

    return value


COMMAND = Command(
    name="list",
    summary="List the versions of the model and the data",
    group=Group.LOOK,
    description=(
        "Lists the versions, the highest number first, the model's before the data's: number, date, author, "
        "size, metrics and the first line of the message. Marked are a version's aliases, versions that are "
        "still pending, which nobody else sees, and those that are not in the current branch's history.\n\n"
        "Nothing is downloaded: all of it stands in the tags.\n\n"
        "`--format` takes `%(field)`: version, series, tag, commit, date, isodate, author, email, size (in "
        "bytes), metrics, `metrics:NAME`, params, `params:NAME`, subject, message, data, pending, aliases; "
        "`%%` is a percent sign, `%0a` a new line."
    ),
    arguments=(
        option("-n", "--count", metavar="COUNT", type=positive, help="at most so many of each series"),
        option(
            "--where",
            metavar="CONDITION",
            many=True,
            help="only versions whose metrics fulfil this: `loss < 0.3`; several, or one with commas, must "
            "all hold",
        ),
        option(
            "--sort",
            metavar="METRIC",
            exclusive="order",
            help="by this metric, lowest first; `-METRIC` is highest first",
        ),
        option(
            "--best",
            metavar="METRIC",
            exclusive="order",
            help="only the best by this metric, or the best COUNT; `cpv.metric.METRIC.goal`, which is min or "
            "max, says what is better",
        ),
        option("--format", metavar="FORMAT", help="a line for each version in this form, see above"),
        flag("--show-signature", help="say who signed each, by the keys that git trusts here"),
        *SERIES,
        *OUTPUT,
    ),
    examples=(
        Example("The last five of each series", "git cpv list -n 5"),
        Example("Good ones, the best first", "git cpv list --where 'loss < 0.3' --sort -accuracy"),
        Example("The best model, for a script", "git cpv list --best loss --format '%(version)'"),
    ),
    see_also=("show", "diff", "tag", "git-for-each-ref(1)"),
    run=run,
)
