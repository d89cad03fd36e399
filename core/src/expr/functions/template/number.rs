//! Pictures of numbers: `S999,990.00`, `RN`, `9.99EEEE`. The writer goes through the picture as PostgreSQL's
//! `NUM_processor` does, whose rules about blanks, signs and zeros have no shorter form.

use super::datetime::{Case, ordinal_suffix};
use crate::error::{DataError, Error, Result};
use crate::types::Decimal;

/// A picture cut into its symbols.
pub(super) struct Picture {
    symbols: Vec<Symbol>,
    /// Digits before the point.
    before: usize,
    /// Digits behind it.
    after: usize,
    /// Digits behind `V`: the number is multiplied by as many tens.
    shift: usize,
    has_point: bool,
    /// `FM`: no padding.
    plain: bool,
    /// The place of the first `0`, and how many digits there are up to the last.
    zeros: Option<(usize, usize)>,
    sign: Sign,
    scientific: bool,
    roman: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Symbol {
    Nine,
    Zero,
    Point,
    Comma,
    Currency,
    Minus,
    Plus,
    SignHere,
    Ordinal(Case),
    Roman(Case),
    Literal(char),
}

/// Where the sign goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sign {
    /// Before the first digit, as a blank or a minus.
    Leading,
    /// `S` before the digits.
    Before,
    /// `S` behind them.
    Behind,
    /// `PR`
    Brackets,
    /// `MI`, `PL`, `SG` write it themselves; `PL` alone leaves the minus to the digits.
    Own { leading: bool },
}

/// What is wrong with a picture.
#[derive(Clone, Copy)]
pub(super) struct Problem(&'static str);

impl Problem {
    pub(super) fn error(self) -> Error {
        DataError::InvalidTemplate { problem: self.0 }.into()
    }
}

impl Picture {
    pub(super) fn new(text: &str) -> std::result::Result<Self, Problem> {
        let mut picture = Self {
            symbols: Vec::new(),
            before: 0,
            after: 0,
            shift: 0,
            has_point: false,
            plain: false,
            zeros: None,
            sign: Sign::Leading,
            scientific: false,
            roman: false,
        };
        let (mut multiplied, mut minus, mut plus) = (false, false, false);
        let mut sign_place = 0;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let word =
                |names: &[&str]| names.iter().find(|name| rest.starts_with(**name)).map(|name| name.len());
            if picture.scientific {
                return Err(Problem("\"EEEE\" must be the last pattern used"));
            }
            let taken = if c == '"' {
                picture.push_quoted(&rest[1..]) + 1
            } else if let Some(n) = word(&["EEEE", "eeee"]) {
                let others = picture.plain || picture.sign != Sign::Leading || minus || plus || picture.roman;
                if others || multiplied {
                    return Err(Problem("\"EEEE\" is incompatible with other formats"));
                }
                picture.scientific = true;
                n
            } else if let Some(n) = word(&["FM", "fm"]) {
                picture.plain = true;
                n
            } else if let Some(n) = word(&["MI", "mi"]) {
                picture.refuse_beside_s("cannot use \"S\" and \"MI\" together")?;
                minus = true;
                picture.symbols.push(Symbol::Minus);
                n
            } else if let Some(n) = word(&["PL", "pl"]) {
                picture.refuse_beside_s("cannot use \"S\" and \"PL\" together")?;
                plus = true;
                picture.symbols.push(Symbol::Plus);
                n
            } else if let Some(n) = word(&["SG", "sg"]) {
                picture.refuse_beside_s("cannot use \"S\" and \"SG\" together")?;
                (minus, plus) = (true, true);
                picture.symbols.push(Symbol::SignHere);
                n
            } else if let Some(n) = word(&["PR", "pr"]) {
                if picture.sign != Sign::Leading || minus || plus {
                    return Err(Problem("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"));
                }
                picture.sign = Sign::Brackets;
                n
            } else if let Some(n) = word(&["TH", "th"]) {
                picture.symbols.push(Symbol::Ordinal(if c == 'T' { Case::Upper } else { Case::Lower }));
                n
            } else if let Some(n) = word(&["RN", "rn"]) {
                picture.roman = true;
                picture.symbols.push(Symbol::Roman(if c == 'R' { Case::Upper } else { Case::Lower }));
                n
            } else {
                picture.push(c, &mut multiplied, minus || plus, &mut sign_place)?;
                c.len_utf8()
            };
            rest = &rest[taken..];
        }
        if minus || plus {
            picture.sign = Sign::Own { leading: plus && !minus };
        }
        // An S behind all digits before the point is one at the end.
        if picture.sign == Sign::Before && sign_place == picture.before {
            picture.sign = Sign::Behind;
        }
        Ok(picture)
    }

    fn refuse_beside_s(&self, problem: &'static str) -> std::result::Result<(), Problem> {
        if matches!(self.sign, Sign::Before | Sign::Behind) { Err(Problem(problem)) } else { Ok(()) }
    }

    /// A symbol of one character.
    fn push(
        &mut self,
        c: char,
        multiplied: &mut bool,
        own_sign: bool,
        sign_place: &mut usize,
    ) -> std::result::Result<(), Problem> {
        match c {
            '9' | '0' if self.sign == Sign::Brackets => {
                let nine = c == '9';
                let problem =
                    if nine { "\"9\" must be ahead of \"PR\"" } else { "\"0\" must be ahead of \"PR\"" };
                return Err(Problem(problem));
            }
            '9' => {
                if *multiplied {
                    self.shift += 1;
                } else if self.has_point {
                    self.after += 1;
                } else {
                    self.before += 1;
                }
                self.symbols.push(Symbol::Nine);
            }
            '0' => {
                let first = if self.has_point { None } else { Some(self.before) };
                if self.has_point {
                    self.after += 1;
                } else {
                    self.before += 1;
                }
                let end = self.before + self.after;
                self.zeros = match (self.zeros, first) {
                    (Some((start, _)), _) => Some((start, end)),
                    (None, Some(start)) => Some((start, end)),
                    // Zeros behind the point alone start nowhere, and end.
                    (None, None) => Some((usize::MAX, end)),
                };
                self.symbols.push(Symbol::Zero);
            }
            '.' | 'D' | 'd' => {
                if self.has_point {
                    return Err(Problem("multiple decimal points"));
                }
                if *multiplied {
                    return Err(Problem("cannot use \"V\" and decimal point together"));
                }
                self.has_point = true;
                self.symbols.push(Symbol::Point);
            }
            'V' | 'v' => {
                if self.has_point {
                    return Err(Problem("cannot use \"V\" and decimal point together"));
                }
                *multiplied = true;
            }
            'S' | 's' => {
                if matches!(self.sign, Sign::Before | Sign::Behind) {
                    return Err(Problem("cannot use \"S\" twice"));
                }
                if own_sign || self.sign == Sign::Brackets {
                    return Err(Problem("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"));
                }
                self.sign = if self.has_point { Sign::Behind } else { Sign::Before };
                *sign_place = if self.has_point { usize::MAX } else { self.before };
            }
            ',' | 'G' | 'g' => self.symbols.push(Symbol::Comma),
            'L' | 'l' => self.symbols.push(Symbol::Currency),
            'B' | 'b' => {}
            _ => self.symbols.push(Symbol::Literal(c)),
        }
        Ok(())
    }

    /// Takes a quoted text; gives its length with the closing quote.
    fn push_quoted(&mut self, text: &str) -> usize {
        let end = text.find('"').unwrap_or(text.len());
        self.symbols.extend(text[..end].chars().map(Symbol::Literal));
        (end + 1).min(text.len())
    }

    /// The text of a number.
    ///
    /// # Errors
    /// 22003 if it cannot be multiplied for a `V`.
    pub(super) fn write(&self, value: Decimal) -> Result<String> {
        if self.scientific {
            return Ok(self.write_scientific(value));
        }
        if self.roman {
            return Ok(self.write_roman(value));
        }
        let shift = u32::try_from(self.shift).unwrap_or(u32::MAX);
        let factor = 10i128.checked_pow(shift).ok_or(DataError::NumericOverflow)?;
        let places = i32::try_from(self.after).unwrap_or(i32::MAX);
        let rounded = value.multiply(&Decimal::new(factor, 0))?.round(places)?;
        let before = self.before + self.shift;
        let mut digits = Decimal::new(rounded.value.abs(), rounded.scale).to_string();
        let whole = digits.find('.').unwrap_or(digits.len());
        if self.after > 0 && whole == digits.len() {
            digits.push('.');
        }
        let wanted = if self.after > 0 { whole + 1 + self.after } else { digits.len() };
        while digits.len() < wanted {
            digits.push('0');
        }
        if whole > before {
            // Too many digits.
            digits = "#".repeat(before);
            if self.has_point {
                digits.push('.');
                digits.push_str(&"#".repeat(self.after));
            }
        }
        Ok(Writer::new(self, rounded.value < 0, digits, before, before.saturating_sub(whole)).write())
    }

    fn write_scientific(&self, value: Decimal) -> String {
        let text = format!("{:.*e}", self.after, value.to_f64());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let blank = if value.value < 0 { "" } else { " " };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{blank}{mantissa}e{sign}{:02}", exponent.unsigned_abs())
    }

    fn write_roman(&self, value: Decimal) -> String {
        const NUMERALS: [(i128, &str); 13] = [
            (1000, "M"),
            (900, "CM"),
            (500, "D"),
            (400, "CD"),
            (100, "C"),
            (90, "XC"),
            (50, "L"),
            (40, "XL"),
            (10, "X"),
            (9, "IX"),
            (5, "V"),
            (4, "IV"),
            (1, "I"),
        ];
        let mut left = value.to_i128();
        let mut text = String::new();
        if (1..4000).contains(&left) {
            for (unit, numeral) in NUMERALS {
                while left >= unit {
                    text.push_str(numeral);
                    left -= unit;
                }
            }
        } else {
            text = "#".repeat(15);
        }
        if self.symbols.contains(&Symbol::Roman(Case::Lower)) {
            text.make_ascii_lowercase();
        }
        if self.plain { text } else { format!("{text:>15}") }
    }

    /// The number in a text.
    ///
    /// # Errors
    /// 22P02 if there is none.
    pub(super) fn read(&self, text: &str) -> Result<Option<Decimal>> {
        let mut rest = text;
        let mut digits = String::new();
        let mut negative = false;
        let take_sign = |rest: &mut &str, negative: &mut bool| {
            *rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix(['-', '<']) {
                (*rest, *negative) = (after, true);
            } else if let Some(after) = rest.strip_prefix('+') {
                *rest = after;
            }
        };
        for symbol in &self.symbols {
            match symbol {
                Symbol::Nine | Symbol::Zero => {
                    if digits.is_empty() {
                        take_sign(&mut rest, &mut negative);
                    }
                    if rest.starts_with(|c: char| c.is_ascii_digit()) {
                        digits.push_str(&rest[..1]);
                        rest = &rest[1..];
                    } else if let Some(after) = rest.strip_prefix('.')
                        && self.has_point
                        && !digits.contains('.')
                    {
                        // Fewer digits than the picture has.
                        digits.push('.');
                        rest = after;
                        if rest.starts_with(|c: char| c.is_ascii_digit()) {
                            digits.push_str(&rest[..1]);
                            rest = &rest[1..];
                        }
                    }
                }
                Symbol::Point => {
                    if let Some(after) = rest.strip_prefix('.') {
                        digits.push('.');
                        rest = after;
                    }
                }
                Symbol::Comma => rest = rest.strip_prefix(',').unwrap_or(rest),
                Symbol::Minus | Symbol::Plus | Symbol::SignHere => take_sign(&mut rest, &mut negative),
                Symbol::Ordinal(_) => rest = rest.get(2..).unwrap_or_default(),
                Symbol::Currency | Symbol::Literal(_) => {
                    let mut chars = rest.chars();
                    if chars.clone().next().is_some_and(|c| !c.is_ascii_digit()) {
                        chars.next();
                        rest = chars.as_str();
                    }
                }
                Symbol::Roman(_) => {
                    return Err(
                        DataError::UnsupportedTemplate { problem: "\"RN\" not supported for input" }.into()
                    );
                }
            }
        }
        if self.sign == Sign::Behind {
            take_sign(&mut rest, &mut negative);
        }
        if digits.is_empty() || digits == "." {
            return Err(DataError::invalid_text("numeric", " ").into());
        }
        let value: Decimal = digits.parse()?;
        let value = if negative { value.negate() } else { value };
        let shift = i32::try_from(self.shift).unwrap_or(0);
        if shift == 0 {
            return Ok(Some(value));
        }
        let factor = 10i128.checked_pow(shift.unsigned_abs()).ok_or(DataError::NumericOverflow)?;
        value.divide(&Decimal::new(factor, 0)).map(Some)
    }
}

/// A number on its way through a picture.
struct Writer<'p> {
    picture: &'p Picture,
    negative: bool,
    digits: Vec<u8>,
    /// The next of them.
    at: usize,
    /// The last digit that `FM` keeps.
    last: Option<usize>,
    /// Places of the picture before the first digit.
    blanks: usize,
    /// Places of the picture done.
    done: usize,
    /// Places there are.
    places: usize,
    sign_written: bool,
    /// A digit stands before.
    inside: bool,
    out: String,
}

impl<'p> Writer<'p> {
    fn new(picture: &'p Picture, negative: bool, digits: String, before: usize, blanks: usize) -> Self {
        let sign_written = match picture.sign {
            Sign::Own { leading } => !leading,
            Sign::Leading | Sign::Brackets => !negative && picture.plain,
            Sign::Before | Sign::Behind => false,
        };
        let digits = digits.into_bytes();
        let last = (picture.plain && picture.has_point).then(|| {
            let point = digits.iter().position(|c| *c == b'.').unwrap_or(0);
            let significant = digits.iter().rposition(|c| *c != b'0').unwrap_or(0).max(point);
            let kept = picture
                .zeros
                .map_or(0, |(_, end)| if end > blanks { (end - blanks).min(digits.len() - 1) } else { 0 });
            significant.max(kept)
        });
        let mut places = (picture.after + before).saturating_sub(1);
        if !sign_written && blanks == 0 {
            places += 1;
        }
        Self {
            picture,
            negative,
            digits,
            at: 0,
            last,
            blanks,
            done: 0,
            places,
            sign_written,
            inside: false,
            out: String::new(),
        }
    }

    fn write(mut self) -> String {
        let symbols = &self.picture.symbols;
        for symbol in symbols {
            match symbol {
                Symbol::Nine | Symbol::Zero | Symbol::Point => self.digit(*symbol),
                Symbol::Comma if self.inside => self.out.push(','),
                Symbol::Comma | Symbol::Currency if self.picture.plain && *symbol == Symbol::Comma => {}
                Symbol::Comma | Symbol::Currency => self.out.push(' '),
                Symbol::Minus if self.negative => self.out.push('-'),
                Symbol::Plus if !self.negative => self.out.push('+'),
                Symbol::Minus | Symbol::Plus if self.picture.plain => {}
                Symbol::Minus | Symbol::Plus => self.out.push(' '),
                Symbol::SignHere => self.out.push(if self.negative { '-' } else { '+' }),
                Symbol::Ordinal(case) => {
                    if !self.negative && !self.picture.has_point && !self.digits.contains(&b'#') {
                        let text = String::from_utf8_lossy(&self.digits).into_owned();
                        self.out.push_str(ordinal_suffix(&text, *case));
                    }
                }
                Symbol::Roman(_) => {}
                Symbol::Literal(c) => self.out.push(*c),
            }
        }
        self.out
    }

    /// `'0.1'` by `9.9` is `' .1'`: the zero before the point is not shown.
    fn hides_zero(&self) -> bool {
        self.zero_start().is_none()
            && self.at == 0
            && self.digits.first() == Some(&b'0')
            && self.picture.after != 0
    }

    fn zero_start(&self) -> Option<usize> {
        self.picture.zeros.map(|(start, _)| start).filter(|start| *start != usize::MAX)
    }

    fn last_is_point(&self) -> bool {
        self.last.is_some_and(|last| self.digits.get(last) == Some(&b'.'))
    }

    fn digit(&mut self, symbol: Symbol) {
        self.inside = false;
        let plain = self.picture.plain;
        let starts = self.done >= self.blanks || self.zero_start() == Some(self.done);
        if !self.sign_written && starts && (!self.hides_zero() || self.last_is_point()) {
            match self.picture.sign {
                Sign::Before => {
                    self.out.push(if self.negative { '-' } else { '+' });
                    self.sign_written = true;
                }
                Sign::Behind => {}
                Sign::Brackets => {
                    self.out.push(if self.negative { '<' } else { ' ' });
                    self.sign_written = true;
                }
                Sign::Leading | Sign::Own { .. } => {
                    match self.negative {
                        true => self.out.push('-'),
                        false if !plain => self.out.push(' '),
                        false => {}
                    }
                    self.sign_written = true;
                }
            }
        }
        let zero_fill = self.zero_start().is_some_and(|start| start <= self.done);
        if self.done < self.blanks && !zero_fill {
            if !plain {
                self.out.push(' ');
            }
        } else if self.done < self.blanks {
            self.out.push('0');
            self.inside = true;
        } else {
            match self.digits.get(self.at) {
                Some(b'.') => self.out.push('.'),
                Some(digit) => {
                    let digit = char::from(*digit);
                    if self.last.is_some_and(|last| self.at > last) && symbol != Symbol::Zero {
                        // Not shown.
                    } else if self.hides_zero() {
                        if !plain {
                            self.out.push(' ');
                        } else if self.last_is_point() {
                            self.out.push('0');
                        }
                    } else {
                        self.out.push(digit);
                        self.inside = true;
                    }
                }
                None => {}
            }
            if self.at < self.digits.len() {
                self.at += 1;
            }
        }
        let mut end = self.places + usize::from(self.blanks > 0) + usize::from(self.picture.has_point);
        if self.last.is_some_and(|last| last == self.at) {
            end = self.done;
        }
        if self.done + 1 == end {
            match self.picture.sign {
                Sign::Brackets if self.sign_written => self.out.push(if self.negative { '>' } else { ' ' }),
                Sign::Behind => self.out.push(if self.negative { '-' } else { '+' }),
                _ => {}
            }
        }
        self.done += 1;
    }
}
