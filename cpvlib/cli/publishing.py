"""What a publication did to versions, in words, for the commands that publish."""

from __future__ import annotations

from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from cpvlib.cli.ui import UI
    from cpvlib.managers.destination import Publication


def tell_lost_races(ui: UI, publication: Publication) -> None:
    """The versions that somebody else was first with: which number each has now, or what it was dropped
    for."""
    git_remote = printable(publication.git_remote or "")
    for old, new in publication.renamed.items():
        ui.say(f"{old} is now {new}: the number was taken at {git_remote} in the meantime")
    for old, winner in publication.dropped.items():
        ui.say(f"{old} was dropped: {winner} at {git_remote} names the same objects")
    for name, setting in publication.replaced.items():
        who = printable(setting.tagger)
        state = f"set to {setting.target}" if setting.target else "taken away"
        ui.say(f"{name} was {state} by {who} in the meantime; your setting comes after that, and holds")
    for name, setting in publication.agreed.items():
        ui.say(
            f"{name} was set to {setting.target} by {printable(setting.tagger)} already; yours was dropped"
        )


def tell_versions(ui: UI, publication: Publication) -> None:
    """Every version that a branch's publication took along."""
    tell_lost_races(ui, publication)
    if publication.published:
        ui.say(f"versions published: {', '.join(map(str, publication.published))}")
    for setting in publication.aliases:
        ui.say(f"alias published: {setting.name} is {setting.target or 'taken away'}")
