"""doctor: every check there is, made at once where they do not need one another, each within its time."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from cpvlib.base.errors import CPVError, UsageError
from cpvlib.base.regex import regex
from cpvlib.base.values import replace
from cpvlib.domain.text import listed, without_secrets
from cpvlib.managers.checks import FAILED, SKIPPED, Check, Checked
from cpvlib.managers.checkup import machine, remote, repository, storage
from cpvlib.managers.checkup.probe import NotHere, Patient, Probe

LANES = (machine.PROBES, repository.PROBES, storage.PROBES, remote.PROBES)
"""Checks of one lane are made one after the other, in this order; lanes go on side by side."""

_MARKS = (
    (regex(r"\barn:[\w:/+=,.@*-]+"), "<identity>"),
    (regex(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{4,}…?"), "<access key>"),
    (regex(r"(?<=access key )\S+"), "<access key>"),
    (regex(r"(?<=profile )'[^']*'"), "'<profile>'"),
    (regex(r"\bs3://[^\s'/)]+"), "s3://<bucket>"),
    (regex(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<email>"),
    (regex(r"\b\d{12}\b"), "<account>"),
    (regex(r"SHA256:[A-Za-z0-9+/]{43}"), "SHA256:<fingerprint>"),
)


def names() -> list[str]:
    """The ids of all checks, in order."""
    return [probe.id for lane in LANES for probe in lane]


def examine(
    cwd: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    only: Sequence[str] = (),
    limit_s: float | None = None,
) -> Checked:
    """Makes all checks, or those `only` (an id, or the word before its first dot), with what they need.

    Nothing is changed but for objects below `cpv/doctor` at the storage, which are deleted again. UsageError
    for a word that names no check. `limit_s` stands for each check's own limit.
    """
    from cpvlib.base.parallel import Crew

    wanted = _wanted(only)
    lanes = [_Lane([p for p in lane if p.id in wanted], cwd, environ, limit_s) for lane in LANES]
    found: dict[str, Check] = {}
    for _, done in Crew(len(lanes)).each(_Lane.run, lanes):
        found |= {check.id: check for check in done}
    return Checked(tuple(found[name] for name in names() if name in found))


def masked(checked: Checked, cwd: Path, environ: Mapping[str, str] = os.environ) -> Checked:
    """The same without a secret, a user's name or a bucket's: for everybody's eyes."""
    patient = Patient(cwd, environ)
    words = patient.private()
    checks = (
        check._replace(
            finding=mask(check.finding, words), fix=mask(check.fix, words) if check.fix else None, error=None
        )
        for check in checked.checks
    )
    return replace(checked, checks=tuple(checks))


def mask(text: str, words: Mapping[str, str]) -> str:
    """`text` with each of `words` replaced where it stands as a word, the longest first."""
    text = without_secrets(text)
    for word in sorted(words, key=len, reverse=True):
        text = words[word].join(re.split(rf"(?<![\w<]){re.escape(word)}(?![\w>])", text))
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    return text


class _Lane:
    """Checks that are made in order, by one thread at a time, on one patient."""

    def __init__(
        self, probes: Sequence[Probe], cwd: Path, environ: Mapping[str, str], limit_s: float | None
    ) -> None:
        self._probes = probes
        self._cwd = cwd
        self._environ = environ
        self._limit_s = limit_s
        self._patient: Patient | None = None

    def run(self) -> list[Check]:
        done: list[Check] = []
        lacking: set[str] = set()
        for probe in self._probes:
            bad = [need for need in probe.needs if need in lacking]
            if bad:
                done.append(Check(probe.id, SKIPPED, f"{listed(bad)} did not pass"))
            else:
                done.append(self._make(probe))
            if bad or done[-1].state == FAILED:
                lacking.add(probe.id)
        return done

    def _make(self, probe: Probe) -> Check:
        """In a thread that is left to itself where it takes too long, together with its patient."""
        limit_s = self._limit_s or probe.limit_s
        answer: SimpleQueue[Check] = SimpleQueue()
        patient = self._patient = self._patient or Patient(self._cwd, self._environ)
        threading.Thread(target=lambda: answer.put(_look(probe, patient)), daemon=True).start()
        try:
            return answer.get(timeout=limit_s)
        except Empty:
            self._patient = None
            return Check(
                probe.id, FAILED, f"no answer within {limit_s:g} s", "check the network, or give it --limit"
            )


def _look(probe: Probe, patient: Patient) -> Check:
    try:
        return Check(probe.id, *probe.look(patient))
    except NotHere as why:
        return Check(probe.id, SKIPPED, str(why))
    except CPVError as error:
        return Check(probe.id, FAILED, error.message, error.hint, error)
    except Exception as bug:  # one check that is broken must not hide what the others found
        return Check(probe.id, FAILED, f"the check itself is broken: {type(bug).__name__}: {bug}")


def _wanted(only: Iterable[str]) -> set[str]:
    probes = {probe.id: probe for lane in LANES for probe in lane}
    if not only:
        return set(probes)
    chosen: set[str] = set()
    for word in only:
        fitting = [name for name in probes if name == word or name.partition(".")[0] == word]
        if not fitting:
            raise UsageError(f"there is no check '{word}'", hint=f"there are {', '.join(probes)}")
        chosen.update(fitting)
    todo = list(chosen)
    while todo:
        needs = set(probes[todo.pop()].needs) - chosen
        chosen |= needs
        todo += needs
    return chosen
