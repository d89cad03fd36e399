//! Intervals from text: PostgreSQL's words (`1 year -2 days 3:04`), the standard's `1-2` and ISO 8601's `P1Y2M`.

use super::{Interval, MICROS_PER_DAY, out_of_range};
use crate::error::{DataError, Result};
use crate::types::datetime::{Fault, Field, Shape, clock, fault_error, is_keyword, leading_integer, split};
use std::str::FromStr;

/// The last field of `INTERVAL '...' YEAR TO MONTH`: what a bare number counts, and below what is cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntervalField {
    /// `YEAR`
    Year,
    /// `MONTH`
    Month,
    /// `DAY`
    Day,
    /// `HOUR`
    Hour,
    /// `MINUTE`
    Minute,
    /// `SECOND`
    Second,
}

/// What a number counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// So many microseconds.
    Micros(i64),
    /// So many days of 24 hours.
    Days(i32),
    Month,
    /// So many years.
    Years(i32),
}

/// What the next number to the left counts.
#[derive(Clone, Copy)]
enum Pending {
    /// What the interval's last field says.
    Field,
    /// What the word behind it says.
    Unit(Unit),
    /// Nothing: `ago` stands behind a unit.
    Nothing,
}

impl IntervalField {
    fn unit(self) -> Unit {
        match self {
            Self::Year => Unit::Years(1),
            Self::Month => Unit::Month,
            Self::Day => DAY,
            Self::Hour => Unit::Micros(HOUR),
            Self::Minute => Unit::Micros(MINUTE),
            Self::Second => Unit::Micros(SECOND),
        }
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: Unit = Unit::Days(1);

/// What a word makes the number before it count.
fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "us" | "usec" | "usecs" | "usecond" | "useconds" | "microsecond" | "microseconds" => Unit::Micros(1),
        "ms" | "msec" | "msecs" | "msecond" | "mseconds" | "millisecond" | "milliseconds" => {
            Unit::Micros(1000)
        }
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Micros(SECOND),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Micros(MINUTE),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Micros(HOUR),
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => Unit::Days(7),
        "mon" | "mons" | "month" | "months" => Unit::Month,
        "y" | "yr" | "yrs" | "year" | "years" => Unit::Years(1),
        "dec" | "decs" | "decade" | "decades" => Unit::Years(10),
        "c" | "cent" | "century" | "centuries" => Unit::Years(100),
        "mil" | "mils" | "millennium" | "millennia" => Unit::Years(1000),
        _ => return None,
    })
}

/// The parts so far. Years are apart, because their overflow is another error than that of the sum.
#[derive(Default)]
struct Parts {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
}

impl FromStr for Interval {
    type Err = crate::Error;

    /// # Errors
    /// 22007 if it is no interval, 22015 or 22008 if it is too long.
    fn from_str(text: &str) -> Result<Self> {
        Self::parse_with_field(text, IntervalField::Second)
    }
}

impl Interval {
    /// Reads `INTERVAL 'text' field`; without a field it is `SECOND`.
    ///
    /// # Errors
    /// 22007 if it is no interval, 22015 or 22008 if it is too long.
    pub fn parse_with_field(text: &str, field: IntervalField) -> Result<Self> {
        let parts = match words(text, field) {
            Err(Fault::Syntax) => iso_8601(text),
            other => other,
        };
        let parts = parts.map_err(|fault| match fault {
            Fault::Field => DataError::IntervalFieldOverflow { text: text.to_owned() }.into(),
            fault => fault_error(fault, "interval", text),
        })?;
        let months = parts.years.checked_mul(12).and_then(|months| months.checked_add(parts.months));
        let whole = Self::new(months.ok_or_else(out_of_range)?, parts.days, parts.micros);
        Ok(match field {
            IntervalField::Year => Self::new(whole.months / 12 * 12, 0, 0),
            IntervalField::Month => Self::new(whole.months, 0, 0),
            IntervalField::Day => Self { micros: 0, ..whole },
            IntervalField::Hour => Self { micros: whole.micros / HOUR * HOUR, ..whole },
            IntervalField::Minute => Self { micros: whole.micros / MINUTE * MINUTE, ..whole },
            IntervalField::Second => whole,
        })
    }
}

/// Words are read from right to left, because the unit stands behind its number.
fn words(text: &str, field: IntervalField) -> Result<Parts, Fault> {
    let fields = split(text, is_keyword).ok_or(Fault::Syntax)?;
    let mut parts = Parts::default();
    let mut seen = 0u32;
    let mut pending = Pending::Field;
    let mut backwards = false;
    for Field { shape, text } in fields.iter().rev() {
        let found = match shape {
            Shape::Time => {
                parts.set_clock(text, false)?;
                pending = Pending::Unit(DAY);
                TIME_BITS
            }
            Shape::Signed if text.contains(':') && clock(&text[1..]).is_ok() => {
                parts.set_clock(&text[1..], text.starts_with('-'))?;
                pending = Pending::Unit(DAY);
                TIME_BITS
            }
            Shape::Signed | Shape::Number | Shape::Date => {
                let unit = match pending {
                    Pending::Unit(unit) => Some(unit),
                    Pending::Field => Some(field.unit()),
                    Pending::Nothing => None,
                };
                let (unit, value, fraction) = number(text, unit)?;
                // `4 2 hours` is four days and two hours.
                pending = Pending::Unit(if unit == Unit::Micros(HOUR) { DAY } else { unit });
                parts.add(unit, value, fraction)?;
                unit.bit(fraction != 0.0)
            }
            Shape::Word if text == "ago" => {
                backwards = true;
                pending = Pending::Nothing;
                0
            }
            Shape::Word => {
                pending = Pending::Unit(unit(text).ok_or(Fault::Syntax)?);
                0
            }
            Shape::SignedWord => return Err(Fault::Syntax),
        };
        if seen & found != 0 {
            return Err(Fault::Syntax);
        }
        seen |= found;
    }
    if seen == 0 {
        return Err(Fault::Syntax);
    }
    if backwards { parts.negate().ok_or(Fault::Field) } else { Ok(parts) }
}

const SECOND_BITS: u32 = 1 | 2 | 4;
const TIME_BITS: u32 = SECOND_BITS | 8 | 16;

impl Unit {
    /// The bits that keep a field from being given twice. Seconds with a fraction give milliseconds too.
    fn bit(self, fraction: bool) -> u32 {
        match self {
            Self::Micros(1) => 1,
            Self::Micros(1000) => 2,
            Self::Micros(SECOND) if fraction => SECOND_BITS,
            Self::Micros(SECOND) => 4,
            Self::Micros(MINUTE) => 8,
            Self::Micros(_) => 16,
            Self::Days(1) => 32,
            Self::Days(_) => 64,
            Self::Month => 128,
            Self::Years(1) => 256,
            Self::Years(10) => 512,
            Self::Years(100) => 1024,
            Self::Years(_) => 2048,
        }
    }
}

/// A number and what it counts, which is months if it is `years-months`.
fn number(text: &str, unit: Option<Unit>) -> Result<(Unit, i64, f64), Fault> {
    let negative = text.starts_with('-');
    let (value, rest) = match leading_integer::<i64>(text) {
        // A point right behind the sign.
        Err(Fault::Syntax) => (0, text.strip_prefix(['+', '-']).unwrap_or(text)),
        other => other?,
    };
    if let Some(months) = rest.strip_prefix('-') {
        let (months, rest) = leading_integer::<i64>(months)?;
        if !rest.is_empty() {
            return Err(Fault::Syntax);
        }
        if !(0..12).contains(&months) {
            return Err(Fault::Field);
        }
        let months = if negative { -months } else { months };
        let value = value.checked_mul(12).and_then(|v| v.checked_add(months)).ok_or(Fault::Field)?;
        return Ok((Unit::Month, value, 0.0));
    }
    let unit = unit.ok_or(Fault::Syntax)?;
    if rest.is_empty() {
        return Ok((unit, value, 0.0));
    }
    let fraction = fraction(rest)?;
    Ok((unit, value, if negative { -fraction } else { fraction }))
}

fn fraction(text: &str) -> Result<f64, Fault> {
    let digits = text.strip_prefix('.').ok_or(Fault::Syntax)?;
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    if digits.is_empty() { Ok(0.0) } else { text.parse().map_err(|_| Fault::Syntax) }
}

impl Parts {
    /// Takes the place of hours, minutes and seconds so far, which only fractions of larger units can have given.
    fn set_clock(&mut self, text: &str, negative: bool) -> Result<(), Fault> {
        let (hours, time) = clock(text)?;
        let micros = hours.checked_mul(HOUR).and_then(|micros| micros.checked_add(time.to_micros()));
        let micros = micros.ok_or(Fault::Field)?;
        self.micros = if negative { -micros } else { micros };
        Ok(())
    }

    fn add(&mut self, unit: Unit, value: i64, fraction: f64) -> Result<(), Fault> {
        let small = || i32::try_from(value).map_err(|_| Fault::Field);
        match unit {
            Unit::Micros(scale) => {
                let whole = value.checked_mul(scale).and_then(|micros| self.micros.checked_add(micros));
                self.micros = whole.ok_or(Fault::Field)?;
                self.add_fraction_of_micros(fraction, scale)
            }
            Unit::Days(scale) => {
                self.add_days(small()?.checked_mul(scale))?;
                if scale == 1 {
                    self.add_fraction_of_micros(fraction, MICROS_PER_DAY)
                } else {
                    self.add_fraction_of_days(fraction, scale)
                }
            }
            Unit::Month => {
                self.months = self.months.checked_add(small()?).ok_or(Fault::Field)?;
                self.add_fraction_of_days(fraction, super::DAYS_PER_MONTH)
            }
            Unit::Years(scale) => {
                let years = small()?.checked_mul(scale).and_then(|years| self.years.checked_add(years));
                self.years = years.ok_or(Fault::Field)?;
                // At most 12,000, for the fraction is below one.
                let months = (fraction * f64::from(scale) * 12.0).round_ties_even() as i32;
                self.months = self.months.checked_add(months).ok_or(Fault::Field)?;
                Ok(())
            }
        }
    }

    fn add_days(&mut self, days: Option<i32>) -> Result<(), Fault> {
        self.days = days.and_then(|days| self.days.checked_add(days)).ok_or(Fault::Field)?;
        Ok(())
    }

    fn add_fraction_of_days(&mut self, fraction: f64, scale: i32) -> Result<(), Fault> {
        let days = fraction * f64::from(scale);
        // At most `scale`.
        self.add_days(Some(days as i32))?;
        self.add_fraction_of_micros(days.fract(), MICROS_PER_DAY)
    }

    fn add_fraction_of_micros(&mut self, fraction: f64, scale: i64) -> Result<(), Fault> {
        let micros = fraction * scale as f64;
        // Half a microsecond is dropped.
        let (whole, rest) = (micros as i64, micros.fract());
        let whole = whole + i64::from(rest > 0.5) - i64::from(rest < -0.5);
        self.micros = self.micros.checked_add(whole).ok_or(Fault::Field)?;
        Ok(())
    }

    fn negate(&self) -> Option<Self> {
        Some(Self {
            years: self.years.checked_neg()?,
            months: self.months.checked_neg()?,
            days: self.days.checked_neg()?,
            micros: self.micros.checked_neg()?,
        })
    }
}

/// `P1Y2M3DT4H5M6S`, its `P0001-02-03T04:05:06` and its `P00010203T040506`.
fn iso_8601(text: &str) -> Result<Parts, Fault> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Fault::Syntax)?;
    let mut parts = Parts::default();
    let (mut in_date, mut designated) = (true, false);
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (rest, in_date, designated) = (time, false, false);
            continue;
        }
        let digits = rest.strip_prefix('-').unwrap_or(rest).bytes().take_while(u8::is_ascii_digit).count();
        let (value, fraction, behind) = iso_number(rest)?;
        let mut letters = behind.chars();
        let designator = letters.next();
        let unit = match (in_date, designator) {
            (true, Some('Y')) => Unit::Years(1),
            (true, Some('M')) => Unit::Month,
            (true, Some('W')) => Unit::Days(7),
            (true, Some('D')) => DAY,
            (false, Some('H')) => Unit::Micros(HOUR),
            (false, Some('M')) => Unit::Micros(MINUTE),
            (false, Some('S')) => Unit::Micros(SECOND),
            (_, Some('T') | None) | (true, Some('-')) | (false, Some(':')) if !designated => {
                let run_together = if in_date { 8 } else { 6 };
                rest = if digits == run_together && !matches!(designator, Some('-' | ':')) {
                    parts.add_run_together(in_date, value, fraction)?;
                    behind
                } else {
                    parts.add_separated(in_date, rest)?
                };
                if !(rest.is_empty() || in_date && rest.starts_with('T')) {
                    return Err(Fault::Syntax);
                }
                continue;
            }
            _ => return Err(Fault::Syntax),
        };
        parts.add(unit, value, fraction)?;
        designated = true;
        rest = letters.as_str();
    }
    Ok(parts)
}

/// A signed number, its fraction, and what stands behind it.
fn iso_number(text: &str) -> Result<(i64, f64, &str), Fault> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let len = unsigned.bytes().take_while(|&c| c.is_ascii_digit() || c == b'.').count();
    let number = &text[..text.len() - unsigned.len() + len];
    let value: f64 = number.parse().map_err(|_| Fault::Syntax)?;
    if !(-1e15..=1e15).contains(&value) {
        return Err(Fault::Field);
    }
    Ok((value as i64, value.fract(), &unsigned[len..]))
}

impl Parts {
    /// `yyyymmdd` or `hhmmss`.
    fn add_run_together(&mut self, date: bool, value: i64, fraction: f64) -> Result<(), Fault> {
        let (first, second, third) = (value / 10_000, value / 100 % 100, value % 100);
        let units = units(date);
        self.add(units[0], first, 0.0)?;
        self.add(units[1], second, 0.0)?;
        self.add(units[2], third, fraction)
    }

    /// `yyyy-mm-dd` or `hh:mm:ss`, parts missing at the end; returns what follows.
    fn add_separated<'a>(&mut self, date: bool, text: &'a str) -> Result<&'a str, Fault> {
        let mut rest = text;
        for (i, unit) in units(date).into_iter().enumerate() {
            let (value, fraction, behind) = iso_number(rest)?;
            self.add(unit, value, fraction)?;
            match behind.strip_prefix(if date { '-' } else { ':' }) {
                Some(more) if i < 2 => rest = more,
                _ => return Ok(behind),
            }
        }
        Ok(rest)
    }
}

/// The fields of a date or a time.
fn units(date: bool) -> [Unit; 3] {
    if date {
        [Unit::Years(1), Unit::Month, DAY]
    } else {
        [Unit::Micros(HOUR), Unit::Micros(MINUTE), Unit::Micros(SECOND)]
    }
}
