"""Published versions that a push takes along, to notice those that were moved at the git remote."""

from __future__ import annotations

import os

import pytest

from cpvlib.base.errors import GitError
from cpvlib.domain.manifest import Manifest
from cpvlib.domain.version import Series, TagName, Version
from cpvlib.managers import moved
from cpvlib.managers.pending import Pending, waiting
from cpvlib.managers.workspace import Workspace
from shell import Shell


def with_published(repo: Shell, count: int) -> tuple[Workspace, list[Pending]]:
    """v0.1 is pending; so many others, each a minute newer than the one before, are published at origin. What
    is pending."""
    repo.git("init", "-q", "--bare", "../hub.git")
    repo.git("remote", "add", "origin", "../hub.git")
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
    repo.git("push", "-q", "origin", "refs/tags/*:refs/tags/*")
    ws = Workspace.open(repo.cwd, {**os.environ, **repo.env})
    return ws, waiting(ws)


@pytest.mark.parametrize(("n_published", "n_guards"), [(0, 0), (3, 3), (300, 200)])
def test_the_newest_versions_guard_a_push(repo: Shell, n_published: int, n_guards: int) -> None:
    ws, wanted = with_published(repo, n_published)
    found = moved.guards(ws, "origin", wanted)
    newest = range(n_published + 2 - n_guards, n_published + 2)
    assert [guard.dst for guard in found] == [
        TagName(Series.MODEL, Version(0, number), "").ref for number in newest
    ]
    assert all(guard.lease == guard.src == repo.git("rev-parse", guard.dst) for guard in found[:2])


def test_of_thousands_the_git_remote_is_asked_for_as_many(repo: Shell) -> None:
    ws, wanted = with_published(repo, 2001)
    assert moved.guards(ws, "origin", wanted) == []
    hub = repo.at("../hub.git")
    hub.git("tag", "--force", "-m", "moved", "v0.1803", "v0.2")
    with pytest.raises(GitError, match=r"^'v0\.1803' is another at 'origin' than here"):
        moved.guards(ws, "origin", wanted)
    assert repo.git("rev-parse", "refs/cpv/moved/v0.1803") == hub.git("rev-parse", "v0.1803")
