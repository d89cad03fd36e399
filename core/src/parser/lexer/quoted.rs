//! Everything in quotes: strings of all kinds and quoted names.

use super::{Lexer, Lexing, Mistake, TokenKind, is_name_part, is_name_start, is_space, near, truncate};
use crate::{
    error::{Error, StatementError},
    parser::ast::Position,
};

const OPEN_STRING: &str = "unterminated quoted string";
const OPEN_NAME: &str = "unterminated quoted identifier";

impl<'a> Lexer<'a> {
    /// `'..'` with doubled quotes, continued by further strings on following lines.
    pub(super) fn string(&mut self, start: usize, position: Position) -> Lexing<String> {
        let mut text = String::new();
        loop {
            text.push_str(&self.quoted('\'', OPEN_STRING, start, position)?);
            if !self.continues() {
                return Ok(text);
            }
        }
    }

    /// `"..."`
    pub(super) fn quoted_name(&mut self, start: usize, position: Position) -> Lexing<String> {
        let name = self.quoted('"', OPEN_NAME, start, position)?;
        self.check_name(name, start, position)
    }

    /// `B'..'` and `X'..'`; the digits are checked by whoever makes a value of them.
    pub(super) fn digits_string(
        &mut self,
        problem: &'static str,
        start: usize,
        position: Position,
    ) -> Lexing<String> {
        self.offset += 1;
        let mut digits = self.quoted('\'', problem, start, position)?;
        while self.continues() {
            digits.push_str(&self.quoted('\'', problem, start, position)?);
        }
        Ok(digits)
    }

    /// `E'..'` with C's escapes.
    pub(super) fn escape_string(&mut self, start: usize, position: Position) -> Lexing<String> {
        self.offset += 1;
        let mut bytes = Vec::new();
        let mut wrong = None;
        loop {
            self.offset += 1;
            self.escaped_part(&mut bytes, &mut wrong, start, position)?;
            if !self.continues() {
                break;
            }
        }
        if let Some(escape) = wrong {
            return Err(self.bad_escape(escape));
        }
        // PostgreSQL's text has no NUL.
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        text.ok_or_else(|| Mistake {
            error: Error::from(StatementError::InvalidEncoding { encoding: "UTF8" }).at(position),
            open: false,
        })
    }

    /// The inside of one `'..'` of an E string, up to and with the closing quote.
    fn escaped_part(
        &mut self,
        bytes: &mut Vec<u8>,
        wrong: &mut Option<usize>,
        start: usize,
        position: Position,
    ) -> Lexing<()> {
        loop {
            let plain = self.take_while(|c| c != '\'' && c != '\\');
            bytes.extend_from_slice(plain.as_bytes());
            match (self.peek(), self.peek_at(1)) {
                (Some('\''), Some('\'')) => {
                    bytes.push(b'\'');
                    self.offset += 2;
                }
                (Some('\''), _) => {
                    self.offset += 1;
                    return Ok(());
                }
                (Some(_), Some(escaped)) => {
                    self.offset += 1;
                    self.escape(escaped, bytes, wrong);
                }
                _ => return Err(self.unterminated(OPEN_STRING, start, position)),
            }
        }
    }

    /// One escape; the character after the backslash is next.
    fn escape(&mut self, escaped: char, bytes: &mut Vec<u8>, wrong: &mut Option<usize>) {
        let at = self.offset - 1;
        self.offset += escaped.len_utf8();
        match escaped {
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '0'..='7' => {
                self.offset -= 1;
                let value = self.radix_digits(8, 3).0;
                bytes.push((value & 0xff) as u8);
            }
            'x' if self.peek().is_some_and(|c| c.is_ascii_hexdigit()) => {
                bytes.push((self.radix_digits(16, 2).0 & 0xff) as u8);
            }
            'u' | 'U' => {
                let wanted = if escaped == 'u' { 4 } else { 8 };
                match self.code_point(wanted, "\\u") {
                    Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => *wrong = wrong.or(Some(at)),
                }
            }
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }

    /// Up to so many digits: their value and how many there were.
    fn radix_digits(&mut self, radix: u32, most: usize) -> (u32, usize) {
        let (mut value, mut count) = (0_u32, 0);
        while let Some(digit) = self.peek().filter(|_| count < most).and_then(|c| c.to_digit(radix)) {
            value = value.wrapping_mul(radix).wrapping_add(digit);
            self.offset += 1;
            count += 1;
        }
        (value, count)
    }

    /// A code point of so many hexadecimal digits; two halves of a surrogate pair make one.
    fn code_point(&mut self, wanted: usize, again: &str) -> Option<char> {
        let (value, count) = self.radix_digits(16, wanted);
        if count != wanted || value == 0 {
            return None;
        }
        if !(0xd800..0xdc00).contains(&value) {
            return char::from_u32(value);
        }
        if !self.rest().starts_with(again) {
            return None;
        }
        self.offset += again.len();
        let (low, count) = self.radix_digits(16, 4);
        if count != 4 || !(0xdc00..0xe000).contains(&low) {
            return None;
        }
        char::from_u32(0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00))
    }

    /// `U&'..'` and `U&".."` with the usual escape character; UESCAPE is not known.
    pub(super) fn unicode(&mut self, start: usize, position: Position) -> Lexing<TokenKind> {
        self.offset += 2;
        let quote = self.peek().unwrap_or('\'');
        let raw = match quote {
            '"' => self.quoted('"', OPEN_NAME, start, position)?,
            _ => self.string(start, position)?,
        };
        let mut inside = Lexer::new(&raw);
        let mut text = String::new();
        loop {
            text.push_str(inside.take_while(|c| c != '\\'));
            if inside.peek().is_none() {
                break;
            }
            inside.offset += 1;
            let character = match inside.peek() {
                Some('\\') => {
                    inside.offset += 1;
                    Some('\\')
                }
                Some('+') => {
                    inside.offset += 1;
                    inside.code_point(6, "\\")
                }
                _ => inside.code_point(4, "\\"),
            };
            match character {
                Some(character) => text.push(character),
                None => return Err(self.bad_escape(start)),
            }
        }
        match quote {
            '"' => Ok(TokenKind::Quoted(self.check_name(text, start, position)?)),
            _ => Ok(TokenKind::String(text)),
        }
    }

    /// `$tag$..$tag$`, or none if this is not the start of one.
    pub(super) fn dollar_string(&mut self, start: usize, position: Position) -> Lexing<Option<String>> {
        let rest = self.rest();
        let tag = &rest[1..];
        let length = tag.find(|c| c == '$' || !is_name_part(c)).unwrap_or(tag.len());
        let named = length == 0 || tag.starts_with(is_name_start);
        if !named || !tag[length..].starts_with('$') {
            return Ok(None);
        }
        let delimiter = &rest[..length + 2];
        let body = &rest[delimiter.len()..];
        match body.find(delimiter) {
            Some(end) => {
                self.offset += 2 * delimiter.len() + end;
                Ok(Some(body[..end].to_owned()))
            }
            None => Err(self.unterminated("unterminated dollar-quoted string", start, position)),
        }
    }

    /// One pair of quotes, within which a doubled quote stands for one.
    fn quoted(
        &mut self,
        quote: char,
        problem: &'static str,
        start: usize,
        position: Position,
    ) -> Lexing<String> {
        self.offset += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote));
            if self.peek().is_none() {
                return Err(self.unterminated(problem, start, position));
            }
            self.offset += 1;
            if self.peek() != Some(quote) {
                return Ok(text);
            }
            text.push(quote);
            self.offset += 1;
        }
    }

    /// Moves to the quote that continues a string: only space with a line break, and comments to the end of a
    /// line, may stand between.
    fn continues(&mut self) -> bool {
        let mut at = self.rest();
        let mut broken = false;
        loop {
            let trimmed = at.trim_start_matches(is_space);
            broken |= at[..at.len() - trimmed.len()].contains(['\n', '\r']);
            at = match trimmed.strip_prefix("--") {
                Some(comment) if broken => &comment[comment.find(['\n', '\r']).unwrap_or(comment.len())..],
                _ => trimmed,
            };
            if at.len() == trimmed.len() {
                break;
            }
        }
        if broken && at.starts_with('\'') {
            self.offset = self.text.len() - at.len();
            return true;
        }
        false
    }

    /// A quoted name must have characters; too many are cut.
    fn check_name(&self, name: String, start: usize, position: Position) -> Lexing<String> {
        if name.is_empty() {
            return Err(self.wrong("zero-length delimited identifier", start, position));
        }
        Ok(truncate(name))
    }

    /// A Unicode escape, at a byte of the text, that is none.
    fn bad_escape(&mut self, at: usize) -> Mistake {
        let error = Error::from(StatementError::InvalidUnicodeEscape).at(self.position(at));
        Mistake { error: error.with_hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX."), open: false }
    }

    /// A mistake within a token that is complete.
    fn wrong(&self, problem: &'static str, start: usize, position: Position) -> Mistake {
        let near = near(&self.text[start..self.offset]);
        Mistake { error: Error::from(StatementError::Syntax { problem, near }).at(position), open: false }
    }
}
