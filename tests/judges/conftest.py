"""Each test here runs once for each judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from judge import VERSIONS, Dvc


@pytest.fixture(params=VERSIONS)
def dvc(request: pytest.FixtureRequest, sealed: Path) -> Dvc:
    """Real DVC, each version in turn."""
    judge = Dvc(request.param, sealed)
    if not judge.is_installed:
        pytest.skip(f"real DVC ({judge.name}) is not installed: make judges")
    return judge
