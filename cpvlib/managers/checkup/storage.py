"""The storage, proved by doing: signed in to, written, read back and compared, deleted from."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime, timezone

from cpvlib.base.errors import CPVError
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import listed, printable
from cpvlib.managers.checkup.probe import NotHere, Patient, Probe, Verdict, failed, ok, warning

if TYPE_CHECKING:
    from cpvlib.stores.storage.protocol import Storage

_SKEW_S = 60
_TOO_SKEWED_S = 15 * 60  # S3 refuses what is signed with a time that far off
_NET_S = 15


def _place(patient: Patient) -> Verdict:
    from cpvlib.managers.place import is_trusted

    found = patient.place
    lead = printable(f"{found.shown_url} (from {found.place.origin})")
    if not found.for_writing or is_trusted(patient.ws.repo, found):
        return ok(lead)
    what = ", ".join(sorted(found.for_reading or found.for_writing))
    fix = "git cpv storage show, and if it is right: git cpv storage trust"
    if found.for_reading:
        return failed(f"{lead} is not used: its {what} came with the clone", fix)
    return warning(f"{lead} is only read from: its {what} came with the clone", fix)


def _profile(patient: Patient) -> Verdict:
    from cpvlib.managers.signin import see_profile

    return ok(see_profile(patient.s3))


def _sign_in(patient: Patient) -> Verdict:
    from cpvlib.managers.signin import see_identity

    return ok(see_identity(patient.s3))


def _bucket(patient: Patient) -> Verdict:
    from cpvlib.managers.signin import see_bucket

    return ok(see_bucket(patient.s3))


def _write(patient: Patient) -> Verdict:
    storage = _writable(patient)
    data = os.urandom(1024)
    key = _key("single")
    proof = storage.put_bytes(key, data)
    patient.written[key] = data
    return ok(f"wrote {len(data)} bytes; proved by {proof.how}")


def _multipart(patient: Patient) -> Verdict:
    from cpvlib.stores.storage.s3_checkup import S3Checkup

    settings = patient.s3
    _writable(patient)
    data = os.urandom(1024)
    key = _key("parts")
    S3Checkup(settings).put_in_parts(key, data)
    patient.written[key] = data
    return ok("a multipart upload is let through")


def _read(patient: Patient) -> Verdict:
    """What was written in either way comes back as it was."""
    storage = _storage(patient)
    if not patient.written:
        raise NotHere("nothing was written")
    for key, data in patient.written.items():
        back = storage.get_bytes(key, 1 << 20)
        if back is None:
            return failed(f"'{key}' was written and is not there")
        if back != data:
            return failed(f"'{key}' came back other than it was written")
    return ok("what was written came back the same")


def _delete(patient: Patient) -> Verdict:
    storage = _writable(patient)
    keys = [_key(name) for name in ("single", "parts")]
    try:
        storage.delete(keys)
    except CPVError as error:
        return warning(
            f"what was written stays, at '{_folder()}': {error.message}",
            "only gc needs to delete; for that, ask the bucket's owner for s3:DeleteObject",
        )
    left = storage.has(keys)
    return failed(f"{listed(left)} is still there after a delete") if left else ok("deleted it again")


def _versioning(patient: Patient) -> Verdict:
    from cpvlib.stores.storage.s3_checkup import S3Checkup

    settings = patient.s3
    try:
        status = S3Checkup(settings).versioning()
    except CPVError as error:
        raise NotHere(f"it can't be asked: {error.message}") from error
    if status == "Enabled":
        return ok("the bucket keeps old versions of its objects")
    return warning(
        f"versioning is {status.lower() or 'off'}: what is deleted in the bucket is gone",
        f"aws s3api put-bucket-versioning --bucket {settings.bucket} "
        "--versioning-configuration Status=Enabled",
    )


def _clock(patient: Patient) -> Verdict:
    if not patient.place.place.url.startswith("s3://"):
        raise NotHere("the storage is a folder of this machine")
    from cpvlib.stores.storage.s3_checkup import S3Checkup

    there = S3Checkup(patient.s3).now()
    skew = abs((datetime.now(timezone.utc) - there).total_seconds())
    finding = f"this clock and the storage's differ by {skew:.0f} s"
    fix = "sudo timedatectl set-ntp true"
    if skew >= _TOO_SKEWED_S:
        return failed(f"{finding}: S3 refuses that", fix)
    return warning(finding, fix) if skew > _SKEW_S else ok(finding)


def _storage(patient: Patient) -> Storage:
    from cpvlib.stores.storage.open import open_storage
    from cpvlib.stores.storage.s3 import S3Storage

    place = patient.place.place
    if place.url.startswith("s3://"):
        return S3Storage(patient.s3)
    if not patient.repository and not os.path.isdir(place.url):  # noqa: PTH112  # a URL may stand there
        raise NotHere(f"the folder {printable(place.url)} is not made before the first git cpv init")
    return open_storage(place)


def _writable(patient: Patient) -> Storage:
    from cpvlib.managers.place import is_trusted

    found = patient.place
    if found.for_writing and not is_trusted(patient.ws.repo, found):
        raise NotHere("this clone's storage is not trusted for writing")
    return _storage(patient)


def _key(name: str) -> str:
    return f"{_folder()}/{name}"


def _folder() -> str:
    """One for each user and machine, so that where nothing may be deleted leftovers don't add up."""
    from cpvlib.stores import userconfig

    who = f"{userconfig.login()}@{os.uname().nodename}"
    return f"cpv/doctor/{hashlib.sha256(who.encode()).hexdigest()[:12]}"


PROBES = (
    Probe("storage.place", _place),
    Probe("clock", _clock, needs=("storage.place",), limit_s=_NET_S),
    Probe("aws.profile", _profile, needs=("storage.place",)),
    Probe("aws.sign-in", _sign_in, needs=("aws.profile",), limit_s=_NET_S),
    Probe("aws.bucket", _bucket, needs=("aws.sign-in",), limit_s=_NET_S),
    Probe("storage.write", _write, needs=("storage.place", "aws.bucket"), limit_s=_NET_S),
    Probe("storage.multipart", _multipart, needs=("storage.write",), limit_s=_NET_S),
    Probe("storage.read", _read, needs=("storage.write",), limit_s=_NET_S),
    Probe("storage.delete", _delete, needs=("storage.write",), limit_s=_NET_S),
    Probe("storage.versioning", _versioning, needs=("aws.bucket",), limit_s=_NET_S),
)
