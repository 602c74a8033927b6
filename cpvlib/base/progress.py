"""How long work tells of itself, without knowing who listens."""

from __future__ import annotations

from cpvlib.base.typed import Protocol


class Progress(Protocol):
    """Told of long work. `begin`, `end` and `note` come from the main thread; `advance` from any, in any
    order."""

    def begin(self, label: str, total_bytes: int, total_files: int) -> None:
        """A stage begins; 0 stands for a total that is not known. Stages don't nest."""

    def advance(self, n_bytes: int = 0, n_files: int = 0) -> None:
        """So much more is done, since the last call. A retried part takes its bytes back with a negative
        count."""

    def end(self) -> None:
        """The stage is over, whether it succeeded or not."""

    def note(self, line: str) -> None:
        """Something worth a line on stderr now, such as what is being waited for."""


class Silent:
    """A listener that says nothing."""

    def begin(self, label: str, total_bytes: int, total_files: int) -> None: ...

    def advance(self, n_bytes: int = 0, n_files: int = 0) -> None: ...

    def end(self) -> None: ...

    def note(self, line: str) -> None: ...
