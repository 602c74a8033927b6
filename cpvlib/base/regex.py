"""Regular expressions that are compiled when they are first asked.

A command loads a hundred of them with its modules, a tenth of its time to compile, and asks a few.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it

if TYPE_CHECKING:
    from re import compile as regex
else:

    class regex:  # noqa: N801
        """As `re.compile`, whose methods it has."""

        def __init__(self, pattern, flags=0):
            self.pattern = pattern
            self._flags = flags

        def __getattr__(self, name):
            if name.startswith("_"):
                raise AttributeError(name)
            import re

            compiled = re.compile(self.pattern, self._flags)
            value = self.__dict__[name] = getattr(compiled, name)  # re itself remembers what was compiled
            return value


__all__ = ["regex"]
