"""What is said of pickles that came."""

from __future__ import annotations

from cpvlib.base.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from cpvlib.cli.ui import UI
    from cpvlib.managers.pickling import Pickles


def tell_pickles(ui: UI, pickles: Pickles) -> None:
    """A warning for each that may run code when it is loaded; with `-v` also that there is none."""
    for warning in pickles.warnings:
        ui.warn(warning)
    if pickles.finding:
        ui.detail(pickles.finding)
