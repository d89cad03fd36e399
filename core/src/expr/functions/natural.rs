//! Natural numbers of any size and decimals of any precision, as far as roots, exponentials and logarithms of
//! `numeric` need them: results must be right to the last of up to 38 digits.

use std::cmp::Ordering;

/// A natural number: 32-bit digits, the least significant first, without leading zeros.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Natural {
    digits: Vec<u32>,
}

const BITS: u32 = 32;

impl Natural {
    pub(super) fn new(mut value: u128) -> Self {
        let mut digits = Vec::new();
        while value > 0 {
            // The low half of the low half.
            digits.push(value as u32);
            value >>= BITS;
        }
        Self { digits }
    }

    pub(super) fn power_of_ten(exponent: u32) -> Self {
        Self::new(10).power(exponent)
    }

    pub(super) fn power(&self, mut exponent: u32) -> Self {
        let (mut result, mut square) = (Self::new(1), self.clone());
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result.multiply(&square);
            }
            exponent >>= 1;
            if exponent > 0 {
                square = square.multiply(&square);
            }
        }
        result
    }

    pub(super) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The number, if it fits.
    pub(super) fn narrow(&self) -> Option<u128> {
        if self.digits.len() > 4 {
            return None;
        }
        Some(self.digits.iter().rev().fold(0, |value, digit| value << BITS | u128::from(*digit)))
    }

    fn bit_length(&self) -> usize {
        match self.digits.last() {
            None => 0,
            Some(top) => self.digits.len() * BITS as usize - top.leading_zeros() as usize,
        }
    }

    fn trimmed(mut digits: Vec<u32>) -> Self {
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self { digits }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let lengths = self.digits.len().cmp(&other.digits.len());
        lengths.then_with(|| self.digits.iter().rev().cmp(other.digits.iter().rev()))
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (long, short) =
            if self.digits.len() >= other.digits.len() { (self, other) } else { (other, self) };
        let mut carry = 0u64;
        let mut digits = Vec::with_capacity(long.digits.len() + 1);
        for (i, digit) in long.digits.iter().enumerate() {
            carry += u64::from(*digit) + short.digits.get(i).map_or(0, |d| u64::from(*d));
            digits.push(carry as u32);
            carry >>= BITS;
        }
        digits.push(carry as u32);
        Self::trimmed(digits)
    }

    /// `self - other`, which is not larger.
    pub(super) fn subtract(&self, other: &Self) -> Self {
        let mut borrow = 0i64;
        let mut digits = Vec::with_capacity(self.digits.len());
        for (i, digit) in self.digits.iter().enumerate() {
            borrow += i64::from(*digit) - other.digits.get(i).map_or(0, |d| i64::from(*d));
            digits.push(borrow as u32);
            borrow >>= BITS;
        }
        Self::trimmed(digits)
    }

    pub(super) fn multiply(&self, other: &Self) -> Self {
        let mut digits = vec![0u32; self.digits.len() + other.digits.len() + 1];
        for (i, a) in self.digits.iter().enumerate() {
            let mut carry = 0u64;
            for (j, b) in other.digits.iter().enumerate() {
                carry += u64::from(*a) * u64::from(*b) + u64::from(digits[i + j]);
                digits[i + j] = carry as u32;
                carry >>= BITS;
            }
            digits[i + other.digits.len()] = carry as u32;
        }
        Self::trimmed(digits)
    }

    fn shift_left(&self, bits: usize) -> Self {
        let (whole, part) = (bits / BITS as usize, (bits % BITS as usize) as u32);
        let mut digits = vec![0; whole];
        let mut carry = 0u64;
        for digit in &self.digits {
            carry |= u64::from(*digit) << part;
            digits.push(carry as u32);
            carry >>= BITS;
        }
        digits.push(carry as u32);
        Self::trimmed(digits)
    }

    fn shift_right(&self, bits: usize) -> Self {
        let (whole, part) = (bits / BITS as usize, (bits % BITS as usize) as u32);
        let at = |i: usize| u64::from(self.digits.get(i).copied().unwrap_or(0));
        let digits = (whole..self.digits.len()).map(|i| ((at(i) | at(i + 1) << BITS) >> part) as u32);
        Self::trimmed(digits.collect())
    }

    /// The quotient by a divisor that is not zero, and the rest.
    pub(super) fn divide(&self, divisor: &Self) -> (Self, Self) {
        if self.compare(divisor).is_lt() {
            return (Self::new(0), self.clone());
        }
        let Some(&top) = divisor.digits.last() else { return (Self::new(0), self.clone()) };
        if divisor.digits.len() == 1 {
            let mut rest = 0u64;
            let mut digits = vec![0; self.digits.len()];
            for (i, digit) in self.digits.iter().enumerate().rev() {
                rest = rest << BITS | u64::from(*digit);
                digits[i] = (rest / u64::from(top)) as u32;
                rest %= u64::from(top);
            }
            return (Self::trimmed(digits), Self::new(rest.into()));
        }
        // Knuth's algorithm D: the divisor's first bit is set, so that two digits estimate a quotient's digit well.
        let shift = top.leading_zeros() as usize;
        let divisor = divisor.shift_left(shift);
        let mut rest = self.shift_left(shift).digits;
        rest.push(0);
        let n = divisor.digits.len();
        let (first, second) = (u64::from(divisor.digits[n - 1]), u64::from(divisor.digits[n - 2]));
        let mut quotient = vec![0; rest.len() - n];
        for j in (0..rest.len() - n).rev() {
            let head = u64::from(rest[j + n]) << BITS | u64::from(rest[j + n - 1]);
            let (mut guess, mut left) = (head / first, head % first);
            while guess >> BITS != 0 || guess * second > (left << BITS | u64::from(rest[j + n - 2])) {
                guess -= 1;
                left += first;
                if left >> BITS != 0 {
                    break;
                }
            }
            let mut borrow = 0i64;
            let mut carry = 0u64;
            for i in 0..n {
                carry += guess * u64::from(divisor.digits[i]);
                borrow += i64::from(rest[i + j]) - i64::from(carry as u32);
                rest[i + j] = borrow as u32;
                borrow >>= BITS;
                carry >>= BITS;
            }
            borrow += i64::from(rest[j + n]) - carry as i64;
            rest[j + n] = borrow as u32;
            if borrow < 0 {
                // The guess was one too large.
                guess -= 1;
                let mut carry = 0u64;
                for i in 0..n {
                    carry += u64::from(rest[i + j]) + u64::from(divisor.digits[i]);
                    rest[i + j] = carry as u32;
                    carry >>= BITS;
                }
                rest[j + n] = rest[j + n].wrapping_add(carry as u32);
            }
            quotient[j] = guess as u32;
        }
        (Self::trimmed(quotient), Self::trimmed(rest).shift_right(shift))
    }

    /// The quotient rounded half up.
    pub(super) fn divide_rounded(&self, divisor: &Self) -> Self {
        let (quotient, rest) = self.divide(divisor);
        if rest.add(&rest).compare(divisor).is_ge() { quotient.add(&Self::new(1)) } else { quotient }
    }

    /// The square root rounded down.
    pub(super) fn square_root(&self) -> Self {
        if self.is_zero() {
            return self.clone();
        }
        // Newton's method from above.
        let mut root = Self::new(1).shift_left(self.bit_length().div_ceil(2));
        loop {
            let (quotient, _) = self.divide(&root);
            let next = root.add(&quotient).shift_right(1);
            if next.compare(&root).is_ge() {
                return root;
            }
            root = next;
        }
    }
}

/// A number with a sign and `places` decimal digits behind the point, in the fixed-point arithmetic of one
/// calculation.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) negative: bool,
    pub(super) magnitude: Natural,
}

/// Fixed-point arithmetic with so many digits behind the point.
pub(super) struct Calculator {
    unit: Natural,
}

impl Calculator {
    pub(super) fn new(places: u32) -> Self {
        Self { unit: Natural::power_of_ten(places) }
    }

    /// `digits / 10^scale`.
    pub(super) fn number(&self, digits: i128, scale: u32) -> Fixed {
        let product = Natural::new(digits.unsigned_abs()).multiply(&self.unit);
        let magnitude = product.divide_rounded(&Natural::power_of_ten(scale));
        Fixed { negative: digits < 0, magnitude }
    }

    /// The digits of a number with `scale` of them behind the point, rounded half away from zero.
    pub(super) fn digits(&self, number: &Fixed, scale: u32) -> Option<i128> {
        let scaled = number.magnitude.multiply(&Natural::power_of_ten(scale)).divide_rounded(&self.unit);
        let value = i128::try_from(scaled.narrow()?).ok()?;
        Some(if number.negative { -value } else { value })
    }

    pub(super) fn add(&self, a: &Fixed, b: &Fixed) -> Fixed {
        if a.negative == b.negative {
            return Fixed { negative: a.negative, magnitude: a.magnitude.add(&b.magnitude) };
        }
        if a.magnitude.compare(&b.magnitude).is_ge() {
            Fixed { negative: a.negative, magnitude: a.magnitude.subtract(&b.magnitude) }
        } else {
            Fixed { negative: b.negative, magnitude: b.magnitude.subtract(&a.magnitude) }
        }
    }

    pub(super) fn multiply(&self, a: &Fixed, b: &Fixed) -> Fixed {
        let magnitude = a.magnitude.multiply(&b.magnitude).divide(&self.unit).0;
        Fixed { negative: a.negative != b.negative, magnitude }
    }

    /// `a / b`, which is not zero.
    pub(super) fn divide(&self, a: &Fixed, b: &Fixed) -> Fixed {
        let magnitude = a.magnitude.multiply(&self.unit).divide(&b.magnitude).0;
        Fixed { negative: a.negative != b.negative, magnitude }
    }

    fn one(&self) -> Fixed {
        Fixed { negative: false, magnitude: self.unit.clone() }
    }

    /// `e^x`, by its series after `x` was halved until it is small.
    pub(super) fn exponential(&self, x: &Fixed) -> Fixed {
        let bits = x.magnitude.bit_length().saturating_sub(self.unit.bit_length());
        let halvings = bits + 8;
        let small = Fixed { negative: x.negative, magnitude: x.magnitude.shift_right(halvings) };
        let (mut sum, mut term) = (self.one(), self.one());
        for n in 1u32.. {
            term = self.multiply(&term, &small);
            term.magnitude = term.magnitude.divide(&Natural::new(n.into())).0;
            if term.magnitude.is_zero() {
                break;
            }
            sum = self.add(&sum, &term);
        }
        for _ in 0..halvings {
            sum = self.multiply(&sum, &sum);
        }
        sum
    }

    /// The natural logarithm of a positive number: a power of two is taken out, the rest goes through the series of
    /// the inverse hyperbolic tangent.
    pub(super) fn logarithm(&self, x: &Fixed) -> Fixed {
        let (have, one) = (x.magnitude.bit_length(), self.unit.bit_length());
        let (mantissa, exponent) = if have >= one {
            (x.magnitude.shift_right(have - one), (have - one) as i128)
        } else {
            (x.magnitude.shift_left(one - have), -((one - have) as i128))
        };
        // The bits that a shift to the right would lose are kept by dividing instead.
        let mantissa = if have > one {
            x.magnitude.divide_rounded(&Natural::new(1).shift_left(have - one))
        } else {
            mantissa
        };
        let two = Fixed { negative: false, magnitude: Natural::new(2).multiply(&self.unit) };
        let rest = self.series(&Fixed { negative: false, magnitude: mantissa });
        let twos = self.multiply(&self.series(&two), &self.number(exponent, 0));
        self.add(&rest, &twos)
    }

    /// `2 artanh((x - 1) / (x + 1))`, the logarithm of an `x` near 1.
    fn series(&self, x: &Fixed) -> Fixed {
        let minus_one = Fixed { negative: true, magnitude: self.unit.clone() };
        let ratio = self.divide(&self.add(x, &minus_one), &self.add(x, &self.one()));
        let square = self.multiply(&ratio, &ratio);
        let (mut sum, mut power) = (ratio.clone(), ratio);
        for n in (3u32..).step_by(2) {
            power = self.multiply(&power, &square);
            let term = power.magnitude.divide(&Natural::new(n.into())).0;
            if term.is_zero() {
                break;
            }
            sum = self.add(&sum, &Fixed { negative: power.negative, magnitude: term });
        }
        sum.magnitude = sum.magnitude.shift_left(1);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = Natural> {
        prop::collection::vec(any::<u32>(), 0..9).prop_map(Natural::trimmed)
    }

    proptest! {
        #[test]
        fn division_undoes_multiplication(a in number(), b in number(), c in number()) {
            prop_assume!(!b.is_zero());
            let (_, rest) = c.divide(&b);
            prop_assert!(rest.compare(&b).is_lt());
            prop_assert_eq!(a.multiply(&b).add(&rest).divide(&b), (a, rest));
        }

        #[test]
        fn roots_are_the_largest(a in number()) {
            let root = a.square_root();
            prop_assert!(root.multiply(&root).compare(&a).is_le());
            let next = root.add(&Natural::new(1));
            prop_assert!(next.multiply(&next).compare(&a).is_gt());
        }

        #[test]
        fn shifts_undo_each_other(a in number(), bits in 0usize..100) {
            prop_assert_eq!(&a.shift_left(bits).shift_right(bits), &a);
        }
    }

    #[test]
    fn exponentials_and_logarithms_are_exact() {
        let c = Calculator::new(60);
        let e = c.exponential(&c.number(1, 0));
        assert_eq!(c.digits(&e, 37), Some(27_182_818_284_590_452_353_602_874_713_526_624_978));
        let ln = c.logarithm(&c.number(10, 0));
        assert_eq!(c.digits(&ln, 36), Some(2_302_585_092_994_045_684_017_991_454_684_364_208));
        assert_eq!(c.digits(&c.logarithm(&c.number(5, 1)), 20), Some(-69_314_718_055_994_530_942));
    }
}
