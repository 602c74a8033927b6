"""A user of the Python API at work: scripts in a folder."""

from __future__ import annotations

import sys
import textwrap

from shell import Result, Shell


class Desk(Shell):
    """A folder where a user keeps scripts; it is also the current folder of the test."""

    def script(self, text: str, **env: str) -> Result:
        """Runs a Python program, as `python train.py` would."""
        file = self.write("script.py", textwrap.dedent(text))
        return self.run([sys.executable, str(file)], **env)

    def answers(self, text: str, **env: str) -> str:
        """What it prints; it must end well and say nothing on stderr."""
        result = self.script(text, **env)
        assert (result.code, result.err) == (0, ""), str(result)
        return result.out
