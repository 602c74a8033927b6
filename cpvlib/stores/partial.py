"""What a worktree leaves out of its outs: `<git-dir>/cpv/partial.json`, and beside it lists of files.

Not a hint: where it is lost, files that were left out count as deleted. So a record that can't be read is an
error, and never taken for none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from cpvlib.base.digest import md5_of
from cpvlib.base.errors import RepositoryError
from cpvlib.base.packed import in_order
from cpvlib.base.typed import Any
from cpvlib.base.values import dataclass, field
from cpvlib.domain.choice import Choice, facts, of_facts
from cpvlib.domain.listing import Md5s
from cpvlib.stores.files import disk_error, write_atomic

_MD5_LENGTH = 32


@dataclass(frozen=True)
class Left:
    """The files of a folder that are not in the worktree: `n_left` of the `nfiles` of its content `oid`.

    `rows` names the list of them. `size` is their bytes together, None where that is not known.
    """

    oid: str
    nfiles: int
    n_left: int
    size: int | None
    rows: str

    def facts(self) -> dict[str, Any]:
        """For a JSON file; `Left(**facts)` is it again."""
        return {name: getattr(self, name) for name in ("oid", "nfiles", "n_left", "size", "rows")}


@dataclass(frozen=True)
class Partial:
    """The choice of a worktree, and what is left out of each folder that is not whole."""

    choice: Choice = field(default_factory=Choice)
    outs: Mapping[str, Left] = field(default_factory=dict)


class Partials:
    """The record of one worktree. `listing` reads a listing by its oid, where it can be had at once."""

    def __init__(self, git_dir: Path, listing: Callable[[str], Mapping[str, str] | None]) -> None:
        self._folder = git_dir / "cpv"
        self._path = self._folder / "partial.json"
        self._rows = self._folder / "partial"
        self._listing = listing
        self._loaded: dict[str, Mapping[str, str]] = {}
        self._read: Partial | None = None
        self._pretends = False

    def pretend(self) -> None:
        """From here on nothing is written, and what would be counts all the same: for a dry run."""
        self._pretends = True

    def read(self) -> Partial:
        """All of it. Raises RepositoryError for a record that can't be read."""
        if self._read is None:
            self._read = self._parse()
        return self._read

    @property
    def choice(self) -> Choice:
        return self.read().choice

    def left(self, out_path: str) -> Left | None:
        """What is left out of a folder; None where it is whole, or not here at all."""
        return self.read().outs.get(out_path)

    def files(self, left: Left) -> Mapping[str, str]:
        """The files that are left out, relpath → md5.

        Where their list is lost all files of the content count, of which the worktree then has some: that
        takes none away. Raises RepositoryError where its listing can't be had either.
        """
        if left.rows not in self._loaded:
            self._loaded[left.rows] = self._load(left)
        return self._loaded[left.rows]

    def keep(self, oid: str, nfiles: int, files: Mapping[str, str], size: int | None) -> Left:
        """A list of files to leave out, kept; it counts once `update` has it."""
        for name, known in self._loaded.items():
            if known is files:
                return Left(oid, nfiles, len(files), size, name)
        data = "\0".join(f"{md5} {path}" for path, md5 in in_order(files)).encode()
        name = md5_of(data)
        if not (self._pretends or (self._rows / name).exists()):
            try:
                write_atomic(self._rows / name, data)
            except OSError as error:
                raise disk_error(error, f"cannot write '{self._rows / name}'") from error
        self._loaded[name] = files
        return Left(oid, nfiles, len(files), size, name)

    def update(self, outs: Mapping[str, Left | None], *, choice: Choice | None = None) -> None:
        """Record these, all or none; None makes a folder whole. The caller holds the worktree's lock."""
        before = self.read() if self._pretends else self._parse()
        after = Partial(
            before.choice if choice is None else choice,
            {path: left for path, left in {**before.outs, **outs}.items() if left is not None},
        )
        self._read = after
        if after != before and not self._pretends:
            self._write(after)
            self._sweep(after)

    def _parse(self) -> Partial:
        try:
            found = json.loads(self._path.read_bytes())
            outs = {path: _left(left) for path, left in found["outs"].items()}
            return Partial(of_facts(found["rules"]), outs)
        except FileNotFoundError:
            return Partial()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RepositoryError(
                f"'{self._path}', which tells which files are left out here, can't be read",
                hint="remove it, then git cpv pull --force brings them all and keeps a copy of what is here",
            ) from error

    def _write(self, partial: Partial) -> None:
        if not partial.outs and not partial.choice.rules:
            self._path.unlink(missing_ok=True)
            return
        outs = {path: left.facts() for path, left in partial.outs.items()}
        text = json.dumps({"rules": facts(partial.choice), "outs": outs}, indent=1, sort_keys=True)
        try:
            write_atomic(self._path, text.encode() + b"\n")
        except OSError as error:
            raise disk_error(error, f"cannot write '{self._path}'") from error

    def _load(self, left: Left) -> Mapping[str, str]:
        try:
            data = (self._rows / left.rows).read_bytes()
        except OSError:
            data = b""
        if md5_of(data) == left.rows:
            rows = data.decode().split("\0")
            return Md5s((row[_MD5_LENGTH + 1 :], row[:_MD5_LENGTH]) for row in rows)
        entries = self._listing(left.oid)
        if entries is None:
            raise RepositoryError(
                f"'{self._rows / left.rows}', which lists files that are left out here, can't be read",
                hint="git cpv pull brings the listing that takes its place",
            )
        return entries

    def _sweep(self, partial: Partial) -> None:
        """Removes lists that nothing names. An unfinished revert may need those from before it."""
        if (self._folder / "journal.json").exists() or not self._rows.is_dir():
            return
        named = {left.rows for left in partial.outs.values()}
        for file in self._rows.iterdir():
            if file.name not in named:
                with suppress(OSError):
                    file.unlink()


def _left(fields: Mapping[str, Any]) -> Left:
    left = Left(**fields)
    if not isinstance(left.oid, str) or not isinstance(left.rows, str) or "/" in left.rows:
        raise TypeError("not what is left out of a folder")
    return left
