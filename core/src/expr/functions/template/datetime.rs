//! Templates of dates and times.

use crate::expr::functions::fields::{iso_week, iso_year_start, weekday};
use crate::types::datetime::{CivilDate, CivilTime, split_timestamp};
use crate::types::{Interval, MICROS_PER_DAY};
use std::fmt::Write;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub(super) const ROMAN: [&str; 12] =
    ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// A template cut into fields and other text.
pub(super) struct Template {
    pub(super) items: Vec<Item>,
    /// Read exactly, blanks and separators included.
    pub(super) exact: bool,
}

/// A piece of a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Item {
    Field(Field),
    /// A character between fields; of a quoted text if true.
    Literal(char, bool),
}

/// A field as it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Field {
    pub(super) kind: Kind,
    pub(super) case: Case,
    /// `FM`: without padding.
    pub(super) plain: bool,
    /// `TH` or `th` behind it.
    pub(super) ordinal: Option<Case>,
}

/// The case of letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Case {
    Upper,
    /// The first letter only.
    Title,
    Lower,
}

macro_rules! kinds {
    ($($kind:ident = $($name:literal)+,)*) => {
        /// What a field is.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(super) enum Kind {
            $(
                #[doc = concat!($("`", $name, "` ",)+)]
                $kind,
            )*
        }

        /// Names in upper case. A name that another begins with stands behind it.
        const NAMES: &[(&str, Kind)] = &[$($(($name, Kind::$kind),)+)*];
    };
}
kinds! {
    Hour24 = "HH24",
    Hour12 = "HH12" "HH",
    Minute = "MI",
    SecondsOfDay = "SSSSS" "SSSS",
    Second = "SS",
    Milliseconds = "MS",
    Microseconds = "US",
    Tenths = "FF1",
    Hundredths = "FF2",
    Thousandths = "FF3",
    TenThousandths = "FF4",
    HundredThousandths = "FF5",
    Millionths = "FF6",
    MeridianPoints = "A.M." "P.M.",
    EraPoints = "B.C." "A.D.",
    YearComma = "Y,YYY",
    Year4 = "YYYY",
    Year3 = "YYY",
    Year2 = "YY",
    IsoDayOfYear = "IDDD",
    IsoYear4 = "IYYY",
    IsoYear3 = "IYY",
    IsoYear2 = "IY",
    IsoWeek = "IW",
    IsoDay = "ID",
    IsoYear1 = "I",
    Year1 = "Y",
    MonthName = "MONTH",
    MonthShort = "MON",
    Month = "MM",
    DayName = "DAY",
    DayShort = "DY",
    DayOfYear = "DDD",
    Day = "DD",
    DayOfWeek = "D",
    WeekOfYear = "WW",
    WeekOfMonth = "W",
    Quarter = "Q",
    Century = "CC",
    Julian = "J",
    Roman = "RM",
    ZoneHour = "TZH",
    ZoneMinute = "TZM",
    Zone = "TZ",
    Offset = "OF",
    Meridian = "AM" "PM",
    Era = "BC" "AD",
}

impl Kind {
    /// How many digits it has when the next field follows at once; `None` if it is no number.
    pub(super) fn width(self) -> Option<usize> {
        Some(match self {
            Self::Year4 | Self::IsoYear4 | Self::TenThousandths => 4,
            Self::SecondsOfDay | Self::HundredThousandths => 5,
            Self::Julian | Self::Microseconds | Self::Millionths => 6,
            Self::Year3 | Self::IsoYear3 | Self::DayOfYear | Self::IsoDayOfYear => 3,
            Self::Milliseconds | Self::Thousandths => 3,
            Self::Year1
            | Self::IsoYear1
            | Self::DayOfWeek
            | Self::IsoDay
            | Self::WeekOfMonth
            | Self::Quarter
            | Self::Tenths => 1,
            Self::Hour24
            | Self::Hour12
            | Self::Minute
            | Self::Second
            | Self::Hundredths
            | Self::Year2
            | Self::IsoYear2
            | Self::IsoWeek
            | Self::Month
            | Self::Day
            | Self::WeekOfYear
            | Self::Century
            | Self::ZoneHour
            | Self::ZoneMinute => 2,
            Self::YearComma
            | Self::MeridianPoints
            | Self::EraPoints
            | Self::MonthName
            | Self::MonthShort
            | Self::DayName
            | Self::DayShort
            | Self::Roman
            | Self::Zone
            | Self::Offset
            | Self::Meridian
            | Self::Era => return None,
        })
    }
}

impl Field {
    /// Its name in messages, as it is written.
    pub(super) fn name(&self) -> String {
        let name = NAMES.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        match self.case {
            Case::Upper => name.to_owned(),
            Case::Title => name[..1].to_owned() + &name[1..].to_ascii_lowercase(),
            Case::Lower => name.to_ascii_lowercase(),
        }
    }
}

impl Template {
    /// Cuts a template; text that is no field stands for itself.
    pub(super) fn new(text: &str) -> Self {
        let mut template = Self { items: Vec::new(), exact: false };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if c == '"' {
                rest = template.push_quoted(&rest[1..]);
                continue;
            }
            if c == '\\' && rest.starts_with("\\\"") {
                template.items.push(Item::Literal('"', true));
                rest = &rest[2..];
                continue;
            }
            let mut plain = false;
            let mut after = rest;
            loop {
                if starts_with_any(after, ["FM", "fm"]) {
                    plain = true;
                } else if starts_with_any(after, ["FX", "fx"]) {
                    template.exact = true;
                } else if !starts_with_any(after, ["TM", "tm"]) {
                    break;
                }
                after = &after[2..];
            }
            match field(after) {
                Some((kind, case, length)) => {
                    rest = &after[length..];
                    let ordinal = if rest.starts_with("TH") {
                        Some(Case::Upper)
                    } else if rest.starts_with("th") {
                        Some(Case::Lower)
                    } else {
                        None
                    };
                    rest = if ordinal.is_some() { &rest[2..] } else { rest };
                    template.items.push(Item::Field(Field { kind, case, plain, ordinal }));
                }
                None if after.len() < rest.len() => rest = after,
                None => {
                    template.items.push(Item::Literal(c, false));
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        template
    }

    /// Takes a quoted text; gives what follows it.
    fn push_quoted<'t>(&mut self, text: &'t str) -> &'t str {
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => {
                    if let Some(escaped) = chars.next() {
                        self.items.push(Item::Literal(escaped, true));
                    }
                }
                _ => self.items.push(Item::Literal(c, true)),
            }
        }
        chars.as_str()
    }

    /// The text of a value; an empty template gives NULL.
    pub(super) fn write(&self, moment: &Moment) -> Option<String> {
        if self.items.is_empty() {
            return None;
        }
        let mut out = String::new();
        for item in &self.items {
            match item {
                Item::Literal(c, _) => out.push(*c),
                Item::Field(field) => {
                    let text = moment.field(field);
                    out.push_str(&text);
                    if let (Some(case), true) = (field.ordinal, field.kind.width().is_some()) {
                        out.push_str(ordinal_suffix(&text, case));
                    }
                }
            }
        }
        Some(out)
    }
}

fn starts_with_any(text: &str, words: [&str; 2]) -> bool {
    words.iter().any(|word| text.starts_with(word))
}

/// The field that `text` begins with, the case it is written in, and its length.
fn field(text: &str) -> Option<(Kind, Case, usize)> {
    let matches = |name: &str| -> Option<Case> {
        let head = text.get(..name.len())?;
        if head == name {
            return Some(Case::Upper);
        }
        if head == name.to_ascii_lowercase() {
            return Some(Case::Lower);
        }
        let is_title =
            head.as_bytes()[0] == name.as_bytes()[0] && head[1..] == name[1..].to_ascii_lowercase();
        (is_title && matches!(name, "MONTH" | "MON" | "DAY" | "DY")).then_some(Case::Title)
    };
    // Of several the longest counts.
    let found = NAMES.iter().filter_map(|(name, kind)| matches(name).map(|case| (*kind, case, name.len())));
    found.max_by_key(|(_, _, length)| *length)
}

pub(super) fn ordinal_suffix(number: &str, case: Case) -> &'static str {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    let teens = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    let (upper, lower) = match digits.last() {
        Some(b'1') if !teens => ("ST", "st"),
        Some(b'2') if !teens => ("ND", "nd"),
        Some(b'3') if !teens => ("RD", "rd"),
        _ => ("TH", "th"),
    };
    if case == Case::Lower { lower } else { upper }
}

/// What is written by a template.
pub(super) struct Moment {
    year: i32,
    month: i32,
    day: i32,
    hour: i64,
    time: CivilTime,
    /// Days since 2000-01-01; none of an interval.
    days: Option<i32>,
    /// Seconds east of UTC, if the value has a zone.
    zone: Option<i32>,
}

impl Moment {
    /// A timestamp; `None` of an infinity.
    pub(super) fn of_timestamp(timestamp: i64, zone: Option<i32>) -> Option<Self> {
        if timestamp == i64::MAX || timestamp == i64::MIN {
            return None;
        }
        let (days, micros) = split_timestamp(timestamp);
        let (date, time) = (CivilDate::from_days(days), CivilTime::from_micros(micros));
        let (year, month, day) = (date.year, date.month, date.day);
        Some(Self { year, month, day, hour: time.hour.into(), time, days: Some(days), zone })
    }

    /// A span of time, whose hours may pass a day.
    pub(super) fn of_interval(interval: &Interval) -> Self {
        let hour = interval.micros / 3_600_000_000;
        let rest = interval.micros % 3_600_000_000;
        let sign = if rest < 0 { -1 } else { 1 };
        let parts = CivilTime::from_micros(rest.abs());
        let time = CivilTime {
            hour: 0,
            minute: sign * parts.minute,
            second: sign * parts.second,
            micros: sign * parts.micros,
        };
        Self {
            year: interval.months / 12,
            month: interval.months % 12,
            day: interval.days,
            hour,
            time,
            days: None,
            zone: None,
        }
    }

    /// The year as it is counted: 1 BC is year 0 to the calendar.
    fn counted_year(&self, year: i32) -> i32 {
        if self.days.is_some() && year <= 0 { 1 - year } else { year }
    }

    fn iso(&self) -> (i32, i32) {
        self.days.map_or((self.year, 0), iso_week)
    }

    fn day_of_year(&self) -> i32 {
        match self.days {
            Some(_) => CivilDate { year: self.year, month: self.month, day: self.day }.day_of_year(),
            None => self.year * 360 + self.month * 30 + self.day,
        }
    }

    fn weekday(&self) -> i32 {
        self.days.map_or(0, weekday)
    }

    fn field(&self, field: &Field) -> String {
        let number = |value: i64, width: usize| {
            if field.plain {
                value.to_string()
            } else if value < 0 {
                // The sign has a place of its own.
                format!("-{:0width$}", value.unsigned_abs())
            } else {
                format!("{value:0width$}")
            }
        };
        let cased = |text: &str| match field.case {
            Case::Upper => text.to_uppercase(),
            Case::Title => text.to_owned(),
            Case::Lower => text.to_lowercase(),
        };
        let padded = |text: String, width: usize| if field.plain { text } else { format!("{text:width$}") };
        let micros = i64::from(self.time.micros);
        let (iso_year, week) = self.iso();
        match field.kind {
            Kind::Hour24 => number(self.hour, 2),
            Kind::Hour12 => number(
                match self.hour % 12 {
                    0 => 12,
                    hour => hour,
                },
                2,
            ),
            Kind::Minute => number(self.time.minute.into(), 2),
            Kind::Second => number(self.time.second.into(), 2),
            Kind::SecondsOfDay => {
                let minutes = self.hour * 60 + i64::from(self.time.minute);
                (minutes * 60 + i64::from(self.time.second)).to_string()
            }
            Kind::Milliseconds | Kind::Thousandths => number(micros / 1000, 3),
            Kind::Microseconds | Kind::Millionths => number(micros, 6),
            Kind::Tenths => number(micros / 100_000, 1),
            Kind::Hundredths => number(micros / 10_000, 2),
            Kind::TenThousandths => number(micros / 100, 4),
            Kind::HundredThousandths => number(micros / 10, 5),
            Kind::Meridian => cased(if self.hour % 24 >= 12 { "PM" } else { "AM" }),
            Kind::MeridianPoints => cased(if self.hour % 24 >= 12 { "P.M." } else { "A.M." }),
            Kind::Era => cased(if self.year <= 0 { "BC" } else { "AD" }),
            Kind::EraPoints => cased(if self.year <= 0 { "B.C." } else { "A.D." }),
            Kind::YearComma => {
                let year = self.counted_year(self.year);
                format!("{},{:03}", year / 1000, year % 1000)
            }
            Kind::Year4 => number(self.counted_year(self.year).into(), 4),
            Kind::Year3 => number((self.counted_year(self.year) % 1000).into(), 3),
            Kind::Year2 => number((self.counted_year(self.year) % 100).into(), 2),
            Kind::Year1 => number((self.counted_year(self.year) % 10).into(), 1),
            Kind::IsoYear4 => number(self.counted_year(iso_year).into(), 4),
            Kind::IsoYear3 => number((self.counted_year(iso_year) % 1000).into(), 3),
            Kind::IsoYear2 => number((self.counted_year(iso_year) % 100).into(), 2),
            Kind::IsoYear1 => number((self.counted_year(iso_year) % 10).into(), 1),
            Kind::MonthName | Kind::MonthShort | Kind::Roman => self.month_text(field, padded),
            Kind::Month => number(self.month.into(), 2),
            Kind::DayName => padded(cased(DAYS[self.weekday().unsigned_abs() as usize % 7]), 9),
            Kind::DayShort => cased(&DAYS[self.weekday().unsigned_abs() as usize % 7][..3]),
            Kind::DayOfYear => number(self.day_of_year().into(), 3),
            Kind::IsoDayOfYear => {
                let start = iso_year_start(iso_year).unwrap_or(0);
                number((self.days.unwrap_or(start) - start + 1).into(), 3)
            }
            Kind::Day => number(self.day.into(), 2),
            Kind::DayOfWeek => (self.weekday() + 1).to_string(),
            Kind::IsoDay => ((self.weekday() + 6) % 7 + 1).to_string(),
            Kind::WeekOfYear => number(i64::from((self.day_of_year() - 1) / 7 + 1), 2),
            Kind::IsoWeek => number(week.into(), 2),
            Kind::WeekOfMonth => ((self.day - 1) / 7 + 1).to_string(),
            Kind::Quarter if self.month == 0 => String::new(),
            Kind::Quarter => ((self.month - 1) / 3 + 1).to_string(),
            Kind::Century => self.century(field.plain),
            Kind::Julian => {
                const EPOCH: i64 = 2_451_545;
                (i64::from(self.days.unwrap_or(0)) + EPOCH).to_string()
            }
            Kind::Zone => self.zone.map_or_else(String::new, |zone| cased(&zone_name(zone))),
            Kind::ZoneHour => self.zone.map_or_else(String::new, |zone| format!("{:+03}", zone / 3600)),
            Kind::ZoneMinute => {
                self.zone.map_or_else(String::new, |zone| format!("{:02}", zone.abs() / 60 % 60))
            }
            Kind::Offset => self.zone.map_or_else(String::new, offset),
        }
    }

    fn century(&self, plain: bool) -> String {
        let year = self.year;
        let century = match self.days {
            None => year / 100,
            Some(_) if year > 0 => (year - 1) / 100 + 1,
            // 1 BC, the year 0, is in the first century before.
            Some(_) => -(-year / 100 + 1),
        };
        match century {
            _ if plain => century.to_string(),
            0.. => format!("{century:02}"),
            _ => format!("{century:03}"),
        }
    }

    fn month_text(&self, field: &Field, padded: impl Fn(String, usize) -> String) -> String {
        let Some(index) = usize::try_from(self.month).ok().and_then(|month| month.checked_sub(1)) else {
            return String::new();
        };
        let text = match field.kind {
            Kind::Roman => ROMAN[index],
            Kind::MonthShort => &MONTHS[index][..3],
            _ => MONTHS[index],
        };
        let text = match field.case {
            Case::Upper => text.to_uppercase(),
            Case::Title => text.to_owned(),
            Case::Lower => text.to_lowercase(),
        };
        match field.kind {
            Kind::Roman => padded(text, 4),
            Kind::MonthShort => text,
            _ => padded(text, 9),
        }
    }
}

/// A fixed distance from UTC as PostgreSQL names it.
fn zone_name(zone: i32) -> String {
    if zone == 0 { "UTC".to_owned() } else { offset(zone) }
}

fn offset(zone: i32) -> String {
    let mut text = format!("{}{:02}", if zone < 0 { '-' } else { '+' }, zone.abs() / 3600);
    if zone % 3600 != 0 {
        // A String takes any text.
        let _ = write!(text, ":{:02}", zone.abs() / 60 % 60);
    }
    text
}

/// Microseconds of a day, for those who read.
pub(super) const DAY: i64 = MICROS_PER_DAY;
