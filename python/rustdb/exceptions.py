"""PEP 249's exceptions, one class more for each SQLSTATE that programs tell apart."""

from __future__ import annotations

from typing import Any


class Warning(Exception):  # noqa: A001 - PEP 249's name
    """Something important that is no error."""


class Error(Exception):
    """What went wrong, with PostgreSQL's fields; those that do not apply are None.

    ``sqlstate`` is the five-character code, ``position`` counts characters of the statement from 1.
    """

    sqlstate: str | None = None

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.sqlstate = fields.get("sqlstate", type(self).sqlstate)
        self.severity: str = fields.get("severity", "ERROR")
        self.detail: str | None = fields.get("detail")
        self.hint: str | None = fields.get("hint")
        self.context: str | None = fields.get("context")
        self.position: int | None = fields.get("position")
        self.schema_name: str | None = fields.get("schema_name")
        self.table_name: str | None = fields.get("table_name")
        self.column_name: str | None = fields.get("column_name")
        self.constraint_name: str | None = fields.get("constraint_name")

    def __reduce__(self) -> Any:
        fields = {name: value for name, value in vars(self).items() if value is not None}
        return _rebuild, (type(self), self.args[0] if self.args else "", fields)


def _rebuild(cls: type[Error], message: str, fields: dict[str, Any]) -> Error:
    return cls(message, **fields)


class InterfaceError(Error):
    """The package is used in a way it does not allow."""


class DatabaseError(Error):
    """The database found something wrong."""


class DataError(DatabaseError):
    """A value is wrong: out of range, division by zero, no date (class 22)."""


class OperationalError(DatabaseError):
    """The database cannot do it now: conflicts, locks, disk, memory (classes 08, 40, 53, 54, 55, 57, 58)."""


class IntegrityError(DatabaseError):
    """A constraint would not hold any more (class 23)."""


class InternalError(DatabaseError):
    """The state of the database or of the transaction forbids it (classes 25, XX)."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: syntax, names, types (classes 07, 26, 34, 3D, 3F, 42)."""


class NotSupportedError(DatabaseError):
    """The engine cannot do it (class 0A)."""


class NotNullViolation(IntegrityError):
    """NULL in a column that takes none."""

    sqlstate = "23502"


class ForeignKeyViolation(IntegrityError):
    """A reference to a row that is not there."""

    sqlstate = "23503"


class UniqueViolation(IntegrityError):
    """A second row with a key."""

    sqlstate = "23505"


class CheckViolation(IntegrityError):
    """A row that a check refuses."""

    sqlstate = "23514"


class InFailedSqlTransaction(InternalError):
    """The transaction has failed; only ROLLBACK is heard."""

    sqlstate = "25P02"


class ReadOnlySqlTransaction(InternalError):
    """A change in a transaction that only reads."""

    sqlstate = "25006"


class SerializationFailure(OperationalError):
    """Another transaction came first; run the transaction again."""

    sqlstate = "40001"


class DeadlockDetected(OperationalError):
    """Transactions waited for each other; run the transaction again."""

    sqlstate = "40P01"


class LockNotAvailable(OperationalError):
    """A lock was not to be had in time."""

    sqlstate = "55P03"


class QueryCanceled(OperationalError):
    """The statement was stopped or took too long."""

    sqlstate = "57014"


class SyntaxError(ProgrammingError):  # noqa: A001 - PostgreSQL's name
    """The text is no statement."""

    sqlstate = "42601"


class UndefinedColumn(ProgrammingError):
    """A column that is not there."""

    sqlstate = "42703"


class UndefinedTable(ProgrammingError):
    """A table that is not there."""

    sqlstate = "42P01"


class DuplicateTable(ProgrammingError):
    """A second relation of a name."""

    sqlstate = "42P07"


class UndefinedFunction(ProgrammingError):
    """A function or operator that is not there."""

    sqlstate = "42883"


class DivisionByZero(DataError):
    """A division by zero."""

    sqlstate = "22012"


class NumericValueOutOfRange(DataError):
    """A number that its type cannot hold."""

    sqlstate = "22003"


_CLASSES: dict[str, type[DatabaseError]] = {
    "07": ProgrammingError,
    "08": OperationalError,
    "0A": NotSupportedError,
    "20": ProgrammingError,
    "21": ProgrammingError,
    "22": DataError,
    "23": IntegrityError,
    "24": InternalError,
    "25": InternalError,
    "26": ProgrammingError,
    "28": OperationalError,
    "2B": InternalError,
    "2D": InternalError,
    "34": OperationalError,
    "3B": OperationalError,
    "3D": ProgrammingError,
    "3F": ProgrammingError,
    "40": OperationalError,
    "42": ProgrammingError,
    "44": ProgrammingError,
    "53": OperationalError,
    "54": OperationalError,
    "55": OperationalError,
    "57": OperationalError,
    "58": OperationalError,
    "XX": InternalError,
}

_STATES: dict[str, type[DatabaseError]] = {
    cls.sqlstate: cls
    for cls in list(vars().values())
    if isinstance(cls, type) and issubclass(cls, DatabaseError) and cls.sqlstate
}


def from_engine(message: str, sqlstate: str, **fields: Any) -> DatabaseError:
    """The exception for an error of the engine, of the class that its SQLSTATE asks for."""
    cls = _STATES.get(sqlstate) or _CLASSES.get(sqlstate[:2], DatabaseError)
    return cls(message, sqlstate=sqlstate, **fields)
