"""git cpv status: what differs, what is pending, what is unfinished."""

from __future__ import annotations

from cpvlib.base.errors import DONE
from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.cli.options import JOBS, OUTPUT, transfer_settings
from cpvlib.cli.record import Command, Example, Group, flag

if TYPE_CHECKING:
    from argparse import Namespace

    from cpvlib.cli.ui import UI
    from cpvlib.managers.absence import Count
    from cpvlib.managers.status import OutStatus, Status, UnfinishedDownload, UnfinishedUpload

_NOTES = {
    "new": "not recorded yet: git cpv push",
    "modified": "changed since the last push: git cpv push",
    "behind": "its pointer moved on: git cpv pull",
    "conflict": "changed here, and so did its pointer: git cpv pull --force keeps a copy of yours",
    "missing": "not in the worktree: git cpv pull brings it back",
    "not pulled": "git cpv pull brings it",
    "absent": "nothing there yet",
}
_COLOURS = {
    "in step": "green",
    "absent": "dim",
    "not pulled": "dim",
    "new": "yellow",
    "modified": "yellow",
    "behind": "cyan",
}


def run(args: Namespace, ui: UI) -> int:
    from cpvlib.cli.opening import open_workspace
    from cpvlib.managers.status import status

    report = status(
        open_workspace(ui, transfer_settings(args)), check=args.check, progress=ui.progress(), jobs=args.jobs
    )
    if ui.json_wanted:
        ui.json(_facts(report))
    else:
        _tell(ui, report)
    return DONE


def _tell(ui: UI, report: Status) -> None:
    from cpvlib.domain.text import listed, printable

    where = (
        f"On branch {printable(report.branch)}"
        if report.branch
        else f"HEAD detached at {(report.commit or '')[:7]}"
    )
    here = f" ({', '.join(report.versions_here)})" if report.versions_here else ""
    ui.answer(f"{where}{here}{_distance(report)}")
    if report.unfinished:
        ui.answer(report.unfinished)
    for upload in report.uploads:
        ui.answer(_upload(upload))
    if report.conflicts:
        ui.answer(f"in conflict, and settled by git cpv pull: {listed(report.conflicts)}")
    for download in report.downloads:
        ui.answer(_download(download))
    ui.answer("")
    ui.table([_row(ui, out, lost=out.path in report.lost) for out in report.outs], right=(3,))
    ui.answer("")
    if report.pending:
        names = [name if name in report.ready else f"{name} (of another branch)" for name in report.pending]
        ui.answer(f"versions not published yet: {', '.join(names)}")
    if report.aliases:
        told = [f"{setting.name} ({setting.target or 'taken away'})" for setting in report.aliases]
        ui.answer(f"aliases not published yet: {', '.join(told)}")
    if report.moved:
        ui.answer(
            f"another at the git remote than here: {printable(', '.join(report.moved))}; versions never move "
            "(git cpv pull says more)"
        )
    for path, n_missing in report.lost.items():
        ui.answer(f"storage lacks {n_missing} of the objects of {printable(path)}: git cpv push --check")
    only = ", a folder of this machine" if report.storage_is_folder else ""
    ui.answer(f"storage: {printable(report.storage_url)}{only}")
    if report.conflicts:
        return
    push = "git cpv push --check" if report.lost else "git cpv push"
    ui.answer(f"something to push: {push}" if report.to_push else "nothing to push")


def _upload(upload: UnfinishedUpload) -> str:
    from cpvlib.domain.text import human_size, printable

    size = human_size(upload.size)
    if upload.path:
        name = printable(upload.path)
        return f"the upload of {name} ({size}) is not finished: git cpv push goes on with it"
    return f"an upload of {size} is not finished: what no push goes on with is given up after 7 days"


def _download(download: UnfinishedDownload) -> str:
    from cpvlib.domain.text import human_size, printable

    name = f"the download of {printable(download.path)}" if download.path else "a download"
    amount = f"{human_size(download.here)} of {human_size(download.size)} are here"
    return f"{name} is not finished ({amount}): git cpv pull goes on with it"


def _distance(report: Status) -> str:
    from cpvlib.domain.text import plural, printable

    if report.unpublished_to:
        return f", not published to {printable(report.unpublished_to)} yet"
    if report.upstream is None:
        return ""
    name = printable(report.upstream)
    if report.ahead and report.behind:
        return f", {plural(report.ahead, 'commit')} ahead of {name} and {report.behind} behind"
    if report.ahead:
        return f", {plural(report.ahead, 'commit')} ahead of {name}"
    return f", {plural(report.behind, 'commit')} behind {name}: git cpv pull" if report.behind else ""


def _row(ui: UI, out: OutStatus, *, lost: bool) -> tuple[str, ...]:
    from cpvlib.domain.text import human_size, printable

    state = out.standing.state.value
    series = str(out.standing.out.series or "log")
    note = _NOTES.get(state, "")
    if state == "in step" and not out.committed:
        note = "its pointer is not committed yet: git cpv push"
    elif state == "in step" and lost:
        note = "not whole at the storage: git cpv push --check"
    elif state == "in step" and out.stored is False:
        note = "not known to be at the storage: git cpv push"
    if out.absent is not None:
        note = "; ".join(
            part for part in (_absent(out.absent), "" if state == "not pulled" else note) if part
        )
    size = human_size(out.size) if out.size is not None else ""
    return series, printable(out.path), ui.paint(_COLOURS.get(state, "red"), state), size, note


def _absent(count: Count) -> str:
    from cpvlib.cli.absent import count_in_words

    if not count.by_choice:
        return f"{count_in_words(count)} still to come: git cpv pull"
    return f"{count_in_words(count)} absent by choice"


def _facts(report: Status) -> dict[str, Any]:
    return {
        "branch": report.branch,
        "commit": report.commit,
        "upstream": report.upstream,
        "unpublished_to": report.unpublished_to,
        "ahead": report.ahead,
        "behind": report.behind,
        "versions": list(report.versions_here),
        "pending": list(report.pending),
        "ready": list(report.ready),
        "aliases": [{"alias": each.name, "target": each.target} for each in report.aliases],
        "moved": list(report.moved),
        "unfinished": report.unfinished,
        "uploads": [vars(upload) for upload in report.uploads],
        "conflicts": list(report.conflicts),
        "downloads": [vars(download) for download in report.downloads],
        "storage": report.storage_url,
        "to_push": report.to_push,
        "outs": [
            {
                "path": out.path,
                "series": str(out.standing.out.series) if out.standing.out.series else None,
                "state": out.standing.state.value,
                "md5": out.standing.oid,
                "pointer": out.standing.out.oid,
                "base": out.standing.base,
                "size": out.size,
                "committed": out.committed,
                "stored": out.stored,
                "absent": out.absent.n_absent if out.absent else 0,
                "lost": report.lost.get(out.path, 0),
            }
            for out in report.outs
        ],
    }


COMMAND = Command(
    name="status",
    summary="Show what differs between worktree, storage and git remote",
    group=Group.LOOK,
    description=(
        "Lists the outs of the model and of the data, and `metrics.log`, each with its state:\n\n"
        "`in step`: the file is what its pointer names. `modified` and `new`: it is the user's work, not "
        "recorded yet. `behind`: its pointer moved on and the file is still the old one; `git cpv pull` "
        "replaces it, and `git cpv push` refuses it. `conflict`: both changed. `missing`: it was here and "
        "is gone. `not pulled`: it was never here. Files that were left out by choice are counted, and are "
        "part of the folder all the same: see git-cpv-pull(1).\n\n"
        "Only files that changed by their stat are read. Nobody is asked over the network, unless `--check` "
        "is given."
    ),
    arguments=(
        flag("--check", help="ask storage whether it holds what the pointers name"),
        JOBS,
        *OUTPUT,
    ),
    examples=(
        Example("See where things stand", "git cpv status"),
        Example("Ask storage too", "git cpv status --check"),
    ),
    see_also=("push", "pull", "list", "git-status(1)"),
    run=run,
)
