"""The --format of a list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpvlib.base.errors import UsageError
from cpvlib.domain.template import Template


def render(text: str) -> str:
    return Template(text, ("version", "size"), ("metrics",)).render(lambda field: f"<{field}>")


def test_fields_bytes_and_percent_signs():
    text = "%(version) has %(metrics:eval/loss)%0a100%% %(size)"
    assert render(text) == "<version> has <metrics:eval/loss>\n100% <size>"
    assert render("") == ""


@pytest.mark.parametrize("text", ["%(loss)", "%(size:x)", "%(metrics)", "%(version", "50%", "%z", "%()"])
def test_what_a_format_has_not(text: str):
    with pytest.raises(UsageError):
        render(text)


@given(st.text(alphabet="%()v0aersion:z \n", max_size=20))
def test_any_text_is_a_format_or_wrong_usage(text: str):
    try:
        rendered = render(text)
    except UsageError:
        assert "%" in text
    else:
        assert "%" in text or rendered == text
