"""Small sqlite files of what CPV found out before: they save time, and nothing depends on them.

A database that is missing, broken, locked or read-only behaves as an empty one: reading gives no rows and
writing does nothing. So no command fails for it, and deleting one is always safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from cpvlib.base.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import _sqlite3 as sqlite3  # all of it but what turns dates into text, for which it loads datetime
    except ImportError:
        import sqlite3

Row = tuple[Any, ...]
_BUSY_S = 0.5
_ROWS_AT_ONCE = 1000
_PARAMETERS = 500  # sqlite < 3.32 takes at most 999 in one statement


class Hints:
    """One such file, opened when first asked and usable from any thread.

    `schema` is a script of CREATE TABLEs. A change of it needs a new file name.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """All rows of one SELECT, or none where the file can't tell."""
        with self._lock:
            try:
                if self._connection is None and not self._path.exists():
                    return []
                return self._connected().execute(sql, parameters).fetchall()
            except (sqlite3.Error, OSError):
                return []

    def each(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The same, without holding all of them; they end where the file can't tell more."""
        cursor: sqlite3.Cursor | None = None
        while True:
            with self._lock:
                try:
                    if cursor is None:
                        if self._connection is None and not self._path.exists():
                            return
                        cursor = self._connected().execute(sql, parameters)
                    rows = cursor.fetchmany(_ROWS_AT_ONCE)
                except (sqlite3.Error, OSError):
                    return
            if not rows:
                return
            yield from rows

    def read_for(self, sql: str, keys: Iterable[str]) -> Iterator[Row]:
        """Rows for many keys; `sql` holds one `{keys}` where their list of placeholders goes."""
        wanted = list(keys)
        for start in range(0, len(wanted), _PARAMETERS):
            part = wanted[start : start + _PARAMETERS]
            yield from self.read(sql.format(keys=",".join("?" * len(part))), part)

    def write(self, *changes: tuple[str, Iterable[Row] | Callable[[], Iterable[Row]]]) -> bool:
        """Each statement for each of its rows, all in one transaction; whether it was written. Rows may be
        asked for twice: a function makes them anew."""
        prepared = [(sql, rows if callable(rows) else list(rows).__iter__) for sql, rows in changes]
        with self._lock:
            try:
                return self._write(prepared)
            except sqlite3.OperationalError:  # locked, read-only, full
                return False
            except sqlite3.DatabaseError:  # not a database, or a broken one: begin anew
                self._discard()
            except OSError:
                return False
            with suppress(sqlite3.Error, OSError):
                return self._write(prepared)
            return False

    def _write(self, changes: Iterable[tuple[str, Callable[[], Iterable[Row]]]]) -> bool:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connected()
        with connection:
            for statement in self._schema.split(";"):
                connection.execute(statement)
            for sql, rows in changes:
                connection.executemany(sql, rows())
        return True

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous=NORMAL")
        return self._connection

    def _discard(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
