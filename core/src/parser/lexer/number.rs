//! Numbers: `12`, `1_000`, `1.5`, `.5`, `5.`, `1e-3`, `0xff`, `0o17`, `0b11`.

use super::{Lexer, Lexing, TokenKind, is_name_start};
use crate::parser::ast::Position;

const JUNK: &str = "trailing junk after numeric literal";

impl Lexer<'_> {
    pub(super) fn number(&mut self, position: Position) -> Lexing<TokenKind> {
        let start = self.offset;
        if let Some(radix) = self.radix() {
            return self.radix_number(radix, start, position);
        }
        let mut text = self.digits();
        if self.peek() == Some('.') && self.peek_at(1) != Some('.') {
            self.offset += 1;
            text.push('.');
            text.push_str(&self.digits());
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            let sign = usize::from(matches!(self.peek_at(1), Some('+' | '-')));
            if self.peek_at(1 + sign).is_some_and(|c| c.is_ascii_digit()) {
                text.push_str(&self.rest()[..1 + sign]);
                self.offset += 1 + sign;
                text.push_str(&self.digits());
            }
        }
        if self.peek().is_some_and(is_name_start) {
            // An exponent without digits keeps its sign in the message.
            let signed = self.peek_at(1).is_some_and(|c| matches!(c, '+' | '-'));
            if signed && matches!(self.peek(), Some('e' | 'E')) {
                self.offset += 2;
            }
            return Err(self.junk(JUNK, start, position));
        }
        Ok(TokenKind::Number(text))
    }

    /// Digits with single underscores between them, which are dropped.
    fn digits(&mut self) -> String {
        let mut digits = String::new();
        loop {
            digits.push_str(self.take_while(|c| c.is_ascii_digit()));
            let separated = self.peek() == Some('_')
                && !digits.is_empty()
                && self.peek_at(1).is_some_and(|c| c.is_ascii_digit());
            if !separated {
                return digits;
            }
            self.offset += 1;
        }
    }

    /// The radix that a prefix announces, if a digit of it follows.
    fn radix(&self) -> Option<u32> {
        let radix = match (self.peek(), self.peek_at(1)?.to_ascii_lowercase()) {
            (Some('0'), 'x') => 16,
            (Some('0'), 'o') => 8,
            (Some('0'), 'b') => 2,
            _ => return None,
        };
        self.peek_at(2)?.is_digit(radix).then_some(radix)
    }

    /// An integer of another radix, in decimal; one over 128 bits is junk.
    fn radix_number(&mut self, radix: u32, start: usize, position: Position) -> Lexing<TokenKind> {
        self.offset += 2;
        let digits = self.take_while(|c| c.is_digit(radix) || c == '_').replace('_', "");
        match i128::from_str_radix(&digits, radix) {
            Ok(value) if !self.peek().is_some_and(is_name_start) => Ok(TokenKind::Number(value.to_string())),
            _ => Err(self.junk(JUNK, start, position)),
        }
    }
}
