"""Rates as people write them."""

from __future__ import annotations

import pytest

from cpvlib.domain.rate import parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1", 1),
        ("500k", 512_000),
        ("10M", 10 << 20),
        ("10m", 10 << 20),
        ("1.5G", 3 << 29),
        ("0.5k", 512),
        (".5k", 512),
    ],
)
def test_rates(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "0", "k", "-1", "+5", "1e3", "nan", "inf", "1_0", " 5", "5 M", "5MB", "1.2.3", "0.4", "٣", "9" * 16],
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate: it is bytes a second"):
        parse_rate(text)
