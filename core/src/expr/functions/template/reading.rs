//! Reading dates and times by a template.

use super::datetime::{Case, DAY, DAYS, Field, Item, Kind, MONTHS, ROMAN, Template};
use crate::error::{DataError, Error, Result};
use crate::expr::functions::fields::iso_year_start;
use crate::types::Interval;
use crate::types::datetime::{
    CivilDate, CivilTime, add_days, add_interval, date_to_timestamp, days_in_month,
};

/// What a text gave.
#[derive(Default, Debug)]
pub(super) struct Fields {
    year: Option<i32>,
    iso_year: Option<i32>,
    century: Option<i32>,
    before_era: bool,
    month: Option<i32>,
    day: Option<i32>,
    day_of_year: Option<i32>,
    iso_day_of_year: Option<i32>,
    iso_week: Option<i32>,
    iso_day: Option<i32>,
    week: Option<i32>,
    week_of_month: Option<i32>,
    julian: Option<i32>,
    hour: Option<i32>,
    twelve_hours: bool,
    afternoon: Option<bool>,
    minute: Option<i32>,
    second: Option<i32>,
    seconds_of_day: Option<i32>,
    micros: Option<i32>,
    zone_hours: Option<i32>,
    zone_minutes: Option<i32>,
    zone_west: bool,
}

/// Reads `text` by a template.
///
/// # Errors
/// 22007 if it does not match.
pub(super) fn read(template: &Template, text: &str) -> Result<Fields> {
    let mut reader = Reader { rest: text, fields: Fields::default() };
    for (place, item) in template.items.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        match item {
            Item::Literal(c, quoted) => reader.skip_literal(*c, *quoted, template.exact),
            Item::Field(field) => {
                let next_is_digits = match template.items.get(place + 1) {
                    Some(Item::Field(next)) => next.kind.width().is_some(),
                    Some(Item::Literal(c, _)) => c.is_ascii_digit(),
                    None => false,
                };
                if !template.exact {
                    reader.skip_blanks();
                }
                reader.read_field(field, next_is_digits)?;
            }
        }
    }
    Ok(reader.fields)
}

struct Reader<'t> {
    rest: &'t str,
    fields: Fields,
}

fn is_separator(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric() && !c.is_ascii_control()
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn skip_literal(&mut self, wanted: char, quoted: bool, exact: bool) {
        let Some(c) = self.rest.chars().next() else { return };
        if exact || quoted || !is_separator(wanted) {
            self.rest = &self.rest[c.len_utf8()..];
            return;
        }
        // A separator stands for any one, blanks before it included, or for none; a blank for all blanks.
        self.skip_blanks();
        match self.rest.chars().next() {
            Some(c) if is_separator(c) && wanted != ' ' => {
                self.rest = &self.rest[1..];
            }
            _ => {}
        }
        self.skip_blanks();
    }

    fn invalid(&self, field: &Field, length: usize) -> Error {
        let text = self.rest.chars().take(length).collect();
        DataError::InvalidTemplateValue { text, field: field.name() }.into()
    }

    /// A number of `width` digits, or of any number if no digits follow it.
    fn number(&mut self, field: &Field, width: usize, bounded: bool) -> Result<(i32, usize)> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let digits = if bounded { digits.min(width) } else { digits };
        if digits == 0 {
            return Err(self.invalid(field, width).with_detail("Value must be an integer."));
        }
        if bounded && digits < width && self.rest.len() < width {
            let detail = format!("Field requires {width} characters, but only {} remain.", self.rest.len());
            let text = self.rest.to_owned();
            return Err(Error::from(DataError::TemplateTextTooShort { text, field: field.name() })
                .with_detail(detail)
                .with_hint("If your source string is not fixed-width, try using the \"FM\" modifier."));
        }
        let value = self.rest[..sign + digits].parse().map_err(|_| {
            let text = self.rest[..sign + digits].to_owned();
            Error::from(DataError::TemplateValueOutOfRange { text, field: field.name() })
        })?;
        self.rest = &self.rest[sign + digits..];
        Ok((value, digits))
    }

    /// Which of `names` the text begins with, by their first `length` letters or whole.
    fn name(&mut self, field: &Field, names: &[&str], length: Option<usize>) -> Result<usize> {
        let found = names.iter().enumerate().filter_map(|(index, name)| {
            let name = &name[..length.unwrap_or(name.len())];
            let head = self.rest.get(..name.len())?;
            head.eq_ignore_ascii_case(name).then_some((index, name.len()))
        });
        match found.max_by_key(|(_, length)| *length) {
            Some((index, length)) => {
                self.rest = &self.rest[length..];
                Ok(index)
            }
            None => {
                let word = self.rest.find(|c: char| c.is_whitespace()).unwrap_or(self.rest.len());
                Err(self
                    .invalid(field, word)
                    .with_detail("The given value did not match any of the allowed values for this field."))
            }
        }
    }

    fn read_field(&mut self, field: &Field, next_is_digits: bool) -> Result<()> {
        let bounded = next_is_digits && !field.plain;
        if let Some(width) = field.kind.width() {
            let (value, digits) = self.number(field, width, bounded)?;
            self.set_number(field, value, digits)?;
            if field.ordinal.is_some() && self.rest.len() >= 2 {
                self.rest = self.rest.get(2..).unwrap_or_default();
            }
            return Ok(());
        }
        let index_to_i32 = |index: usize| i32::try_from(index).unwrap_or(0);
        match field.kind {
            Kind::YearComma => {
                let (thousands, _) = self.number(field, 9, false)?;
                let rest = self
                    .rest
                    .strip_prefix(',')
                    .and_then(|rest| rest.get(..3))
                    .and_then(|d| d.parse::<i32>().ok());
                let Some(rest) = rest else {
                    return Err(
                        DataError::InvalidTemplate { problem: "invalid input string for \"Y,YYY\"" }.into()
                    );
                };
                self.rest = &self.rest[4..];
                set(&mut self.fields.year, thousands.saturating_mul(1000).saturating_add(rest), field)?;
            }
            Kind::MonthName => {
                let month = index_to_i32(self.name(field, &MONTHS, None)?) + 1;
                set(&mut self.fields.month, month, field)?;
            }
            Kind::MonthShort => {
                let month = index_to_i32(self.name(field, &MONTHS, Some(3))?) + 1;
                set(&mut self.fields.month, month, field)?;
            }
            Kind::Roman => {
                let month = index_to_i32(self.name(field, &ROMAN, None)?) + 1;
                set(&mut self.fields.month, month, field)?;
            }
            // The day's name tells nothing that the date does not.
            Kind::DayName => drop(self.name(field, &DAYS, None)?),
            Kind::DayShort => drop(self.name(field, &DAYS, Some(3))?),
            Kind::Meridian => {
                self.fields.afternoon = Some(self.name(field, &["am", "pm"], None)? == 1);
                self.fields.twelve_hours = true;
            }
            Kind::MeridianPoints => {
                self.fields.afternoon = Some(self.name(field, &["a.m.", "p.m."], None)? == 1);
                self.fields.twelve_hours = true;
            }
            Kind::Era => self.fields.before_era = self.name(field, &["ad", "bc"], None)? == 1,
            Kind::EraPoints => self.fields.before_era = self.name(field, &["a.d.", "b.c."], None)? == 1,
            Kind::Offset => {
                self.fields.zone_west = self.rest.starts_with('-');
                let (hours, _) = self.number(field, 2, false)?;
                self.fields.zone_hours = Some(hours.abs());
                if let Some(rest) = self.rest.strip_prefix(':') {
                    self.rest = rest;
                    self.fields.zone_minutes = Some(self.number(field, 2, false)?.0);
                }
            }
            _ => {
                let problem = match field.case {
                    Case::Upper => "formatting field \"TZ\" is only supported in to_char",
                    Case::Title | Case::Lower => "formatting field \"tz\" is only supported in to_char",
                };
                return Err(DataError::UnsupportedTemplate { problem }.into());
            }
        }
        Ok(())
    }

    fn set_number(&mut self, field: &Field, value: i32, digits: usize) -> Result<()> {
        let fields = &mut self.fields;
        // The digits behind a point, of which some may be missing.
        let scale = 10f64.powi(i32::try_from(digits).unwrap_or(6));
        let micros = (f64::from(value) / scale * 1e6).round() as i32;
        match field.kind {
            Kind::Hour24 => set(&mut fields.hour, value, field),
            Kind::Hour12 => {
                fields.twelve_hours = true;
                set(&mut fields.hour, value, field)
            }
            Kind::Minute => set(&mut fields.minute, value, field),
            Kind::Second => set(&mut fields.second, value, field),
            Kind::SecondsOfDay => set(&mut fields.seconds_of_day, value, field),
            Kind::Milliseconds
            | Kind::Microseconds
            | Kind::Tenths
            | Kind::Hundredths
            | Kind::Thousandths
            | Kind::TenThousandths
            | Kind::HundredThousandths
            | Kind::Millionths => set(&mut fields.micros, micros, field),
            Kind::Year4 => set(&mut fields.year, value, field),
            Kind::Year3 | Kind::Year2 | Kind::Year1 => set(&mut fields.year, near(value, digits), field),
            Kind::IsoYear4 => set(&mut fields.iso_year, value, field),
            Kind::IsoYear3 | Kind::IsoYear2 | Kind::IsoYear1 => {
                set(&mut fields.iso_year, near(value, digits), field)
            }
            Kind::Month => set(&mut fields.month, value, field),
            Kind::Day => set(&mut fields.day, value, field),
            Kind::DayOfYear => set(&mut fields.day_of_year, value, field),
            Kind::IsoDayOfYear => set(&mut fields.iso_day_of_year, value, field),
            Kind::IsoWeek => set(&mut fields.iso_week, value, field),
            Kind::IsoDay => set(&mut fields.iso_day, value, field),
            Kind::WeekOfYear => set(&mut fields.week, value, field),
            Kind::WeekOfMonth => set(&mut fields.week_of_month, value, field),
            Kind::Century => set(&mut fields.century, value, field),
            Kind::Julian => set(&mut fields.julian, value, field),
            Kind::ZoneHour => {
                fields.zone_west = value < 0;
                set(&mut fields.zone_hours, value.abs(), field)
            }
            Kind::ZoneMinute => set(&mut fields.zone_minutes, value, field),
            // Ignored, as PostgreSQL does.
            _ => Ok(()),
        }
    }
}

fn set(slot: &mut Option<i32>, value: i32, field: &Field) -> Result<()> {
    match slot.replace(value) {
        Some(before) if before != value => {
            Err(Error::from(DataError::ConflictingTemplateValues { field: field.name() })
                .with_detail("This value contradicts a previous setting for the same field type."))
        }
        _ => Ok(()),
    }
}

/// A year of fewer than four digits, near 2020.
fn near(year: i32, digits: usize) -> i32 {
    if digits > 3 {
        return year;
    }
    match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

impl Fields {
    /// The distance from UTC that the text has, in seconds to the east.
    pub(super) fn zone(&self) -> Option<i32> {
        let hours = self.zone_hours?;
        let seconds = hours * 3600 + self.zone_minutes.unwrap_or(0) * 60;
        Some(if self.zone_west { -seconds } else { seconds })
    }

    /// The day.
    ///
    /// # Errors
    /// 22008 if there is no such day.
    pub(super) fn date(&self, text: &str) -> Result<i32> {
        let wrong = || Error::from(DataError::DateTimeFieldOverflow { text: text.to_owned() });
        if let Some(julian) = self.julian {
            const EPOCH: i32 = 2_451_545;
            return add_days(julian.checked_sub(EPOCH).ok_or_else(wrong)?, 0);
        }
        if let Some(year) = self.iso_year {
            let start = iso_year_start(if self.before_era { 1 - year } else { year }).ok_or_else(wrong)?;
            let offset = match (self.iso_day_of_year, self.iso_week) {
                (Some(day), _) => day - 1,
                (None, Some(week)) if (1..=53).contains(&week) => {
                    (week - 1) * 7 + self.iso_day.unwrap_or(1) - 1
                }
                (None, Some(_)) => return Err(wrong()),
                (None, None) => 0,
            };
            return add_days(start, offset);
        }
        let mut year = self.year.unwrap_or(0);
        if let Some(century) = self.century {
            year = match self.year {
                Some(year) if year % 100 != 0 => year % 100 + (century - 1) * 100,
                Some(_) => century * 100,
                None => (century - 1) * 100 + 1,
            };
        }
        if self.before_era {
            year = 1 - year;
        } else if year < 0 {
            year += 1;
        }
        let week_start = match (self.week, self.week_of_month) {
            (Some(week), _) => Some((week - 1) * 7 + 1),
            _ => None,
        };
        if let (Some(day), None) = (self.day_of_year.or(week_start), self.month) {
            let first = CivilDate { year, month: 1, day: 1 }.to_days().ok_or_else(wrong)?;
            let most = 337 + days_in_month(year, 2);
            if !(1..=most).contains(&day) {
                return Err(wrong());
            }
            return add_days(first, day - 1);
        }
        let month = self.month.unwrap_or(1);
        let day = self.day.or_else(|| self.week_of_month.map(|week| (week - 1) * 7 + 1)).unwrap_or(1);
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return Err(wrong());
        }
        add_days(CivilDate { year, month, day }.to_days().ok_or_else(wrong)?, 0)
    }

    /// The day and the time.
    ///
    /// # Errors
    /// 22008 if there is no such time.
    pub(super) fn timestamp(&self, text: &str) -> Result<i64> {
        let wrong = || Error::from(DataError::DateTimeFieldOverflow { text: text.to_owned() });
        let date = date_to_timestamp(self.date(text)?)?;
        let mut hour = self.hour.unwrap_or(0);
        if self.twelve_hours {
            if self.hour.is_some() && !(1..=12).contains(&hour) {
                return Err(Error::from(DataError::InvalidHour { hour })
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            if let Some(afternoon) = self.afternoon {
                hour = hour % 12 + if afternoon { 12 } else { 0 };
            }
        }
        let (minute, second) = (self.minute.unwrap_or(0), self.second.unwrap_or(0));
        let micros = self.micros.unwrap_or(0);
        let mut time = CivilTime { hour, minute, second, micros }.to_micros();
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
            return Err(wrong());
        }
        if let Some(seconds) = self.seconds_of_day {
            time = i64::from(seconds) * 1_000_000 + i64::from(micros);
        }
        if !(0..=DAY).contains(&time) {
            return Err(wrong());
        }
        add_interval(date, &Interval::new(0, 0, time))
    }
}
