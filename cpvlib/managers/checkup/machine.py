"""This machine: git, the user's settings, and what is pleasant to have."""

from __future__ import annotations

from cpvlib.base.errors import GitError
from cpvlib.domain.text import printable
from cpvlib.managers.checkup import shells
from cpvlib.managers.checkup.probe import NotHere, Patient, Probe, Verdict, failed, ok, warning

_DVC = 3


def _git_version(patient: Patient) -> Verdict:
    from cpvlib.stores.git.door import OLDEST, version

    found = version(patient.git)
    oldest = tuple(map(int, OLDEST.split(".")))
    shown = ".".join(map(str, found)) if found else "of an unknown version"
    if found and found < oldest:
        return failed(f"git {shown} is too old", f"install git {OLDEST} or newer")
    return ok(f"git {shown}")


def _git_identity(patient: Patient) -> Verdict:
    fix = 'git config --global user.name "NAME" && git config --global user.email MAIL'
    try:
        known = patient.git.text("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except GitError:
        try:
            guessed = patient.git.text("var", "GIT_COMMITTER_IDENT")
        except GitError as error:
            return failed(error.message, fix)
        return warning(f"git guesses who commits: {printable(_person(guessed))}", fix)
    return ok(printable(_person(known)))


def _person(ident: str) -> str:
    """'Name <mail>' of 'Name <mail> seconds zone'."""
    return ident.rpartition(">")[0] + ">"


def _config_file(patient: Patient) -> Verdict:
    from cpvlib.managers.configuring import validate

    check = validate(aws=False, bitbucket=False, environ=patient.environ).checks[0]
    return Verdict(check.state, check.finding, check.fix)


def _config_values(patient: Patient) -> Verdict:
    from cpvlib.managers.configuring import show

    settings = patient.settings
    rows = show(settings)
    settings.team, settings.model, settings.tag_prefix, settings.jobs  # noqa: B018  # each raises if wrong
    settings.storage_shared, settings.allow_missing  # noqa: B018
    chosen = [row for row in rows if row.origin not in ("default", "not set")]
    return ok(f"{len(chosen)} of {len(rows)} settings are set, all of them well")


def _dvc(patient: Patient) -> Verdict:
    from cpvlib.stores.dvc import program

    found = program.find(patient.environ)
    if found is None:
        raise NotHere("dvc is not installed, and not needed")
    version = program.version(found, patient.environ)
    if version is None:
        return warning(f"{printable(str(found))} does not say its version")
    shown = ".".join(map(str, version))
    if version < (_DVC,):
        return warning(f"dvc {shown} does not read what CPV writes", f"install dvc {_DVC} or newer")
    return ok(f"dvc {shown}")


PROBES = (
    Probe("git.version", _git_version),
    Probe("git.identity", _git_identity, needs=("git.version",)),
    Probe("config.file", _config_file),
    Probe("config.values", _config_values, needs=("config.file", "git.version")),
    Probe("dvc", _dvc, limit_s=12),
    Probe("completion", shells.completion),
    Probe("manual", shells.manual),
)
