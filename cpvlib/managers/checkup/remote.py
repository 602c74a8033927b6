"""The git host: SSH, and the git remote of the repository."""

from __future__ import annotations

from pathlib import Path

from cpvlib.base.errors import CredentialError, RepositoryError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.githosts import BITBUCKET
from cpvlib.domain.text import plural, printable
from cpvlib.managers.checkup.probe import NotHere, Patient, Probe, Verdict, ok, warning

if TYPE_CHECKING:
    from cpvlib.stores.ssh import Ssh

_NET_S = 20
_PROBE_REF = "refs/heads/cpv-doctor"


def _ssh_target(patient: Patient) -> tuple[Ssh, str, str, Path | None]:
    """The ssh that git uses, with user, host and key: of the git remote, else of what `setup` stored."""
    from cpvlib.stores.git import remotes

    name = _name(patient) if patient.repository else None
    if name:
        url = remotes.url_of(patient.ws.repo, name)
        host = remotes.ssh_host(url)
        if host is None:
            raise NotHere("the git remote is not reached by SSH")
        if host.port:
            raise NotHere("the git remote's URL names a port; remote.fetch tries it")
        return _ssh(patient), host.user or "git", host.name, None
    key = patient.settings.value("cpv.bitbucketKeyfile")
    if not key:
        raise NotHere("no git remote, and no SSH key set up")
    return _ssh(patient), "git", BITBUCKET, Path(key).expanduser()


def _ssh(patient: Patient) -> Ssh:
    from cpvlib.stores.git.config import GitConfig
    from cpvlib.stores.ssh import Ssh

    return Ssh.of(patient.environ, GitConfig.load(patient.git).get("core.sshcommand"))


def _host_key(patient: Patient) -> Verdict:
    ssh, _, host, _ = _ssh_target(patient)
    if not ssh.is_known(host):
        raise CredentialError(
            f"the host key of '{printable(host)}' is not known here",
            hint=f"git cpv setup bitbucket{'' if host == BITBUCKET else f' --host {printable(host)}'}",
        )
    return ok(f"the key of {printable(host)} is known")


def _login(patient: Patient) -> Verdict:
    ssh, user, host, key = _ssh_target(patient)
    said = ssh.log_in(host, key, user=user)
    return ok(printable(f"logged in to {host}" + (f": {said}" if said else "")))


def _fetch(patient: Patient) -> Verdict:
    from cpvlib.stores.git import remotes

    found = remotes.ls_remote(patient.ws.repo, _remote(patient), ["refs/heads/*"])
    return ok(f"'{printable(_remote(patient))}' answers: {plural(len(found), 'branch', 'branches')}")


def _push(patient: Patient) -> Verdict:
    from cpvlib.stores.git import remotes

    if patient.ws.repo.head().commit is None:
        raise NotHere("there is no commit yet that could be pushed")
    remotes.try_push(patient.ws.repo, _remote(patient), _PROBE_REF)
    return ok(f"'{printable(_remote(patient))}' would take a push")


def _shared(patient: Patient) -> Verdict:
    """What push refuses: others would get pointers to bytes that they can't reach."""
    from cpvlib.managers.destination import destination

    _remote(patient)
    try:
        destination(patient.ws)
    except RepositoryError as error:
        return warning(error.message, error.hint)
    return ok("who can fetch from the git remote can reach the storage")


def _remote(patient: Patient) -> str:
    name = _name(patient)
    if name is None:
        raise NotHere("there is no git remote")
    return name


def _name(patient: Patient) -> str | None:
    from cpvlib.stores.git import remotes

    return remotes.choose_remote(patient.ws.repo, patient.ws.settings.remote)


PROBES = (
    Probe("ssh.host-key", _host_key),
    Probe("ssh.login", _login, needs=("ssh.host-key",), limit_s=_NET_S),
    Probe("remote.fetch", _fetch, limit_s=_NET_S),
    Probe("remote.push", _push, needs=("remote.fetch",), limit_s=_NET_S),
    Probe("remote.storage", _shared),
)
