//! Dates and times as DateStyle ISO prints them.

use super::calendar::{CivilDate, CivilTime, split_timestamp};
use crate::types::MICROS_PER_DAY;
use std::fmt::{self, Write};

/// Appends `2001-02-03`, `0044-03-15 BC` or an infinity.
pub fn write_date(out: &mut impl Write, days: i32) -> fmt::Result {
    match days {
        i32::MAX => out.write_str("infinity"),
        i32::MIN => out.write_str("-infinity"),
        _ => {
            let date = CivilDate::from_days(days);
            write_civil(out, date)?;
            write_era(out, date)
        }
    }
}

/// Appends `04:05:06` or `04:05:06.789`.
pub fn write_time(out: &mut impl Write, micros: i64) -> fmt::Result {
    let time = CivilTime::from_micros(micros.clamp(0, MICROS_PER_DAY));
    write!(out, "{:02}:{:02}:{:02}", time.hour, time.minute, time.second)?;
    write_fraction(out, time.micros.unsigned_abs())
}

/// Appends `2001-02-03 04:05:06` or an infinity.
pub fn write_timestamp(out: &mut impl Write, timestamp: i64) -> fmt::Result {
    write_with_zone(out, timestamp, None)
}

/// Appends `2001-02-03 04:05:06+02`, the time as it is `zone_seconds` east of UTC, or an infinity.
pub fn write_timestamptz(out: &mut impl Write, timestamp: i64, zone_seconds: i32) -> fmt::Result {
    write_with_zone(out, timestamp, Some(zone_seconds))
}

fn write_with_zone(out: &mut impl Write, timestamp: i64, zone: Option<i32>) -> fmt::Result {
    match timestamp {
        i64::MAX => return out.write_str("infinity"),
        i64::MIN => return out.write_str("-infinity"),
        _ => {}
    }
    let local = timestamp.saturating_add(i64::from(zone.unwrap_or(0)) * 1_000_000);
    let (days, micros) = split_timestamp(local);
    let date = CivilDate::from_days(days);
    write_civil(out, date)?;
    out.write_char(' ')?;
    write_time(out, micros)?;
    if let Some(zone) = zone {
        write_zone(out, zone)?;
    }
    write_era(out, date)
}

fn write_civil(out: &mut impl Write, date: CivilDate) -> fmt::Result {
    let year = if date.year > 0 { date.year } else { 1 - date.year };
    write!(out, "{year:04}-{:02}-{:02}", date.month, date.day)
}

fn write_era(out: &mut impl Write, date: CivilDate) -> fmt::Result {
    if date.year > 0 { Ok(()) } else { out.write_str(" BC") }
}

fn write_zone(out: &mut impl Write, east: i32) -> fmt::Result {
    let seconds = east.unsigned_abs();
    write!(out, "{}{:02}", if east < 0 { '-' } else { '+' }, seconds / 3600)?;
    if !seconds.is_multiple_of(3600) {
        write!(out, ":{:02}", seconds / 60 % 60)?;
    }
    if !seconds.is_multiple_of(60) {
        write!(out, ":{:02}", seconds % 60)?;
    }
    Ok(())
}

/// Appends the microseconds of a second without trailing zeros, nothing if there are none.
pub(in crate::types) fn write_fraction(out: &mut impl Write, micros: u32) -> fmt::Result {
    if micros == 0 {
        return Ok(());
    }
    let (mut digits, mut width) = (micros, 6);
    while digits.is_multiple_of(10) {
        digits /= 10;
        width -= 1;
    }
    write!(out, ".{digits:0width$}")
}
