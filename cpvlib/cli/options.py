"""Options that mean the same in every command, defined once."""

from __future__ import annotations

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.cli.record import Argument, Complete, flag, operand, option
from cpvlib.domain.rate import parse_rate

if TYPE_CHECKING:
    from argparse import Namespace


def positive(text: str) -> int:
    """A count of at least one."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError(f"'{text}' is not a whole number above 0")
    return int(text)


MODEL = flag("--model", dest="series", const="model", exclusive="series", help="only the model's side")
DATA = flag("--data", dest="series", const="data", exclusive="series", help="only the data's side")
COMBINED = flag("--combined", dest="series", const="combined", exclusive="series", help="both sides together")
SERIES = (MODEL, DATA, COMBINED)
"""`args.series` is "model", "data", "combined", or None for the command's own default."""

DRY_RUN = flag("-n", "--dry-run", help="check everything, say what would be done, and change nothing")
JOBS = option(
    "-j", "--jobs", metavar="COUNT", type=positive, help="how many transfers or files to work on at once"
)
LIMIT_RATE = option(
    "--limit-rate",
    metavar="RATE",
    type=parse_rate,
    help="move at most so many bytes a second, all transfers together: `500k`, `10M`, `1.5G`",
)
VERBOSE = flag(
    "-v", "--verbose", count=True, help="say more: what was proved, which git commands ran; `-vv` more still"
)
QUIET = flag("-q", "--quiet", help="say nothing but the answer and errors")
JSON = flag("--json", help="print the answer as one JSON object, with a `schema` number that only grows")
SIGN = (
    flag("--sign", const=True, exclusive="sign", help="sign the tag, as git is set up to sign tags"),
    flag(
        "--no-sign",
        dest="sign",
        const=False,
        exclusive="sign",
        help="do not, even where git's `tag.gpgSign` says so",
    ),
)
"""`args.sign` is True, False, or None for what git's own setting says."""
OUTPUT = (VERBOSE, QUIET, JSON)
PATTERNS = (
    option(
        "--include",
        metavar="PATTERN",
        many=True,
        help="bring only the files that it matches, as in .gitignore, from the top; may be repeated",
    ),
    option(
        "--exclude", metavar="PATTERN", many=True, help="leave out the files that it matches; may be repeated"
    ),
)


def transfer_settings(args: Namespace) -> dict[str, str]:
    """What JOBS and LIMIT_RATE, where a command has it, set for the storage, by key of the settings."""
    given = {"cpv.jobs": args.jobs, "cpv.limitrate": getattr(args, "limit_rate", None)}
    return {key: str(value) for key, value in given.items() if value is not None}


def force(help: str) -> Argument:
    """`-f`, with what it forces here. It never moves a remote ref."""
    return flag("-f", "--force", help=help)


def version(help: str, *, nargs: str | None = "?") -> Argument:
    """VERSION: `v1.2`, `latest`, an alias, or any git revision; `args.version`, None where absent."""
    return operand("version", metavar="VERSION", nargs=nargs, help=help, complete=Complete.VERSION)
