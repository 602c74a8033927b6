"""git cpv diff: two checkpoints compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cpvlib.base.errors import DONE, NEGATIVE, UsageError
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import JOBS, OUTPUT, SERIES
from cpvlib.cli.record import Command, Complete, Example, Group, flag, operand

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.domain.comparison import FileChange, ValueChange
    from cpvlib.managers.comparing import Comparison, SeriesChange, Side

_LETTERS = {
    "added": ("A", "green"),
    "removed": ("D", "red"),
    "changed": ("M", "cyan"),
    "renamed": ("R", "cyan"),
}


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import open_workspace
    from cpvlib.cli.series import chosen
    from cpvlib.managers.comparing import compare

    before, after = _sides(args.versions)
    series = sorted(chosen(args.series, default=frozenset()), key=lambda each: each.name, reverse=True)
    ws = open_workspace(ui)
    found = compare(ws, before, after, series or None, progress=ui.progress(), jobs=args.jobs)
    if ui.json_wanted:
        ui.json(_facts(found))
    else:
        with ui.pager():
            for line in _markdown(found) if args.markdown else _lines(ui, found):
                ui.answer(line)
    if not found.differs:
        ui.say(f"{found.before.name} and {found.after.name} are the same")
    return NEGATIVE if found.differs and args.exit_code else DONE


def _sides(words: Sequence[str]) -> tuple[str, str | None]:
    """As in git: nothing is HEAD against the worktree, A is A against the worktree, A.. is A against HEAD."""
    if len(words) > 2:
        raise UsageError("two versions are compared, not more", hint="git cpv diff A B")
    if len(words) == 2:
        return words[0], words[1]
    if not words:
        return "HEAD", None
    before, dots, after = words[0].partition("..")
    if not dots:
        return words[0], None
    if after.startswith("."):
        raise UsageError(f"'{words[0]}' has three dots", hint="git cpv diff A..B compares A with B")
    return before or "HEAD", after or "HEAD"


def _lines(ui: UI, found: Comparison) -> Iterator[str]:
    yield from _values(ui, "metrics", found.metrics)
    yield from _values(ui, "params", found.params)
    for change in found.series:
        if not change.files:
            continue
        yield ui.paint("bold", f"{change.series}: {_summary(change)}")
        for file in change.files:
            letter, colour = _LETTERS[file.kind]
            yield ui.paint(colour, f"  {letter}  {_name(file)}")


def _values(ui: UI, title: str, changes: Sequence[ValueChange]) -> Iterator[str]:
    from cpvlib.domain.text import columns, printable

    if changes:
        yield ui.paint("bold", title)
        rows = [[f"  {printable(change.name)}", _arrow(change), _delta(change)] for change in changes]
        yield from columns(rows)


def _arrow(change: ValueChange) -> str:
    before, after = _both(change)
    return f"{before or '(none)'} -> {after or '(none)'}"


def _both(change: ValueChange) -> tuple[str, str]:
    """The two values as text, '' for a missing one; in full where rounding would make them look equal."""
    import json

    from cpvlib.cli.versiontext import number

    before = number(change.before) if change.has_before else ""
    after = number(change.after) if change.has_after else ""
    if before == after:
        return json.dumps(change.before), json.dumps(change.after)
    return before, after


def _delta(change: ValueChange) -> str:
    return "" if change.delta is None else f"{change.delta:+.3g}"


def _summary(change: SeriesChange) -> str:
    """`2 of 9 files changed, 0.8 GiB new`"""
    from cpvlib.domain.text import human_size, plural

    touched = [file for file in change.files if file.kind != "removed"]
    removed = len(change.files) - len(touched)
    parts = [f"{len(touched)} of {plural(change.n_files, 'file')} changed"] if touched else []
    parts += [f"{plural(removed, 'file')} removed"] if removed else []
    parts += [f"{human_size(change.new_bytes)} new"] if change.new_bytes else []
    return ", ".join(parts)


def _name(file: FileChange) -> str:
    from cpvlib.domain.text import printable

    return f"{printable(file.old_path)} -> {printable(file.path)}" if file.old_path else printable(file.path)


def _markdown(found: Comparison) -> Iterator[str]:
    """For a pull request. Names and values stand in code spans, where no markup and no mention is read."""
    before, after = _code(found.before.name), _code(found.after.name)
    yield f"### {before} → {after}"
    for title, changes in (("metric", found.metrics), ("parameter", found.params)):
        if changes:
            yield from ("", f"| {title} | {before} | {after} | change |", "|---|---:|---:|---:|")
        for value in changes:
            both = [_code(text) if text else "" for text in _both(value)]
            yield f"| {' | '.join([_code(value.name), *both, _delta(value)])} |"
    for change in found.series:
        if change.files:
            yield from ("", f"**{change.series}**: {_summary(change)}", "")
        for file in change.files:
            old = f"{_code(file.old_path)} → " if file.old_path else ""
            yield f"- {file.kind} {old}{_code(file.path)}"
    if not found.differs:
        yield from ("", "No differences.")


def _code(text: str) -> str:
    """A code span, fenced by more backticks than it holds. The bar would end a table's cell."""
    from cpvlib.domain.text import printable

    shown = printable(text).replace("|", "\\|")
    fence = "`"
    while fence in shown:
        fence += "`"
    space = " " if "`" in shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _facts(found: Comparison) -> dict[str, Any]:
    return {
        "before": _side(found.before),
        "after": _side(found.after),
        "differs": found.differs,
        "metrics": {change.name: _value(change) for change in found.metrics},
        "params": {change.name: _value(change) for change in found.params},
        "series": {str(change.series): _series(change) for change in found.series},
    }


def _side(side: Side) -> dict[str, Any]:
    version = str(side.record.version) if side.record else None
    return {"name": side.name, "commit": side.commit, "version": version}


def _value(change: ValueChange) -> dict[str, Any]:
    before = {"before": change.before} if change.has_before else {}
    after = {"after": change.after} if change.has_after else {}
    return {**before, **after, **({} if change.delta is None else {"delta": change.delta})}


def _series(change: SeriesChange) -> dict[str, Any]:
    return {
        "n_files": change.n_files,
        "size_before": change.size_before,
        "size_after": change.size_after,
        "new_bytes": change.new_bytes,
        "files": [
            {"change": file.kind, "path": file.path, "md5": file.md5, "old_path": file.old_path}
            for file in change.files
        ],
    }


COMMAND = Command(
    name="diff",
    summary="Compare two versions, or one with the worktree",
    group=Group.LOOK,
    description=(
        "Compares two checkpoints: which metrics, parameters and files differ, and how much had to be sent "
        "for the second. `A..B` is the same as `A B`; `A..` compares A with the current commit. With one "
        "version the other is the worktree, and without any the current commit is compared with the "
        "worktree, as `git diff` does.\n\n"
        "Files are marked M for changed, A for added, D for removed and R for renamed."
    ),
    arguments=(
        operand(
            "versions",
            metavar="VERSION",
            nargs="*",
            complete=Complete.VERSION,
            help="`v1.2`, `data/v1.2`, `latest`, an alias, or any git revision; at most two, or `A..B`",
        ),
        flag("--markdown", help="print Markdown, for a pull request"),
        flag("--exit-code", help="end with 1 where they differ, as `git diff --exit-code` does"),
        *SERIES,
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("What the second version changed", "git cpv diff v0.1 v0.2"),
        Example("What has changed here since the last push", "git cpv diff"),
        Example("A comparison for a pull request", "git cpv diff main..HEAD --markdown"),
    ),
    see_also=("show", "list", "status", "git-diff(1)"),
    negative="the two differ, and `--exit-code` was given",
    run=run,
)
