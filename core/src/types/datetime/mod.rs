//! Dates, times and timestamps: reading them as PostgreSQL does with DateStyle ISO, MDY, printing them, and the
//! arithmetic between them and intervals.
//!
//! A `timestamp with time zone` is a moment; the session's zone, so far a fixed distance from UTC, only matters
//! when it is read, printed, or cut into days. [`TimeContext`] has that distance and the transaction's start, which
//! `'now'` and `'today'` mean.
//!
//! Range: dates to 5874897-12-31, timestamps to 294276-12-31, both from 4714-11-24 BC.

mod calendar;
mod decode;
mod fields;
mod format;
mod tokens;

#[cfg(test)]
mod tests;

use super::interval::{Interval, MICROS_PER_DAY};
use crate::error::{DataError, Error, Result};
use decode::Moment;

pub use calendar::{CivilDate, CivilTime, UNIX_EPOCH_DAYS, days_in_month, is_leap_year, split_timestamp};
pub use format::{write_date, write_time, write_timestamp, write_timestamptz};

pub(super) use fields::{Fault, Field, Shape, leading_integer, split};
pub(super) use format::write_fraction;
pub(super) use tokens::{clock, is_keyword};

const MICROS_PER_SECOND: i64 = 1_000_000;
/// 4714-11-24 BC.
const MIN_DATE: i32 = -calendar::EPOCH_JULIAN;
/// 5874898-01-01, the first day that is not a date.
const END_DATE: i32 = 2_147_483_494 - calendar::EPOCH_JULIAN;
/// 4714-11-24 00:00 BC.
const MIN_TIMESTAMP: i64 = -211_813_488_000_000_000;
/// 294277-01-01 00:00.
const END_TIMESTAMP: i64 = 9_223_371_331_200_000_000;

/// What the meaning of a time's text depends on besides the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TimeContext {
    /// The transaction's start, in microseconds since 2000-01-01 00:00 UTC.
    pub now: i64,
    /// The session's zone, in seconds east of UTC.
    pub zone_seconds: i32,
}

impl TimeContext {
    /// The transaction's start by the session's clock.
    pub fn local_now(&self) -> i64 {
        self.now.saturating_add(self.zone_micros())
    }

    fn zone_micros(&self) -> i64 {
        i64::from(self.zone_seconds) * MICROS_PER_SECOND
    }
}

/// The error for a `text` of type `ty`.
pub(super) fn fault_error(fault: Fault, ty: &'static str, text: &str) -> Error {
    let text = text.to_owned();
    match fault {
        Fault::Syntax => DataError::InvalidDateTime { ty, text }.into(),
        Fault::Field => DataError::DateTimeFieldOverflow { text }.into(),
        Fault::MonthOrDay => Error::from(DataError::DateTimeFieldOverflow { text })
            .with_hint("Perhaps you need a different \"datestyle\" setting."),
        Fault::Displacement => DataError::ZoneOutOfRange { text }.into(),
        Fault::Zone(name) => DataError::UnknownZone { name }.into(),
    }
}

// ---- Reading ----

/// Days since 2000-01-01.
///
/// # Errors
/// 22007 if it is no date, 22008 if there is none such.
pub fn parse_date(text: &str, context: &TimeContext) -> Result<i32> {
    if let Some((days, b"")) = iso_date(text.as_bytes()) {
        return Ok(days);
    }
    match decode::moment(text, context).map_err(|fault| fault_error(fault, "date", text))? {
        Moment::Late => Ok(i32::MAX),
        Moment::Early => Ok(i32::MIN),
        Moment::At { days, .. } => i32::try_from(days)
            .ok()
            .filter(|days| (MIN_DATE..END_DATE).contains(days))
            .ok_or_else(|| out_of_range_text("date", text)),
    }
}

/// Microseconds since midnight; a date and a zone in the text are dropped.
///
/// # Errors
/// 22007 if it is no time, 22008 if there is none such.
pub fn parse_time(text: &str, context: &TimeContext) -> Result<i64> {
    decode::time(text, context).map_err(|fault| fault_error(fault, "time", text))
}

/// Microseconds since 2000-01-01; a zone in the text is dropped.
///
/// # Errors
/// 22007 if it is no timestamp, 22008 if there is none such.
pub fn parse_timestamp(text: &str, context: &TimeContext) -> Result<i64> {
    if let Some(timestamp) = iso_timestamp(text.as_bytes()) {
        return Ok(timestamp);
    }
    let moment = decode::moment(text, context).map_err(|fault| fault_error(fault, "timestamp", text))?;
    timestamp_of(moment, 0).ok_or_else(|| out_of_range_text("timestamp", text))
}

/// Microseconds since 2000-01-01 00:00 UTC; without a zone in the text it is the context's.
///
/// # Errors
/// 22007 if it is no timestamp, 22008 if there is none such, 22009 and 22023 for zones.
pub fn parse_timestamptz(text: &str, context: &TimeContext) -> Result<i64> {
    let ty = "timestamp with time zone";
    let moment = decode::moment(text, context).map_err(|fault| fault_error(fault, ty, text))?;
    let zone = match moment {
        Moment::At { zone, .. } => zone.unwrap_or(context.zone_seconds),
        Moment::Late | Moment::Early => 0,
    };
    timestamp_of(moment, zone).ok_or_else(|| out_of_range_text("timestamp", text))
}

fn timestamp_of(moment: Moment, east: i32) -> Option<i64> {
    match moment {
        Moment::Late => Some(i64::MAX),
        Moment::Early => Some(i64::MIN),
        Moment::At { days, micros, .. } => {
            let local = days.checked_mul(MICROS_PER_DAY)?.checked_add(micros)?;
            in_range(local.checked_sub(i64::from(east) * MICROS_PER_SECOND)?)
        }
    }
}

fn in_range(timestamp: i64) -> Option<i64> {
    (MIN_TIMESTAMP..END_TIMESTAMP).contains(&timestamp).then_some(timestamp)
}

fn out_of_range_text(ty: &'static str, text: &str) -> Error {
    DataError::DateTimeTextOutOfRange { ty, text: text.to_owned() }.into()
}

/// The common form `2001-02-03` without any search, and what follows it; `None` sends the text to the long way.
fn iso_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = text else { return None };
    let digit = |c: &u8| c.is_ascii_digit().then(|| i32::from(c - b'0'));
    let year = ((digit(y1)? * 10 + digit(y2)?) * 10 + digit(y3)?) * 10 + digit(y4)?;
    let (month, day) = (digit(m1)? * 10 + digit(m2)?, digit(d1)? * 10 + digit(d2)?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    Some((CivilDate { year, month, day }.to_days()?, rest))
}

/// `2001-02-03 04:05:06` with up to six digits behind the seconds.
fn iso_timestamp(text: &[u8]) -> Option<i64> {
    let (days, rest) = iso_date(text)?;
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] = rest else { return None };
    let digit = |c: &u8| c.is_ascii_digit().then(|| i32::from(c - b'0'));
    let (hour, minute) = (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?);
    let second = digit(s1)? * 10 + digit(s2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    match fraction {
        [] => {}
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            for place in 0..6 {
                micros = micros * 10 + digits.get(place).map_or(Some(0), digit)?;
            }
        }
        _ => return None,
    }
    Some(i64::from(days) * MICROS_PER_DAY + CivilTime { hour, minute, second, micros }.to_micros())
}

// ---- Conversions ----

/// Midnight of a date.
///
/// # Errors
/// 22008 past the range of timestamps.
pub fn date_to_timestamp(days: i32) -> Result<i64> {
    match days {
        i32::MAX => Ok(i64::MAX),
        i32::MIN => Ok(i64::MIN),
        _ => i64::from(days)
            .checked_mul(MICROS_PER_DAY)
            .and_then(in_range)
            .ok_or_else(|| DataError::DateTimeOutOfRangeFor { ty: "date", target: "timestamp" }.into()),
    }
}

/// The day of a timestamp.
pub fn timestamp_to_date(timestamp: i64) -> i32 {
    match timestamp {
        i64::MAX => i32::MAX,
        i64::MIN => i32::MIN,
        _ => split_timestamp(timestamp).0,
    }
}

/// The time of the day of a timestamp; `None` of an infinity.
pub fn timestamp_to_time(timestamp: i64) -> Option<i64> {
    (!is_infinite(timestamp)).then(|| split_timestamp(timestamp).1)
}

/// The moment when the session's clock shows `timestamp`.
///
/// # Errors
/// 22008 past the range of timestamps.
pub fn local_to_utc(timestamp: i64, context: &TimeContext) -> Result<i64> {
    shift(timestamp, -context.zone_micros())
}

/// What the session's clock shows at a moment.
///
/// # Errors
/// 22008 past the range of timestamps.
pub fn utc_to_local(timestamp: i64, context: &TimeContext) -> Result<i64> {
    shift(timestamp, context.zone_micros())
}

fn is_infinite(timestamp: i64) -> bool {
    timestamp == i64::MAX || timestamp == i64::MIN
}

fn shift(timestamp: i64, micros: i64) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    timestamp.checked_add(micros).and_then(in_range).ok_or_else(timestamp_out_of_range)
}

fn timestamp_out_of_range() -> Error {
    DataError::DateTimeOutOfRange { ty: "timestamp" }.into()
}

// ---- Arithmetic ----

/// `date + days`.
///
/// # Errors
/// 22008 past the range of dates.
pub fn add_days(date: i32, days: i32) -> Result<i32> {
    if date == i32::MAX || date == i32::MIN {
        return Ok(date);
    }
    date.checked_add(days)
        .filter(|date| (MIN_DATE..END_DATE).contains(date))
        .ok_or_else(|| DataError::DateTimeOutOfRange { ty: "date" }.into())
}

/// `timestamp + interval`: months first, the day then clamped to its month, days next, microseconds last. For a
/// moment, go through [`utc_to_local`] and [`local_to_utc`].
///
/// # Errors
/// 22008 past the range of timestamps.
pub fn add_interval(timestamp: i64, interval: &Interval) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let (mut days, micros) = split_timestamp(timestamp);
    let mut shifted = || {
        if interval.months != 0 {
            let date = CivilDate::from_days(days);
            let months = (date.month - 1).checked_add(interval.months)?;
            let (year, month) = (date.year.checked_add(months.div_euclid(12))?, months.rem_euclid(12) + 1);
            days = CivilDate { year, month, day: date.day.min(days_in_month(year, month)) }.to_days()?;
        }
        days = days.checked_add(interval.days)?;
        let midnight = i64::from(days).checked_mul(MICROS_PER_DAY)?;
        in_range(midnight.checked_add(micros)?.checked_add(interval.micros)?)
    };
    shifted().ok_or_else(timestamp_out_of_range)
}

/// `timestamp - interval`.
///
/// # Errors
/// 22008 past the range of timestamps.
pub fn subtract_interval(timestamp: i64, interval: &Interval) -> Result<i64> {
    add_interval(timestamp, &interval.negate()?)
}

/// `later - earlier` in days and a time.
///
/// # Errors
/// 22008 of infinities.
pub fn timestamp_difference(later: i64, earlier: i64) -> Result<Interval> {
    if is_infinite(later) || is_infinite(earlier) {
        return Err(DataError::InfiniteDifference { ty: "timestamps" }.into());
    }
    let micros = later.checked_sub(earlier).ok_or(DataError::DateTimeOutOfRange { ty: "interval" })?;
    Interval::new(0, 0, micros).justify_hours()
}

/// `later - earlier` in days.
///
/// # Errors
/// 22008 of infinities.
pub fn date_difference(later: i32, earlier: i32) -> Result<i32> {
    if [later, earlier].iter().any(|&date| date == i32::MAX || date == i32::MIN) {
        return Err(DataError::InfiniteDifference { ty: "dates" }.into());
    }
    later.checked_sub(earlier).ok_or_else(|| DataError::OutOfRange { ty: "integer" }.into())
}

/// `time + interval`, around the clock; months and days do not count.
pub fn add_to_time(time: i64, interval: &Interval) -> i64 {
    (time + interval.micros.rem_euclid(MICROS_PER_DAY)).rem_euclid(MICROS_PER_DAY)
}

/// `age(later, earlier)`: the difference by the calendar, in years, months, days and a time of one sign.
///
/// # Errors
/// 22008 of infinities.
pub fn age(later: i64, earlier: i64) -> Result<Interval> {
    if is_infinite(later) || is_infinite(earlier) {
        return Err(DataError::DateTimeOutOfRange { ty: "interval" }.into());
    }
    if later < earlier {
        return age(earlier, later)?.negate();
    }
    let ((days1, time1), (days2, time2)) = (split_timestamp(later), split_timestamp(earlier));
    let (date1, date2) = (CivilDate::from_days(days1), CivilDate::from_days(days2));
    let (mut micros, mut days) = (time1 - time2, date1.day - date2.day);
    let mut months = (date1.year - date2.year) * 12 + date1.month - date2.month;
    if micros < 0 {
        micros += MICROS_PER_DAY;
        days -= 1;
    }
    // Days are borrowed from the earlier date's month.
    if days < 0 {
        days += days_in_month(date2.year, date2.month);
        months -= 1;
    }
    Ok(Interval::new(months, days, micros))
}
