"""What a dry run of pull or revert says of one out."""

from __future__ import annotations

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from cpvlib.managers.restoreplan import Step


def step_in_words(step: Step) -> str:
    """The out, and that its own content would be copied aside where it is nowhere else."""
    return printable(step.path) + (", after a copy of yours" if step.keep else "")
