//! `interval`: months, days and microseconds kept apart, because a month has no fixed number of days and a day no
//! fixed number of hours.

use std::cmp::Ordering;

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A span of time. Equality is of representation ('1 mon' is not '30 days'); SQL's is [`Interval::compare`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(C)]
pub struct Interval {
    /// Months, years included.
    pub months: i32,
    /// Days, weeks included.
    pub days: i32,
    /// Microseconds, hours and minutes included; may pass a day.
    pub micros: i64,
}

impl Interval {
    /// A span of its three parts.
    pub const fn new(months: i32, days: i32, micros: i64) -> Self {
        Self { months, days, micros }
    }

    /// The length in microseconds by which intervals are ordered: a month counts 30 days, a day 24 hours.
    pub fn span(&self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(MICROS_PER_DAY)
            + i128::from(self.micros)
    }

    /// SQL's order.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.span().cmp(&other.span())
    }
}
