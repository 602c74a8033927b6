"""Objects are read whole, few through the git that stays, many through one that says all at once."""

from __future__ import annotations

import os

import pytest

from cpvlib.base.errors import GitError, RepositoryError
from cpvlib.stores.git import objects
from cpvlib.stores.git.repository import GitRepository
from shell import Shell

NONE = "0" * 40


@pytest.fixture
def repo(shell: Shell) -> GitRepository:
    shell.git("init", "-q")
    return GitRepository.discover(shell.cwd)


def kept(repo: GitRepository, contents: list[bytes]) -> list[str]:
    writer = objects.ObjectWriter(repo.git, "sha1")
    oids = [writer.add(b"blob", content) for content in contents]
    writer.write()
    return oids


@pytest.mark.parametrize("count", [0, 5, 500])
def test_in_order_wherever_what_git_says_is_cut(repo: GitRepository, count: int) -> None:
    contents = [os.urandom(n * n % 9_999) + b"\n12\n" * (n % 3) for n in range(count)]
    assert list(repo.objects.each(kept(repo, contents))) == contents


@pytest.mark.parametrize("count", [5, 500])
def test_one_that_is_not_there(repo: GitRepository, count: int) -> None:
    oids = kept(repo, [b"%d" % n for n in range(count)])
    with pytest.raises(GitError, match=f"git object '{NONE}' is missing"):
        list(repo.objects.each([*oids[:3], NONE, *oids[3:]]))
    assert list(repo.objects.each(oids[:1])) == [b"0"]


@pytest.mark.parametrize("count", [5, 500])
def test_one_that_is_too_large(repo: GitRepository, count: int) -> None:
    oids = kept(repo, [b"%d" % n for n in range(count)])
    large = os.fsdecode(repo.git.run("hash-object", "-w", "--stdin", stdin=bytes(objects.LARGEST_BYTES + 1)))
    with pytest.raises(RepositoryError, match=r"is too large: \d+ bytes"):
        list(repo.objects.each([*oids, large.strip()]))
