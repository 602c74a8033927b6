"""The keyword options of the API: which there are, what they mean, and what is said of one that is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from cpvlib.base.errors import OptionError

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack

StrPath = str | os.PathLike[str]


class Options(TypedDict, total=False):
    """What every call takes, and every constructor as the default of its calls."""

    verbose: int
    """1 or True: what is done, on stderr; 2: git's commands too; 3: requests to S3 too. Default 0: silent."""
    dry_run: bool
    """Validate everything and change nothing; the answer is what the call would have given."""
    force: bool
    """Go on where a call stops for safety. What would be overwritten is copied aside first, and the place
    told."""
    notify: Callable[[str], object] | None
    """Called with one line of text when a call that changes something has ended, well or not."""
    use_cache: bool
    """False: uploads keep no copy in the cache, downloads of a tag come from the storage anew. Default
    True."""
    log_file: StrPath | None
    """Where the log goes, instead of the repository's file in the user's log folder."""
    repo_path: StrPath | None
    """The repository. Default: the current folder where it is that model's repository, else
    `./<model_name>`."""
    jobs: int | None
    """How many transfers at once."""


class AllOptions(Options, total=False):
    """What the constructors take."""

    output_dir: StrPath | None
    """Where downloads of a tag go: a folder that is empty, new, or holds just that version."""


class InitOptions(Options, total=False):
    """Options of the import methods."""

    storage: str | None
    """Keep the objects below `s3://BUCKET[/PREFIX]` or a folder."""
    git_remote: str | None
    """The URL of the git remote, added as `origin`."""
    tag_prefix: str | None
    """Begin the tags of versions with this, where `v1.2` or `data` are taken."""


class UploadOptions(Options, total=False):
    """Options of the upload methods."""

    message: str | None
    """The commit's message; by default it names the series and the metrics."""
    params: Mapping[str, Any] | None
    """Parameters of the training, recorded in `checkpoint.json`; nested ones are flattened with dots."""
    branch: str | None
    """Commit onto this branch without switching to it; it is made where it does not exist."""
    commit_code: bool
    """Commit the changes of all files that git tracks as well."""
    check: bool
    """Ask the storage again about everything, whatever was confirmed before."""


class DownloadOptions(AllOptions, total=False):
    """Options of the download methods."""

    git_url: str | None
    """Take the tag from the repository at this URL, for which no clone is needed."""
    include: str | Sequence[str] | None
    """Bring only the files that these patterns match, as in .gitignore, from the top of the repository."""
    exclude: str | Sequence[str] | None
    """Leave out the files that these patterns match."""
    prefer: str | None
    """Without a tag, where two people pushed and both changed the same: `"ours"` keeps what this branch has,
    `"theirs"` takes the other's. Default: such a conflict is an error that names it."""


class TagOptions(Options, total=False):
    """Options of the tag methods."""

    major: bool
    """Count the first number up: v2.0 after v1.7."""
    push: bool
    """False: leave the version pending until the next upload. Default True: publish it at once."""


class RevertOptions(Options, total=False):
    """Options of the revert methods."""

    branch: str | None
    """Commit onto this branch, and leave the worktree alone."""
    push: bool
    """True: publish the branch too. Default False: the next upload does."""


class ReadOptions(Options, total=False):
    """Options of the methods that only read."""

    fetch: bool
    """True: ask the git remote for new versions first. Default False: what is known here."""


def settled(defaults: Mapping[str, Any], given: Mapping[str, Any], kind: type, caller: str) -> dict[str, Any]:
    """The options of one call over those of its object. Raises OptionError for a keyword that `kind`
    lacks."""
    known = kind.__optional_keys__ | kind.__required_keys__  # type: ignore[attr-defined]  # of a TypedDict
    for name in given:
        if name not in known:
            raise OptionError(f"{caller}() takes no keyword '{name}'{_nearest(name, known)}")
    options = {**{key: value for key, value in defaults.items() if key in known}, **given}
    _check(options, caller)
    if options.get("log_file") is not None:
        options["log_file"] = path_of(options["log_file"]).absolute()  # wherever the process goes from here
    return options


def path_of(value: StrPath) -> Path:
    """The path that a user means, '~' expanded."""
    return Path(value).expanduser()


def patterns_of(value: str | Sequence[str] | None) -> Sequence[str]:
    """One pattern or several."""
    return (value,) if isinstance(value, str) else tuple(value or ())


def _nearest(name: str, known: frozenset[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(known), 1, cutoff=0.5)
    return f": did you mean '{near[0]}'?" if near else f"; it takes {', '.join(sorted(known))}"


_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("verbose",), (int,)),
    **dict.fromkeys(("log_file", "repo_path", "output_dir"), (str, os.PathLike, type(None))),
    **dict.fromkeys(
        ("message", "branch", "storage", "git_remote", "tag_prefix", "git_url"), (str, type(None))
    ),
    **dict.fromkeys(("include", "exclude"), (str, list, tuple, type(None))),
    **dict.fromkeys(("params",), (Mapping, type(None))),
    **dict.fromkeys(("jobs",), (int, type(None))),
}


def _check(options: Mapping[str, Any], caller: str) -> None:
    for name, value in options.items():
        if name in _KINDS and not isinstance(value, _KINDS[name]):
            raise OptionError(f"{caller}(): '{name}' can't be {value!r}")
    if options.get("prefer") not in (None, "ours", "theirs"):
        raise OptionError(f"{caller}(): 'prefer' is 'ours' or 'theirs', not {options['prefer']!r}")
    notify = options.get("notify")
    if notify is not None and not callable(notify):
        raise OptionError(f"{caller}(): 'notify' is a function that takes one line of text, not {notify!r}")
    jobs = options.get("jobs")
    if jobs is not None and jobs < 1:
        raise OptionError(f"{caller}(): 'jobs' is a number from 1, not {jobs}")
