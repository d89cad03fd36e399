//! Decimals as text and as floats.

use super::{Decimal, POW10, field_overflow};
use crate::error::{DataError, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

impl FromStr for Decimal {
    type Err = crate::Error;

    /// Reads PostgreSQL's forms: `12`, `-.5`, `1.50`, `1e-3`, blanks around it. Zeros at the end of a fraction are
    /// left out where it is too long.
    ///
    /// # Errors
    /// 22P02 if it is no number; 22003 over 38 digits, before or behind the point or together; 0A000 for NaN and the
    /// infinities, which this `numeric` has not.
    fn from_str(text: &str) -> Result<Self> {
        read(text, Excess::Refused)
    }
}

/// What becomes of the digits behind the point that a decimal has no place for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Excess {
    Refused,
    Rounded,
}

/// A decimal's text.
fn read(text: &str, excess: Excess) -> Result<Decimal> {
    let invalid = || DataError::invalid_text("numeric", text);
    let number = text.trim_ascii();
    let (negative, unsigned) = match number.as_bytes() {
        [b'-', ..] => (true, &number[1..]),
        [b'+', ..] => (false, &number[1..]),
        _ => (false, number),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        for (name, value) in [("nan", "NaN"), ("infinity", "infinity"), ("inf", "infinity")] {
            if unsigned.eq_ignore_ascii_case(name) && !(name == "nan" && unsigned.len() != number.len()) {
                return Err(DataError::CannotConvert { value, ty: "numeric" }.into());
            }
        }
        return Err(invalid().into());
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        None => (unsigned, 0),
        Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..]).ok_or_else(invalid)?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|c| c.is_ascii_digit()) {
        return Err(invalid().into());
    }
    let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent);
    let leading_zeros = digits().take_while(|&c| c == b'0').count();
    let significant = i64::try_from(whole.len() + fraction.len() - leading_zeros).unwrap_or(i64::MAX);
    assemble(negative, digits().skip(leading_zeros), significant, scale, excess)
        .ok_or_else(|| DataError::NumericOverflow.into())
}

/// An exponent, limited to where every number is zero or overflows.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let limit = 1_000_000_000;
    let exponent = digits.parse().map_or(limit, |e: i64| e.min(limit));
    Some(if text.starts_with('-') { -exponent } else { exponent })
}

/// `digits`, of which there are `count` and the first is not 0, times 10^-scale, if it fits.
fn assemble(
    negative: bool,
    mut digits: impl Iterator<Item = u8>,
    count: i64,
    scale: i64,
    excess: Excess,
) -> Option<Decimal> {
    let max = i64::from(Decimal::MAX_DIGITS);
    if count == 0 {
        return Some(Decimal::zero(u8::try_from(scale.clamp(0, max)).ok()?));
    }
    // Digits to drop from the end: those past the largest scale and those past the largest number.
    let drop = (scale - max).max(count - max).max(0);
    if drop > scale.max(0) || count - scale > max {
        return None;
    }
    let keep = count - drop;
    let mut value = 0i128;
    for _ in 0..keep.max(0) {
        value = value * 10 + i128::from(digits.next()? - b'0');
    }
    if drop > 0 {
        match excess {
            Excess::Refused if keep < 0 || digits.any(|digit| digit != b'0') => return None,
            Excess::Refused => {}
            Excess::Rounded => {
                value += i128::from(keep >= 0 && digits.next().is_some_and(|digit| digit >= b'5'));
            }
        }
    }
    let scale = scale - drop;
    // A negative scale means trailing zeros; their number was limited above.
    value = value.checked_mul(*POW10.get(usize::try_from((-scale).max(0)).ok()?)?)?;
    let decimal = Decimal::new(if negative { -value } else { value }, u8::try_from(scale.max(0)).ok()?);
    if value < POW10[38] { Some(decimal) } else { decimal.rescale(decimal.scale.checked_sub(1)?) }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.value < 0 { "-" } else { "" };
        let magnitude = self.value.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{magnitude}");
        }
        let unit = 10u128.pow(self.scale.min(Self::MAX_DIGITS).into());
        write!(f, "{sign}{}.{:0width$}", magnitude / unit, magnitude % unit, width = usize::from(self.scale))
    }
}

impl Decimal {
    /// Reads a `numeric(precision,scale)`, rounded half away from zero.
    ///
    /// # Errors
    /// As for text of any decimal, but 22003 says what the type can hold.
    pub fn parse_fitting(text: &str, precision: u8, scale: u8) -> Result<Self> {
        match read(text, Excess::Rounded) {
            Ok(decimal) => Ok(Self::new(decimal.fit(precision, scale)?, scale)),
            Err(e) if matches!(e.kind(), ErrorKind::Data(DataError::NumericOverflow)) => {
                Err(field_overflow(precision, scale))
            }
            Err(e) => Err(e),
        }
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        // Both operands are exact, so that the quotient is rounded once.
        if self.value.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS && self.scale <= 22 {
            return self.value as f64 / 10f64.powi(self.scale.into());
        }
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The nearest float.
    pub fn to_f32(&self) -> f32 {
        self.to_string().parse().unwrap_or(f32::NAN)
    }

    /// The decimal of the 15 leading digits of a float, as PostgreSQL converts it, to 38 places behind the point.
    ///
    /// # Errors
    /// 0A000 for NaN and infinities; 22003 over 38 digits.
    pub fn from_f64(value: f64) -> Result<Self> {
        Self::from_digits(value, format_args!("{value:.*e}", 14))
    }

    /// The decimal of the 6 leading digits of a float, as PostgreSQL converts it, to 38 places behind the point.
    ///
    /// # Errors
    /// 0A000 for NaN and infinities; 22003 over 38 digits.
    pub fn from_f32(value: f32) -> Result<Self> {
        Self::from_digits(value.into(), format_args!("{value:.*e}", 5))
    }

    fn from_digits(value: f64, text: fmt::Arguments<'_>) -> Result<Self> {
        if !value.is_finite() {
            let value = if value.is_nan() { "NaN" } else { "infinity" };
            return Err(DataError::CannotConvert { value, ty: "numeric" }.into());
        }
        let text = text.to_string();
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        // As %g prints it: without trailing zeros.
        let mantissa = mantissa.trim_end_matches('0');
        read(&format!("{mantissa}e{exponent}"), Excess::Rounded)
    }

    /// The nearest integer, half away from zero.
    pub fn to_i128(&self) -> i128 {
        super::div_round(self.value, POW10[usize::from(self.scale.min(Self::MAX_DIGITS))])
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self::new(value.into(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(text.parse::<Decimal>().unwrap().to_string(), expected, "{text}");
    }

    #[test]
    fn reads_what_postgres_reads() {
        check(" 1.50 ", "1.50");
        check("1e3", "1000");
        check("1.5e-3", "0.0015");
        check("1.25e1", "12.5");
        check(".5", "0.5");
        check("5.", "5");
        check("+1", "1");
        check("-000.10", "-0.10");
        check("0e-5", "0.00000");
        check("-0.0", "0.0");
        for text in ["abc", ".", "1e", "", " ", "1 2", "--1", "1e5x", "1e+", "0x10", "1_0", "+nan", "."] {
            let error = text.parse::<Decimal>().unwrap_err();
            assert_eq!(error.to_string(), format!("invalid input syntax for type numeric: \"{text}\""));
            assert_eq!(error.sqlstate().0, "22P02");
        }
        assert_eq!("NaN".parse::<Decimal>().unwrap_err().to_string(), "cannot convert NaN to numeric");
        assert_eq!("-Inf".parse::<Decimal>().unwrap_err().to_string(), "cannot convert infinity to numeric");
    }

    #[test]
    fn what_does_not_fit_is_refused_or_rounded_on_demand() {
        let nines = "9".repeat(38);
        check(&nines, &nines);
        check(&format!("{nines}.000"), &nines);
        check(&format!("0.{nines}00"), &format!("0.{nines}"));
        check("1e-38", &format!("0.{}1", "0".repeat(37)));
        check("0e-1000000000000", &format!("0.{}", "0".repeat(38)));
        for (text, rounded) in [
            (format!("{nines}.4"), Some(nines.clone())),
            (format!("0.{nines}4"), Some(format!("0.{nines}"))),
            (format!("0.{nines}5"), Some("1.0000000000000000000000000000000000000".to_owned())),
            ("6e-39".to_owned(), Some(format!("0.{}1", "0".repeat(37)))),
            ("1e-1000000000000".to_owned(), Some(format!("0.{}", "0".repeat(38)))),
            (format!("{nines}.5"), None),
            (format!("1{nines}"), None),
            ("1e38".to_owned(), None),
            ("1e99999999999999999999".to_owned(), None),
        ] {
            assert_eq!(
                text.parse::<Decimal>().unwrap_err().to_string(),
                "value overflows numeric format",
                "{text}"
            );
            assert_eq!(read(&text, Excess::Rounded).ok().map(|d| d.to_string()), rounded, "{text}");
        }
    }

    #[test]
    fn floats_convert_by_their_digits() {
        let decimal = |v: f64| Decimal::from_f64(v).unwrap().to_string();
        assert_eq!(decimal(0.1), "0.1");
        assert_eq!(decimal(1e20), "100000000000000000000");
        assert_eq!(decimal(1.234_567_890_123_456_7), "1.23456789012346");
        assert_eq!(decimal(-0.0), "0");
        assert_eq!(Decimal::from_f32(123_456_789.123).unwrap().to_string(), "123457000");
        assert_eq!(Decimal::from_f32(0.1).unwrap().to_string(), "0.1");
        assert!(Decimal::from_f64(f64::INFINITY).is_err() && Decimal::from_f64(1e50).is_err());
        assert_eq!("0.1".parse::<Decimal>().unwrap().to_f64(), 0.1);
        assert_eq!(Decimal::new(POW10[38] - 1, 10).to_f64(), 1e28);
        assert_eq!(Decimal::new(-25, 1).to_i128(), -3);
    }
}
