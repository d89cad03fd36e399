//! Literals of intervals with fields: `interval '90' day`.

use super::not_supported;
use crate::error::Result;
use crate::expr::Expr;
use crate::parser::ast::IntervalFields;
use crate::types::{CastContext, DataType, Interval, TimeContext, Value};

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The interval that a text means with these fields: a bare number counts the last field, and what is smaller than
/// the last field is cut off.
pub(super) fn bind_interval(text: &str, fields: IntervalFields) -> Result<Expr> {
    let (unit, cut): (&str, fn(&Interval) -> Interval) = match fields {
        IntervalFields::Year => ("year", |v| Interval::new(v.months / 12 * 12, 0, 0)),
        IntervalFields::Month | IntervalFields::YearToMonth => ("month", |v| Interval::new(v.months, 0, 0)),
        IntervalFields::Day => ("day", |v| Interval::new(v.months, v.days, 0)),
        IntervalFields::Hour | IntervalFields::DayToHour => ("hour", |v| cut_time(v, 60 * MICROS_PER_MINUTE)),
        IntervalFields::Minute | IntervalFields::DayToMinute | IntervalFields::HourToMinute => {
            ("minute", |v| cut_time(v, MICROS_PER_MINUTE))
        }
        IntervalFields::Second | IntervalFields::DayToSecond | IntervalFields::HourToSecond => {
            ("second", |v| cut_time(v, 1))
        }
        IntervalFields::MinuteToSecond => return Err(not_supported("interval minute to second")),
    };
    let number = text.trim();
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c));
    // `1-2` is a year and two months.
    let is_number = is_number && !number.trim_start_matches(['+', '-']).contains('-');
    let text = if is_number { format!("{number} {unit}") } else { text.to_owned() };
    let value = Value::Text(text.into());
    match value.cast(&DataType::Interval, CastContext::Explicit, &TimeContext::default())? {
        Value::Interval(interval) => Ok(Expr::literal(Value::Interval(cut(&interval)))),
        other => Ok(Expr::Constant { value: other, ty: DataType::Interval }),
    }
}

fn cut_time(value: &Interval, unit: i64) -> Interval {
    Interval::new(value.months, value.days, value.micros / unit * unit)
}
