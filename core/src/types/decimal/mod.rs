//! Exact decimals: an integer of up to 38 digits and a scale, after the `numeric` of PostgreSQL.
//!
//! A column `numeric(p,s)` stores `value` alone, as i64 or i128, because its scale is the type's. A column
//! `numeric` without modifiers stores the *packed* form, `value << 6 | scale`, which leaves room for 36 digits.
//!
//! Invariants:
//! 1. `|value| < 10^38` and `scale <= 38`.
//! 2. A sum, product or quotient that has more digits is an overflow error; none are rounded away.

mod arithmetic;
mod text;
mod wide;

use crate::error::{DataError, Error, Result};
use std::cmp::Ordering;

/// Powers of ten that fit.
pub(crate) const POW10: [i128; 39] = {
    let mut table = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// `value / 10^scale`. Equality is of representation (1.0 is not 1.00); SQL's is [`Decimal::compare`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Decimal {
    /// The digits with their sign.
    pub value: i128,
    /// How many of them are behind the point.
    pub scale: u8,
}

impl Decimal {
    /// The largest scale and number of digits.
    pub const MAX_DIGITS: u8 = 38;
    /// Digits of a packed decimal.
    pub const PACKED_DIGITS: u8 = 36;
    const SCALE_BITS: u32 = 6;

    /// `value / 10^scale`.
    pub const fn new(value: i128, scale: u8) -> Self {
        Self { value, scale }
    }

    /// SQL's order: by number, whatever the scales.
    pub fn compare(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.value.cmp(&other.value);
        }
        // Whole parts first; then the fractions, which fit 38 digits at any scale.
        let split = |d: &Self| {
            let unit = POW10[usize::from(d.scale.min(Self::MAX_DIGITS))];
            (d.value / unit, (d.value % unit) * (POW10[38] / unit))
        };
        split(self).cmp(&split(other))
    }

    /// The same number with `scale` digits behind the point, rounded half away from zero; `None` if that takes
    /// more than 38 digits.
    #[must_use]
    pub fn rescale(&self, scale: u8) -> Option<Self> {
        let value = match scale.checked_sub(self.scale) {
            Some(up) => self.value.checked_mul(*POW10.get(usize::from(up))?)?,
            None => POW10.get(usize::from(self.scale - scale)).map_or(0, |unit| div_round(self.value, *unit)),
        };
        (value.unsigned_abs() < POW10[38].unsigned_abs()).then_some(Self { value, scale })
    }

    /// The digits of this number as a `numeric(precision,scale)`, rounded half away from zero.
    ///
    /// # Errors
    /// 22003 if they are more than `precision`.
    pub fn fit(&self, precision: u8, scale: u8) -> Result<i128> {
        let limit = POW10[usize::from(precision.min(Self::MAX_DIGITS))];
        match self.rescale(scale) {
            Some(d) if d.value.unsigned_abs() < limit.unsigned_abs() => Ok(d.value),
            _ => Err(field_overflow(precision, scale)),
        }
    }

    /// The one-word form of a `numeric` without modifiers: integers of equal scale compare as the numbers do.
    /// Rounds digits behind the point away if there are more than 36; `None` if there are more before it.
    pub fn pack(&self) -> Option<i128> {
        let mut fit = *self;
        while fit.value.unsigned_abs() >= POW10[usize::from(Self::PACKED_DIGITS)].unsigned_abs() {
            fit = self.rescale(fit.scale.checked_sub(1)?)?;
        }
        Some((fit.value << Self::SCALE_BITS) | i128::from(fit.scale))
    }

    /// The decimal of a packed word; of a damaged one, some decimal.
    pub fn unpack(word: i128) -> Self {
        // The mask leaves six bits.
        let scale = (word & ((1 << Self::SCALE_BITS) - 1)) as u8;
        Self { value: word >> Self::SCALE_BITS, scale: scale.min(Self::MAX_DIGITS) }
    }
}

/// The error of a number too large for `numeric(precision,scale)`.
fn field_overflow(precision: u8, scale: u8) -> Error {
    let bound = match precision.saturating_sub(scale) {
        0 => "1".to_owned(),
        whole => format!("10^{whole}"),
    };
    Error::from(DataError::NumericFieldOverflow).with_detail(format!(
        "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
    ))
}

/// `a / b` rounded half away from zero, for positive `b`.
pub(crate) fn div_round(a: i128, b: i128) -> i128 {
    let (quotient, rest) = (a / b, a % b);
    if rest.unsigned_abs() >= b.unsigned_abs() - rest.unsigned_abs() {
        quotient + a.signum()
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_across_scales() {
        let d = Decimal::new;
        assert_eq!(d(100, 2).compare(&d(1, 0)), Ordering::Equal);
        assert_eq!(d(-101, 2).compare(&d(-1, 0)), Ordering::Less);
        assert_eq!(d(POW10[38] - 1, 0).compare(&d(1, 38)), Ordering::Greater);
        assert_eq!(d(-5, 1).compare(&d(4, 1)), Ordering::Less);
    }

    #[test]
    fn rescales_half_away_from_zero() {
        assert_eq!(Decimal::new(25, 1).rescale(0), Some(Decimal::new(3, 0)));
        assert_eq!(Decimal::new(-25, 1).rescale(0), Some(Decimal::new(-3, 0)));
        assert_eq!(Decimal::new(24, 1).rescale(0), Some(Decimal::new(2, 0)));
        assert_eq!(Decimal::new(1, 0).rescale(38), None);
        assert_eq!(Decimal::new(POW10[38] - 1, 38).rescale(0), Some(Decimal::new(1, 0)));
    }

    #[test]
    fn packs_what_fits() {
        for d in [Decimal::new(-12345, 2), Decimal::new(0, 38), Decimal::new(POW10[36] - 1, 3)] {
            assert_eq!(Decimal::unpack(d.pack().unwrap()), d);
        }
        let long = Decimal::new(POW10[37], 5);
        assert_eq!(Decimal::unpack(long.pack().unwrap()), Decimal::new(POW10[35], 3));
        assert_eq!(Decimal::new(POW10[37], 0).pack(), None);
    }
}
