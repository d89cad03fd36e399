//! Values of settings: what they may be, how they are written and shown.

use crate::error::{Error, Result, StatementError};

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `on` or `off`, with PostgreSQL's other words for them.
    Boolean,
    /// A number from the first to the second, in a unit.
    Integer(i64, i64, Unit),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A time zone: UTC or a fixed offset.
    Zone,
    /// Only this value, which may be written in these ways; others are not supported.
    Only(&'static [&'static str], &'static str),
    /// Not to be set.
    Fixed,
}

/// The unit a number is kept in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// None.
    None,
    /// Milliseconds; written with us, ms, s, min, h or d.
    Milliseconds,
    /// Kilobytes of 1024 bytes; written with B, kB, MB, GB or TB.
    Kilobytes,
}

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// On or off.
    Boolean(bool),
    /// A number in its setting's unit.
    Integer(i64),
    /// A word or text.
    Text(String),
    /// A zone as written, and its seconds east of UTC.
    Zone(String, i32),
}

const TIME_UNITS: &[(&str, f64)] =
    &[("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0), ("ms", 1.0), ("us", 0.001)];
const MEMORY_UNITS: &[(&str, f64)] =
    &[("TB", 1_073_741_824.0), ("GB", 1_048_576.0), ("MB", 1024.0), ("kB", 1.0), ("B", 1.0 / 1024.0)];

impl Unit {
    fn units(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::None => &[],
            Self::Milliseconds => TIME_UNITS,
            Self::Kilobytes => MEMORY_UNITS,
        }
    }
}

fn invalid(name: &str, text: &str) -> Error {
    StatementError::InvalidSetting { name: name.to_owned(), value: text.to_owned() }.into()
}

impl Kind {
    /// Reads a value of the setting `name`.
    ///
    /// # Errors
    /// 22023 for what it cannot be, 0A000 for what is not supported, 55P02 if it cannot be set.
    pub fn parse(self, name: &str, text: &str) -> Result<Value> {
        match self {
            Self::Boolean => boolean(text)
                .map(Value::Boolean)
                .ok_or_else(|| StatementError::NotBooleanSetting { name: name.to_owned() }.into()),
            Self::Integer(low, high, unit) => {
                let number = integer(text, unit).ok_or_else(|| invalid(name, text))?;
                if (low..=high).contains(&number) {
                    return Ok(Value::Integer(number));
                }
                let suffix = match unit {
                    Unit::None => "",
                    Unit::Milliseconds => " ms",
                    Unit::Kilobytes => " kB",
                };
                Err(StatementError::SettingOutOfRange {
                    value: format!("{number}{suffix}"),
                    name: name.to_owned(),
                    range: format!("{low} .. {high}"),
                }
                .into())
            }
            Self::Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
                match word {
                    Some(word) => Ok(Value::Text((*word).to_owned())),
                    // on and off may be written as any boolean.
                    None => {
                        match boolean(text) {
                            Some(on) if words.contains(&"on") => {
                                Ok(Value::Text(if on { "on" } else { "off" }.to_owned()))
                            }
                            _ => Err(invalid(name, text)
                                .with_hint(format!("Available values: {}.", words.join(", ")))),
                        }
                    }
                }
            }
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::Zone => {
                let (shown, seconds) = zone(text).ok_or_else(|| {
                    Error::from(StatementError::NotSupported { feature: format!("time zone \"{text}\"") })
                        .with_hint("UTC and fixed offsets such as +02:00 are supported.")
                })?;
                Ok(Value::Zone(shown, seconds))
            }
            Self::Only(ways, shown) => {
                let known =
                    ways.iter().any(|way| way.eq_ignore_ascii_case(text)) || shown.eq_ignore_ascii_case(text);
                if known {
                    return Ok(Value::Text(shown.to_owned()));
                }
                Err(StatementError::NotSupported { feature: format!("{name} \"{text}\"") }.into())
            }
            Self::Fixed => Err(StatementError::FixedSetting { name: name.to_owned() }.into()),
        }
    }

    /// The value as SHOW prints it.
    pub fn show(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Boolean(on)) => if *on { "on" } else { "off" }.to_owned(),
            (_, Value::Text(text) | Value::Zone(text, _)) => text.clone(),
            (Self::Integer(.., unit), Value::Integer(number)) if *number != 0 => {
                let whole =
                    unit.units().iter().find(|(_, size)| *size >= 1.0 && *number as f64 % size == 0.0);
                match whole {
                    Some((name, size)) => format!("{}{name}", (*number as f64 / size) as i64),
                    None => number.to_string(),
                }
            }
            (_, Value::Integer(number)) => number.to_string(),
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let is = |word: &str| !text.is_empty() && word.starts_with(&text);
    match text.as_str() {
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        _ if is("true") || is("yes") => Some(true),
        _ if is("false") || is("no") => Some(false),
        _ => None,
    }
}

/// A number with or without a unit, rounded to the setting's own.
fn integer(text: &str, unit: Unit) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | 'e')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let suffix = suffix.trim();
    let size = if suffix.is_empty() { 1.0 } else { unit.units().iter().find(|(name, _)| *name == suffix)?.1 };
    let scaled = (number * size).round();
    (scaled.is_finite() && scaled.abs() < 9e18).then_some(scaled as i64)
}

/// A zone as it is shown, and its seconds east of UTC. As in PostgreSQL a bare number counts hours to the east.
fn zone(text: &str) -> Option<(String, i32)> {
    let text = text.trim();
    if ["utc", "gmt", "z", "zulu", "default", "local", "etc/utc"]
        .contains(&text.to_ascii_lowercase().as_str())
    {
        return Some((if text.eq_ignore_ascii_case("gmt") { "GMT" } else { "UTC" }.to_owned(), 0));
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let mut parts = rest.split(':');
    let hours: i32 = parts.next()?.parse().ok()?;
    let minutes: i32 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    if parts.next().is_some() || !(0..=15).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let seconds = sign * (hours * 3600 + minutes * 60);
    let (east, west) = if sign < 0 { ('-', '+') } else { ('+', '-') };
    Some((
        format!("<{east}{hours:02}{}>{west}{hours:02}{}", minutes_text(minutes), minutes_text(minutes)),
        seconds,
    ))
}

fn minutes_text(minutes: i32) -> String {
    if minutes == 0 { String::new() } else { format!(":{minutes:02}") }
}
