//! The words that dates and times know, and those of their parts that stand alone: a clock's time, a zone.

use super::calendar::CivilTime;
use super::fields::{Fault, fraction_micros, leading_integer};

/// What a word means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Ignored,
    Month(i32),
    Weekday,
    Afternoon(bool),
    BeforeChrist(bool),
    Utc,
    Label(Label),
    Now,
    Day(i32),
    Midnight,
    Epoch,
    Late,
    Early,
}

/// A letter that says what the next number is: `y2001m02d03`, `t040506`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Julian,
    Time,
}

/// The meaning of a word in lower case.
pub(super) fn token(word: &str) -> Option<Token> {
    Some(match word {
        "at" | "on" => Token::Ignored,
        "jan" | "january" => Token::Month(1),
        "feb" | "february" => Token::Month(2),
        "mar" | "march" => Token::Month(3),
        "apr" | "april" => Token::Month(4),
        "may" => Token::Month(5),
        "jun" | "june" => Token::Month(6),
        "jul" | "july" => Token::Month(7),
        "aug" | "august" => Token::Month(8),
        "sep" | "sept" | "september" => Token::Month(9),
        "oct" | "october" => Token::Month(10),
        "nov" | "november" => Token::Month(11),
        "dec" | "december" => Token::Month(12),
        "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds" | "wednesday" | "thu" | "thur"
        | "thurs" | "thursday" | "fri" | "friday" | "sat" | "saturday" | "sun" | "sunday" => Token::Weekday,
        "am" => Token::Afternoon(false),
        "pm" => Token::Afternoon(true),
        "ad" => Token::BeforeChrist(false),
        "bc" => Token::BeforeChrist(true),
        "z" | "zulu" | "utc" | "ut" | "gmt" | "uct" => Token::Utc,
        "y" => Token::Label(Label::Year),
        "m" => Token::Label(Label::Month),
        "d" => Token::Label(Label::Day),
        "h" => Token::Label(Label::Hour),
        "mm" => Token::Label(Label::Minute),
        "s" => Token::Label(Label::Second),
        "j" | "jd" | "julian" => Token::Label(Label::Julian),
        "t" => Token::Label(Label::Time),
        "now" => Token::Now,
        "yesterday" => Token::Day(-1),
        "today" => Token::Day(0),
        "tomorrow" => Token::Day(1),
        "allballs" => Token::Midnight,
        "epoch" => Token::Epoch,
        "infinity" | "+infinity" => Token::Late,
        "-infinity" => Token::Early,
        _ => return None,
    })
}

/// Whether a word that is no zone has a meaning in dates, so that a number may follow it without a blank.
pub(in crate::types) fn is_keyword(word: &str) -> bool {
    !matches!(token(word), None | Some(Token::Utc))
}

/// Hours, and the rest as a time, of `hh:mm`, `hh:mm:ss.f` or `mm:ss.f`; the hours are not limited.
pub(in crate::types) fn clock(text: &str) -> Result<(i64, CivilTime), Fault> {
    let (hours, rest) = leading_integer::<i64>(text)?;
    let (minute, rest) = leading_integer::<i32>(rest.strip_prefix(':').ok_or(Fault::Syntax)?)?;
    let micros = |rest: &str| i32::try_from(fraction_micros(rest)?).map_err(|_| Fault::Field);
    let (hours, time) = if rest.is_empty() {
        (hours, CivilTime { minute, ..CivilTime::default() })
    } else if rest.starts_with('.') {
        let shifted = i32::try_from(hours).map_err(|_| Fault::Field)?;
        (0, CivilTime { hour: 0, minute: shifted, second: minute, micros: micros(rest)? })
    } else {
        let (second, rest) = leading_integer::<i32>(rest.strip_prefix(':').ok_or(Fault::Syntax)?)?;
        (
            hours,
            CivilTime { hour: 0, minute, second, micros: if rest.is_empty() { 0 } else { micros(rest)? } },
        )
    };
    if hours < 0 || !(0..=59).contains(&time.minute) || !(0..=60).contains(&time.second) {
        return Err(Fault::Field);
    }
    Ok((hours, time))
}

/// Seconds east of UTC: `+2`, `-0330`, `+05:30`, `+01:02:03`.
pub(super) fn displacement(text: &str) -> Result<i32, Fault> {
    let unsigned = text.strip_prefix(['+', '-']).ok_or(Fault::Syntax)?;
    if unsigned.is_empty() {
        return Ok(0);
    }
    let overflow = |fault| if fault == Fault::Field { Fault::Displacement } else { fault };
    let (mut hours, mut rest) = leading_integer::<i32>(unsigned).map_err(overflow)?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(more) = rest.strip_prefix(':') {
        (minutes, rest) = leading_integer(more).map_err(overflow)?;
        if let Some(more) = rest.strip_prefix(':') {
            (seconds, rest) = leading_integer(more).map_err(overflow)?;
        }
    } else if rest.is_empty() && text.len() > 3 {
        (hours, minutes) = (hours / 100, hours % 100);
    }
    if hours > 15 || minutes > 59 || seconds > 59 {
        return Err(Fault::Displacement);
    }
    if !rest.is_empty() {
        return Err(Fault::Syntax);
    }
    let east = (hours * 60 + minutes) * 60 + seconds;
    Ok(if text.starts_with('-') { -east } else { east })
}
