"""Published versions that a push takes along, to notice those that were moved at the git remote."""

from __future__ import annotations

import os

import pytest

from cpvlib.domain.manifest import Manifest
from cpvlib.domain.version import Series, TagName, Version
from cpvlib.managers import moved
from cpvlib.managers.pending import Pending, waiting
from cpvlib.managers.workspace import Workspace
from shell import Shell


def with_published(repo: Shell, count: int) -> list[Pending]:
    """v0.1 is pending; so many others, each a minute newer than the one before, are not. What is pending."""
    head = repo.git("rev-parse", "HEAD")
    tags = []
    for number in range(2, count + 2):
        name = f"v0.{number}"
        message = Manifest(name, Version(0, number), (), {}, nonce=f"{number:016x}").render()
        when = 1_700_000_000 + 60 * number
        tags.append(
            f"tag {name}\nfrom {head}\ntagger T <t@example.org> {when} +0000\n"
            f"data {len(message.encode())}\n{message}\n"
        )
    repo.ok("git fast-import --quiet", stdin="".join(tags))
    return waiting(Workspace.open(repo.cwd, {**os.environ, **repo.env}))


@pytest.mark.parametrize(("n_published", "n_guards"), [(0, 0), (3, 3), (300, 200), (2000, 50)])
def test_the_newest_versions_guard_a_push_as_many_as_git_compares_soon(
    repo: Shell, n_published: int, n_guards: int
) -> None:
    wanted = with_published(repo, n_published)
    found = moved.guards(Workspace.open(repo.cwd, {**os.environ, **repo.env}), wanted)
    newest = range(n_published + 1, n_published + 1 - n_guards, -1)
    assert [guard.dst for guard in found] == [
        TagName(Series.MODEL, Version(0, number), "").ref for number in newest
    ]
    assert all(guard.lease == guard.src == repo.git("rev-parse", guard.dst) for guard in found[:2])
