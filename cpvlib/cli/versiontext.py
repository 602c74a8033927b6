"""Versions in words and in JSON, for the commands that show them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from functools import cache

from cpvlib.base.typed import TYPE_CHECKING, Any
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from cpvlib.managers.versions import VersionRecord
    from cpvlib.stores.git.signing import Signature


def number(value: Any) -> str:
    """A metric or parameter as a person reads it: 0.245, adam, [64, 32], null."""
    return printable(_text(value))


def _text(value: Any) -> str:
    if type(value) is float:
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def pairs(values: Mapping[str, Any], first: Iterable[str] = (), limit: int = 4) -> str:
    """`loss=0.231 acc=0.9 +3`: those named first in front, the rest by name."""
    names = sorted(values)
    if first:
        in_front = [name for name in dict.fromkeys(first) if name in values]
        names = in_front + [name for name in names if name not in in_front]
    shown = []
    for name in names[:limit]:
        value = values[name]
        shown.append(f"{name}={value:.6g}" if type(value) is float else f"{name}={_text(value)}")
    if len(names) > limit:
        shown.append(f"+{len(names) - limit}")
    return printable(" ".join(shown))


def day(seconds: int, zone: str) -> str:
    """The date where it was made: '2026-03-01'."""
    return _day((seconds + _offset_s(zone)) // 86400)


@cache
def _day(days: int) -> str:
    return _utc(days * 86400, "%Y-%m-%d")


def moment(seconds: int, zone: str) -> str:
    """As git shows it with --date=iso: '2026-03-01 12:00:00 +0200'."""
    return f"{_local(seconds, zone, '%Y-%m-%d %H:%M:%S')} {zone}"


def iso(seconds: int, zone: str) -> str:
    """Strict ISO 8601: '2026-03-01T12:00:00+02:00'."""
    return f"{_local(seconds, zone, '%Y-%m-%dT%H:%M:%S')}{zone[:3]}:{zone[3:]}"


def _local(seconds: int, zone: str, form: str) -> str:
    return _utc(seconds + _offset_s(zone), form)


@cache
def _offset_s(zone: str) -> int:
    seconds = int(zone[1:3]) * 3600 + int(zone[3:5]) * 60
    return -seconds if zone.startswith("-") else seconds


def _utc(seconds: int, form: str) -> str:
    try:
        return time.strftime(form, time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):  # a tag may claim any date
        return time.strftime(form, time.gmtime(0))


def facts(record: VersionRecord, aliases: Iterable[str] = ()) -> dict[str, Any]:
    """A version as `--json` tells it; `aliases` are those that name it."""
    manifest = record.manifest
    return {
        "version": str(record.version),
        "series": str(record.series),
        "tag": str(record.name),
        "commit": record.commit,
        "pending": record.pending,
        "aliases": list(aliases),
        "on_branch": record.on_branch,
        "author": record.tagger,
        "email": record.email,
        "date": iso(record.date, record.zone),
        "message": manifest.text,
        "size": manifest.size,
        "metrics": dict(manifest.metrics),
        "params": dict(manifest.params),
        "code": {"commit": manifest.code, "uncommitted": manifest.uncommitted} if manifest.code else None,
        "data": {"md5": manifest.data.md5, "version": manifest.data.version} if manifest.data else None,
        "with": manifest.companion,
        "outs": [out_facts(out.path, out.oid, out.size, out.nfiles) for out in manifest.outs],
    }


def signature_words(signed: Signature) -> str:
    """`by ada@example.org (ED25519 key SHA256:…)`, or what is wrong: `no: is signed by nobody`."""
    return f"by {printable(signed.signer)}" if signed.signer else f"no: {printable(signed.why)}"


def signature_facts(signed: Signature) -> dict[str, Any]:
    """The same as `--json` tells it."""
    about = {"verdict": signed.verdict.value, "signer": signed.signer or None, "why": signed.why or None}
    return {"signature": about}


def out_facts(path: str, md5: str | None, size: int | None, nfiles: int | None) -> dict[str, Any]:
    """An out as `--json` tells it; size in bytes."""
    return {"path": path, "md5": md5, "size": size, "nfiles": nfiles}
