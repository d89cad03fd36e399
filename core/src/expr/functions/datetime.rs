//! Dates, times and intervals: arithmetic, construction, the clock. The rules live in [`crate::types::datetime`].

use super::{DATE, DOUBLE, INTEGER, INTERVAL, TEXT, TIME, TIMESTAMP, TIMESTAMPTZ, function, infix, prefix};
use crate::error::{DataError, Error, Result};
use crate::expr::EvalContext;
use crate::expr::eval::{Argument, Call, binary, ternary, unary};
use crate::expr::function::{Function, Operand};
use crate::types::datetime::{
    CivilDate, CivilTime, add_days, add_interval, add_to_time, age, date_difference, date_to_timestamp,
    days_in_month, local_to_utc, parse_timestamptz, subtract_interval, timestamp_difference,
    timestamp_to_date, timestamp_to_time, utc_to_local,
};
use crate::types::{DataType, Interval, MICROS_PER_DAY, TimeContext};

const SECOND: i64 = 1_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    // ---- Operators ----
    infix("+", &[DATE, INTEGER], DataType::Date, |call| binary(call, add_days)),
    infix("+", &[INTEGER, DATE], DataType::Date, |call| binary(call, |days: i32, d: i32| add_days(d, days))),
    infix("-", &[DATE, INTEGER], DataType::Date, |call| {
        binary(call, |d: i32, days: i32| add_days(d, days.checked_neg().ok_or_else(date_range)?))
    }),
    infix("-", &[DATE, DATE], DataType::Integer, |call| binary(call, date_difference)),
    infix("+", &[DATE, INTERVAL], DataType::Timestamp, |call| {
        binary(call, |d: i32, i: Interval| add_interval(date_to_timestamp(d)?, &i))
    }),
    infix("+", &[INTERVAL, DATE], DataType::Timestamp, |call| {
        binary(call, |i: Interval, d: i32| add_interval(date_to_timestamp(d)?, &i))
    }),
    infix("-", &[DATE, INTERVAL], DataType::Timestamp, |call| {
        binary(call, |d: i32, i: Interval| subtract_interval(date_to_timestamp(d)?, &i))
    }),
    infix("+", &[DATE, TIME], DataType::Timestamp, |call| binary(call, date_and_time)),
    infix("+", &[TIME, DATE], DataType::Timestamp, |call| binary(call, |t: i64, d: i32| date_and_time(d, t))),
    infix("+", &[TIMESTAMP, INTERVAL], DataType::Timestamp, |call| {
        binary(call, |t: i64, i: Interval| add_interval(t, &i))
    }),
    infix("+", &[INTERVAL, TIMESTAMP], DataType::Timestamp, |call| {
        binary(call, |i: Interval, t: i64| add_interval(t, &i))
    }),
    infix("-", &[TIMESTAMP, INTERVAL], DataType::Timestamp, |call| {
        binary(call, |t: i64, i: Interval| subtract_interval(t, &i))
    }),
    infix("-", &[TIMESTAMP, TIMESTAMP], DataType::Interval, |call| binary(call, timestamp_difference)),
    infix("+", &[TIMESTAMPTZ, INTERVAL], DataType::TimestampTz, |call| {
        let times = call.context.times;
        binary(call, |t: i64, i: Interval| move_moment(t, &i, &times))
    })
    .stable(),
    infix("+", &[INTERVAL, TIMESTAMPTZ], DataType::TimestampTz, |call| {
        let times = call.context.times;
        binary(call, |i: Interval, t: i64| move_moment(t, &i, &times))
    })
    .stable(),
    infix("-", &[TIMESTAMPTZ, INTERVAL], DataType::TimestampTz, |call| {
        let times = call.context.times;
        binary(call, |t: i64, i: Interval| move_moment(t, &i.negate()?, &times))
    })
    .stable(),
    infix("-", &[TIMESTAMPTZ, TIMESTAMPTZ], DataType::Interval, |call| binary(call, timestamp_difference)),
    infix("+", &[TIME, INTERVAL], DataType::Time, |call| {
        binary(call, |t: i64, i: Interval| Ok(add_to_time(t, &i)))
    }),
    infix("+", &[INTERVAL, TIME], DataType::Time, |call| {
        binary(call, |i: Interval, t: i64| Ok(add_to_time(t, &i)))
    }),
    infix("-", &[TIME, INTERVAL], DataType::Time, |call| {
        binary(call, |t: i64, i: Interval| {
            let back = i.micros.rem_euclid(MICROS_PER_DAY);
            Ok(add_to_time(t, &Interval::new(0, 0, MICROS_PER_DAY - back)))
        })
    }),
    infix("-", &[TIME, TIME], DataType::Interval, |call| {
        binary(call, |a: i64, b: i64| Ok(Interval::new(0, 0, a - b)))
    }),
    infix("+", &[INTERVAL, INTERVAL], DataType::Interval, |call| {
        binary(call, |a: Interval, b: Interval| a.add(&b))
    }),
    infix("-", &[INTERVAL, INTERVAL], DataType::Interval, |call| {
        binary(call, |a: Interval, b: Interval| a.subtract(&b))
    }),
    infix("*", &[INTERVAL, DOUBLE], DataType::Interval, |call| {
        binary(call, |a: Interval, factor: f64| a.multiply(factor))
    }),
    infix("*", &[DOUBLE, INTERVAL], DataType::Interval, |call| {
        binary(call, |factor: f64, a: Interval| a.multiply(factor))
    }),
    infix("/", &[INTERVAL, DOUBLE], DataType::Interval, |call| {
        binary(call, |a: Interval, divisor: f64| a.divide(divisor))
    }),
    prefix("-", &[INTERVAL], DataType::Interval, |call| unary(call, |a: Interval| a.negate())),
    prefix("+", &[INTERVAL], DataType::Interval, |call| unary(call, |a: Interval| Ok(a))),
    // ---- Differences and spans ----
    function("age", &[TIMESTAMP, TIMESTAMP], DataType::Interval, |call| binary(call, age)),
    function("age", &[TIMESTAMPTZ, TIMESTAMPTZ], DataType::Interval, |call| {
        let times = call.context.times;
        binary(call, |a: i64, b: i64| age(utc_to_local(a, &times)?, utc_to_local(b, &times)?))
    })
    .stable(),
    function("age", &[TIMESTAMP], DataType::Interval, |call| {
        let today = midnight(&call.context.times)?;
        unary(call, |b: i64| age(today, b))
    })
    .stable(),
    function("age", &[TIMESTAMPTZ], DataType::Interval, |call| {
        let times = call.context.times;
        let today = midnight(&times)?;
        unary(call, |b: i64| age(today, utc_to_local(b, &times)?))
    })
    .stable(),
    function("justify_hours", &[INTERVAL], DataType::Interval, |call| {
        unary(call, |a: Interval| a.justify_hours())
    }),
    function("justify_days", &[INTERVAL], DataType::Interval, |call| {
        unary(call, |a: Interval| a.justify_days())
    }),
    function("justify_interval", &[INTERVAL], DataType::Interval, |call| {
        unary(call, |a: Interval| a.justify())
    }),
    function("isfinite", &[DATE], DataType::Boolean, |call| {
        unary(call, |d: i32| Ok(d != i32::MAX && d != i32::MIN))
    }),
    function("isfinite", &[TIMESTAMP], DataType::Boolean, |call| unary(call, |t: i64| Ok(is_finite(t)))),
    function("isfinite", &[TIMESTAMPTZ], DataType::Boolean, |call| unary(call, |t: i64| Ok(is_finite(t)))),
    function("isfinite", &[INTERVAL], DataType::Boolean, |call| unary(call, |_: Interval| Ok(true))),
    function("date_bin", &[INTERVAL, TIMESTAMP, TIMESTAMP], DataType::Timestamp, |call| {
        ternary(call, date_bin)
    }),
    function("date_bin", &[INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ], DataType::TimestampTz, |call| {
        ternary(call, date_bin)
    }),
    // ---- Construction ----
    function("make_date", &[INTEGER; 3], DataType::Date, |call| ternary(call, make_date)),
    function("make_time", &[INTEGER, INTEGER, DOUBLE], DataType::Time, |call| ternary(call, make_time)),
    function(
        "make_timestamp",
        &[INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, DOUBLE],
        DataType::Timestamp,
        |call| make_timestamps(call, |_, timestamp| Ok(timestamp)),
    ),
    function(
        "make_timestamptz",
        &[INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, DOUBLE],
        DataType::TimestampTz,
        |call| {
            let times = call.context.times;
            make_timestamps(call, |_, timestamp| local_to_utc(timestamp, &times))
        },
    )
    .stable(),
    function(
        "make_timestamptz",
        &[INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, DOUBLE, TEXT],
        DataType::TimestampTz,
        |call| {
            let zone = call.read::<&str>(6);
            make_timestamps(call, |row, timestamp| {
                in_zone(timestamp, -displacement(<&str>::get(&zone, row))?)
            })
        },
    ),
    function("make_interval", &INTERVAL_PARTS_0, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS_1, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS_2, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS_3, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS_4, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS_5, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS_6, DataType::Interval, make_interval),
    function("make_interval", &INTERVAL_PARTS, DataType::Interval, make_interval),
    function("to_timestamp", &[DOUBLE], DataType::TimestampTz, |call| unary(call, from_unix)),
    // ---- Zones ----
    function("timezone", &[TEXT, TIMESTAMP], DataType::TimestampTz, |call| {
        binary(call, |zone: &str, t: i64| in_zone(t, -zone_seconds(zone)?))
    }),
    function("timezone", &[TEXT, TIMESTAMPTZ], DataType::Timestamp, |call| {
        binary(call, |zone: &str, t: i64| in_zone(t, zone_seconds(zone)?))
    }),
    function("timezone", &[INTERVAL, TIMESTAMP], DataType::TimestampTz, |call| {
        binary(call, |zone: Interval, t: i64| in_zone(t, -interval_zone(&zone)?))
    }),
    function("timezone", &[INTERVAL, TIMESTAMPTZ], DataType::Timestamp, |call| {
        binary(call, |zone: Interval, t: i64| in_zone(t, interval_zone(&zone)?))
    }),
    // ---- The clock ----
    function("now", &[], DataType::TimestampTz, |call| constant(call, |c| Ok(c.times.now))).stable(),
    function("transaction_timestamp", &[], DataType::TimestampTz, |call| constant(call, |c| Ok(c.times.now)))
        .stable(),
    function("statement_timestamp", &[], DataType::TimestampTz, |call| {
        constant(call, |c| Ok(c.statement_start))
    })
    .stable(),
    function("clock_timestamp", &[], DataType::TimestampTz, |call| {
        let environment = call.context.environment;
        call.write(|_| Ok(environment.clock_timestamp()))
    })
    .volatile(),
    function("current_timestamp", &[], DataType::TimestampTz, |call| constant(call, |c| Ok(c.times.now)))
        .stable(),
    function("current_timestamp", &[INTEGER], DataType::TimestampTz, |call| {
        let now = call.context.times.now;
        unary(call, |precision: i32| Ok(rounded(now, precision)))
    })
    .stable(),
    function("localtimestamp", &[], DataType::Timestamp, |call| constant(call, |c| Ok(c.times.local_now())))
        .stable(),
    function("localtimestamp", &[INTEGER], DataType::Timestamp, |call| {
        let now = call.context.times.local_now();
        unary(call, |precision: i32| Ok(rounded(now, precision)))
    })
    .stable(),
    function("current_date", &[], DataType::Date, |call| {
        let today = timestamp_to_date(call.context.times.local_now());
        call.write(|_| Ok(today))
    })
    .stable(),
    function("localtime", &[], DataType::Time, |call| constant(call, |c| Ok(local_time(&c.times)))).stable(),
    function("localtime", &[INTEGER], DataType::Time, |call| {
        let now = local_time(&call.context.times);
        unary(call, |precision: i32| Ok(rounded(now, precision)))
    })
    .stable(),
    function("current_time", &[], DataType::Time, |call| constant(call, |c| Ok(local_time(&c.times))))
        .stable(),
];

const INTERVAL_PARTS: [Operand; 7] = [INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, INTEGER, DOUBLE];
const INTERVAL_PARTS_0: [Operand; 0] = [];
const INTERVAL_PARTS_1: [Operand; 1] = [INTEGER];
const INTERVAL_PARTS_2: [Operand; 2] = [INTEGER; 2];
const INTERVAL_PARTS_3: [Operand; 3] = [INTEGER; 3];
const INTERVAL_PARTS_4: [Operand; 4] = [INTEGER; 4];
const INTERVAL_PARTS_5: [Operand; 5] = [INTEGER; 5];
const INTERVAL_PARTS_6: [Operand; 6] = [INTEGER; 6];

fn date_range() -> Error {
    DataError::DateTimeOutOfRange { ty: "date" }.into()
}

fn is_finite(timestamp: i64) -> bool {
    timestamp != i64::MAX && timestamp != i64::MIN
}

fn date_and_time(date: i32, time: i64) -> Result<i64> {
    add_interval(date_to_timestamp(date)?, &Interval::new(0, 0, time))
}

/// A moment moved by the calendar of the session's zone.
fn move_moment(moment: i64, by: &Interval, times: &TimeContext) -> Result<i64> {
    local_to_utc(add_interval(utc_to_local(moment, times)?, by)?, times)
}

/// The start of today by the session's clock.
fn midnight(times: &TimeContext) -> Result<i64> {
    date_to_timestamp(timestamp_to_date(times.local_now()))
}

fn local_time(times: &TimeContext) -> i64 {
    timestamp_to_time(times.local_now()).unwrap_or(0)
}

/// Rounded to so many digits of a second.
fn rounded(micros: i64, precision: i32) -> i64 {
    let drop = u32::try_from(6 - precision.clamp(0, 6)).unwrap_or(0);
    let unit = 10i64.pow(drop);
    (micros + unit / 2).div_euclid(unit) * unit
}

/// Writes one value to all rows.
fn constant(call: &mut Call<'_>, value: impl Fn(&EvalContext<'_>) -> Result<i64>) -> Result<()> {
    let value = value(call.context)?;
    call.write(|_| Ok(value))
}

fn date_bin(stride: Interval, timestamp: i64, origin: i64) -> Result<i64> {
    if !is_finite(timestamp) {
        return Ok(timestamp);
    }
    if !is_finite(origin) {
        return Err(DataError::OriginOutOfRange.into());
    }
    if stride.months != 0 {
        return Err(DataError::BinWithMonths.into());
    }
    let overflow = || Error::from(DataError::DateTimeOutOfRange { ty: "interval" });
    let stride = i64::from(stride.days)
        .checked_mul(MICROS_PER_DAY)
        .and_then(|days| days.checked_add(stride.micros))
        .ok_or_else(overflow)?;
    if stride <= 0 {
        return Err(DataError::StrideNotPositive.into());
    }
    let distance = timestamp.checked_sub(origin).ok_or_else(overflow)?;
    origin
        .checked_add(distance.div_euclid(stride) * stride)
        .ok_or_else(|| DataError::DateTimeOutOfRange { ty: "timestamp" }.into())
}

// ---- Construction ----

fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    let wrong =
        || Error::from(DataError::DateFieldOutOfRange { text: format!("{year}-{month:02}-{day:02}") });
    // A negative year is before the era; there is no year 0.
    let civil = if year < 0 { year.checked_add(1).ok_or_else(wrong)? } else { year };
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_in_month(civil, month)).contains(&day) {
        return Err(wrong());
    }
    let days = CivilDate { year: civil, month, day }.to_days();
    // Adding nothing checks the range.
    let days =
        days.ok_or_else(|| DataError::DateTextOutOfRange { text: format!("{year}-{month:02}-{day:02}") })?;
    add_days(days, 0)
        .map_err(|_| DataError::DateTextOutOfRange { text: format!("{year}-{month:02}-{day:02}") }.into())
}

fn make_time(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let wrong = || {
        let seconds = if second.fract() == 0.0 { format!("{second:02}") } else { format!("{second:05}") };
        Error::from(DataError::TimeFieldOutOfRange { text: format!("{hour:02}:{minute:02}:{seconds}") })
    };
    let micros = (second * 1e6).round_ties_even();
    if !(0..=24).contains(&hour)
        || !(0..60).contains(&minute)
        || !(0.0..=60_000_000.0).contains(&micros)
        || second.is_nan()
    {
        return Err(wrong());
    }
    let whole = CivilTime { hour, minute, second: 0, micros: 0 }.to_micros();
    let time = whole + micros as i64;
    if time > MICROS_PER_DAY { Err(wrong()) } else { Ok(time) }
}

fn make_timestamps(call: &mut Call<'_>, finish: impl Fn(usize, i64) -> Result<i64>) -> Result<()> {
    let parts = [0, 1, 2, 3, 4].map(|index| call.read::<i32>(index));
    let seconds = call.read::<f64>(5);
    call.write(|row| {
        let [year, month, day, hour, minute] = [0, 1, 2, 3, 4].map(|index| i32::get(&parts[index], row));
        let date = make_date(year, month, day)?;
        let time = make_time(hour, minute, f64::get(&seconds, row))?;
        finish(row, date_and_time(date, time)?)
    })
}

fn make_interval(call: &mut Call<'_>) -> Result<()> {
    let count = call.count();
    let parts: Vec<_> = (0..count.min(6)).map(|index| call.read::<i32>(index)).collect();
    let seconds = (count == 7).then(|| call.read::<f64>(6));
    call.write(|row| {
        let part = |index: usize| parts.get(index).map_or(0, |source| i32::get(source, row));
        let seconds = seconds.as_ref().map_or(0.0, |source| f64::get(source, row));
        if !seconds.is_finite() {
            return Err(DataError::DateTimeOutOfRange { ty: "interval" }.into());
        }
        let whole = || {
            let months = part(0).checked_mul(12)?.checked_add(part(1))?;
            let days = part(2).checked_mul(7)?.checked_add(part(3))?;
            let minutes = i64::from(part(4)) * 60 + i64::from(part(5));
            let micros = (seconds * 1e6).round_ties_even();
            if micros.abs() >= 9.2e18 {
                return None;
            }
            let micros = minutes.checked_mul(60 * SECOND)?.checked_add(micros as i64)?;
            Some(Interval::new(months, days, micros))
        };
        whole().ok_or_else(|| DataError::DateTimeOutOfRange { ty: "interval" }.into())
    })
}

/// Seconds since 1970.
fn from_unix(seconds: f64) -> Result<i64> {
    /// 1970-01-01 to 2000-01-01.
    const EPOCH: f64 = 946_684_800.0;
    if seconds.is_nan() {
        return Err(DataError::TimestampIsNan.into());
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { i64::MAX } else { i64::MIN });
    }
    let micros = ((seconds - EPOCH) * 1e6).round_ties_even();
    if micros.abs() >= 9.2e18 {
        return Err(DataError::UnixTimestampOutOfRange { text: format!("{seconds}") }.into());
    }
    add_interval(micros as i64, &Interval::default())
}

// ---- Zones ----

/// Seconds east of UTC of a zone's name. `+02` in this place is POSIX's, which counts to the west.
pub(super) fn zone_seconds(zone: &str) -> Result<i32> {
    let east = displacement(zone)?;
    Ok(if zone.starts_with(['+', '-']) { -east } else { east })
}

/// Seconds east of UTC of a zone's name, or as they stand in the text of a timestamp.
fn displacement(zone: &str) -> Result<i32> {
    let unknown = || Error::from(DataError::UnknownZone { name: zone.to_owned() });
    let moment = parse_timestamptz(&format!("2000-01-01 00:00:00 {zone}"), &TimeContext::default());
    // Midnight there is so much before midnight of UTC.
    i32::try_from(-moment.map_err(|_| unknown())? / SECOND).map_err(|_| unknown())
}

fn interval_zone(zone: &Interval) -> Result<i32> {
    if zone.months != 0 || zone.days != 0 {
        return Err(DataError::ZoneWithMonths.into());
    }
    i32::try_from(zone.micros / SECOND).map_err(|_| DataError::DateTimeOutOfRange { ty: "interval" }.into())
}

/// A timestamp moved by seconds.
fn in_zone(timestamp: i64, seconds: i32) -> Result<i64> {
    add_interval(timestamp, &Interval::new(0, 0, i64::from(seconds) * SECOND))
}
