"""`.dvcignore`: which files DVC, and so CPV, leaves out of tracked folders.

Semantics of DVC's dvc/ignore.py: gitignore patterns, in the `.dvcignore` of a folder for all below it, the
nearer and the later one stronger; nothing below an ignored folder comes back; `.git`, `.hg`, `.dvc` and
folders that are DVC repositories of their own are always left out.
"""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import RepositoryError
from cpvlib.domain.patterns import Pattern, compiled
from cpvlib.stores.files import read_small

FILE = ".dvcignore"
_MAX_BYTES = 1 << 20
_MAX_PATTERNS = 10_000
_SHOWN_LENGTH = 60


class DvcIgnore:
    """The rules of one worktree, read from it as they are needed and then kept."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._patterns: dict[str, tuple[Pattern, ...] | None] = {}
        self._n_patterns = 0

    def keeps(self, relpath: str, is_dir: bool) -> bool:
        """Whether DVC would see the file or folder `relpath` (posix, relative to the top).

        Raises RepositoryError for a `.dvcignore` that is not UTF-8 text or has a pattern that means nothing,
        and where they have more patterns than anybody waits for.
        """
        folder, _, name = relpath.rpartition("/")
        patterns = self._of_folder(folder)
        if patterns is None or name == ".git" or (is_dir and name in (".hg", ".dvc")):
            return False
        if patterns and _ignored(patterns, relpath, is_dir):
            return False
        return not (is_dir and (self._top / relpath / ".dvc").exists())

    def has_rules(self, folder: str) -> bool:
        """Whether files right in `folder` may be left out, apart from one named `.git`. Raises as `keeps`."""
        return self._of_folder(folder) != ()

    def _of_folder(self, folder: str) -> tuple[Pattern, ...] | None:
        """The patterns for what lies in `folder`, weakest first; None where it is itself ignored."""
        if folder in self._patterns:
            return self._patterns[folder]
        above: tuple[Pattern, ...] | None = ()
        if folder:
            above = self._of_folder(folder.rpartition("/")[0]) if self.keeps(folder, True) else None
        if above is not None:
            own = self._read(folder, above)
            above = None if own and _ignored_from_below(above + own, folder) else above + own
        self._patterns[folder] = above
        return above

    def _read(self, folder: str, above: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
        file = f"{folder}/{FILE}" if folder else FILE
        try:
            data = read_small(self._top / file, _MAX_BYTES, follow=False)
            text = data.decode("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except (OSError, UnicodeDecodeError) as error:
            if (self._top / file).is_dir():
                return ()
            reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise RepositoryError(f"'{file}' cannot be read: {reason}") from error
        if len(data) > _MAX_BYTES:
            raise RepositoryError(f"'{file}' cannot be read: it is larger than {_MAX_BYTES >> 20} MiB")
        lines = [line.strip() for line in text.split("\n")]
        lines = [line for line in lines if line and not line.startswith("#")]
        if not lines or _ignored(above, file, False):
            return ()
        self._n_patterns += len(lines)
        if self._n_patterns > _MAX_PATTERNS:
            raise RepositoryError(
                f"'{file}' cannot be read: with it there are more than {_MAX_PATTERNS:,} patterns",
                hint="leave out whole folders, by 'name/', rather than file by file",
            )
        return _compiled(file, [_moved(line, folder) if folder else line for line in lines])


def append_pattern(data: bytes | None, pattern: str) -> bytes:
    """A `.dvcignore`'s bytes with the pattern as their last line; the same where it is there already."""
    from cpvlib.stores.dvc.gitignore import add_lines

    return add_lines(data, [pattern])


def _ignored(patterns: tuple[Pattern, ...], relpath: str, is_dir: bool) -> bool:
    for pattern in reversed(patterns):
        if pattern.folders_only and not is_dir:
            continue
        if pattern.regex.match(relpath) or (is_dir and pattern.regex.match(relpath + "/")):
            return pattern.means
    return False


def _ignored_from_below(patterns: tuple[Pattern, ...], folder: str) -> bool:
    """Whether a folder's own file ignores it, as '**' does; DVC then sees the folder and nothing in it."""
    parts = folder.split("/") if folder else []
    return any(_ignored(patterns, "/".join(parts[:end]), True) for end in range(1, len(parts) + 1))


def _moved(pattern: str, folder: str) -> str:
    """A pattern of `folder`'s own file, said from the top (dvc/pathspec_math.py, change_rule)."""
    negation = "!" if pattern.startswith("!") else ""
    pattern = pattern[len(negation) :]
    anchored = "/" in pattern[:-1] and not pattern.startswith("**/")
    pattern = pattern.removeprefix("/") if anchored else pattern.removeprefix("**/")
    pattern = pattern.removeprefix("\\")
    return f"{negation}/{folder}/{pattern}" if anchored else f"{negation}/{folder}/**/{pattern}"


def _compiled(file: str, lines: list[str]) -> tuple[Pattern, ...]:
    found = []
    for line in lines:
        try:
            found.append(compiled(line))
        except ValueError as error:
            shown = line if len(line) <= _SHOWN_LENGTH else f"{line[:_SHOWN_LENGTH]}…"
            raise RepositoryError(
                f"'{file}' has a pattern that cannot be understood: '{shown}'",
                hint=f"mend that line of '{file}'; its patterns are those of .gitignore",
            ) from error
    return tuple(pattern for pattern in found if pattern is not None)
