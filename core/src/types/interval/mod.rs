//! `interval`: months, days and microseconds kept apart, because a month has no fixed number of days and a day no
//! fixed number of hours.
//!
//! ```text
//! | months i32 | days i32 | microseconds i64 |      16 bytes, each part signed for itself
//! ```
//! Fractions cascade down when an interval is read or multiplied, half a month becoming 15 days, and never up,
//! except through [`Interval::justify_hours`] and its kin. Intervals compare by their span, a month counted as 30
//! days and a day as 24 hours, so that different intervals can be equal.

mod decode;

#[cfg(test)]
mod tests;

use super::datetime::{CivilTime, write_fraction};
use crate::error::{DataError, Error, Result};
use std::cmp::Ordering;
use std::fmt;

pub use decode::IntervalField;

/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
const DAYS_PER_MONTH: i32 = 30;
const SECONDS_PER_DAY: f64 = 86_400.0;

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

    /// `self + other`, part by part.
    ///
    /// # Errors
    /// 22008 past a part's range.
    pub fn add(&self, other: &Self) -> Result<Self> {
        let sum = || {
            Some(Self {
                months: self.months.checked_add(other.months)?,
                days: self.days.checked_add(other.days)?,
                micros: self.micros.checked_add(other.micros)?,
            })
        };
        sum().ok_or_else(out_of_range)
    }

    /// `self - other`, part by part.
    ///
    /// # Errors
    /// 22008 past a part's range.
    pub fn subtract(&self, other: &Self) -> Result<Self> {
        let difference = || {
            Some(Self {
                months: self.months.checked_sub(other.months)?,
                days: self.days.checked_sub(other.days)?,
                micros: self.micros.checked_sub(other.micros)?,
            })
        };
        difference().ok_or_else(out_of_range)
    }

    /// `-self`.
    ///
    /// # Errors
    /// 22008 past a part's range.
    pub fn negate(&self) -> Result<Self> {
        Self::default().subtract(self)
    }

    /// `self * factor`; fractions cascade to smaller parts.
    ///
    /// # Errors
    /// 22008 past a part's range.
    pub fn multiply(&self, factor: f64) -> Result<Self> {
        self.scale(|part| part * factor)
    }

    /// `self / divisor`; fractions cascade to smaller parts.
    ///
    /// # Errors
    /// 22012 by zero, 22008 past a part's range.
    pub fn divide(&self, divisor: f64) -> Result<Self> {
        if divisor == 0.0 {
            return Err(DataError::DivisionByZero.into());
        }
        self.scale(|part| part / divisor)
    }

    fn scale(&self, scale: impl Fn(f64) -> f64) -> Result<Self> {
        let (months, days) = (scale(self.months.into()), scale(self.days.into()));
        let (whole_months, mut whole_days) = (whole(months)?, whole(days)?);
        let month_days = to_micros((months - f64::from(whole_months)) * f64::from(DAYS_PER_MONTH));
        let mut seconds =
            to_micros((days - f64::from(whole_days) + month_days - month_days.trunc()) * SECONDS_PER_DAY);
        // Rounding may have made a full day of it.
        if seconds.abs() >= SECONDS_PER_DAY {
            let extra = (seconds / SECONDS_PER_DAY).trunc();
            whole_days = whole_days.checked_add(whole(extra)?).ok_or_else(out_of_range)?;
            seconds -= extra * SECONDS_PER_DAY;
        }
        let days = whole_days.checked_add(whole(month_days)?).ok_or_else(out_of_range)?;
        let micros = (scale(self.micros as f64) + seconds * 1e6).round_ties_even();
        if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&micros) {
            return Err(out_of_range());
        }
        Ok(Self::new(whole_months, days, micros as i64))
    }

    /// Full days of the time become days, and both get one sign.
    ///
    /// # Errors
    /// 22008 past the range of days.
    pub fn justify_hours(&self) -> Result<Self> {
        let days =
            i32::try_from(self.micros / MICROS_PER_DAY).ok().and_then(|days| self.days.checked_add(days));
        let (mut days, mut micros) = (days.ok_or_else(out_of_range)?, self.micros % MICROS_PER_DAY);
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + MICROS_PER_DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - MICROS_PER_DAY);
        }
        Ok(Self { days, micros, ..*self })
    }

    /// Each 30 days become a month, and both get one sign.
    ///
    /// # Errors
    /// 22008 past the range of months.
    pub fn justify_days(&self) -> Result<Self> {
        let months = self.months.checked_add(self.days / DAYS_PER_MONTH).ok_or_else(out_of_range)?;
        let (months, days) = one_sign(months, self.days % DAYS_PER_MONTH);
        Ok(Self { months, days, ..*self })
    }

    /// Both, and all three parts get one sign.
    ///
    /// # Errors
    /// 22008 past a part's range.
    pub fn justify(&self) -> Result<Self> {
        // Wide enough for the days of any time and any month count.
        let mut days = i64::from(self.days) + self.micros / MICROS_PER_DAY;
        let mut micros = self.micros % MICROS_PER_DAY;
        let mut months = i64::from(self.months) + days / i64::from(DAYS_PER_MONTH);
        days %= i64::from(DAYS_PER_MONTH);
        if months > 0 && (days < 0 || (days == 0 && micros < 0)) {
            (months, days) = (months - 1, days + i64::from(DAYS_PER_MONTH));
        } else if months < 0 && (days > 0 || (days == 0 && micros > 0)) {
            (months, days) = (months + 1, days - i64::from(DAYS_PER_MONTH));
        }
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + MICROS_PER_DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - MICROS_PER_DAY);
        }
        match (i32::try_from(months), i32::try_from(days)) {
            (Ok(months), Ok(days)) => Ok(Self::new(months, days, micros)),
            _ => Err(out_of_range()),
        }
    }
}

fn one_sign(months: i32, days: i32) -> (i32, i32) {
    if months > 0 && days < 0 {
        (months - 1, days + DAYS_PER_MONTH)
    } else if months < 0 && days > 0 {
        (months + 1, days - DAYS_PER_MONTH)
    } else {
        (months, days)
    }
}

/// The whole part.
fn whole(value: f64) -> Result<i32> {
    if value.is_nan() || value < f64::from(i32::MIN) || value > f64::from(i32::MAX) {
        return Err(out_of_range());
    }
    Ok(value as i32)
}

/// Rounded to six digits behind the point.
fn to_micros(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

fn out_of_range() -> Error {
    DataError::DateTimeOutOfRange { ty: "interval" }.into()
}

/// As IntervalStyle `postgres` prints it: `1 year 2 mons -3 days +04:05:06.7`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut empty, mut after_negative) = (true, false);
        for (value, unit) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if value == 0 {
                continue;
            }
            let blank = if empty { "" } else { " " };
            let plus = if after_negative && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            write!(f, "{blank}{plus}{value} {unit}{plural}")?;
            (empty, after_negative) = (false, value < 0);
        }
        if !empty && self.micros == 0 {
            return Ok(());
        }
        let blank = if empty { "" } else { " " };
        let sign = match (self.micros < 0, after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let magnitude = self.micros.unsigned_abs();
        let hours = magnitude / MICROS_PER_HOUR.unsigned_abs();
        // Less than an hour.
        let time = CivilTime::from_micros((magnitude % MICROS_PER_HOUR.unsigned_abs()) as i64);
        write!(f, "{blank}{sign}{hours:02}:{:02}:{:02}", time.minute, time.second)?;
        write_fraction(f, time.micros.unsigned_abs())
    }
}
