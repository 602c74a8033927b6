"""Our block in ssh's configuration: made once, changed alone, found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import ConfigError
from cpvlib.domain.sshconfig import option_in_block, quoted, with_block, without_block

HOST = "git.example.org"
files = st.binary(max_size=200).filter(lambda data: b"git cpv setup" not in data)


def block(data: bytes | None, port: str = "22", host: str = HOST) -> bytes:
    return with_block(data, host, [host], [("Port", port), ("IdentityFile", "/a")])


@given(files)
def test_every_byte_around_it_stays(data: bytes) -> None:
    once = block(data)
    assert block(once) == once
    assert without_block(once, HOST) == data
    assert block(block(once, "443")) == once
    assert option_in_block(block(once, "443"), HOST, "Port") == "443"


@given(files)
def test_hosts_do_not_disturb_each_other(data: bytes) -> None:
    both = block(block(data, "1", "one"), "2", "two")
    assert (option_in_block(both, "one", "Port"), option_in_block(both, "two", "Port")) == ("1", "2")
    assert option_in_block(block(both, "3", "one"), "two", "Port") == "2"
    assert option_in_block(data, "one", "Port") is None


def test_a_damaged_block_is_not_guessed_at() -> None:
    whole = block(None)
    for broken in (whole.split(b"\n", 1)[1], whole.rsplit(b"\n", 2)[0], whole + whole):
        with pytest.raises(ConfigError, match="is damaged"):
            block(broken)


def test_paths_are_written_as_ssh_reads_them() -> None:
    assert quoted("/a b/100%") == '"/a b/100%%"'
    data = with_block(None, HOST, [HOST], [("IdentityFile", quoted("/a b/100%"))])
    assert option_in_block(data, HOST, "IdentityFile") == "/a b/100%"
    for path in ('/a"b', "/a\nProxyCommand x"):
        with pytest.raises(ConfigError):
            quoted(path)
