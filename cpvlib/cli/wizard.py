"""Questions on a terminal: a line on what each is for, a default, and a way to leave and come back."""

from __future__ import annotations

import sys
from pathlib import Path

from cpvlib.base.errors import CPVError, NegativeAnswer
from cpvlib.base.typed import TYPE_CHECKING
from cpvlib.domain.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpvlib.cli.ui import UI

_YES, _NO = ("y", "yes"), ("n", "no")


class Wizard:
    """Asks on stderr and reads stdin; what was answered is kept in the file `draft` until `finish`.

    A question whose answer is there already, because it was answered before the user left, has that answer as
    its default.
    """

    def __init__(self, ui: UI, draft: Path) -> None:
        self.ui = ui
        self._draft = draft
        self._answers = _read(draft)

    def ask(
        self,
        name: str,
        question: str,
        why: str,
        default: str | None = None,
        check: Callable[[str], object] | None = None,
    ) -> str | None:
        """An answer; None where nothing was typed and there is no default, "" where `none` was typed.

        `check` raises CPVError for what can't be one, which is shown, and the question comes again.
        """
        default = self._answers.get(name) or default
        while True:
            self._say(f"\n{why}")
            typed = self._read_line(f"{question} [{printable(default or 'none')}]: ")
            answer = typed or default
            if typed == "none":
                self._keep(name, "")
                return ""
            try:
                if answer and check:
                    check(answer)
            except CPVError as wrong:
                self.show_error(wrong)
                continue
            if answer:
                self._keep(name, answer)
            return answer

    def agree(self, question: str, why: str, *, default: bool = True) -> bool:
        """Yes or no; anything else is asked again."""
        self._say(f"\n{why}")
        while True:
            typed = self._read_line(f"{question} [{'Y/n' if default else 'y/N'}]: ").lower()
            if not typed:
                return default
            if typed in _YES + _NO:
                return typed in _YES

    def wait(self, text: str) -> None:
        """Until Enter is pressed."""
        self._read_line(text)

    def show_error(self, error: CPVError) -> None:
        self._say(f"error: {printable(error.message)}")
        if error.hint:
            self._say(f"hint: {printable(error.hint)}")

    def finish(self) -> None:
        """Forgets what was kept: it is stored where it belongs."""
        self._draft.unlink(missing_ok=True)

    def _keep(self, name: str, answer: str) -> None:
        from cpvlib.stores.userconfig import update

        self._answers[name] = answer
        update(self._draft, lambda content: content.update({name: answer}))

    def _say(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")

    def _read_line(self, prompt: str) -> str:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stderr.write("\n")
            raise NegativeAnswer("left; what was answered is kept", hint="git cpv setup goes on from here")
        return line.strip()


def _read(draft: Path) -> dict[str, str]:
    from cpvlib.stores.userconfig import read

    try:
        return read(draft)
    except CPVError:
        return {}  # a draft is no more than defaults
