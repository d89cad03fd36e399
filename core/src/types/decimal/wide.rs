//! Products of two 128-bit numbers and their quotients: as much of 256-bit arithmetic as decimals need.

/// `high * 2^128 + low`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct U256 {
    high: u128,
    low: u128,
}

const HALF: u32 = 64;
const MASK: u128 = u64::MAX as u128;

impl U256 {
    /// `a * b`.
    pub(super) fn product(a: u128, b: u128) -> Self {
        let (a1, a0, b1, b0) = (a >> HALF, a & MASK, b >> HALF, b & MASK);
        let bottom = a0 * b0;
        // Each of the three is below 2^64, so that their sum with a full product does not overflow.
        let middle = a1 * b0 + (bottom >> HALF);
        let other = a0 * b1 + (middle & MASK);
        let high = a1 * b1 + (middle >> HALF) + (other >> HALF);
        Self { high, low: (other << HALF) | (bottom & MASK) }
    }

    /// The number, if it fits.
    pub(super) fn narrow(self) -> Option<u128> {
        (self.high == 0).then_some(self.low)
    }

    /// Quotient and remainder by `divisor`, which is not zero; `None` if the quotient does not fit.
    pub(super) fn divide(self, divisor: u128) -> Option<(u128, u128)> {
        if self.high == 0 {
            return Some((self.low / divisor, self.low % divisor));
        }
        if self.high >= divisor {
            return None;
        }
        let (mut rest, mut low) = (self.high, self.low);
        for _ in 0..128 {
            let carry = rest >> 127 == 1;
            rest = (rest << 1) | (low >> 127);
            low <<= 1;
            if carry || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                low |= 1;
            }
        }
        Some((low, rest))
    }

    /// The remainder by `divisor`, which is not zero.
    pub(super) fn remainder(self, divisor: u128) -> u128 {
        let reduced = Self { high: self.high % divisor, low: self.low };
        reduced.divide(divisor).map_or(0, |(_, rest)| rest)
    }
}

/// `a * b / c` rounded half up; `None` if it does not fit or `c` is zero.
pub(super) fn multiply_divide(a: u128, b: u128, c: u128) -> Option<u128> {
    if c == 0 {
        return None;
    }
    let (quotient, rest) = U256::product(a, b).divide(c)?;
    quotient.checked_add(u128::from(rest >= c - rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn operand() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0u32..128).prop_map(|(v, shift)| v >> shift)
    }

    proptest! {
        #[test]
        fn division_undoes_multiplication(a in operand(), b in operand(), c in operand()) {
            prop_assume!(b != 0);
            let rest = c % b;
            let product = U256::product(a, b);
            let (low, carry) = product.low.overflowing_add(rest);
            let sum = U256 { high: product.high + u128::from(carry), low };
            prop_assert_eq!(sum.divide(b), Some((a, rest)));
            prop_assert_eq!(sum.remainder(b), rest);
        }

        #[test]
        fn products_agree_where_they_fit(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(U256::product(a.into(), b.into()).narrow(), Some(u128::from(a) * u128::from(b)));
        }
    }

    #[test]
    fn too_large_quotients_are_none() {
        assert_eq!(U256::product(u128::MAX, u128::MAX).divide(u128::MAX), Some((u128::MAX, 0)));
        assert_eq!(U256::product(u128::MAX, u128::MAX).divide(u128::MAX - 1), None);
        assert_eq!(multiply_divide(10, 5, 4), Some(13));
        assert_eq!(multiply_divide(1, 1, 0), None);
    }
}
