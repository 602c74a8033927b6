"""One block of ours in an OpenSSH client configuration, for each git host. ssh_config(5).

In that file the first value of an option wins, so the block comes first; it ends with `Host *`, so that
options which stood at the file's beginning still hold for every host.
"""

from __future__ import annotations

from collections.abc import Sequence

from cpvlib.base.errors import ConfigError

_BEGIN = "# >>> git cpv setup, {host}: this block is rewritten as a whole >>>"
_END = "# <<< git cpv setup, {host} <<<"


def with_block(
    data: bytes | None, host: str, names: Sequence[str], options: Sequence[tuple[str, str]]
) -> bytes:
    """The file with the block for `host`, which holds for `names`, at its beginning; every other byte stays.

    ConfigError where a block of ours has lost its beginning or its end.
    """
    lines = [
        _BEGIN.format(host=host),
        f"Host {' '.join(names)}",
        *(f"    {key} {value}" for key, value in options),
        "Host *",
        _END.format(host=host),
        "",
    ]
    block = "\n".join(lines).encode("utf-8", "surrogateescape")
    rest = without_block(data or b"", host)
    if data and data.startswith(block):
        return data
    return block + (b"\n" if rest else b"") + rest


def without_block(data: bytes, host: str) -> bytes:
    """The file without the block for `host`."""
    span = _span(data, host)
    if span is None:
        return data
    start, stop = span
    return data[:start] + (data[stop:].removeprefix(b"\n") if start == 0 else data[stop:])


def option_in_block(data: bytes, host: str, key: str) -> str | None:
    """What our block for `host` says of an option."""
    span = _span(data, host)
    lines = data[slice(*span)].decode("utf-8", "surrogateescape").splitlines() if span else []
    pairs = (line.strip().partition(" ") for line in lines)
    return next((value.strip('"').replace("%%", "%") for name, _, value in pairs if name == key), None)


def _span(data: bytes, host: str) -> tuple[int, int] | None:
    """Where the block begins and where it ends, the newline after it included."""
    begin, end = (text.format(host=host).encode() for text in (_BEGIN, _END))
    start, stop = data.find(begin), data.find(end)
    if start < 0 and stop < 0:
        return None
    if start < 0 or stop < start or data.find(begin, start + 1) >= 0:
        raise ConfigError(
            f"the block for '{host}' that git cpv setup made is damaged",
            hint=f"take out what is between '{begin.decode()}' and '{end.decode()}', then type it again",
        )
    stop += len(end)
    return start, stop + (data[stop : stop + 1] == b"\n")


def quoted(path: str) -> str:
    """A path as an option's value. ConfigError for one that can't be written there."""
    if any(ord(character) < 0x20 or character in '"\x7f' for character in path):
        raise ConfigError("the path of an SSH key can't hold quotes or control characters")
    path = path.replace("%", "%%")  # ssh_config(5), TOKENS
    return f'"{path}"' if " " in path or path.startswith("#") else path
