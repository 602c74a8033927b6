"""What somebody else wrote takes time and memory in proportion to its size, or is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import CPVError
from cpvlib.domain.checkpoint import Checkpoint, flat
from cpvlib.domain.cpvconfig import CommittedConfig
from cpvlib.domain.listing import parse_listing
from cpvlib.domain.manifest import parse_brief, parse_manifest
from cpvlib.domain.metricslog import Log, last_training_metrics, records
from cpvlib.domain.pointer import parse_pointer
from cpvlib.domain.version import Series, TagName, Version

MIB = 1 << 20


def test_names_that_would_be_repeated_a_million_times() -> None:
    """Two megabytes of JSON, of which the flattened names would be forty gigabytes."""
    facts = {"params": {"k" * MIB: {str(nth): 1 for nth in range(40_000)}}}
    with pytest.raises(CPVError, match="nested under names that are too long"):
        Checkpoint.parse(json.dumps(facts).encode())
    assert len(flat({"eval": {str(nth): nth for nth in range(40_000)}})) == 40_000


@pytest.mark.parametrize(
    "text",
    [
        "outs:\n" + "- path: x\n" * 100_000,
        "a: 1\n" * 200_000,
        "outs: [" + "a," * 500_000 + "]",
        "- " * 500_000,
    ],
    ids=["outs", "keys", "a list", "depth"],
)
def test_pointers_that_say_too_much(text: str) -> None:
    with pytest.raises(CPVError, match=r"says more than any pointer|nested too deep"):
        parse_pointer("x.dvc", text.encode())


def test_a_setting_that_is_there_a_hundred_thousand_times() -> None:
    data = b'[cpv "model"]\n' + b"".join(b"out=a%d\n" % nth for nth in range(90_000))
    assert len(CommittedConfig.parse(data).model_outs) == 90_000


def test_messages_of_megabytes() -> None:
    trailer = "Cpv-Version: v0.1\n" + f"Cpv-Out: a md5={'0' * 32}\n" * 50_000
    assert len(parse_manifest(f"x\n\n{trailer}").outs) == 50_000
    for text in (
        "x" * 5 * MIB,
        "\n" * 5 * MIB,
        "Cpv-Version: " * 300_000,
        '"' * MIB,
        "-----BEGIN " * 300_000,
    ):
        parse_manifest(text)
        parse_brief(f"x\n\n{text}")


def test_logs_of_many_lines() -> None:
    log = Log.of(b'{"loss": 1}\n' * 100_000)
    assert last_training_metrics(log) == {"loss": 1}
    assert list(records(log)) == []


ROWS = st.fixed_dictionaries({"md5": st.just("0" * 32) | st.text(), "relpath": st.text() | st.just("../x")})


@given(st.lists(ROWS | st.none() | st.text(), max_size=4) | ROWS)
def test_any_json_is_a_listing_or_refused(document: object) -> None:
    try:
        entries = parse_listing(json.dumps(document).encode()).entries
    except CPVError:
        return
    assert not [path for path in entries if path.startswith("/") or ".." in path.split("/")]


@given(
    st.integers(0, 10**9 - 1),
    st.integers(0, 10**9 - 1),
    st.sampled_from(list(Series)),
    st.sampled_from(["", "p/", "x-"]),
)
def test_a_tags_name_comes_back(major: int, minor: int, series: Series, prefix: str) -> None:
    name = TagName(series, Version(major, minor), prefix)
    assert TagName.parse(str(name), prefix) == name
    assert Version.of(str(name.version)) == name.version


@given(st.text(max_size=40))
def test_any_text_is_a_tag_of_a_version_or_none(text: str) -> None:
    name = TagName.parse(text)
    assert name is None or str(name) == text
