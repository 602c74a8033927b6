"""What was looked at, and what was found: named checks, whose ids never change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cpvlib.base.errors import CPVError
from cpvlib.base.typed import Any
from cpvlib.base.values import NamedTuple, dataclass, field

OK = "ok"
WARNING = "warning"
FAILED = "failed"
SKIPPED = "skipped"


class Check(NamedTuple):
    """One check: `finding` says what was found, `fix` what to type, `error` what a failed one would raise."""

    id: str
    state: str
    finding: str
    fix: str | None = None
    error: CPVError | None = None


@dataclass(frozen=True)
class Checked:
    """What a set-up looked at and what it stored; true where no check failed.

    `stored` are the values now in config.json, by their names there; `kept_aside` is where a damaged
    config.json is now.
    """

    checks: tuple[Check, ...]
    stored: Mapping[str, str] = field(default_factory=dict)
    kept_aside: Path | None = None

    def __bool__(self) -> bool:
        return all(check.state != FAILED for check in self.checks)

    def require(self) -> None:
        """Raises the error of the first check that failed, if one did."""
        for check in self.checks:
            if check.state == FAILED and check.error:
                raise check.error

    def facts(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "ok": bool(self),
            "checks": [
                {"id": check.id, "state": check.state, "finding": check.finding, "fix": check.fix}
                for check in self.checks
            ],
            "stored": dict(self.stored),
            "kept_aside": str(self.kept_aside) if self.kept_aside else None,
        }


class Checklist:
    """Checks made in order; after one that failed, those that build on it are skipped."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    @property
    def failed(self) -> bool:
        return any(check.state == FAILED for check in self.checks)

    def make(self, name: str, look: Callable[[], str]) -> None:
        """`look` returns the finding, or raises CPVError."""
        if self.failed:
            self.skip(name, "an earlier check failed")
            return
        try:
            self.checks.append(Check(name, OK, look()))
        except CPVError as error:
            self.checks.append(Check(name, FAILED, error.message, error.hint, error))

    def skip(self, name: str, why: str) -> None:
        self.checks.append(Check(name, SKIPPED, why))

    def warn(self, name: str, finding: str, fix: str | None = None) -> None:
        self.checks.append(Check(name, WARNING, finding, fix))
