//! Constants.

use super::Converter;
use crate::{
    error::Result,
    parser::{
        ast::{CastSyntax, Expr, ExprKind, Literal, Position, TypeName},
        lexer::{Token, TokenKind},
    },
};
use sqlparser::ast as sql;

impl Converter<'_> {
    /// A number, string, TRUE, FALSE, NULL or parameter.
    pub(super) fn value(&mut self, value: &sql::ValueWithSpan) -> Result<Expr> {
        let token = self.token(value.span)?;
        let kind = match &token.kind {
            TokenKind::Number(digits) => ExprKind::Literal(number(digits)),
            TokenKind::String(text) => ExprKind::Literal(Literal::String(text.clone())),
            TokenKind::Binary(digits) => ExprKind::Literal(Literal::Binary(digits.clone())),
            TokenKind::Hexadecimal(digits) => ExprKind::Literal(Literal::Hexadecimal(digits.clone())),
            TokenKind::Parameter(number) => ExprKind::Parameter(*number),
            TokenKind::Word(word, _) => match word.as_str() {
                "null" => ExprKind::Literal(Literal::Null),
                "true" => ExprKind::Literal(Literal::Boolean(true)),
                "false" => ExprKind::Literal(Literal::Boolean(false)),
                _ => return Err(self.previous()),
            },
            TokenKind::Quoted(_) | TokenKind::Operator | TokenKind::Punctuation(_) => {
                return Err(self.previous());
            }
        };
        Ok(Expr { position: token.position, kind })
    }

    /// `type 'text'`; the type is read from our tokens, backwards from the text.
    pub(super) fn typed_string(&mut self, value: &sql::ValueWithSpan) -> Result<Expr> {
        self.token(value.span)?;
        let text_at = self.cursor.at - 1;
        self.cursor.at = self.type_start(text_at);
        let to = self.cursor.simple_type_name()?;
        if self.cursor.at != text_at {
            return Err(self.foreign());
        }
        self.literal_of(to)
    }

    /// `INTERVAL [(p)] 'text' [fields]`
    pub(super) fn interval(&mut self) -> Result<Expr> {
        self.seek(&["interval"]);
        self.cursor.at -= 1;
        let to = self.cursor.simple_type_name()?;
        // The fields come after the text.
        if to.fields.is_some() {
            return Err(self.previous());
        }
        self.literal_of(to)
    }

    /// The text of a typed literal, and the fields of an interval.
    fn literal_of(&mut self, mut to: TypeName) -> Result<Expr> {
        let position = self.cursor.position();
        let text = self.cursor.string()?;
        if to.name == "interval" && to.schema.is_none() {
            self.cursor.interval_fields(&mut to)?;
        }
        let operand = Expr { position, kind: ExprKind::Literal(Literal::String(text)) };
        let position = to.position;
        let kind = ExprKind::Cast { operand: Box::new(operand), to, syntax: CastSyntax::Literal };
        Ok(Expr { position, kind })
    }

    /// The first token of the type name that ends before a token.
    fn type_start(&self, end: usize) -> usize {
        let word = |at: usize, words: &[&str]| {
            let token = self.cursor.source.tokens.get(at);
            token.is_some_and(|t| matches!(&t.kind, TokenKind::Word(w, _) if words.contains(&w.as_str())))
        };
        let punctuation = |at: usize, character| {
            self.cursor.source.tokens.get(at).is_some_and(|t: &Token| t.is_punctuation(character))
        };
        let mut at = end.saturating_sub(1);
        if word(at, &["zone"]) {
            at = at.saturating_sub(3);
        }
        if punctuation(at, ')') {
            while at > 0 && !punctuation(at, '(') {
                at -= 1;
            }
            at = at.saturating_sub(1);
        }
        let before = at.saturating_sub(1);
        if (word(at, &["precision"]) && word(before, &["double"])) || word(at, &["varying"]) {
            at = before;
        }
        if word(at, &["character", "char"]) && at > 0 && word(at - 1, &["national"]) {
            at -= 1;
        }
        while at >= 2 && punctuation(at - 1, '.') {
            at -= 2;
        }
        at
    }

    /// A syntax error at the token just passed.
    fn previous(&self) -> crate::Error {
        self.cursor.source.syntax_error(self.cursor.at.saturating_sub(1))
    }
}

/// A number's literal: an integer if it has no point or exponent and fits 64 bits.
fn number(digits: &str) -> Literal {
    match digits.parse() {
        Ok(value) => Literal::Integer(value),
        Err(_) => Literal::Decimal(digits.to_owned()),
    }
}

/// What a minus sign makes of a constant, as PostgreSQL's grammar does it, so that `-9223372036854775808` is a
/// `bigint`; none if it is not a number.
pub(super) fn negated(literal: &Literal) -> Option<Literal> {
    match literal {
        Literal::Integer(value) => Some(Literal::Integer(value.checked_neg()?)),
        Literal::Decimal(digits) => Some(match digits.strip_prefix('-') {
            Some(positive) => number(positive),
            None => number(&format!("-{digits}")),
        }),
        Literal::Null
        | Literal::Boolean(_)
        | Literal::String(_)
        | Literal::Binary(_)
        | Literal::Hexadecimal(_) => None,
    }
}

/// A string constant that stands for a keyword, such as the field of EXTRACT.
pub(super) fn string(text: &str, position: Position) -> Expr {
    Expr { position, kind: ExprKind::Literal(Literal::String(text.to_owned())) }
}
