//! PostgreSQL's dialect as the library should have it: its own, with PostgreSQL's keyword categories instead of
//! lists made for many databases, with PostgreSQL's precedence of prefix operators, and with DuckDB's `FROM t
//! SELECT` and `* EXCLUDE`.

use super::tokens::index;
use crate::parser::lexer::keyword::{self, Category};
use sqlparser::{
    ast::{DataType, Expr, Ident, ObjectName, TypedString, UnaryOperator},
    dialect::{Dialect, PostgreSqlDialect, Precedence},
    keywords::Keyword,
    parser::{Parser, ParserError},
    tokenizer::{Token, Word},
};
use std::{any::TypeId, cell::Cell};

/// Between COLLATE and a subscript, where PostgreSQL has the minus sign.
const SIGN_PRECEDENCE: u8 = 125;

/// `||`, `->` and every other operator without a precedence of its own, prefix or infix.
const OPERATOR_PRECEDENCE: u8 = 70;

/// How many parts of a name are looked at before it is read; PostgreSQL allows four.
const MAX_PARTS: usize = 5;

/// The dialect, and how far the parser has come: the library tries several readings of an opening parenthesis
/// and then complains about the parenthesis.
#[derive(Debug, Default)]
pub(super) struct Postgres {
    reached: Cell<usize>,
}

/// Functions whose names are keywords but whose calls look like any other.
const CALLS: &[&str] = &["coalesce", "greatest", "grouping", "least", "nullif", "row"];

/// Reserved words that may start an expression, or stand for one.
const VALUES: &[&str] = &[
    "array",
    "case",
    "cast",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "false",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "session_user",
    "true",
    "user",
];

/// Those of them that are complete in themselves.
const SESSION_VALUES: &[&str] =
    &["current_catalog", "current_role", "current_schema", "current_user", "default", "session_user", "user"];

impl Postgres {
    /// The furthest token that something was expected at.
    pub(super) fn reached(&self) -> usize {
        self.reached.get()
    }

    /// The parser has come to its next token.
    fn reach(&self, parser: &Parser<'_>) {
        let index = index(parser.peek_token_ref().span).unwrap_or(usize::MAX);
        self.reached.set(self.reached.get().max(index));
    }

    /// An expression that starts with a word, unless the library knows better.
    fn word(&self, parser: &mut Parser<'_>, word: &Word) -> Option<Result<Expr, ParserError>> {
        let category = match word.quote_style {
            Some(_) => Category::None,
            None => keyword::category(&word.value),
        };
        let name = word.value.as_str();
        let quoted = word.quote_style.is_some();
        if !quoted && SESSION_VALUES.binary_search(&name).is_ok() {
            let call = parser.peek_nth_token_ref(1).token == Token::LParen;
            return (name != "current_schema" || !call).then(|| identifier(parser));
        }
        if category == Category::Reserved {
            let allowed = VALUES.binary_search(&name).is_ok();
            return (!allowed).then(|| parser.expected_ref("an expression", parser.peek_token_ref()));
        }
        if name == "double"
            && matches!(&parser.peek_nth_token_ref(1).token, Token::Word(w) if w.keyword == Keyword::PRECISION)
        {
            return None;
        }
        // A type or function name of several parts, and what follows it.
        let mut parts = 1;
        while parts < MAX_PARTS
            && parser.peek_nth_token_ref(2 * parts - 1).token == Token::Period
            && matches!(parser.peek_nth_token_ref(2 * parts).token, Token::Word(_))
        {
            parts += 1;
        }
        let callable = category.is_function_name() || CALLS.binary_search(&name).is_ok();
        match &parser.peek_nth_token_ref(2 * parts - 1).token {
            Token::LParen if parts > 1 || callable => {
                Some(object_name(parser).and_then(|n| parser.parse_function(n)))
            }
            Token::SingleQuotedString(_) if parts > 1 || category.is_function_name() => {
                Some(typed_string(parser))
            }
            _ if category.is_column_id() && category != Category::ColumnName => Some(identifier(parser)),
            _ if category == Category::TypeOrFunction => {
                Some(parser.expected_ref("an expression", parser.peek_token_ref()))
            }
            _ => None,
        }
    }
}

/// `a.b.c`, as far as words go.
fn object_name(parser: &mut Parser<'_>) -> Result<ObjectName, ParserError> {
    let mut parts = vec![parser.parse_identifier()?];
    while parser.peek_token_ref().token == Token::Period
        && matches!(parser.peek_nth_token_ref(1).token, Token::Word(_))
    {
        parser.advance_token();
        parts.push(parser.parse_identifier()?);
    }
    Ok(ObjectName::from(parts))
}

/// A column.
fn identifier(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let mut parts: Vec<Ident> = vec![parser.parse_identifier()?];
    while parser.peek_token_ref().token == Token::Period
        && matches!(parser.peek_nth_token_ref(1).token, Token::Word(_))
    {
        parser.advance_token();
        parts.push(parser.parse_identifier()?);
    }
    match (parts.pop(), parts.is_empty()) {
        (Some(only), true) => Ok(Expr::Identifier(only)),
        (last, _) => {
            parts.extend(last);
            Ok(Expr::CompoundIdentifier(parts))
        }
    }
}

/// `type 'literal'`
fn typed_string(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let name = object_name(parser)?;
    let value = parser.parse_value()?;
    Ok(Expr::TypedString(TypedString {
        data_type: DataType::Custom(name, Vec::new()),
        value,
        uses_odbc_syntax: false,
    }))
}

/// Is the word just taken by the parser an unquoted one that passes?
fn current_word(parser: &Parser<'_>, accept: impl Fn(&str) -> bool) -> bool {
    match &parser.get_current_token().token {
        Token::Word(word) => word.quote_style.is_some() || accept(&word.value),
        _ => false,
    }
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.reach(parser);
        let (op, precedence) = match &parser.peek_token_ref().token {
            Token::Word(word) => {
                let word = word.clone();
                return self.word(parser, &word);
            }
            Token::Minus => (UnaryOperator::Minus, SIGN_PRECEDENCE),
            Token::Plus => (UnaryOperator::Plus, SIGN_PRECEDENCE),
            // Which operator it is, the converter sees in our tokens.
            Token::CustomBinaryOperator(_) | Token::Tilde => (UnaryOperator::BitwiseNot, OPERATOR_PRECEDENCE),
            _ => return None,
        };
        parser.advance_token();
        let operand = parser.parse_subexpr(precedence);
        Some(operand.map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        self.reach(parser);
        match &parser.peek_token_ref().token {
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(OPERATOR_PRECEDENCE)),
            Token::Word(word) if word.keyword == Keyword::OPERATOR => Some(Ok(OPERATOR_PRECEDENCE)),
            Token::Assignment => Some(Ok(0)),
            // `a NOT` starts an infix operator only before these.
            _ => PostgreSqlDialect {}.get_next_precedence(parser),
        }
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        PostgreSqlDialect {}.prec_value(precedence)
    }

    fn is_select_item_alias(&self, explicit: bool, _: &Keyword, parser: &mut Parser<'_>) -> bool {
        let alias = explicit || current_word(parser, keyword::is_bare_label);
        if alias {
            self.reach(parser);
        }
        alias
    }

    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser<'_>) -> bool {
        // SET ends the table of UPDATE; elsewhere it would be an alias to PostgreSQL.
        let alias = current_word(parser, |word| keyword::category(word).is_column_id())
            && (explicit || *kw != Keyword::SET);
        if alias {
            self.reach(parser);
        }
        alias
    }

    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        // Only asked for a word that has failed as the start of something longer.
        let word = format!("{kw:?}").to_ascii_lowercase();
        keyword::category(&word) == Category::Reserved
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_part(ch)
    }

    fn supports_from_first_select(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_empty_projections(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        false
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }

    fn supports_insert_table_alias(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_order_by_using_operator(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }
}
