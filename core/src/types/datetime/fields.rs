//! The words of a date, time or interval, split the way PostgreSQL splits them: by shape, before any meaning.

/// What a word looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::types) enum Shape {
    /// Digits, perhaps with a point: `2001`, `12.5`, `20010203`.
    Number,
    /// Digits and separators, or a name with separators: `2001-02-03`, `3-Feb-2001`, `europe/paris`.
    Date,
    /// Digits and colons: `12:34:56.7`.
    Time,
    /// A sign and digits: `+02:30`, `-5`.
    Signed,
    /// Letters: `feb`, `pm`, `days`.
    Word,
    /// A sign and letters: `-infinity`.
    SignedWord,
}

/// One word, in lower case.
#[derive(Debug)]
pub(in crate::types) struct Field {
    /// What it looks like.
    pub(in crate::types) shape: Shape,
    /// Its text.
    pub(in crate::types) text: String,
}

/// More words than any date or interval has.
const MAX_FIELDS: usize = 25;
/// More bytes than any of its words.
const MAX_LENGTH: usize = 128;

/// The words of `text`; `None` if a character cannot begin one, or there are too many. `is_keyword` tells a word
/// that may be followed by a number without a blank (`y2001`) from the beginning of a zone's name.
pub(in crate::types) fn split(text: &str, is_keyword: impl Fn(&str) -> bool) -> Option<Vec<Field>> {
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    let mut fields = Vec::new();
    loop {
        cursor.skip_while(is_space);
        let start = cursor.at;
        let Some(first) = cursor.peek() else { return Some(fields) };
        let shape = match first {
            b'0'..=b'9' => cursor.number(),
            b'.' => {
                cursor.at += 1;
                cursor.skip_while(|c| c.is_ascii_digit());
                Shape::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => cursor.word(&is_keyword),
            b'+' | b'-' => {
                cursor.at += 1;
                // The sign may stand apart; it is joined below.
                cursor.skip_while(is_space);
                match cursor.peek()? {
                    b'0'..=b'9' => {
                        cursor.skip_while(|c| c.is_ascii_digit() || matches!(c, b':' | b'.' | b'-'));
                        Shape::Signed
                    }
                    b'a'..=b'z' | b'A'..=b'Z' => {
                        cursor.skip_while(|c| c.is_ascii_alphabetic());
                        Shape::SignedWord
                    }
                    _ => return None,
                }
            }
            _ if first.is_ascii_punctuation() => {
                cursor.at += 1;
                continue;
            }
            _ => return None,
        };
        let mut word = text.get(start..cursor.at)?.to_ascii_lowercase();
        if matches!(shape, Shape::Signed | Shape::SignedWord) {
            word.retain(|c| !c.is_ascii_whitespace());
        }
        if fields.len() == MAX_FIELDS || word.len() > MAX_LENGTH {
            return None;
        }
        fields.push(Field { shape, text: word });
    }
}

fn is_space(c: u8) -> bool {
    c.is_ascii_whitespace() || c == 0x0b
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.at += 1;
        }
    }

    /// A word that begins with a digit.
    fn number(&mut self) -> Shape {
        self.skip_while(|c| c.is_ascii_digit());
        match self.peek() {
            Some(b':') => {
                self.skip_while(|c| c.is_ascii_digit() || matches!(c, b':' | b'.'));
                Shape::Time
            }
            Some(separator @ (b'-' | b'/' | b'.')) => {
                self.at += 1;
                if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
                    // A month's name in the middle, or a bare trailing separator.
                    self.skip_while(|c| c.is_ascii_alphanumeric() || c == separator);
                    return Shape::Date;
                }
                self.skip_while(|c| c.is_ascii_digit());
                if self.peek() == Some(separator) {
                    self.skip_while(|c| c.is_ascii_digit() || c == separator);
                    Shape::Date
                } else if separator == b'.' {
                    Shape::Number
                } else {
                    Shape::Date
                }
            }
            _ => Shape::Number,
        }
    }

    /// A word that begins with a letter.
    fn word(&mut self, is_keyword: impl Fn(&str) -> bool) -> Shape {
        let start = self.at;
        self.skip_while(|c| c.is_ascii_alphabetic());
        let is_date = match self.peek() {
            Some(b'-' | b'/' | b'.') => true,
            Some(c) if c == b'+' || c.is_ascii_digit() => {
                let head = String::from_utf8_lossy(&self.bytes[start..self.at]).to_ascii_lowercase();
                !is_keyword(&head)
            }
            _ => false,
        };
        if !is_date {
            return Shape::Word;
        }
        self.skip_while(|c| {
            c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'/' | b'_' | b'.' | b':')
        });
        Shape::Date
    }
}

/// What is wrong with the text of a date, time or interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::types) enum Fault {
    /// It cannot be understood.
    Syntax,
    /// A part is too large.
    Field,
    /// A month or day is too large, as happens when they are written in another order.
    MonthOrDay,
    /// A zone is too far from UTC.
    Displacement,
    /// A zone has a name that is not known.
    Zone(String),
}

/// The integer that `text` begins with, and the rest. Overflow is a fault of the field.
pub(in crate::types) fn leading_integer<T: std::str::FromStr>(text: &str) -> Result<(T, &str), Fault> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.len() - digits.len();
    let end = digits.bytes().position(|c| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return Err(Fault::Syntax);
    }
    let value = text[..sign + end].parse().map_err(|_| Fault::Field)?;
    Ok((value, &text[sign + end..]))
}

/// The microseconds of `.123456`, rounded half to even; nothing after the point is zero.
pub(in crate::types) fn fraction_micros(text: &str) -> Result<i64, Fault> {
    let digits = text.strip_prefix('.').ok_or(Fault::Syntax)?;
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    if digits.is_empty() {
        return Ok(0);
    }
    let seconds: f64 = text.parse().map_err(|_| Fault::Syntax)?;
    Ok((seconds * 1e6).round_ties_even() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(Shape, String)> {
        let is_keyword = |word: &str| matches!(word, "y" | "m" | "d" | "t");
        split(text, is_keyword).unwrap().into_iter().map(|f| (f.shape, f.text)).collect()
    }

    #[test]
    fn splits_by_shape() {
        let w = |shape, text: &str| (shape, text.to_owned());
        assert_eq!(
            words("Jan 5, 2001 12:34:56.7 +02:30"),
            [
                w(Shape::Word, "jan"),
                w(Shape::Number, "5"),
                w(Shape::Number, "2001"),
                w(Shape::Time, "12:34:56.7"),
                w(Shape::Signed, "+02:30")
            ]
        );
        assert_eq!(
            words("2001-02-03T04:05 y2001 - infinity Europe/Paris 12.5 3-Feb-01"),
            [
                w(Shape::Date, "2001-02-03"),
                w(Shape::Word, "t"),
                w(Shape::Time, "04:05"),
                w(Shape::Word, "y"),
                w(Shape::Number, "2001"),
                w(Shape::SignedWord, "-infinity"),
                w(Shape::Date, "europe/paris"),
                w(Shape::Number, "12.5"),
                w(Shape::Date, "3-feb-01")
            ]
        );
        assert!(split("é", |_| false).is_none() && split("1 - ", |_| false).is_none());
        assert!(split(&"1 ".repeat(26), |_| false).is_none());
    }

    #[test]
    fn fractions_round_to_microseconds() {
        assert_eq!(fraction_micros(".1234567"), Ok(123_457));
        assert_eq!(fraction_micros("."), Ok(0));
        assert_eq!(fraction_micros(".5x"), Err(Fault::Syntax));
        assert_eq!(leading_integer::<i32>("-12:3"), Ok((-12, ":3")));
        assert_eq!(leading_integer::<i32>("99999999999"), Err(Fault::Field));
    }
}
