//! Dates and times from their words, after PostgreSQL's rules (its `DecodeDateTime` and `DecodeTimeOnly`) with
//! DateStyle MDY.
//!
//! Words are read from left to right. `seen` has a bit for every field that is known; a second word for a known
//! field is an error. Numbers without separators are told apart by their length and by what is known already.

use super::calendar::{CivilDate, CivilTime, EPOCH_JULIAN, UNIX_EPOCH_DAYS, days_in_month, split_timestamp};
use super::fields::{Fault, Field, Shape, fraction_micros, leading_integer, split};
use super::tokens::{Label, Token, clock, displacement, is_keyword, token};
use super::{MICROS_PER_DAY, TimeContext};

/// What the words say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// A day, a time of the day, and the zone if one is given, in seconds east of UTC.
    At { days: i64, micros: i64, zone: Option<i32> },
    /// `infinity`
    Late,
    /// `-infinity`
    Early,
}

mod mask {
    pub(super) const YEAR: u32 = 1;
    pub(super) const MONTH: u32 = 2;
    pub(super) const DAY: u32 = 4;
    pub(super) const HOUR: u32 = 8;
    pub(super) const MINUTE: u32 = 16;
    pub(super) const SECOND: u32 = 32;
    pub(super) const FRACTION: u32 = 64;
    pub(super) const ZONE: u32 = 128;
    pub(super) const DAY_OF_YEAR: u32 = 256;
    pub(super) const WEEKDAY: u32 = 512;
    pub(super) const HALF_DAY: u32 = 1024;
    pub(super) const ERA: u32 = 2048;
    pub(super) const SPECIAL: u32 = 4096;
    pub(super) const DATE: u32 = YEAR | MONTH | DAY;
    pub(super) const ALL_SECONDS: u32 = SECOND | FRACTION;
    pub(super) const TIME: u32 = HOUR | MINUTE | ALL_SECONDS;
}

/// What the text of a date or timestamp says.
pub(super) fn moment(text: &str, context: &TimeContext) -> Result<Moment, Fault> {
    let fields = split(text, is_keyword).ok_or(Fault::Syntax)?;
    Decoder::new(false, context).run(&fields)
}

/// What the text of a time says, in microseconds since midnight; a date or zone in it is dropped.
pub(super) fn time(text: &str, context: &TimeContext) -> Result<i64, Fault> {
    let fields = split(text, is_keyword).ok_or(Fault::Syntax)?;
    match Decoder::new(true, context).run(&fields)? {
        Moment::At { micros, .. } => Ok(micros),
        Moment::Late | Moment::Early => Err(Fault::Syntax),
    }
}

struct Decoder<'a> {
    context: &'a TimeContext,
    /// A `time` is read: numbers are times, a date is allowed only beside one.
    time_only: bool,
    seen: u32,
    date: CivilDate,
    day_of_year: i32,
    time: CivilTime,
    zone: Option<i32>,
    short_year: bool,
    month_by_name: bool,
    before_christ: bool,
    julian: bool,
    afternoon: Option<bool>,
    label: Option<Label>,
    special: Option<Moment>,
}

impl<'a> Decoder<'a> {
    fn new(time_only: bool, context: &'a TimeContext) -> Self {
        Self {
            context,
            time_only,
            seen: 0,
            date: CivilDate { year: 0, month: 0, day: 0 },
            day_of_year: 0,
            time: CivilTime::default(),
            zone: None,
            short_year: false,
            month_by_name: false,
            before_christ: false,
            julian: false,
            afternoon: None,
            label: None,
            special: None,
        }
    }

    fn run(mut self, fields: &[Field]) -> Result<Moment, Fault> {
        for (i, field) in fields.iter().enumerate() {
            let found = match field.shape {
                Shape::Date => self.date_field(&field.text, i, fields)?,
                Shape::Time => {
                    if !self.time_only && self.label.take().is_some_and(|label| label != Label::Time) {
                        return Err(Fault::Syntax);
                    }
                    self.clock(&field.text)?
                }
                Shape::Signed => {
                    self.zone = Some(displacement(&field.text)?);
                    mask::ZONE
                }
                Shape::Number => self.number_field(&field.text, i, fields)?,
                Shape::Word | Shape::SignedWord => self.word(&field.text, fields.get(i + 1))?,
            };
            if found & self.seen != 0 {
                return Err(Fault::Syntax);
            }
            self.seen |= found;
        }
        self.finish()
    }

    fn date_field(&mut self, text: &str, i: usize, fields: &[Field]) -> Result<u32, Fault> {
        let begins_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
        if self.label == Some(Label::Julian) {
            self.label = None;
            let (day, zone) = leading_integer(text)?;
            self.set_julian(day)?;
            self.zone = Some(displacement(zone)?);
            return Ok(mask::DATE | mask::TIME | mask::ZONE);
        }
        if self.time_only && self.label.is_none() {
            let last = fields.len() - 1;
            let beside_time = i == 0
                && fields.len() >= 2
                && (fields[last].shape == Shape::Date
                    || fields[1].shape == Shape::Time
                    || fields[last].shape == Shape::Time);
            if beside_time {
                return self.numeric_date(text);
            }
            if !begins_with_digit {
                return Err(Fault::Zone(text.to_owned()));
            }
        } else if self.label.is_none() && self.seen & (mask::MONTH | mask::DAY) != mask::MONTH | mask::DAY {
            return self.numeric_date(text);
        }
        if self.label.is_none() && !begins_with_digit {
            return Err(Fault::Zone(text.to_owned()));
        }
        // A run-together time with a zone: 040506-08.
        if self.label.take().is_some_and(|label| label != Label::Time) || self.seen & mask::TIME == mask::TIME
        {
            return Err(Fault::Syntax);
        }
        let (time, zone) = text.split_at(text.find('-').ok_or(Fault::Syntax)?);
        self.zone = Some(displacement(zone)?);
        Ok(self.run_together(time, self.seen | self.assumed())? | mask::ZONE)
    }

    /// What counts as known when a number is looked at: for a `time`, the date.
    fn assumed(&self) -> u32 {
        if self.time_only { mask::DATE } else { 0 }
    }

    fn number_field(&mut self, text: &str, i: usize, fields: &[Field]) -> Result<u32, Fault> {
        if let Some(label) = self.label.take() {
            return self.labelled(label, text);
        }
        let point = text.find('.');
        if self.time_only {
            return match point {
                Some(_) if i == 0 && fields.len() >= 2 && fields[fields.len() - 1].shape == Shape::Date => {
                    self.numeric_date(text)
                }
                Some(at) if at > 2 => self.run_together(text, self.seen | mask::DATE),
                Some(_) => Err(Fault::Syntax),
                None if text.len() > 4 => self.run_together(text, self.seen | mask::DATE),
                None => self.single_number(text, self.seen | mask::DATE),
            };
        }
        match point {
            Some(_) if self.seen & mask::DATE == 0 => self.numeric_date(text),
            Some(at) if at > 2 => self.run_together(text, self.seen),
            None if text.len() >= 6 && (self.seen & mask::DATE == 0 || self.seen & mask::TIME == 0) => {
                self.run_together(text, self.seen)
            }
            _ => self.single_number(text, self.seen),
        }
    }

    /// A number behind a letter that says what it is.
    fn labelled(&mut self, label: Label, text: &str) -> Result<u32, Fault> {
        let (value, rest) = leading_integer::<i32>(text)?;
        let fraction_allowed = matches!(label, Label::Julian | Label::Time | Label::Second);
        if !(rest.is_empty() || fraction_allowed && rest.starts_with('.')) {
            return Err(Fault::Syntax);
        }
        self.special = None;
        Ok(match label {
            Label::Year => {
                self.date.year = value;
                mask::YEAR
            }
            Label::Month if self.seen & mask::MONTH != 0 && self.seen & mask::HOUR != 0 => {
                self.time.minute = value;
                mask::MINUTE
            }
            Label::Month => {
                self.date.month = value;
                mask::MONTH
            }
            Label::Day => {
                self.date.day = value;
                mask::DAY
            }
            Label::Hour => {
                self.time.hour = value;
                mask::HOUR
            }
            Label::Minute => {
                self.time.minute = value;
                mask::MINUTE
            }
            Label::Second => {
                self.time.second = value;
                if rest.is_empty() {
                    mask::SECOND
                } else {
                    self.set_fraction(rest)?;
                    mask::ALL_SECONDS
                }
            }
            Label::Julian => {
                self.set_julian(value)?;
                if rest.is_empty() {
                    mask::DATE
                } else {
                    let share: f64 = rest.parse().map_err(|_| Fault::Syntax)?;
                    self.time = CivilTime::from_micros((share * MICROS_PER_DAY as f64) as i64);
                    mask::DATE | mask::TIME
                }
            }
            Label::Time => match self.run_together(text, self.seen | mask::DATE)? {
                mask::TIME => mask::TIME,
                _ => return Err(Fault::Syntax),
            },
        })
    }

    fn word(&mut self, text: &str, next: Option<&Field>) -> Result<u32, Fault> {
        let token = token(text).ok_or(Fault::Syntax)?;
        let today = || {
            let (days, micros) = split_timestamp(self.context.local_now());
            (CivilDate::from_days(days), days, CivilTime::from_micros(micros))
        };
        let of_dates = matches!(
            token,
            Token::Month(_) | Token::Weekday | Token::Day(_) | Token::Epoch | Token::Late | Token::Early
        );
        if self.time_only && of_dates {
            return Err(Fault::Syntax);
        }
        Ok(match token {
            Token::Ignored => 0,
            Token::Month(month) => {
                let was_day = self.seen & mask::MONTH != 0
                    && !self.month_by_name
                    && self.seen & mask::DAY == 0
                    && (1..=31).contains(&self.date.month);
                self.month_by_name = true;
                let number = std::mem::replace(&mut self.date.month, month);
                if was_day {
                    self.date.day = number;
                    mask::DAY
                } else {
                    mask::MONTH
                }
            }
            Token::Weekday => mask::WEEKDAY,
            Token::Afternoon(pm) => {
                self.afternoon = Some(pm);
                mask::HALF_DAY
            }
            Token::BeforeChrist(bc) => {
                self.before_christ = bc;
                mask::ERA
            }
            Token::Utc => {
                self.zone = Some(0);
                mask::ZONE
            }
            Token::Label(Label::Time) => {
                // Between a date and a time only, except that a `time` may begin with it.
                let has_date = self.seen & mask::DATE == mask::DATE || self.time_only;
                if !has_date
                    || !next.is_some_and(|f| matches!(f.shape, Shape::Number | Shape::Time | Shape::Date))
                {
                    return Err(Fault::Syntax);
                }
                self.label = Some(Label::Time);
                0
            }
            Token::Label(label) => {
                self.label = Some(label);
                0
            }
            Token::Now => {
                let (date, _, time) = today();
                (self.time, self.zone) = (time, Some(self.context.zone_seconds));
                if self.time_only {
                    return Ok(mask::TIME);
                }
                self.date = date;
                (self.julian, self.special) = (true, None);
                mask::DATE | mask::TIME | mask::ZONE
            }
            Token::Day(offset) => {
                let (_, days, _) = today();
                self.date = CivilDate::from_days(days + offset);
                (self.julian, self.special) = (true, None);
                mask::DATE
            }
            Token::Midnight => {
                (self.zone, self.special) = (Some(0), None);
                mask::TIME | mask::ZONE
            }
            Token::Epoch => {
                self.special = Some(Moment::At { days: (-UNIX_EPOCH_DAYS).into(), micros: 0, zone: Some(0) });
                mask::SPECIAL
            }
            Token::Late => {
                self.special = Some(Moment::Late);
                mask::SPECIAL
            }
            Token::Early => {
                self.special = Some(Moment::Early);
                mask::SPECIAL
            }
        })
    }

    /// A date of up to three parts between separators; the month may be a name.
    fn numeric_date(&mut self, text: &str) -> Result<u32, Fault> {
        let (before, mut numbers) = (self.seen, Vec::with_capacity(3));
        // Only a name in this word changes the meaning of its numbers.
        let named_before = std::mem::take(&mut self.month_by_name);
        let text = text.strip_suffix(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text);
        for part in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            if part.bytes().all(|c| c.is_ascii_digit()) {
                numbers.push(part);
                continue;
            }
            match token(part) {
                Some(Token::Ignored) => {}
                Some(Token::Month(month)) if self.seen & mask::MONTH == 0 => {
                    self.date.month = month;
                    self.month_by_name = true;
                    self.seen |= mask::MONTH;
                }
                _ => return Err(Fault::Syntax),
            }
        }
        for number in numbers {
            let found = self.single_number(number, self.seen)?;
            if found & self.seen != 0 {
                return Err(Fault::Syntax);
            }
            self.seen |= found;
        }
        if self.seen & !(mask::DAY_OF_YEAR | mask::ZONE) != mask::DATE {
            return Err(Fault::Syntax);
        }
        let found = self.seen & !before;
        (self.seen, self.month_by_name) = (before, named_before);
        Ok(found)
    }

    /// A number that is one part of a date, judged by what is `known`.
    fn single_number(&mut self, text: &str, known: u32) -> Result<u32, Fault> {
        let (value, rest) = leading_integer::<i32>(text)?;
        let digits = text.len() - rest.len();
        if rest.starts_with('.') {
            if digits > 2 {
                return self.run_together(text, known | mask::DATE);
            }
            self.set_fraction(rest)?;
        } else if !rest.is_empty() {
            return Err(Fault::Syntax);
        }
        let date = known & mask::DATE;
        if text.len() == 3 && date == mask::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(mask::DAY_OF_YEAR | mask::MONTH | mask::DAY);
        }
        let long = text.len() >= 3;
        let field = match date {
            0 if long => mask::YEAR,
            0 => mask::MONTH,
            mask::YEAR | mask::DAY => mask::MONTH,
            mask::MONTH if self.month_by_name && long => mask::YEAR,
            mask::MONTH => mask::DAY,
            d if d == mask::YEAR | mask::MONTH => {
                if self.month_by_name && long && self.short_year {
                    // The first number was taken for a year, but it was the day.
                    self.date.day = self.date.year;
                    self.date.year = value;
                    self.short_year = false;
                    return Ok(mask::DAY);
                }
                mask::DAY
            }
            d if d == mask::MONTH | mask::DAY => mask::YEAR,
            mask::DATE => return self.run_together(text, known),
            _ => return Err(Fault::Syntax),
        };
        match field {
            mask::YEAR => {
                self.date.year = value;
                self.short_year = text.len() <= 2;
            }
            mask::MONTH => self.date.month = value,
            _ => self.date.day = value,
        }
        Ok(field)
    }

    /// Digits without separators: a date of six or more, or a time of four or six.
    fn run_together(&mut self, text: &str, known: u32) -> Result<u32, Fault> {
        let (digits, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
        if !digits.bytes().all(|c| c.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        let part = |from: usize, to: usize| digits[from..to].parse::<i32>().map_err(|_| Fault::Field);
        let len = digits.len();
        if !fraction.is_empty() {
            self.set_fraction(fraction)?;
        } else if known & mask::DATE != mask::DATE && len >= 6 {
            self.date = CivilDate {
                year: part(0, len - 4)?,
                month: part(len - 4, len - 2)?,
                day: part(len - 2, len)?,
            };
            self.short_year = len == 6;
            return Ok(mask::DATE);
        }
        if known & mask::TIME == mask::TIME || !(len == 6 || len == 4) {
            return Err(Fault::Syntax);
        }
        (self.time.hour, self.time.minute) = (part(0, 2)?, part(2, 4)?);
        self.time.second = if len == 6 { part(4, 6)? } else { 0 };
        Ok(mask::TIME)
    }

    /// `hh:mm`, `hh:mm:ss.f` or `mm:ss.f`.
    fn clock(&mut self, text: &str) -> Result<u32, Fault> {
        let (hours, time) = clock(text)?;
        self.time = CivilTime { hour: i32::try_from(hours).map_err(|_| Fault::Field)?, ..time };
        // Of a `time` the end judges, when the rest has been understood.
        if !self.time_only {
            check_clock(&self.time)?;
        }
        Ok(mask::TIME)
    }

    fn set_fraction(&mut self, text: &str) -> Result<(), Fault> {
        self.time.micros = i32::try_from(fraction_micros(text)?).map_err(|_| Fault::Field)?;
        Ok(())
    }

    fn set_julian(&mut self, day: i32) -> Result<(), Fault> {
        self.julian = true;
        self.date = CivilDate::from_days(day.checked_sub(EPOCH_JULIAN).ok_or(Fault::Field)?);
        Ok(())
    }

    fn finish(mut self) -> Result<Moment, Fault> {
        self.check_date()?;
        if let Some(pm) = self.afternoon {
            match self.time.hour {
                13.. => return Err(Fault::Field),
                12 => self.time.hour = if pm { 12 } else { 0 },
                hour => self.time.hour = hour + if pm { 12 } else { 0 },
            }
        }
        if let Some(special) = self.special {
            return Ok(special);
        }
        let needed = if self.time_only { mask::TIME } else { mask::DATE };
        if self.seen & needed != needed {
            return Err(Fault::Syntax);
        }
        check_clock(&self.time)?;
        let days = if self.time_only { 0 } else { self.date.to_wide_days() };
        Ok(Moment::At { days, micros: self.time.to_micros(), zone: self.zone })
    }

    fn check_date(&mut self) -> Result<(), Fault> {
        let date = &mut self.date;
        if self.seen & mask::YEAR != 0 && !self.julian {
            if self.short_year && !self.before_christ {
                date.year += if date.year < 70 { 2000 } else { 1900 };
            } else if date.year <= 0 {
                return Err(Fault::Field);
            }
            if self.before_christ {
                date.year = 1 - date.year;
            }
        }
        if self.seen & mask::DAY_OF_YEAR != 0 {
            let first = CivilDate { month: 1, day: 1, ..*date }.to_days().ok_or(Fault::Field)?;
            *date = CivilDate::from_days(first.saturating_add(self.day_of_year - 1));
        }
        if self.seen & mask::MONTH != 0 && !(1..=12).contains(&date.month)
            || self.seen & mask::DAY != 0 && !(1..=31).contains(&date.day)
        {
            return Err(Fault::MonthOrDay);
        }
        if self.seen & mask::DATE == mask::DATE && date.day > days_in_month(date.year, date.month) {
            return Err(Fault::Field);
        }
        Ok(())
    }
}

/// At most 24:00:00.
fn check_clock(time: &CivilTime) -> Result<(), Fault> {
    let in_range = (0..=24).contains(&time.hour)
        && (0..=59).contains(&time.minute)
        && (0..=60).contains(&time.second)
        && time.to_micros() <= MICROS_PER_DAY;
    if in_range { Ok(()) } else { Err(Fault::Field) }
}
