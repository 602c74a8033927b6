"""Whether the shell finds the completions, and man the pages. Only files are looked for, where each looks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from cpvlib.domain.text import printable
from cpvlib.managers.checkup.probe import NotHere, Patient, Verdict, ok, warning

_PAGE = Path("man1", "git-cpv-push.1")
_SYSTEM = ("/usr/local/share", "/usr/share")


def manual(patient: Patient) -> Verdict:
    """man-db's rule for a PATH entry `X/bin`: `X/man`, `X/share/man`. manpath(5)."""
    environ = patient.environ
    places = [Path(entry) for entry in environ.get("MANPATH", "").split(os.pathsep) if entry]
    for entry in environ.get("PATH", "").split(os.pathsep):
        above = Path(entry).parent
        places += [above / "share" / "man", above / "man"]
    places += [Path(share, "man") for share in _SYSTEM]
    found = next((place for place in places if _any(place / _PAGE, place / f"{_PAGE}.gz")), None)
    if found:
        return ok(f"the manual pages are in {printable(str(found))}")
    ours = next((place for place in _own("man", "share/man") if (place / _PAGE).is_file()), None)
    if ours is None:
        return warning("the manual pages are not installed; git cpv push -h is a short help")
    return warning(
        "man does not find the pages; git cpv push --help does", f'export MANPATH="{printable(str(ours))}:"'
    )


def completion(patient: Patient) -> Verdict:
    environ = patient.environ
    shell = Path(environ.get("SHELL", "")).name
    if shell not in _LOOKS_IN:
        raise NotHere(f"there are completions for bash, zsh and fish, not for '{printable(shell or 'sh')}'")
    name, where = _LOOKS_IN[shell]
    found = next((place for place in where(environ) if (place / name).is_file()), None)
    if found:
        return ok(f"{shell} finds the completions in {printable(str(found))}")
    below = {
        "bash": "bash-completion/completions",
        "zsh": "zsh/site-functions",
        "fish": "fish/vendor_completions.d",
    }
    kept = _own(f"completions/{shell}", f"share/{below[shell]}")
    ours = next((place for place in kept if (place / name).is_file()), None)
    if ours is None:
        return warning(f"the completions for {shell} are not installed")
    if str(ours) in _startup(environ, shell):
        return ok(f"{shell} is told of the completions in {printable(str(ours))}")
    fixes = {
        "bash": f"in ~/.bashrc: . '{ours / name}'",
        "zsh": f"in ~/.zshrc, before compinit: fpath=('{ours}' $fpath)",
        "fish": f"in config.fish: set -p fish_complete_path '{ours}'",
    }
    return warning(f"{shell} does not find the completions", printable(fixes[shell]))


def _bash(environ: Mapping[str, str]) -> Iterator[Path]:
    """bash-completion(1): the user's folder, then those of the system."""
    own = environ.get("BASH_COMPLETION_USER_DIR") or str(_data_home(environ) / "bash-completion")
    yield Path(own, "completions")
    for share in _data_dirs(environ):
        yield share / "bash-completion" / "completions"


def _zsh(environ: Mapping[str, str]) -> Iterator[Path]:
    """zsh's own fpath is told to no child, so this knows the usual places only."""
    yield from (Path(entry) for entry in environ.get("FPATH", "").split(os.pathsep) if entry)
    for share in map(Path, _SYSTEM):
        yield share / "zsh" / "site-functions"
        yield share / "zsh" / "vendor-completions"


def _fish(environ: Mapping[str, str]) -> Iterator[Path]:
    """fish(1), "Where to put completions"."""
    config = environ.get("XDG_CONFIG_HOME") or str(_home(environ) / ".config")
    yield Path(config, "fish", "completions")
    for share in (_data_home(environ), *_data_dirs(environ)):
        yield share / "fish" / "vendor_completions.d"


_LOOKS_IN = {
    "bash": ("git-cpv", _bash),
    "zsh": ("_git-cpv", _zsh),
    "fish": ("git-cpv.fish", _fish),
}


def _startup(environ: Mapping[str, str], shell: str) -> str:
    files: Iterable[str] = {
        "bash": (".bashrc", ".bash_profile", ".profile"),
        "zsh": (".zshrc", ".zshenv"),
        "fish": (".config/fish/config.fish",),
    }[shell]
    texts = []
    for file in files:
        try:
            texts.append((_home(environ) / file).read_text("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(texts)


def _own(in_checkout: str, in_prefix: str) -> Iterator[Path]:
    """Where this very installation has its files: a checkout, a prefix of `make install`, pip's or pipx's."""
    library = Path(__file__).resolve().parents[3]
    yield library / in_checkout
    yield library.parent.parent / in_prefix
    yield Path(sys.prefix) / in_prefix


def _any(*files: Path) -> bool:
    return any(file.is_file() for file in files)


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or Path.home())


def _data_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_DATA_HOME") or _home(environ) / ".local" / "share")


def _data_dirs(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("XDG_DATA_DIRS") or os.pathsep.join(_SYSTEM)
    return [Path(entry) for entry in named.split(os.pathsep) if entry]
