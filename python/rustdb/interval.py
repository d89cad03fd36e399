"""PostgreSQL's interval: months, days and microseconds, which do not convert into each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of time. A month has no fixed number of days, nor a day of hours where clocks change."""

    months: int = 0
    days: int = 0
    microseconds: int = 0

    @classmethod
    def of(cls, delta: timedelta) -> Interval:
        """The interval with the days and microseconds of a timedelta."""
        return cls(0, delta.days, delta.seconds * 1_000_000 + delta.microseconds)

    def timedelta(self) -> timedelta:
        """The same as a timedelta; ValueError if it has months."""
        if self.months:
            raise ValueError("an interval with months has no fixed length")
        return timedelta(days=self.days, microseconds=self.microseconds)
