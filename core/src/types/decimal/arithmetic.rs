//! Arithmetic of decimals with the scales PostgreSQL gives its results.

use super::wide::{U256, multiply_divide};
use super::{Decimal, POW10};
use crate::error::{DataError, Result};
use std::cmp::Ordering;

/// Digits that a quotient shows at least.
const MIN_SIGNIFICANT_DIGITS: i32 = 16;
/// PostgreSQL keeps decimals in groups of four digits and counts a quotient's size in groups.
const GROUP_DIGITS: u32 = 4;

impl Decimal {
    /// Zero at a scale.
    pub const fn zero(scale: u8) -> Self {
        Self::new(0, scale)
    }

    fn from_magnitude(negative: bool, magnitude: u128, scale: u8) -> Option<Self> {
        if magnitude >= POW10[38].unsigned_abs() {
            return None;
        }
        let value = i128::try_from(magnitude).ok()?;
        Some(Self::new(if negative { -value } else { value }, scale))
    }

    /// `self + other` at the larger scale.
    ///
    /// # Errors
    /// 22003 over 38 digits.
    pub fn add(&self, other: &Self) -> Result<Self> {
        let scale = self.scale.max(other.scale);
        let sum = self.rescale(scale).zip(other.rescale(scale)).and_then(|(a, b)| {
            let value = a.value + b.value;
            Self::from_magnitude(value < 0, value.unsigned_abs(), scale)
        });
        sum.ok_or_else(|| DataError::NumericOverflow.into())
    }

    /// `self - other` at the larger scale.
    ///
    /// # Errors
    /// 22003 over 38 digits.
    pub fn subtract(&self, other: &Self) -> Result<Self> {
        self.add(&other.negate())
    }

    /// `-self`.
    #[must_use]
    pub fn negate(&self) -> Self {
        Self::new(-self.value, self.scale)
    }

    /// `|self|`.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self::new(self.value.abs(), self.scale)
    }

    /// `self * other` at the sum of the scales, or less if it has no more digits.
    ///
    /// # Errors
    /// 22003 over 38 digits.
    pub fn multiply(&self, other: &Self) -> Result<Self> {
        let negative = (self.value < 0) != (other.value < 0);
        let (a, b) = (self.value.unsigned_abs(), other.value.unsigned_abs());
        let full = self.scale + other.scale;
        if let Some(product) = U256::product(a, b).narrow()
            && let Some(exact) = Self::from_magnitude(negative, product, full)
            && full <= Self::MAX_DIGITS
        {
            return Ok(exact);
        }
        // Zeros at the end need not fit.
        (full.saturating_sub(Self::MAX_DIGITS)..=full)
            .filter_map(|drop| POW10.get(usize::from(drop)).map(|unit| (full - drop, unit.unsigned_abs())))
            .find_map(|(scale, unit)| {
                let magnitude = multiply_divide(a, b, unit)?;
                let is_exact = U256::product(magnitude, unit) == U256::product(a, b);
                Self::from_magnitude(negative, magnitude, scale).filter(|_| is_exact)
            })
            .ok_or_else(|| DataError::NumericOverflow.into())
    }

    /// `self / other` at the scale of PostgreSQL's `select_div_scale`: at least 16 significant digits and at least
    /// as many behind the point as the operands have; less if it has no more digits.
    ///
    /// # Errors
    /// 22012 by zero; 22003 over 38 digits.
    pub fn divide(&self, other: &Self) -> Result<Self> {
        if other.value == 0 {
            return Err(DataError::DivisionByZero.into());
        }
        let wanted = self.quotient_scale(other);
        let is_exact = |quotient: &Self| {
            quotient.multiply(other).is_ok_and(|product| product.compare(self) == Ordering::Equal)
        };
        (0..=wanted.min(Self::MAX_DIGITS))
            .rev()
            .find_map(|scale| self.divide_at(other, scale))
            .filter(|quotient| quotient.scale == wanted || is_exact(quotient))
            .ok_or_else(|| DataError::NumericOverflow.into())
    }

    /// `self / other` rounded to `scale`, or `None` if that takes more than 38 digits or `other` is zero.
    #[must_use]
    pub fn divide_at(&self, other: &Self, scale: u8) -> Option<Self> {
        let negative = (self.value < 0) != (other.value < 0);
        let (a, b) = (self.value.unsigned_abs(), other.value.unsigned_abs());
        // value = a * 10^shift / b
        let shift = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let power = |digits: i32| usize::try_from(digits).ok().and_then(|digits| POW10.get(digits));
        let magnitude = if shift > i32::from(Self::MAX_DIGITS) {
            // Past 38 the numerator is raised in two steps; it must still fit after the first.
            let first = a.checked_mul(power(shift - i32::from(Self::MAX_DIGITS))?.unsigned_abs())?;
            multiply_divide(first, POW10[38].unsigned_abs(), b)?
        } else if shift >= 0 {
            multiply_divide(a, power(shift)?.unsigned_abs(), b)?
        } else {
            match U256::product(b, power(-shift)?.unsigned_abs()).narrow() {
                Some(divisor) => multiply_divide(a, 1, divisor)?,
                // The divisor is over 2^128, the dividend below 2^127: less than a half.
                None => 0,
            }
        };
        Self::from_magnitude(negative, magnitude, scale)
    }

    fn quotient_scale(&self, other: &Self) -> u8 {
        let (weight1, first1) = self.leading_group();
        let (weight2, first2) = other.leading_group();
        let weight = weight1 - weight2 - i32::from(first1 <= first2);
        let scale = MIN_SIGNIFICANT_DIGITS - weight * GROUP_DIGITS as i32;
        let scale = scale.max(self.scale.into()).max(other.scale.into());
        u8::try_from(scale).unwrap_or(u8::MAX)
    }

    /// The place (in groups of four digits from the point) and the value of the first group that is not zero.
    fn leading_group(&self) -> (i32, u128) {
        let magnitude = self.value.unsigned_abs();
        if magnitude == 0 {
            return (0, 0);
        }
        // Position of the first digit: 0 is the units.
        let first = magnitude.ilog10() as i32 - i32::from(self.scale);
        let weight = first.div_euclid(GROUP_DIGITS as i32);
        // The group reaches down to the digit of 10^(4 * weight).
        let shift = weight * GROUP_DIGITS as i32 + i32::from(self.scale);
        let group = match usize::try_from(shift) {
            Ok(shift) => magnitude / POW10[shift].unsigned_abs(),
            // Fewer digits than the group has; at most three are missing.
            Err(_) => magnitude * 10u128.pow(shift.unsigned_abs()),
        };
        (weight, group)
    }

    /// The remainder of `self / other` truncated, with the sign of `self`, at the larger scale.
    ///
    /// # Errors
    /// 22012 by zero; 22003 if the remainder takes more than 38 digits at that scale.
    pub fn remainder(&self, other: &Self) -> Result<Self> {
        if other.value == 0 {
            return Err(DataError::DivisionByZero.into());
        }
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.value.unsigned_abs(), other.value.unsigned_abs());
        let up = |digits: u8| POW10[usize::from(digits)].unsigned_abs();
        let magnitude = match U256::product(b, up(scale - other.scale)).narrow() {
            Some(divisor) => U256::product(a, up(scale - self.scale)).remainder(divisor),
            // The divisor is larger than any decimal of this scale, hence than the dividend.
            None => match U256::product(a, up(scale - self.scale)).narrow() {
                Some(all) => all,
                None => return Err(DataError::NumericOverflow.into()),
            },
        };
        Self::from_magnitude(self.value < 0, magnitude, scale)
            .ok_or_else(|| DataError::NumericOverflow.into())
    }

    /// Rounded half away from zero to `places` behind the point; before it if negative.
    ///
    /// # Errors
    /// 22003 if rounding up makes a 39th digit.
    pub fn round(&self, places: i32) -> Result<Self> {
        self.cut(places, super::div_round)
    }

    /// Cut off at `places` behind the point; before it if negative.
    ///
    /// # Errors
    /// None in practice; shares its signature with [`round`](Self::round).
    pub fn truncate(&self, places: i32) -> Result<Self> {
        self.cut(places, |value, unit| value / unit)
    }

    /// The least whole number not below.
    #[must_use]
    pub fn ceil(&self) -> Self {
        let unit = POW10[usize::from(self.scale)];
        Self::new(self.value.div_euclid(unit) + i128::from(self.value.rem_euclid(unit) != 0), 0)
    }

    /// The greatest whole number not above.
    #[must_use]
    pub fn floor(&self) -> Self {
        Self::new(self.value.div_euclid(POW10[usize::from(self.scale)]), 0)
    }

    /// The sign as -1, 0 or 1.
    pub fn signum(&self) -> i32 {
        match self.value.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
    }

    fn cut(&self, places: i32, divide: fn(i128, i128) -> i128) -> Result<Self> {
        let limit = i32::from(Self::MAX_DIGITS);
        let places = places.clamp(-limit - 1, limit);
        let scale = u8::try_from(places).unwrap_or(0);
        let Ok(drop) = usize::try_from(i32::from(self.scale) - places) else {
            // More places than there are digits: shown with zeros, if they fit.
            return Ok(self.rescale(scale).unwrap_or(*self));
        };
        let back = usize::try_from(-places).unwrap_or(0);
        let (Some(&unit), Some(&back)) = (POW10.get(drop), POW10.get(back)) else {
            // The unit is above twice any decimal.
            return Ok(Self::zero(scale));
        };
        divide(self.value, unit)
            .checked_mul(back)
            .and_then(|value| Self::from_magnitude(value < 0, value.unsigned_abs(), scale))
            .ok_or_else(|| DataError::NumericOverflow.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn quotients_have_postgres_scales() {
        for (a, b, expected) in [
            ("1.0", "3", "0.33333333333333333333"),
            ("2", "3.0", "0.66666666666666666667"),
            ("100", "3.0", "33.3333333333333333"),
            ("1", "7.00000", "0.14285714285714285714"),
            ("1e10", "3", "3333333333.33333333"),
            ("1.0", "30000", "0.000033333333333333333333"),
            ("0.001", "3", "0.00033333333333333333"),
            ("123456789012345678901234567890", "7.0", "17636684144620811271604938270.0"),
            ("22.0", "7", "3.1428571428571429"),
            ("0", "3.0", "0.00000000000000000000"),
            ("9999.0", "3", "3333.0000000000000000"),
            ("10000.0", "3", "3333.3333333333333333"),
            ("-3", "2", "-1.5000000000000000"),
            ("3.75", "2", "1.8750000000000000"),
        ] {
            assert_eq!(d(a).divide(&d(b)).unwrap().to_string(), expected, "{a} / {b}");
        }
        assert_eq!(d("1").divide(&d("0.0")).unwrap_err().sqlstate().0, "22012");
        let third = d("99999999999999999999999999999999999999").divide(&d("0.3")).unwrap_err();
        assert_eq!(third.to_string(), "value overflows numeric format");
    }

    #[test]
    fn sums_and_products_keep_digits() {
        assert_eq!(d("1.5").add(&d("1.25")).unwrap(), d("2.75"));
        assert_eq!(d("1.5").subtract(&d("1.250")).unwrap(), d("0.250"));
        assert_eq!(d("1.5").multiply(&d("-1.25")).unwrap(), d("-1.875"));
        assert_eq!(d("-5.5").remainder(&d("2")).unwrap(), d("-1.5"));
        assert_eq!(d("1e37").remainder(&d("0.03")).unwrap(), d("0.01"));
        let digits = d("0.12345678901234567890123456789");
        assert!(digits.multiply(&digits).is_err());
        assert!(d("1e-20").multiply(&d("1e-20")).is_err());
        let zeros = d("0.10000000000000000000");
        assert_eq!(zeros.multiply(&zeros).unwrap().to_string(), format!("0.01{}", "0".repeat(36)));
        // A quotient has PostgreSQL's scale, or all its digits.
        assert!(d("1e-30").divide(&d("3")).is_err());
        assert_eq!(d("1e-30").divide(&d("2")).unwrap().compare(&d("5e-31")), Ordering::Equal);
        assert!(d("1e20").multiply(&d("1e20")).is_err());
        assert!(Decimal::new(POW10[38] - 1, 0).add(&d("1")).is_err());
    }

    #[test]
    fn rounds_at_either_side_of_the_point() {
        for (a, places, rounded, truncated) in [
            ("2.5", 0, "3", "2"),
            ("-2.5", 0, "-3", "-2"),
            ("1.255", 2, "1.26", "1.25"),
            ("123.45", -1, "120", "120"),
            ("155", -1, "160", "150"),
            ("155", -4, "0", "0"),
            ("155", -100, "0", "0"),
            ("1.5", 3, "1.500", "1.500"),
        ] {
            assert_eq!(d(a).round(places).unwrap().to_string(), rounded);
            assert_eq!(d(a).truncate(places).unwrap().to_string(), truncated);
        }
        assert_eq!((d("1.2").ceil(), d("-1.2").ceil(), d("-1.2").floor()), (d("2"), d("-1"), d("-2")));
        assert_eq!((d("-0.1").signum(), d("0.0").signum(), d("7").signum()), (-1, 0, 1));
    }
}
