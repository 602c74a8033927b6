"""Versions: giving them, listing them, going back to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cpvlib.api.manager import Manager, Work, find
from cpvlib.api.options import ReadOptions, RevertOptions, TagOptions
from cpvlib.base.errors import UsageError
from cpvlib.domain.text import plural
from cpvlib.domain.version import Series, TagName, Version

if TYPE_CHECKING:
    from cpvlib.managers.destination import Publication
    from cpvlib.managers.pending import PendingVersion
    from cpvlib.managers.tagging import TagPlan


def tag(
    manager: Manager,
    series: tuple[Series, ...],
    version_tag: str | None,
    messages: Sequence[str | None],
    options: Mapping[str, Any],
    name: str,
) -> str:
    """Names the committed checkpoint of the series; the plain version."""
    from cpvlib.managers import tagging

    settled = manager._options(TagOptions, options, name)
    publishes = bool(settled.get("push", True))
    request = tagging.TagRequest(
        series=series,
        version=_typed(version_tag, settled),
        major=bool(settled.get("major")),
        message=messages[0],
        force=bool(settled.get("force")),
        data_message=messages[-1],
        publishes=publishes,
    )
    with manager._work(name, settled, changes=True) as work:
        try:
            plan = tagging.plan_tag(work.ws, request)
        except tagging.AlreadyNamed as answer:
            if not (publishes and answer.awaiting and tagging.has_git_remote(work.ws)) or work.dry_run:
                raise
            return _publish(work, answer.awaiting)
        if work.dry_run:
            work.voice.close(f"would name {plan.commit[:7]} {plan.version}")
            return str(plan.version)
        plan, made = tagging.tag(work.ws, plan, request)
        if publishes:
            return _publish(work, made)
        work.voice.close(f"{_names(plan)} names {plan.commit[:7]}; pending until it is published")
        return str(plan.version)


def read_tags(manager: Manager, series: Series, options: Mapping[str, Any], name: str) -> list[str]:
    """The plain versions of a series, in their order."""
    from cpvlib.managers import pull, versions

    settled = manager._options(ReadOptions, options, name)
    with manager._work(name, settled, changes=False) as work:
        if settled.get("fetch"):
            pull.fetch_versions(work.ws)
        return [str(record.version) for record in versions.catalogue(work.ws, [series])]


def revert(
    manager: Manager, series: frozenset[Series], tag: str, options: Mapping[str, Any], name: str
) -> str:
    """Brings a version back as a new commit; the commit."""
    from cpvlib.managers import publish, revert

    settled = manager._options(RevertOptions, options, name)
    with manager._work(name, settled, changes=True) as work:
        ws, branch = work.ws, settled.get("branch")
        find(work, tag, next(iter(series)) if len(series) == 1 else None)
        request = revert.RevertRequest(tag, series, branch, work.force, work.jobs)
        plan = revert.plan_revert(ws, request, progress=work.voice)
        if work.dry_run:
            work.voice.close(f"would commit: {plan.message}; {plural(plan.n_files, 'file')} changed")
            return plan.tip
        result = revert.revert(ws, plan, request, progress=work.voice)
        for warning in result.restored.pickles.warnings:
            work.voice.say(f"warning: {warning}")
        if result.restored.kept:
            work.voice.say(f"your own files are kept in '{result.restored.kept}'")
        commit = result.commit or plan.tip
        line = f"[{commit[:7]}] {plan.message}; {plural(plan.n_files, 'file')} changed; undo: {plan.undo}"
        if settled.get("push"):
            publication = publish.publish_branch(ws, branch, commit, progress=work.voice, jobs=work.jobs)
            line += f"; published to {publication.git_remote}" if publication else "; no git remote"
        work.voice.close(line)
        return commit


def _typed(text: str | None, options: Mapping[str, Any]) -> Version | None:
    if text is None:
        return None
    if options.get("major"):
        raise UsageError("'major' finds the number, so none is given with it")
    version = Version.of(text)
    if version is None:
        raise UsageError(f"'{text}' is not a version", hint="give it as in version_tag='v1.2'")
    return version


def _publish(work: Work, made: Sequence[PendingVersion]) -> str:
    """Publishes versions; the number, which is another one where somebody else had it first."""
    from cpvlib.managers import publish

    publication = publish.publish_tags(work.ws, made, progress=work.voice, jobs=work.jobs)
    names = [_final(each.name, publication) for each in made]
    where = (
        f"published to {publication.git_remote}" if publication else "there is no git remote to publish to"
    )
    work.voice.close(f"{' and '.join(map(str, names))} names {made[0].commit[:7]}; {where}")
    return str(names[0].version)


def _final(name: TagName, publication: Publication | None) -> TagName:
    if publication is None:
        return name
    return publication.renamed.get(name) or publication.dropped.get(name) or name


def _names(plan: TagPlan) -> str:
    return " and ".join(str(half.name) for half in plan.halves)
