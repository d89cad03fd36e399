//! Expressions as EXPLAIN prints them, in PostgreSQL's style: operations in parentheses, casts visible, constants
//! with their type unless it shows.

use super::{CompareOp, Expr, Extremum, IsTest, Kind, PatternKind};
use crate::types::{DataType, TimeContext, Value};
use std::fmt;

/// Names columns: by the number of queries out (0 for the expression's own input) and the place there.
pub type ColumnNamer<'a> = &'a dyn Fn(usize, usize) -> String;

/// An expression to be printed; see [`Expr::display`].
pub struct ExprDisplay<'a> {
    expr: &'a Expr,
    namer: ColumnNamer<'a>,
}

impl Expr {
    /// The expression with the names that `namer` gives its columns.
    pub fn display<'a>(&'a self, namer: ColumnNamer<'a>) -> ExprDisplay<'a> {
        ExprDisplay { expr: self, namer }
    }
}

impl ExprDisplay<'_> {
    fn with<'b>(&'b self, expr: &'b Expr) -> ExprDisplay<'b> {
        ExprDisplay { expr, namer: self.namer }
    }

    fn list(&self, f: &mut fmt::Formatter<'_>, items: &[Expr], separator: &str) -> fmt::Result {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                f.write_str(separator)?;
            }
            write!(f, "{}", self.with(item))?;
        }
        Ok(())
    }

    fn members(&self, f: &mut fmt::Formatter<'_>, list: &[Expr]) -> fmt::Result {
        let constants =
            || list.iter().map(|e| if let Expr::Constant { value, .. } = e { Some(value) } else { None });
        if !constants().all(|value| value.is_some()) {
            f.write_str("ARRAY[")?;
            self.list(f, list, ", ")?;
            return f.write_str("]");
        }
        f.write_str("'{")?;
        let ty = list[0].data_type();
        for (i, value) in constants().flatten().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match value.to_text(&ty, &TimeContext::default()) {
                None => f.write_str("NULL")?,
                Some(text) => write_element(f, &text)?,
            }
        }
        // Lists of strings are compared as text.
        let name = if matches!(ty, DataType::VarChar(_)) { DataType::Text.name() } else { ty.name() };
        write!(f, "}}'::{name}[]")
    }
}

/// An element of an array literal inside a string literal.
fn write_element(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let special = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ',' | '"' | '\\');
    if !text.is_empty() && !text.contains(special) && !text.eq_ignore_ascii_case("null") {
        return f.write_str(&text.replace('\'', "''"));
    }
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "''"))
}

fn write_constant(f: &mut fmt::Formatter<'_>, value: &Value, ty: &DataType) -> fmt::Result {
    let Some(text) = value.to_text(ty, &TimeContext::default()) else {
        return write!(f, "NULL::{}", ty.name());
    };
    let quoted = text.replace('\'', "''");
    match ty {
        DataType::Boolean => f.write_str(if text == "t" { "true" } else { "false" }),
        DataType::Integer if !text.starts_with('-') => f.write_str(&text),
        DataType::Numeric { .. } | DataType::AnyNumeric if text.contains('.') && !text.starts_with('-') => {
            f.write_str(&text)
        }
        DataType::Unknown => write!(f, "'{quoted}'"),
        DataType::Char(_) => write!(f, "'{quoted}'::bpchar"),
        _ => write!(f, "'{quoted}'::{}", ty.name()),
    }
}

impl fmt::Display for ExprDisplay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expr {
            Expr::Column { index, .. } => f.write_str(&(self.namer)(0, *index)),
            Expr::OuterColumn { depth, index, .. } => f.write_str(&(self.namer)(*depth, *index)),
            Expr::Parameter { number, .. } => write!(f, "${number}"),
            Expr::Constant { value, ty } => write_constant(f, value, ty),
            Expr::Cast { operand, to, .. } => write!(f, "({})::{to}", self.with(operand)),
            Expr::Call { function, arguments, .. } => match (function.kind, arguments.as_slice()) {
                (Kind::Infix, [left, right]) => {
                    write!(f, "({} {} {})", self.with(left), function.name, self.with(right))
                }
                (Kind::Prefix, [operand]) => write!(f, "({} {})", function.name, self.with(operand)),
                _ => {
                    write!(f, "{}(", function.name)?;
                    self.list(f, arguments, ", ")?;
                    f.write_str(")")
                }
            },
            Expr::Compare { operator: CompareOp::NotDistinct, left, right } => {
                write!(f, "(NOT ({} IS DISTINCT FROM {}))", self.with(left), self.with(right))
            }
            Expr::Compare { operator, left, right } => {
                write!(f, "({} {} {})", self.with(left), operator.name(), self.with(right))
            }
            Expr::And(terms) => {
                f.write_str("(")?;
                self.list(f, terms, " AND ")?;
                f.write_str(")")
            }
            Expr::Or(terms) => {
                f.write_str("(")?;
                self.list(f, terms, " OR ")?;
                f.write_str(")")
            }
            Expr::Not(operand) => write!(f, "(NOT {})", self.with(operand)),
            Expr::Is { operand, test, negated } => {
                let not = if *negated { "NOT " } else { "" };
                let test = match test {
                    IsTest::Null => "NULL",
                    IsTest::True => "TRUE",
                    IsTest::False => "FALSE",
                    IsTest::Unknown => "UNKNOWN",
                };
                write!(f, "({} IS {not}{test})", self.with(operand))
            }
            Expr::Case { branches, otherwise, .. } => {
                f.write_str("CASE")?;
                for (condition, result) in branches {
                    write!(f, " WHEN {} THEN {}", self.with(condition), self.with(result))?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {}", self.with(otherwise))?;
                }
                f.write_str(" END")
            }
            Expr::Coalesce { arguments, .. } => {
                f.write_str("COALESCE(")?;
                self.list(f, arguments, ", ")?;
                f.write_str(")")
            }
            Expr::NullIf { value, equals } => match equals.as_ref() {
                Expr::Compare { right, .. } => {
                    write!(f, "NULLIF({}, {})", self.with(value), self.with(right))
                }
                other => write!(f, "CASE WHEN {} THEN NULL ELSE {} END", self.with(other), self.with(value)),
            },
            Expr::Extremum { kind, arguments, .. } => {
                f.write_str(match kind {
                    Extremum::Greatest => "GREATEST(",
                    Extremum::Least => "LEAST(",
                })?;
                self.list(f, arguments, ", ")?;
                f.write_str(")")
            }
            Expr::InList { operand, list, negated } => {
                let operator = if *negated { "<> ALL" } else { "= ANY" };
                write!(f, "({} {operator} (", self.with(operand))?;
                self.members(f, list)?;
                f.write_str("))")
            }
            Expr::Like { kind, operand, pattern, escape, negated } => {
                let not = if *negated { "!" } else { "" };
                write!(f, "({} {not}", self.with(operand))?;
                let (operator, function) = match kind {
                    PatternKind::Like => ("~~", "like_escape"),
                    PatternKind::ILike => ("~~*", "like_escape"),
                    PatternKind::Similar => ("~", "similar_to_escape"),
                };
                match (escape, kind) {
                    (Some(escape), _) => {
                        write!(f, "{operator} {function}({}, {}))", self.with(pattern), self.with(escape))
                    }
                    (None, PatternKind::Similar) => {
                        write!(f, "{operator} {function}({}))", self.with(pattern))
                    }
                    (None, _) => write!(f, "{operator} {})", self.with(pattern)),
                }
            }
        }
    }
}
