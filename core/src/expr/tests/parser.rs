//! A reader of SQL expressions, as small as the tests need it: the binder's is layers above.

use crate::error::Result;
use crate::expr::{CompareOp, Expr, Extremum, IsTest, PatternKind};
use crate::types::{CastContext, DataType, Decimal, Interval, IntervalField, Value};

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Number(String),
    Text(String),
    Word(String),
    Operator(String),
    End,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let start = at;
        if c.is_whitespace() {
            at += 1;
        } else if c.is_ascii_digit() || (c == '.' && chars.get(at + 1).is_some_and(char::is_ascii_digit)) {
            while chars.get(at).is_some_and(|c| c.is_ascii_digit() || *c == '.') {
                at += 1;
            }
            if chars.get(at).is_some_and(|c| *c == 'e')
                && chars.get(at + 1).is_some_and(|c| c.is_ascii_digit() || *c == '-' || *c == '+')
            {
                at += 2;
                while chars.get(at).is_some_and(char::is_ascii_digit) {
                    at += 1;
                }
            }
            out.push(Token::Number(chars[start..at].iter().collect()));
        } else if c == '\'' || (c == 'E' && chars.get(at + 1) == Some(&'\'')) {
            let escapes = c == 'E';
            at += if escapes { 2 } else { 1 };
            let mut string = String::new();
            loop {
                match chars[at] {
                    '\'' if chars.get(at + 1) == Some(&'\'') => {
                        string.push('\'');
                        at += 2;
                    }
                    '\'' => break,
                    '\\' if escapes => {
                        string.push(match chars[at + 1] {
                            'n' => '\n',
                            't' => '\t',
                            other => other,
                        });
                        at += 2;
                    }
                    other => {
                        string.push(other);
                        at += 1;
                    }
                }
            }
            at += 1;
            out.push(Token::Text(string));
        } else if c.is_alphabetic() || c == '_' {
            while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                at += 1;
            }
            out.push(Token::Word(chars[start..at].iter().collect::<String>().to_lowercase()));
        } else if "(),".contains(c) {
            at += 1;
            out.push(Token::Operator(c.to_string()));
        } else if c == ':' {
            at += 2;
            out.push(Token::Operator("::".into()));
        } else {
            while chars.get(at).is_some_and(|c| "+-*/<>=~!@#%^&|".contains(*c)) {
                at += 1;
            }
            // A sign after an operator is its own token.
            while at > start + 1 && matches!(chars[at - 1], '+' | '-') {
                at -= 1;
            }
            out.push(Token::Operator(chars[start..at].iter().collect()));
        }
    }
    out.push(Token::End);
    out
}

/// Reads an expression; names are columns of these types.
pub(crate) fn parse(text: &str, columns: &[(&str, DataType)]) -> Result<Expr> {
    let mut parser = Parser { tokens: tokens(text), at: 0, columns };
    let expr = parser.expression(0)?;
    assert_eq!(parser.tokens[parser.at], Token::End, "{text}: not read to its end");
    Ok(expr)
}

/// The type a name stands for, with its modifiers.
pub(crate) fn parse_type(text: &str) -> DataType {
    Parser { tokens: tokens(text), at: 0, columns: &[] }.type_name().unwrap()
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    columns: &'a [(&'a str, DataType)],
}

const OTHER: u8 = 7;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn next(&mut self) -> Token {
        self.at += 1;
        self.tokens[self.at - 1].clone()
    }

    fn is(&self, text: &str) -> bool {
        matches!(self.peek(), Token::Word(t) | Token::Operator(t) if t == text)
    }

    fn accept(&mut self, text: &str) -> bool {
        let is = self.is(text);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, text: &str) {
        assert!(self.accept(text), "expected {text} at {:?} of {:?}", self.peek(), self.tokens);
    }

    fn list(&mut self) -> Result<Vec<Expr>> {
        let mut list = Vec::new();
        if self.accept(")") {
            return Ok(list);
        }
        loop {
            list.push(self.expression(0)?);
            if !self.accept(",") {
                self.expect(")");
                return Ok(list);
            }
        }
    }

    fn expression(&mut self, least: u8) -> Result<Expr> {
        let mut left = self.prefix()?;
        loop {
            let token = self.peek().clone();
            let (Token::Word(op) | Token::Operator(op)) = &token else { return Ok(left) };
            let power = match op.as_str() {
                "or" => 1,
                "and" => 2,
                "is" => 4,
                "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" => 5,
                "between" | "in" | "like" | "ilike" | "similar" | "not" => 6,
                "+" | "-" => 8,
                "*" | "/" | "%" => 9,
                "^" => 10,
                "at" => 11,
                "::" => 13,
                "(" | ")" | "," => return Ok(left),
                _ if matches!(token, Token::Operator(_)) => OTHER,
                _ => return Ok(left),
            };
            if power <= least {
                return Ok(left);
            }
            self.at += 1;
            left = match op.as_str() {
                "or" => Expr::or(vec![left, self.expression(1)?])?,
                "and" => Expr::and(vec![left, self.expression(2)?])?,
                "is" => self.is_test(left)?,
                "between" => self.between(left)?,
                "at" => {
                    self.expect("time");
                    self.expect("zone");
                    let zone = self.expression(11)?;
                    Expr::call("timezone", vec![zone, left])?
                }
                "::" => {
                    let ty = self.type_name()?;
                    left.cast(ty, CastContext::Explicit)?
                }
                "not" => {
                    let inner = self.next();
                    let Token::Word(word) = inner else { panic!("NOT what?") };
                    self.matching(left, &word, true)?
                }
                "in" | "like" | "ilike" | "similar" => self.matching(left, op, false)?,
                _ => {
                    let right = self.expression(power)?;
                    Expr::operator(op, vec![left, right])?
                }
            };
        }
    }

    fn is_test(&mut self, left: Expr) -> Result<Expr> {
        let negated = self.accept("not");
        let test = match self.next() {
            Token::Word(word) if word == "null" => IsTest::Null,
            Token::Word(word) if word == "true" => IsTest::True,
            Token::Word(word) if word == "false" => IsTest::False,
            Token::Word(word) if word == "unknown" => IsTest::Unknown,
            Token::Word(word) if word == "distinct" => {
                self.expect("from");
                let right = self.expression(4)?;
                let op = if negated { CompareOp::NotDistinct } else { CompareOp::Distinct };
                return Expr::compare(op, left, right);
            }
            other => panic!("IS {other:?}"),
        };
        left.is(test, negated)
    }

    fn between(&mut self, left: Expr) -> Result<Expr> {
        let low = self.expression(6)?;
        self.expect("and");
        let high = self.expression(6)?;
        Expr::and(vec![
            Expr::compare(CompareOp::GreaterEqual, left.clone(), low)?,
            Expr::compare(CompareOp::LessEqual, left, high)?,
        ])
    }

    fn matching(&mut self, left: Expr, word: &str, negated: bool) -> Result<Expr> {
        let kind = match word {
            "in" => {
                self.expect("(");
                let list = self.list()?;
                return Expr::in_list(left, list, negated);
            }
            "between" => return self.between(left)?.negate(),
            "like" => PatternKind::Like,
            "ilike" => PatternKind::ILike,
            _ => {
                self.expect("to");
                PatternKind::Similar
            }
        };
        let pattern = self.expression(6)?;
        let escape = if self.accept("escape") { Some(self.expression(6)?) } else { None };
        Expr::like(kind, left, pattern, escape, negated)
    }

    fn prefix(&mut self) -> Result<Expr> {
        match self.next() {
            Token::Number(text) => {
                if let Ok(value) = text.parse::<i32>() {
                    return Ok(Expr::literal(Value::Integer(value)));
                }
                if let Ok(value) = text.parse::<i64>() {
                    return Ok(Expr::literal(Value::BigInt(value)));
                }
                Ok(Expr::literal(Value::Numeric(text.parse::<Decimal>()?)))
            }
            Token::Text(text) => Ok(Expr::literal(Value::from(text))),
            Token::Operator(op) if op == "(" => {
                let inner = self.expression(0)?;
                self.expect(")");
                Ok(inner)
            }
            Token::Operator(op) => {
                let sign = op == "-" || op == "+";
                let operand = self.expression(if sign { 12 } else { OTHER })?;
                // As the parser has it: the sign belongs to the number.
                if let (true, Expr::Constant { value, .. }) = (op == "-", &operand) {
                    match value {
                        Value::Integer(v) => {
                            let negative =
                                v.checked_neg().map_or_else(|| Value::BigInt(-i64::from(*v)), Value::Integer);
                            return Ok(Expr::literal(negative));
                        }
                        Value::BigInt(2_147_483_648) => return Ok(Expr::literal(Value::Integer(i32::MIN))),
                        Value::BigInt(v) if *v != i64::MIN => return Ok(Expr::literal(Value::BigInt(-v))),
                        _ => {}
                    }
                }
                Expr::operator(&op, vec![operand])
            }
            Token::Word(word) => self.word(&word),
            Token::End => panic!("an expression ends too early"),
        }
    }

    fn word(&mut self, word: &str) -> Result<Expr> {
        match word {
            "null" => return Ok(Expr::null(DataType::Unknown)),
            "true" => return Ok(Expr::boolean(true)),
            "false" => return Ok(Expr::boolean(false)),
            "not" => return self.expression(3)?.negate(),
            "case" => return self.case(),
            "cast" => {
                self.expect("(");
                let operand = self.expression(0)?;
                self.expect("as");
                let ty = self.type_name()?;
                self.expect(")");
                return operand.cast(ty, CastContext::Explicit);
            }
            _ => {}
        }
        if let Some(index) = self.columns.iter().position(|(name, _)| *name == word) {
            return Ok(Expr::column(index, self.columns[index].1, true));
        }
        // A literal of a type.
        let start = self.at;
        self.at -= 1;
        if let Some(ty) = self.maybe_type()
            && let Token::Text(text) = self.peek().clone()
        {
            self.at += 1;
            let field = match self.peek() {
                Token::Word(word) if ty == DataType::Interval => match word.as_str() {
                    "day" => Some(IntervalField::Day),
                    "month" => Some(IntervalField::Month),
                    "year" => Some(IntervalField::Year),
                    _ => None,
                },
                _ => None,
            };
            if let Some(field) = field {
                self.at += 1;
                return Ok(Expr::literal(Value::Interval(Interval::parse_with_field(&text, field)?)));
            }
            return Expr::literal(Value::from(text)).cast(ty, CastContext::Explicit);
        }
        self.at = start;
        if !self.accept("(") {
            return Expr::call(word, Vec::new());
        }
        match word {
            "extract" => {
                let field = match self.next() {
                    Token::Word(text) | Token::Text(text) => text,
                    other => panic!("EXTRACT({other:?}"),
                };
                self.expect("from");
                let source = self.expression(0)?;
                self.expect(")");
                Expr::call("extract", vec![Expr::literal(Value::from(field)), source])
            }
            "position" => {
                let part = self.expression(6)?;
                self.expect("in");
                let whole = self.expression(0)?;
                self.expect(")");
                Expr::call("position", vec![whole, part])
            }
            "coalesce" => Expr::coalesce(self.list()?),
            "greatest" => Expr::extremum(Extremum::Greatest, self.list()?),
            "least" => Expr::extremum(Extremum::Least, self.list()?),
            "nullif" => {
                let mut list = self.list()?;
                let second = list.pop().unwrap();
                Expr::null_if(list.pop().unwrap(), second)
            }
            _ => Expr::call(word, self.list()?),
        }
    }

    fn case(&mut self) -> Result<Expr> {
        let operand = if self.is("when") { None } else { Some(self.expression(0)?) };
        let mut branches = Vec::new();
        while self.accept("when") {
            let condition = self.expression(0)?;
            let condition = match &operand {
                Some(operand) => Expr::compare(CompareOp::Equal, operand.clone(), condition)?,
                None => condition,
            };
            self.expect("then");
            branches.push((condition, self.expression(0)?));
        }
        let otherwise = if self.accept("else") { Some(self.expression(0)?) } else { None };
        self.expect("end");
        Expr::case(branches, otherwise)
    }

    fn type_name(&mut self) -> Result<DataType> {
        Ok(self.maybe_type().unwrap_or_else(|| panic!("no type at {:?}", self.peek())))
    }

    fn modifiers(&mut self) -> Vec<u32> {
        let mut out = Vec::new();
        if self.accept("(") {
            loop {
                match self.next() {
                    Token::Number(n) => out.push(n.parse().unwrap()),
                    Token::Operator(op) if op == ")" => return out,
                    _ => {}
                }
            }
        }
        out
    }

    fn maybe_type(&mut self) -> Option<DataType> {
        let Token::Word(word) = self.next() else { return None };
        Some(match word.as_str() {
            "boolean" | "bool" => DataType::Boolean,
            "smallint" | "int2" => DataType::SmallInt,
            "integer" | "int" | "int4" => DataType::Integer,
            "bigint" | "int8" => DataType::BigInt,
            "real" | "float4" => DataType::Real,
            "float8" => DataType::Double,
            "double" => {
                self.expect("precision");
                DataType::Double
            }
            "numeric" | "decimal" => match self.modifiers()[..] {
                [p] => DataType::Numeric { precision: p as u8, scale: 0 },
                [p, s] => DataType::Numeric { precision: p as u8, scale: s as u8 },
                _ => DataType::AnyNumeric,
            },
            "text" => DataType::Text,
            "varchar" => DataType::VarChar(self.modifiers().first().copied()),
            "character" => {
                if self.accept("varying") {
                    DataType::VarChar(self.modifiers().first().copied())
                } else {
                    DataType::Char(self.modifiers().first().copied().unwrap_or(1))
                }
            }
            "char" => DataType::Char(self.modifiers().first().copied().unwrap_or(1)),
            "bytea" => DataType::Bytea,
            "date" => DataType::Date,
            "time" => DataType::Time,
            "timestamp" => {
                if self.accept("with") {
                    self.expect("time");
                    self.expect("zone");
                    DataType::TimestampTz
                } else {
                    if self.accept("without") {
                        self.expect("time");
                        self.expect("zone");
                    }
                    DataType::Timestamp
                }
            }
            "timestamptz" => DataType::TimestampTz,
            "interval" => DataType::Interval,
            "uuid" => DataType::Uuid,
            _ => return None,
        })
    }
}
