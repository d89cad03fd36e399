//! `to_char`, `to_date`, `to_timestamp` and `to_number`: values as text by a template, and back.
//!
//! A template of dates is a list of fields among other text: `YYYY-MM-DD HH24:MI`. `datetime.rs` cuts it and writes
//! it, `reading.rs` reads by it. A template of numbers is a picture of digits: `FM999,990.00`; see `number.rs`.
//!
//! 1. A template is cut once for all rows of a chunk where it is a constant.
//! 2. Writing never fails on a value; reading fails with the words that PostgreSQL has for what it met.
//! 3. What a template cannot do in one direction is refused in that direction only.

mod datetime;
mod number;
mod reading;

use super::{BIGINT, DOUBLE, INTEGER, INTERVAL, NUMERIC, REAL, TEXT, TIMESTAMP, TIMESTAMPTZ, function};
use crate::error::Result;
use crate::expr::eval::{Call, binary};
use crate::expr::function::Function;
use crate::types::datetime::{add_interval, local_to_utc, utc_to_local};
use crate::types::{DataType, Decimal, Interval};
use datetime::{Moment, Template};
use number::Picture;

const STRING: DataType = DataType::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    function("to_char", &[TIMESTAMP, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |timestamp: i64, template: &str| {
            let template = cache.get(template, Template::new);
            Ok(Moment::of_timestamp(timestamp, None).and_then(|moment| template.write(&moment)))
        })
    })
    .nullable(),
    function("to_char", &[TIMESTAMPTZ, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        let times = call.context.times;
        binary(call, |timestamp: i64, template: &str| {
            let local = utc_to_local(timestamp, &times)?;
            let template = cache.get(template, Template::new);
            let moment = Moment::of_timestamp(local, Some(times.zone_seconds));
            Ok(moment.and_then(|moment| template.write(&moment)))
        })
    })
    .nullable()
    .stable(),
    function("to_char", &[INTERVAL, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |interval: Interval, template: &str| {
            Ok(cache.get(template, Template::new).write(&Moment::of_interval(&interval)))
        })
    })
    .nullable(),
    function("to_char", &[INTEGER, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |value: i32, picture: &str| {
            number_text(&mut cache, picture, Decimal::from(i64::from(value)))
        })
    }),
    function("to_char", &[BIGINT, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |value: i64, picture: &str| number_text(&mut cache, picture, Decimal::from(value)))
    }),
    function("to_char", &[NUMERIC, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |value: Decimal, picture: &str| number_text(&mut cache, picture, value))
    }),
    function("to_char", &[REAL, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |value: f32, picture: &str| number_text(&mut cache, picture, Decimal::from_f32(value)?))
    }),
    function("to_char", &[DOUBLE, TEXT], STRING, |call| {
        let mut cache = Cache::default();
        binary(call, |value: f64, picture: &str| number_text(&mut cache, picture, Decimal::from_f64(value)?))
    }),
    function("to_date", &[TEXT; 2], DataType::Date, |call| {
        let mut cache = Cache::default();
        binary(call, |text: &str, template: &str| {
            let fields = reading::read(cache.get(template, Template::new), text)?;
            fields.date(text)
        })
    }),
    function("to_timestamp", &[TEXT; 2], DataType::TimestampTz, to_timestamp).stable(),
    function("to_number", &[TEXT; 2], DataType::AnyNumeric, |call| {
        let mut cache = Cache::default();
        binary(call, |text: &str, picture: &str| {
            Ok(match cache.get(picture, Picture::new) {
                Ok(picture) => picture.read(text)?,
                Err(problem) => return Err(problem.error()),
            })
        })
    })
    .nullable(),
];

/// The last template, which is nearly always the next.
struct Cache<T> {
    last: Option<(String, T)>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { last: None }
    }
}

impl<T> Cache<T> {
    fn get(&mut self, text: &str, make: impl FnOnce(&str) -> T) -> &T {
        if self.last.as_ref().is_some_and(|(known, _)| known != text) {
            self.last = None;
        }
        let (_, made) = self.last.get_or_insert_with(|| (text.to_owned(), make(text)));
        made
    }
}

fn number_text(
    cache: &mut Cache<std::result::Result<Picture, number::Problem>>,
    picture: &str,
    value: Decimal,
) -> Result<String> {
    match cache.get(picture, Picture::new) {
        Ok(picture) => picture.write(value),
        Err(problem) => Err(problem.error()),
    }
}

fn to_timestamp(call: &mut Call<'_>) -> Result<()> {
    let mut cache = Cache::default();
    let times = call.context.times;
    binary(call, |text: &str, template: &str| {
        let fields = reading::read(cache.get(template, Template::new), text)?;
        let local = fields.timestamp(text)?;
        match fields.zone() {
            None => local_to_utc(local, &times),
            Some(east) => add_interval(local, &Interval::new(0, 0, -i64::from(east) * 1_000_000)),
        }
    })
}
