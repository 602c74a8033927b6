"""What a user asks for of large folders, as a choice: paths and patterns, checked against what there is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from cpvlib.base.errors import RepositoryError, UsageError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.base.values import dataclass
from cpvlib.domain.choice import ALL, Choice, Extent, Rule, is_under
from cpvlib.domain.patterns import Patterns, is_pattern
from cpvlib.managers import absence, objects

if TYPE_CHECKING:
    from cpvlib.domain.pointer import OutEntry
    from cpvlib.managers.outs import Out
    from cpvlib.managers.standing import Standing
    from cpvlib.managers.workspace import Workspace


@dataclass(frozen=True)
class Wish:
    """What was typed: paths from the top (outs, folders that hold outs, files and folders in outs), patterns,
    `whole` for an end of the choice."""

    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    whole: bool = False

    @property
    def has_patterns(self) -> bool:
        return bool(self.include or self.exclude)


def wish(
    paths: Sequence[str] = (),
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    whole: bool = False,
) -> Wish:
    """What was typed, checked. Raises UsageError for what can't be a pattern, and for words that contradict
    each other."""
    if whole and (include or exclude):
        raise UsageError("--all brings everything, and patterns leave something out", hint="give one of them")
    for pattern in (*include, *exclude):
        _check(pattern)
    return Wish(tuple(paths), tuple(include), tuple(exclude), whole)


def at_first(wish: Wish, *, nothing: bool = False) -> Choice:
    """The choice of a new worktree; `nothing`: no file at all."""
    choice = Choice()
    if nothing or wish.include:
        choice = choice.then(absence.NOTHING)
    if wish.has_patterns:
        choice = choice.then(Rule(None, wish.include, wish.exclude))
    return choice


def decided(
    ws: Workspace,
    wish: Wish,
    targets: Mapping[str, Out],
    found: Mapping[str, Standing],
    *,
    everything: bool,
) -> Choice:
    """The choice from now on, once the outs are what `targets` name; `found` is how they stand now.

    `everything` tells that `targets` are all outs there are. The first time that something is asked for of an
    out, what was not asked for is left out from then on. Raises RepositoryError for a path or an include
    pattern that nothing is named by.
    """
    before = ws.partials.choice
    within = None if everything else tuple(targets)
    if wish.paths and "." not in wish.paths:
        within = wish.paths
    if wish.whole:
        return before.then(Rule(within, ALL))
    if not wish.paths and not wish.has_patterns:
        return before
    names = {path: _names(ws, targets[path], found[path]) for path in targets}
    _refuse_unknown(wish, names)
    asked = Rule(within, wish.include or (ALL if wish.paths else ()), wish.exclude)
    if not (wish.include or any(_is_inside(path, targets) for path in wish.paths)):
        return before.then(asked)
    narrowed = [
        path
        for path in targets
        if before.extent(path) is Extent.ALL and _narrows(path, asked, names[path], found[path], wish)
    ]
    return (before.then(Rule(tuple(narrowed), (), ALL)) if narrowed else before).then(asked)


def selected(outs: Mapping[str, Out], paths: Iterable[str]) -> dict[str, Out]:
    """The outs that paths are, hold, or lie in. Raises RepositoryError for one of which that is not so."""
    from cpvlib.domain.text import listed

    wanted = {path: [out for out in outs if _matches(path, outs[out])] for path in paths}
    unknown = [path for path, matches in wanted.items() if not matches]
    if unknown:
        raise RepositoryError(
            f"{listed(unknown)} is not an out and holds none", hint="git cpv status lists the outs"
        )
    return {path: outs[path] for matches in wanted.values() for path in matches}


def unwanted(ws: Workspace, wish: Wish, outs: Mapping[str, Out]) -> dict[str, Collection[str]]:
    """What patterns leave out of outs that come to a new folder: relpaths, '' for an out that is a file.
    Raises as `decided` does."""
    if not wish.has_patterns:
        return {}
    names = {path: list(_entries(ws, out.entry)) for path, out in outs.items() if out.entry is not None}
    _refuse_unknown(wish, {path: [_joined(path, each) for each in names[path]] for path in names})
    wants = at_first(wish).wants()
    return {path: {each for each in names[path] if not wants(_joined(path, each))} for path in names}


def _joined(path: str, relpath: str) -> str:
    return f"{path}/{relpath}" if relpath else path


def _matches(path: str, out: Out) -> bool:
    is_folder = out.entry is not None and out.entry.is_dir
    return is_under(out.path, path) or (is_folder and is_under(path, out.path))


def _narrows(path: str, asked: Rule, names: Sequence[str], standing: Standing, wish: Wish) -> bool:
    """Whether asking for a part of an out, of which all was wanted so far, leaves out the rest."""
    if any(is_under(path, each) for each in wish.paths) and not wish.include:
        return False
    if standing.content is None:
        return True
    here = standing.content.here
    wants = Choice((absence.NOTHING, asked)).wants()
    if wish.include:
        return any(wants(name) for name in names)
    return any(name[len(path) + 1 :] not in here and not wants(name) for name in names)


def _names(ws: Workspace, target: Out, standing: Standing) -> list[str]:
    """The paths of the files that an out has, or will have."""
    entry, content = target.entry, standing.content
    relpaths = set(content.files) if content else set()
    if entry is not None and entry.oid is not None and standing.oid != entry.oid:
        relpaths.update(_entries(ws, entry))
    return [_joined(target.path, relpath) for relpath in relpaths]


def _entries(ws: Workspace, entry: OutEntry) -> Iterable[str]:
    return objects.listing_of(ws, entry).entries if entry.is_dir else ("",)


def _refuse_unknown(wish: Wish, names: Mapping[str, Sequence[str]]) -> None:
    for path in wish.paths:
        out = next((out for out in names if path != out and is_under(path, out)), None)
        if out is not None and not any(is_under(name, path) for name in names[out]):
            raise RepositoryError(f"'{path}' is no file or folder of '{out}'", hint=f"git cpv pull {out}")
    for pattern in wish.include:
        meant = Patterns([pattern.removeprefix("!")])
        if not any(meant.mean(name) for each in names.values() for name in each):
            raise RepositoryError(f"no file matches '{pattern}'", hint=_nearer(pattern, names))


def _nearer(pattern: str, names: Mapping[str, Sequence[str]]) -> str:
    """A pattern that was meant to begin at an out."""
    for out in names:
        nearer = f"{out}/{pattern.lstrip('/')}"
        if any(Patterns([nearer]).mean(name) for name in names[out]):
            return f"patterns begin at the top of the repository: '{nearer}'"
    return "patterns are those of .gitignore, from the top of the repository: 'data/train/*.png'"


def _is_inside(path: str, outs: Mapping[str, Out]) -> bool:
    return any(path != out and is_under(path, out) for out in outs)


def _check(pattern: str) -> None:
    if not is_pattern(pattern):
        raise UsageError(f"'{pattern}' is not a pattern", hint="as in .gitignore: 'data/raw/', '*.png'")
