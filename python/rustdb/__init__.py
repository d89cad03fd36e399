"""RustDB: an embedded relational database with PostgreSQL's SQL, as a DB-API 2.0 (PEP 249) module.

>>> import rustdb
>>> with rustdb.connect(":memory:") as con:
...     _ = con.execute("create table t (id int primary key, name text)")
...     _ = con.executemany("insert into t values ($1, $2)", [(1, "one"), (2, "two")])
...     con.execute("select name from t where id = ?", [2]).fetchone()
('two',)

Parameters are written ``?``, ``$1``, ``$name`` or ``:name``; a sequence gives them by position, a mapping by name.
"""

from __future__ import annotations

import datetime as _datetime
import os as _os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager as _contextmanager
from typing import Any, Iterator, TypeVar

from . import _rustdb
from ._rustdb import __version__
from .exceptions import (
    CheckViolation,
    DatabaseError,
    DataError,
    DeadlockDetected,
    DivisionByZero,
    DuplicateTable,
    Error,
    ForeignKeyViolation,
    InFailedSqlTransaction,
    IntegrityError,
    InterfaceError,
    InternalError,
    LockNotAvailable,
    NotNullViolation,
    NotSupportedError,
    NumericValueOutOfRange,
    OperationalError,
    ProgrammingError,
    QueryCanceled,
    ReadOnlySqlTransaction,
    SerializationFailure,
    SyntaxError,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
    UniqueViolation,
    Warning,
)
from .interval import Interval

apilevel = "2.0"
threadsafety = 2
paramstyle = "qmark"

Parameters = Sequence[Any] | Mapping[str, Any] | None
_T = TypeVar("_T")


class _TypeObject:
    """Equal to the type codes of a kind of columns."""

    def __init__(self, name: str, *oids: int) -> None:
        self.name, self.oids = name, frozenset(oids)

    def __eq__(self, other: object) -> bool:
        return other in self.oids if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self.oids)

    def __repr__(self) -> str:
        return f"rustdb.{self.name}"


STRING = _TypeObject("STRING", 25, 1043, 1042, 18, 19, 2950)
BINARY = _TypeObject("BINARY", 17)
NUMBER = _TypeObject("NUMBER", 21, 23, 20, 700, 701, 1700)
DATETIME = _TypeObject("DATETIME", 1082, 1083, 1114, 1184, 1186)
ROWID = _TypeObject("ROWID")

Date = _datetime.date
Time = _datetime.time
Timestamp = _datetime.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> _datetime.date:
    """The date of seconds since 1970, local time."""
    return _datetime.date.fromtimestamp(ticks)


def TimeFromTicks(ticks: float) -> _datetime.time:
    """The time of day of seconds since 1970, local time."""
    return _datetime.datetime.fromtimestamp(ticks).time()


def TimestampFromTicks(ticks: float) -> _datetime.datetime:
    """The date and time of seconds since 1970, local time."""
    return _datetime.datetime.fromtimestamp(ticks)


class Cursor(_rustdb.Cursor):
    """Runs statements and holds the rows of the last one. Iterating gives the rows that are left."""

    arraysize: int = 1

    def __new__(cls, connection: Connection) -> Cursor:
        cursor = super().__new__(cls, connection)
        cursor._connection = connection
        return cursor

    def __init__(self, connection: Connection) -> None:
        pass

    @property
    def connection(self) -> Connection:
        """The connection it belongs to."""
        return self._connection

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """PEP 249's seven items for each column: name, type code (PostgreSQL's oid) and, of numerics, precision and
        scale; None if the last statement has no rows."""
        columns = self._columns()
        if columns is None:
            return None
        return [(name, oid, None, None, precision, scale, None) for name, oid, precision, scale in columns]

    @property
    def lastrowid(self) -> None:
        """None: use ``INSERT .. RETURNING``."""
        return None

    def execute(self, operation: str, parameters: Parameters = None) -> Cursor:
        """Runs one statement and returns the cursor itself."""
        self._execute(operation, parameters)
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Cursor:
        """Runs one statement for each set of parameters: all of them, or none if one fails."""
        self._executemany(operation, seq_of_parameters)
        return self

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, ``size`` of them or ``arraysize``; fewer at the end."""
        return self._fetchmany(_whole("the number of rows", self.arraysize if size is None else size, 0))

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing: sizes need not be known."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing: values are never cut."""

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Connection(_rustdb.Connection):
    """A connection. As a context manager it commits, or rolls back after an exception, and closes."""

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError

    def cursor(self) -> Cursor:
        """A new cursor."""
        if self.closed:
            raise InterfaceError("the connection is closed")
        return Cursor(self)

    def execute(self, operation: str, parameters: Parameters = None) -> Cursor:
        """Runs one statement and returns a new cursor with its rows."""
        return self.cursor().execute(operation, parameters)

    def executemany(self, operation: str, seq_of_parameters: Iterable[Parameters]) -> Cursor:
        """Runs one statement for each set of parameters: all of them, or none if one fails."""
        return self.cursor().executemany(operation, seq_of_parameters)

    @_contextmanager
    def transaction(self, isolation: str | None = None) -> Iterator[Connection]:
        """A block that is committed at its end, or taken back after an exception. Inside another one, or in a
        transaction that is open already, it is a savepoint. ``isolation`` is for the outermost: ``"read committed"`` or
        ``"repeatable read"``."""
        if self.in_transaction:
            if isolation is not None:
                raise ProgrammingError("the isolation level is that of the open transaction")
            name = f"block_{self._depth()}"
            self.execute(f"SAVEPOINT {name}")
            try:
                yield self
            except BaseException:
                self.execute(f"ROLLBACK TO SAVEPOINT {name}")
                self.execute(f"RELEASE SAVEPOINT {name}")
                raise
            self.execute(f"RELEASE SAVEPOINT {name}")
            return
        level = f" ISOLATION LEVEL {_level(isolation)}" if isolation else ""
        before, self.autocommit = self.autocommit, True
        try:
            self.execute(f"BEGIN{level}")
            try:
                yield self
            except BaseException:
                self.rollback()
                raise
            self.commit()
        finally:
            if not self.closed:
                self.autocommit = before

    def run(self, work: Callable[[Connection], _T], *, isolation: str | None = None, retries: int = 3) -> _T:
        """Calls ``work`` in a transaction and returns what it returns; after a serialization failure or a deadlock it
        is called again, up to ``retries`` times."""
        while True:
            try:
                with self.transaction(isolation):
                    return work(self)
            except (SerializationFailure, DeadlockDetected):
                if retries <= 0:
                    raise
                retries -= 1

    def _depth(self) -> int:
        self._savepoints: int = getattr(self, "_savepoints", 0) + 1
        return self._savepoints

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        try:
            if not self.closed:
                if kind is None:
                    self.commit()
                else:
                    self.rollback()
        finally:
            self.close()


def _level(name: str) -> str:
    words = " ".join(name.replace("_", " ").upper().split())
    if words not in ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        raise ProgrammingError(f"unknown isolation level {name!r}")
    return words


#: Seconds that ``lock_timeout`` can be: 2^31 - 1 milliseconds.
_MAX_TIMEOUT = 2_147_483


def connect(
    database: str | _os.PathLike[str],
    *,
    autocommit: bool = False,
    isolation_level: str | None = None,
    timeout: float | None = None,
    memory_limit: int | None = None,
    threads: int | None = None,
    options: Mapping[str, str] | None = None,
) -> Connection:
    """Opens a database file, or makes it; ``":memory:"`` is one in memory.

    A file that is open in this process already is shared: each call gives a connection of its own, for a thread of its
    own. ``timeout`` is how long to wait for a lock, in seconds (for ever if None or infinite); ``memory_limit`` is in bytes and
    counts for the whole database when this call opens it, as do ``threads``; ``options`` are settings as SET takes
    them. Without ``autocommit`` the first statement opens a transaction, which ``commit()`` ends.
    """
    settings = dict(options or {})
    if isolation_level is not None:
        settings["default_transaction_isolation"] = _level(isolation_level).lower()
    if timeout is not None and timeout != float("inf"):
        # Written so that NaN is refused, too.
        if not 0 <= timeout <= _MAX_TIMEOUT:
            raise ProgrammingError(f"timeout {timeout!r} is not from 0 to {_MAX_TIMEOUT} seconds", sqlstate="22023")
        settings["lock_timeout"] = f"{max(1, round(timeout * 1000))}ms"
    memory = None if memory_limit is None else _whole("memory_limit", memory_limit, 1)
    count = None if threads is None else _whole("threads", threads, 1)
    return Connection(_os.fspath(database), memory, count, list(settings.items()), autocommit)


def _whole(name: str, value: int, least: int) -> int:
    """A whole number that the native half takes."""
    if not least <= value < 1 << 63:
        raise ProgrammingError(f"{name} cannot be {value!r}", sqlstate="22023")
    return value


__all__ = [
    "BINARY", "Binary", "CheckViolation", "Connection", "Cursor", "DATETIME", "DataError", "DatabaseError", "Date",
    "DateFromTicks", "DeadlockDetected", "DivisionByZero", "DuplicateTable", "Error", "ForeignKeyViolation",
    "InFailedSqlTransaction", "IntegrityError", "InterfaceError", "InternalError", "Interval", "LockNotAvailable",
    "NUMBER", "NotNullViolation", "NotSupportedError", "NumericValueOutOfRange", "OperationalError",
    "ProgrammingError", "QueryCanceled", "ROWID", "ReadOnlySqlTransaction", "STRING", "SerializationFailure",
    "SyntaxError", "Time", "TimeFromTicks", "Timestamp", "TimestampFromTicks", "UndefinedColumn",
    "UndefinedFunction", "UndefinedTable", "UniqueViolation", "Warning", "__version__", "apilevel", "connect",
    "paramstyle", "threadsafety",
]
