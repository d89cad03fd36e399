//! `extract`, `date_part` and `date_trunc`: the fields of dates, times and intervals.

use super::datetime::zone_seconds;
use super::{DATE, INTERVAL, TEXT, TIME, TIMESTAMP, TIMESTAMPTZ, function};
use crate::error::{DataError, Error, Result};
use crate::expr::eval::{Argument, Call, binary, ternary};
use crate::expr::function::Function;
use crate::types::datetime::{
    CivilDate, CivilTime, add_interval, date_to_timestamp, split_timestamp, utc_to_local,
};
use crate::types::{DataType, Decimal, Interval, MICROS_PER_DAY, TimeContext};

const SECOND: i64 = 1_000_000;
/// 2000-01-01 as a Julian day.
const EPOCH_JULIAN: i64 = 2_451_545;
/// 1970-01-01 to 2000-01-01 in microseconds.
const UNIX_EPOCH: i64 = 946_684_800 * SECOND;
const NUMBER: DataType = DataType::AnyNumeric;
const FLOAT: DataType = DataType::Double;

pub(super) const FUNCTIONS: &[Function] = &[
    function("extract", &[TEXT, DATE], NUMBER, |call| extract(call, Source::Date)).nullable(),
    function("extract", &[TEXT, TIME], NUMBER, |call| extract(call, Source::Time)),
    function("extract", &[TEXT, TIMESTAMP], NUMBER, |call| extract(call, Source::Timestamp)).nullable(),
    function("extract", &[TEXT, TIMESTAMPTZ], NUMBER, |call| extract(call, Source::Moment))
        .nullable()
        .stable(),
    function("extract", &[TEXT, INTERVAL], NUMBER, |call| extract(call, Source::Interval)),
    function("date_part", &[TEXT, DATE], FLOAT, |call| extract(call, Source::Date)).nullable(),
    function("date_part", &[TEXT, TIME], FLOAT, |call| extract(call, Source::Time)),
    function("date_part", &[TEXT, TIMESTAMP], FLOAT, |call| extract(call, Source::Timestamp)).nullable(),
    function("date_part", &[TEXT, TIMESTAMPTZ], FLOAT, |call| extract(call, Source::Moment))
        .nullable()
        .stable(),
    function("date_part", &[TEXT, INTERVAL], FLOAT, |call| extract(call, Source::Interval)),
    function("date_trunc", &[TEXT, TIMESTAMP], DataType::Timestamp, |call| {
        binary(call, |unit: &str, t: i64| truncate(Unit::parse(unit, Source::Timestamp)?, t))
    }),
    function("date_trunc", &[TEXT, TIMESTAMPTZ], DataType::TimestampTz, |call| {
        let times = call.context.times;
        binary(call, |unit: &str, t: i64| {
            truncate_in_zone(Unit::parse(unit, Source::Moment)?, t, times.zone_seconds)
        })
    })
    .stable(),
    function("date_trunc", &[TEXT, TIMESTAMPTZ, TEXT], DataType::TimestampTz, |call| {
        ternary(call, |unit: &str, t: i64, zone: &str| {
            truncate_in_zone(Unit::parse(unit, Source::Moment)?, t, zone_seconds(zone)?)
        })
    }),
    function("date_trunc", &[TEXT, INTERVAL], DataType::Interval, |call| {
        binary(call, |unit: &str, i: Interval| truncate_interval(Unit::parse(unit, Source::Interval)?, i))
    }),
];

/// What the fields are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Date,
    Time,
    Timestamp,
    /// A timestamp with time zone.
    Moment,
    Interval,
}

impl Source {
    fn type_name(self) -> &'static str {
        match self {
            Self::Date => DataType::Date.name(),
            Self::Time => DataType::Time.name(),
            Self::Timestamp => DataType::Timestamp.name(),
            Self::Moment => DataType::TimestampTz.name(),
            Self::Interval => DataType::Interval.name(),
        }
    }
}

/// A field or unit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Julian,
    Epoch,
    Zone,
    ZoneHour,
    ZoneMinute,
}

impl Unit {
    fn parse(text: &str, source: Source) -> Result<Self> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "microseconds" | "microsecond" | "us" | "usec" | "usecs" | "usecond" | "useconds" => {
                Self::Microseconds
            }
            "milliseconds" | "millisecond" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => {
                Self::Milliseconds
            }
            "second" | "seconds" | "s" | "sec" | "secs" => Self::Second,
            "minute" | "minutes" | "m" | "min" | "mins" => Self::Minute,
            "hour" | "hours" | "h" | "hr" | "hrs" => Self::Hour,
            "day" | "days" | "d" => Self::Day,
            "week" | "weeks" | "w" => Self::Week,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "quarter" | "qtr" => Self::Quarter,
            "year" | "years" | "y" | "yr" | "yrs" => Self::Year,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "century" | "centuries" | "c" | "cent" => Self::Century,
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "isoyear" => Self::IsoYear,
            "julian" | "jd" | "j" => Self::Julian,
            "epoch" => Self::Epoch,
            "timezone" => Self::Zone,
            "timezone_hour" | "timezone_h" => Self::ZoneHour,
            "timezone_minute" | "timezone_m" => Self::ZoneMinute,
            _ => {
                return Err(DataError::UnknownUnit { unit: text.to_owned(), ty: source.type_name() }.into());
            }
        })
    }
}

fn unsupported(unit: &str, source: Source) -> Error {
    DataError::UnsupportedUnit { unit: unit.to_ascii_lowercase(), ty: source.type_name() }.into()
}

/// A field's value: a number with digits behind the point, an infinity, or nothing.
enum Field {
    Number(Decimal),
    Infinite(bool),
    Nothing,
}

fn whole(value: impl Into<i128>) -> Field {
    Field::Number(Decimal::new(value.into(), 0))
}

fn extract(call: &mut Call<'_>, source: Source) -> Result<()> {
    let units = call.read::<&str>(0);
    let context = call.context.times;
    // The unit is nearly always constant.
    let mut known: Option<(&str, Unit)> = None;
    let mut unit_of = |row: usize| -> Result<(Unit, &str)> {
        let text = <&str>::get(&units, row);
        match known {
            Some((before, unit)) if before == text => Ok((unit, text)),
            _ => {
                let unit = Unit::parse(text, source)?;
                known = Some((text, unit));
                Ok((unit, text))
            }
        }
    };
    match source {
        Source::Date => {
            let values = call.read::<i32>(1);
            write_fields(call, |row| {
                let (unit, name) = unit_of(row)?;
                date_field(unit, i32::get(&values, row)).ok_or_else(|| unsupported(name, source))
            })
        }
        Source::Time => {
            let values = call.read::<i64>(1);
            write_fields(call, |row| {
                let (unit, name) = unit_of(row)?;
                time_field(unit, i64::get(&values, row)).ok_or_else(|| unsupported(name, source))
            })
        }
        Source::Timestamp | Source::Moment => {
            let values = call.read::<i64>(1);
            write_fields(call, |row| {
                let (unit, name) = unit_of(row)?;
                let value = i64::get(&values, row);
                let field = if source == Source::Timestamp {
                    timestamp_field(unit, value)
                } else {
                    moment_field(unit, value, &context)?
                };
                field.ok_or_else(|| unsupported(name, source))
            })
        }
        Source::Interval => {
            let values = call.read::<Interval>(1);
            write_fields(call, |row| {
                let (unit, name) = unit_of(row)?;
                interval_field(unit, &Interval::get(&values, row)).ok_or_else(|| unsupported(name, source))
            })
        }
    }
}

/// Writes fields as `numeric`, or as `double precision` for `date_part`.
fn write_fields(call: &mut Call<'_>, mut field: impl FnMut(usize) -> Result<Field>) -> Result<()> {
    if call.result_type == DataType::Double {
        return call.write(|row| {
            Ok(match field(row)? {
                Field::Number(value) => Some(value.to_f64()),
                Field::Infinite(true) => Some(f64::INFINITY),
                Field::Infinite(false) => Some(f64::NEG_INFINITY),
                Field::Nothing => None,
            })
        });
    }
    call.write(|row| match field(row)? {
        Field::Number(value) => Ok(Some(value)),
        Field::Infinite(_) => Err(DataError::CannotConvert { value: "infinity", ty: "numeric" }.into()),
        Field::Nothing => Ok(None),
    })
}

/// Fields of an infinity: those that only grow are infinite, the others are none.
fn infinite_field(unit: Unit, late: bool) -> Field {
    match unit {
        Unit::Year
        | Unit::Decade
        | Unit::Century
        | Unit::Millennium
        | Unit::Julian
        | Unit::IsoYear
        | Unit::Epoch => Field::Infinite(late),
        _ => Field::Nothing,
    }
}

/// The fields of a day; `None` if the unit is finer.
fn civil_field(unit: Unit, days: i32) -> Option<Field> {
    let date = CivilDate::from_days(days);
    let year = date.year;
    Some(whole(match unit {
        Unit::Day => date.day,
        Unit::Month => date.month,
        Unit::Quarter => (date.month - 1) / 3 + 1,
        Unit::Week => iso_week(days).1,
        // There is no year 0: 1 BC is -1.
        Unit::Year => {
            if year > 0 {
                year
            } else {
                year - 1
            }
        }
        Unit::Decade => year.div_euclid(10),
        Unit::Century => {
            if year > 0 {
                (year + 99) / 100
            } else {
                -((99 - (year - 1)) / 100)
            }
        }
        Unit::Millennium => {
            if year > 0 {
                (year + 999) / 1000
            } else {
                -((999 - (year - 1)) / 1000)
            }
        }
        Unit::IsoYear => {
            let year = iso_week(days).0;
            if year > 0 { year } else { year - 1 }
        }
        Unit::DayOfWeek => weekday(days),
        Unit::IsoDayOfWeek => (weekday(days) + 6) % 7 + 1,
        Unit::DayOfYear => date.day_of_year(),
        _ => return None,
    }))
}

/// 0 is Sunday.
pub(super) fn weekday(days: i32) -> i32 {
    // 2000-01-01 was a Saturday.
    (days.rem_euclid(7) + 6) % 7
}

/// The ISO year and week: weeks begin on Monday and belong to the year of their Thursday.
pub(super) fn iso_week(days: i32) -> (i32, i32) {
    let monday = i64::from(days) - i64::from((weekday(days) + 6) % 7);
    // A date's week ends at most six days later.
    let thursday = CivilDate::from_days((monday + 3).clamp(i32::MIN.into(), i32::MAX.into()) as i32);
    (thursday.year, (thursday.day_of_year() - 1) / 7 + 1)
}

/// The Monday of week 1 of an ISO year, in days since 2000-01-01.
pub(super) fn iso_year_start(year: i32) -> Option<i32> {
    // January 4 is always in week 1.
    let fourth = CivilDate { year, month: 1, day: 4 }.to_days()?;
    fourth.checked_sub((weekday(fourth) + 6) % 7)
}

/// The fields of a time; `None` if the unit is coarser.
fn clock_field(unit: Unit, micros: i64) -> Option<Field> {
    let time = CivilTime::from_micros(micros);
    let fraction = i128::from(time.second) * i128::from(SECOND) + i128::from(time.micros);
    Some(match unit {
        Unit::Microseconds => whole(fraction),
        Unit::Milliseconds => Field::Number(Decimal::new(fraction, 3)),
        Unit::Second => Field::Number(Decimal::new(fraction, 6)),
        Unit::Minute => whole(time.minute),
        Unit::Hour => whole(time.hour),
        _ => return None,
    })
}

fn date_field(unit: Unit, days: i32) -> Option<Field> {
    let infinite = days == i32::MAX || days == i32::MIN;
    let field = match unit {
        Unit::Julian => whole(i64::from(days) + EPOCH_JULIAN),
        Unit::Epoch => whole(i64::from(days) * 86_400 + UNIX_EPOCH / SECOND),
        _ => civil_field(unit, days)?,
    };
    Some(if infinite { infinite_field(unit, days > 0) } else { field })
}

fn time_field(unit: Unit, micros: i64) -> Option<Field> {
    match unit {
        Unit::Epoch => Some(Field::Number(Decimal::new(micros.into(), 6))),
        _ => clock_field(unit, micros),
    }
}

fn timestamp_field(unit: Unit, timestamp: i64) -> Option<Field> {
    let (days, micros) = split_timestamp(timestamp);
    let field = match unit {
        Unit::Epoch => Field::Number(Decimal::new(i128::from(timestamp) + i128::from(UNIX_EPOCH), 6)),
        Unit::Julian => julian(days, micros),
        _ => clock_field(unit, micros).or_else(|| civil_field(unit, days))?,
    };
    let infinite = timestamp == i64::MAX || timestamp == i64::MIN;
    Some(if infinite { infinite_field(unit, timestamp > 0) } else { field })
}

/// The day with the part of it that has passed.
fn julian(days: i32, micros: i64) -> Field {
    let day = Decimal::new((i64::from(days) + EPOCH_JULIAN).into(), 0);
    let part = Decimal::new(micros.into(), 0).divide(&Decimal::new(MICROS_PER_DAY.into(), 0));
    match part.and_then(|part| day.add(&part)) {
        Ok(sum) => Field::Number(sum),
        Err(_) => Field::Number(day),
    }
}

fn moment_field(unit: Unit, moment: i64, context: &TimeContext) -> Result<Option<Field>> {
    let zone = context.zone_seconds;
    Ok(match unit {
        _ if moment == i64::MAX || moment == i64::MIN => Some(infinite_field(unit, moment > 0)),
        Unit::Zone => Some(whole(zone)),
        Unit::ZoneHour => Some(whole(zone / 3600)),
        Unit::ZoneMinute => Some(whole(zone / 60 % 60)),
        Unit::Epoch => timestamp_field(unit, moment),
        _ => timestamp_field(unit, utc_to_local(moment, context)?),
    })
}

fn interval_field(unit: Unit, interval: &Interval) -> Option<Field> {
    let (years, months) = (interval.months / 12, interval.months % 12);
    Some(match unit {
        Unit::Day => whole(interval.days),
        Unit::Month => whole(months),
        Unit::Quarter => whole(months / 3 + 1),
        Unit::Year => whole(years),
        Unit::Decade => whole(years / 10),
        Unit::Century => whole(years / 100),
        Unit::Millennium => whole(years / 1000),
        Unit::Hour => whole(interval.micros / (3600 * SECOND)),
        Unit::Minute => whole(interval.micros / (60 * SECOND) % 60),
        Unit::Microseconds => whole(interval.micros % (60 * SECOND)),
        Unit::Milliseconds => Field::Number(Decimal::new((interval.micros % (60 * SECOND)).into(), 3)),
        Unit::Second => Field::Number(Decimal::new((interval.micros % (60 * SECOND)).into(), 6)),
        Unit::Epoch => {
            // A year counts 365.25 days, a month beside it 30.
            let quarter_days =
                i128::from(years) * 1461 + i128::from(months) * 120 + i128::from(interval.days) * 4;
            let micros = quarter_days * 21_600 * i128::from(SECOND) + i128::from(interval.micros);
            Field::Number(Decimal::new(micros, 6))
        }
        _ => return None,
    })
}

// ---- date_trunc ----

fn truncate_in_zone(unit: Unit, moment: i64, zone_seconds: i32) -> Result<i64> {
    if moment == i64::MAX || moment == i64::MIN {
        return Ok(moment);
    }
    let zone = i64::from(zone_seconds) * SECOND;
    let local = add_interval(moment, &Interval::new(0, 0, zone))?;
    let local = truncate_as(unit, local, Source::Moment)?;
    add_interval(local, &Interval::new(0, 0, -zone))
}

fn truncate(unit: Unit, timestamp: i64) -> Result<i64> {
    truncate_as(unit, timestamp, Source::Timestamp)
}

fn truncate_as(unit: Unit, timestamp: i64, source: Source) -> Result<i64> {
    if timestamp == i64::MAX || timestamp == i64::MIN {
        return Ok(timestamp);
    }
    let (days, _) = split_timestamp(timestamp);
    let date = CivilDate::from_days(days);
    let start = |year: i32, month: i32| {
        let days = CivilDate { year, month, day: 1 }.to_days();
        date_to_timestamp(days.ok_or(DataError::DateTimeOutOfRange { ty: "timestamp" })?)
    };
    let year = date.year;
    let floor = |unit: i64| Ok(timestamp.div_euclid(unit) * unit);
    match unit {
        Unit::Microseconds => Ok(timestamp),
        Unit::Milliseconds => floor(1000),
        Unit::Second => floor(SECOND),
        Unit::Minute => floor(60 * SECOND),
        Unit::Hour => floor(3600 * SECOND),
        Unit::Day => floor(MICROS_PER_DAY),
        Unit::Week => {
            let monday = days.checked_sub((weekday(days) + 6) % 7);
            date_to_timestamp(monday.ok_or(DataError::DateTimeOutOfRange { ty: "timestamp" })?)
        }
        Unit::Month => start(year, date.month),
        Unit::Quarter => start(year, (date.month - 1) / 3 * 3 + 1),
        Unit::Year => start(year, 1),
        // Decades begin with their round year, centuries and millennia one after it.
        Unit::Decade => start(year.div_euclid(10) * 10, 1),
        Unit::Century => start((year - 1).div_euclid(100) * 100 + 1, 1),
        Unit::Millennium => start((year - 1).div_euclid(1000) * 1000 + 1, 1),
        _ => Err(no_unit_to_truncate_to(unit, source)),
    }
}

/// The zone is a unit, though not one to truncate to; the others are only fields.
fn no_unit_to_truncate_to(unit: Unit, source: Source) -> Error {
    let ty = source.type_name();
    let name = match unit {
        Unit::Zone => return unsupported("timezone", source),
        Unit::ZoneHour => return unsupported("timezone_hour", source),
        Unit::ZoneMinute => return unsupported("timezone_minute", source),
        Unit::DayOfWeek => "dow",
        Unit::IsoDayOfWeek => "isodow",
        Unit::DayOfYear => "doy",
        Unit::IsoYear => "isoyear",
        Unit::Julian => "julian",
        _ => "epoch",
    };
    DataError::UnknownUnit { unit: name.to_owned(), ty }.into()
}

fn truncate_interval(unit: Unit, interval: Interval) -> Result<Interval> {
    let months = |unit: i32| Interval::new(interval.months / unit * unit, 0, 0);
    let micros = |unit: i64| Interval { micros: interval.micros / unit * unit, ..interval };
    Ok(match unit {
        Unit::Microseconds => interval,
        Unit::Milliseconds => micros(1000),
        Unit::Second => micros(SECOND),
        Unit::Minute => micros(60 * SECOND),
        Unit::Hour => micros(3600 * SECOND),
        Unit::Day => Interval { micros: 0, ..interval },
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1200),
        Unit::Millennium => months(12_000),
        Unit::Week => {
            return Err(Error::from(DataError::UnsupportedUnit { unit: "week".into(), ty: "interval" })
                .with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(no_unit_to_truncate_to(unit, Source::Interval)),
    })
}
