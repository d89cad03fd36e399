//! Expressions against PostgreSQL's answers.
//!
//! Each line of the files in `data` is an expression, ` => `, and what PostgreSQL 15 gives for it in a session whose
//! zone is UTC: the type and the value as its output function prints it, or the error's code and message. Lines that
//! begin with `#` are remarks; where we differ on purpose, a remark says why, and the line has our answer.

pub(crate) mod parser;
mod rules;
mod vectors;

use super::eval::Evaluator;
use super::{Environment, EvalContext, Expr, SessionNames};
use crate::error::{Result, StatementError};
use crate::types::{Chunk, DataType, TimeContext, Value};
use parser::parse;

pub(crate) struct Session;

impl Environment for Session {
    fn clock_timestamp(&self) -> i64 {
        NOW + 1
    }

    fn random(&self) -> u64 {
        1 << 63
    }

    fn setting(&self, name: &str) -> Option<String> {
        (name == "timezone").then(|| "UTC".to_owned())
    }

    fn next_value(&self, sequence: &str) -> Result<i64> {
        if sequence == "s" {
            Ok(7)
        } else {
            Err(StatementError::UndefinedTable { name: sequence.into() }.into())
        }
    }

    fn current_value(&self, sequence: &str) -> Result<i64> {
        self.next_value(sequence)
    }

    fn set_value(&self, sequence: &str, _: i64, _: bool) -> Result<()> {
        self.next_value(sequence).map(drop)
    }
}

/// 2001-02-03 04:05:06.7 UTC.
pub(crate) const NOW: i64 = 34_488_306_700_000;

pub(crate) fn context(parameters: &[Value]) -> EvalContext<'_> {
    EvalContext {
        times: TimeContext { now: NOW, zone_seconds: 0 },
        statement_start: NOW,
        parameters,
        names: SessionNames {
            user: "alice",
            session_user: "alice",
            database: "db",
            schema: Some("public"),
            version: "PostgreSQL 15.0 (RustDB)",
        },
        environment: &Session,
    }
}

/// The value of an expression without columns, not folded.
fn value_of(expr: &Expr) -> Result<Value> {
    super::eval::evaluate_constant(expr, &context(&[]))
}

/// What an expression gives, in the words of the data files.
fn answer(text: &str) -> String {
    let result = || {
        let expr = parse(text, &[])?.resolve_unknown()?;
        let value = value_of(&expr)?;
        // Folded it must give the same.
        let chunk = Chunk { len: 1, ..Chunk::default() };
        let mut folded = Evaluator::new(std::slice::from_ref(&expr))?;
        let again = folded.evaluate(&chunk, &context(&[]))?.get(0).value_at(0, &expr.data_type());
        assert_eq!(value, again, "{text}");
        Ok((value, expr.data_type()))
    };
    match result() {
        Ok((value, ty)) => {
            let shown = value.to_text(&ty, &context(&[]).times).unwrap_or_else(|| "NULL".to_owned());
            format!("{}: {shown}", ty.name())
        }
        Err(error) => {
            let error: crate::Error = error;
            format!("ERROR {}: {error}", error.sqlstate().0)
        }
    }
}

/// Compares every line; all differences are shown.
fn check(data: &str) {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for line in data.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (text, expected) = line.split_once(" => ").expect("a line has an answer");
        let given = answer(text).replace('\n', "\\n");
        lines += 1;
        if given != expected {
            wrong.push(format!("{text}\n     expected {expected}\n     given    {given}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {lines} differ:\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! files {
    ($($name:ident),*) => {$(
        #[test]
        fn $name() {
            check(include_str!(concat!("data/", stringify!($name), ".txt")));
        }
    )*};
}
files!(arithmetic, math, string, encoding, pattern, datetime, fields, conditional, resolution, template);

#[test]
fn session_functions_ask_the_context() {
    for (text, expected) in [
        ("now()", "timestamp with time zone: 2001-02-03 04:05:06.7+00"),
        ("clock_timestamp()", "timestamp with time zone: 2001-02-03 04:05:06.700001+00"),
        ("current_date", "date: 2001-02-03"),
        ("localtimestamp(0)", "timestamp without time zone: 2001-02-03 04:05:07"),
        ("localtime", "time without time zone: 04:05:06.7"),
        ("age(timestamp '2001-01-01')", "interval: 1 mon 2 days"),
        ("random()", "double precision: 0.5"),
        ("current_user", "text: alice"),
        ("current_schema()", "text: public"),
        ("current_database()", "text: db"),
        ("version()", "text: PostgreSQL 15.0 (RustDB)"),
        ("nextval('s')", "bigint: 7"),
        ("nextval('t')", "ERROR 42P01: relation \"t\" does not exist"),
        ("setval('s', 3)", "bigint: 3"),
        ("gen_random_uuid()", "uuid: 80000000-0000-4000-8000-000000000000"),
        ("current_setting('timezone')", "text: UTC"),
        ("current_setting('x')", "ERROR 42704: unrecognized configuration parameter \"x\""),
        ("current_setting('x', true)", "text: NULL"),
    ] {
        assert_eq!(answer(text), expected, "{text}");
    }
}

/// Types of columns for tests of vectors.
fn types_of(columns: &[(&str, DataType)]) -> Vec<DataType> {
    columns.iter().map(|(_, ty)| *ty).collect()
}
