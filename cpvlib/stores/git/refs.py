"""git's refs: tags read in one go, and refs moved all at once or not at all."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence

from cpvlib.base.errors import GitError
from cpvlib.base.regex import regex
from cpvlib.base.values import NamedTuple
from cpvlib.stores.git.door import failure, lines
from cpvlib.stores.git.objects import DURABLE
from cpvlib.stores.git.repository import GitRepository

_NESTED = "a tag of a tag"
_FORMAT = "%(objectname) %(objecttype) %(refname)"
_READ = ("tag", "commit")  # of other types an object may be of any size, and says nothing of the tag
# What the head of a tag or commit says: git-mktag(1), git-commit-tree(1).
_NAMED = regex("object (.+)\ntype (.+)\n")
_NAME = regex("\ntag (.*)")
_WHO = regex(r"\n(?:tagger|committer) (.*?) ?<([^>\n]*)> (\d{1,18}) ([+-]\d{4})", re.ASCII)
# The whole head of most annotated tags, up to the message.
_USUAL = regex(
    r"object (.+)\ntype (.+)\ntag .*\ntagger ([^<\n]*?) ?<([^>\n]*)> (\d{1,18}) ([+-]\d{4})\n\n", re.ASCII
)
_SIGNATURE = regex(r"^-----BEGIN (PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----$", re.M)
_PLAIN = regex(r"[^\W_](?:[\w .@+-]*[^\W_])?")  # without what git strips from a name
_TAGS = ("refs/tags/", "refs/cpv/")  # where HEAD is never
_MOVED = ("but expected ", "reference already exists", "unable to resolve reference", "reference is missing")


class TagRecord(NamedTuple):
    """A tag. For a lightweight one, tagger and date are the commit's, and the message is the commit's."""

    name: str
    """Without 'refs/tags/'; for a ref elsewhere the whole of it."""
    object: str
    """The id that the ref holds: the tag object's, or of a lightweight tag the commit's."""
    commit: str | None
    """None where the tag names something else than a commit."""
    annotated: bool
    tagger: str
    email: str
    date: int
    """Seconds since 1970; 0 where the object does not say."""
    zone: str
    """The offset from UTC where it was made, such as '+0200'."""
    message: str
    """Without the signature. Text from anywhere: escape it before it is shown."""
    signed: bool
    ref: str


class RefUpdate(NamedTuple):
    """A ref's move, or with `new` None its deletion.

    It must hold `old` now, or with None not be there (for a deletion: hold anything); `any_old` waives that.
    """

    ref: str
    new: str | None
    old: str | None = None
    any_old: bool = False


class RefMovedError(GitError):
    """A compare-and-swap lost: a ref does not hold what it should. Nothing was changed."""


def read_tags(repo: GitRepository, patterns: Sequence[str] = ()) -> list[TagRecord]:
    """The tags that match; without patterns all of them. git-for-each-ref(1).

    A pattern is relative to 'refs/tags/' unless it begins with 'refs/': 'v*', whose star does not cross a
    slash, or a folder, 'data'.
    """
    return list(each_tag(repo, patterns))


def each_tag(repo: GitRepository, patterns: Sequence[str] = ()) -> Iterator[TagRecord]:
    """The same one by one while git still reads, by name; tags of tags come last."""
    # Only names and types: asked for more, git < 2.44 reads all tags before it tells of the first.
    listed = _text(repo.git.run("for-each-ref", f"--format={_FORMAT}", *_in_tags(patterns)))
    rows = [line.split(" ", 2) for line in listed.split("\n")[:-1]]
    held = repo.objects.each([oid for oid, kind, _ in rows if kind in _READ])
    nested = []
    for oid, kind, ref in rows:
        tag = _tag(ref, oid, kind, _text(next(held)) if kind in _READ else "")
        if tag.commit == _NESTED:
            nested.append(tag)
        else:
            yield tag
    commits = peeled(repo, [tag.object for tag in nested]) if nested else {}
    for tag in nested:
        yield tag._replace(commit=commits.get(tag.object))


def _tag(ref: str, oid: str, kind: str, text: str) -> TagRecord:
    """What a ref names; `text` is the object that it holds, where that is a tag or a commit."""
    annotated = kind == "tag"
    usual = _USUAL.match(text) if annotated else None
    if usual:  # in two thirds of the time
        named, named_kind, name, email, date, zone = usual.groups()
        body = text[usual.end() :]
    else:
        head, _, body = text.partition("\n\n")
        told = _NAMED.match(head) if annotated else None
        named, named_kind = told.groups() if told else (oid, kind)
        who = _WHO.search(head)
        name, email, date, zone = who.groups() if who else ("", "", "0", "+0000")
    commit = named if named_kind == "commit" else _NESTED if named_kind == "tag" else None
    message, signed = _message(body) if "-----BEGIN " in body or "\0" in body else (body.strip("\n"), False)
    short = ref.removeprefix("refs/tags/")
    return TagRecord._make(
        (short, oid, commit, annotated, name, email, int(date), zone, message, signed, ref)
    )


def _message(text: str) -> tuple[str, bool]:
    """A tag's message without its signature, and whether it had one."""
    text = text.partition("\0")[0]  # where git ends it, too
    signature = _SIGNATURE.search(text)
    return (text[: signature.start()] if signature else text).strip("\n"), signature is not None


def _in_tags(patterns: Sequence[str]) -> list[str]:
    return [each if each.startswith("refs/") else f"refs/tags/{each}" for each in patterns] or ["refs/tags"]


def _text(raw: bytes | bytearray) -> str:
    """What people wrote, with replacement characters where it isn't UTF-8, which git only recommends."""
    return raw.decode(errors="replace")


def tag_objects(repo: GitRepository, oids: Iterable[str]) -> dict[str, TagRecord]:
    """The tag objects among `oids` that are here, by id; `name` is the one that the object itself has, and no
    ref need name it. git-mktag(1) says how they look."""
    wanted = list(dict.fromkeys(oids))
    found = zip(wanted, repo.objects.read_all(wanted), strict=True)
    return {oid: _tag_object(oid, _text(tag.data)) for oid, tag in found if tag and tag.type == "tag"}


def _tag_object(oid: str, text: str) -> TagRecord:
    name = _NAME.search(text)
    tag = _tag(f"refs/tags/{name[1] if name else ''}", oid, "tag", text)
    return tag._replace(commit=None) if tag.commit == _NESTED else tag


def peeled(repo: GitRepository, oids: Iterable[str]) -> dict[str, str]:
    """Object id to the commit that it is, or is a tag of; others are left out."""
    wanted = list(dict.fromkeys(oids))
    commits = repo.objects.read_all([f"{oid}^{{commit}}" for oid in wanted])
    return {oid: commit.oid for oid, commit in zip(wanted, commits, strict=True) if commit is not None}


def refs(repo: GitRepository, *patterns: str) -> dict[str, str]:
    """Full ref name to object id, tags not peeled, for patterns such as 'refs/cpv/pending'."""
    listed = lines(repo.git.run("for-each-ref", "--format=%(objectname) %(refname)", *patterns))
    return {ref: oid for oid, _, ref in (line.partition(" ") for line in listed)}


def merged_tags(repo: GitRepository, commit: str, patterns: Sequence[str] = ()) -> set[str]:
    """The names, as in TagRecord, of the tags whose commit is `commit` or an ancestor of it."""
    listed = repo.git.run("for-each-ref", f"--merged={commit}", "--format=%(refname)", *_in_tags(patterns))
    return {line.removeprefix("refs/tags/") for line in lines(listed)}


def tagger(repo: GitRepository) -> str:
    """'Name <mail> seconds zone' of now, as git knows the user. Raises GitError where it knows none."""
    return _plain_tagger(repo) or repo.git.text("var", "GIT_COMMITTER_IDENT")


def _plain_tagger(repo: GitRepository) -> str | None:
    """The same without asking, where the configuration has it and git would change no character of it."""
    if any(f"GIT_COMMITTER_{each}" in repo.git.env for each in ("NAME", "EMAIL", "DATE")):
        return None
    name, email = (
        repo.config.get(f"committer.{each}") or repo.config.get(f"user.{each}") for each in ("name", "email")
    )
    if not (name and email and _PLAIN.fullmatch(name) and _PLAIN.fullmatch(email)):
        return None
    now = int(time.time())
    offset = time.localtime(now).tm_gmtoff
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{name} <{email}> {now} {'-' if offset < 0 else '+'}{hours:02}{minutes:02}"


def make_tag(repo: GitRepository, name: str, commit: str, message: str, tagged_by: str | None = None) -> str:
    """Write an annotated tag's object and return its id; no ref is made. git-mktag(1).

    `tagged_by` is what `tagger` said, to spare asking again.
    """
    head = f"object {commit}\ntype commit\ntag {name}\ntagger {tagged_by or tagger(repo)}\n\n"
    body = message.strip("\n") + "\n"
    return os.fsdecode(repo.git.run(*DURABLE, "mktag", stdin=(head + body).encode(errors="replace"))).strip()


def update_refs(repo: GitRepository, updates: Iterable[RefUpdate], reason: str) -> None:
    """Move all refs or none, each only from what it should hold; `reason` goes into the reflogs.

    Raises RefMovedError where one holds something else, GitError where git or its hook refuses.
    git-update-ref(1).
    """
    updates = list(updates)
    stdin = "".join(_instruction(update, repo) for update in updates)
    if not stdin:
        return
    args = (*DURABLE, "update-ref", "-m", reason, "--stdin", "-z")
    done = repo.git.ask(*args, stdin=os.fsencode(stdin))
    if not all(update.ref.startswith(_TAGS) for update in updates):
        repo.forget_head()
    if done.code:
        error = failure(args, done)
        if any(word in done.err for word in _MOVED):
            raise RefMovedError(error.message, hint=error.hint)
        raise error


def _instruction(update: RefUpdate, repo: GitRepository) -> str:
    ref, new, old, any_old = update
    # A branch may be a symbolic ref: then the branch it stands for moves. Any other ref is itself replaced.
    alone = "" if ref.startswith("refs/heads/") else "option no-deref\0"
    if new is None:
        return f"{alone}delete {ref}\0{'' if any_old or old is None else old}\0"
    return f"{alone}update {ref}\0{new}\0{'' if any_old else old or repo.null_oid}\0"


def tags_at(repo: GitRepository, commit: str) -> list[str]:
    """The names of the tags on this very commit, relative to 'refs/tags/'.

    git-show-ref(1) knows what packed tags are of, and reads none of them; `for-each-ref --points-at` reads
    each, which takes ten times as long.
    """
    args = ("show-ref", "--tags", "--dereference")
    done = repo.git.ask(*args)
    if done.code and done.err:  # else there are none
        raise failure(args, done)
    here = f"{commit} refs/tags/"
    names = [line.removeprefix(here) for line in lines(done.out) if line.startswith(here)]
    return [name.removesuffix("^{}") for name in names]
