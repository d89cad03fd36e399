//! The numbers of parameters.
//!
//! A statement has one kind of parameter: numbers (`$1`), names (`$name` and `:name`, which are the same name),
//! or question marks, which count up. They are told from what looks alike by these rules:
//!
//! * `?` is a parameter where a value must come: at the start, after an operator, a comma, an opening
//!   parenthesis, or a keyword such as LIMIT. After a value it is one of PostgreSQL's JSON operators.
//! * `:` before a letter starts a name, but `::` is a cast, `:=` names an argument, and directly within brackets
//!   it separates the bounds of an array slice (`a[lo:hi]`; write `$lo` there).
//! * `$` before a letter starts a name unless another `$` after the name makes it a dollar quote.

use std::collections::HashMap;

use crate::{
    error::{Result, StatementError},
    parser::ast::Parameters,
};

/// The highest number of a parameter.
pub const MAX_PARAMETERS: u32 = 32_766;

/// Gives parameters their numbers while a statement is read.
#[derive(Default)]
pub(super) struct ParameterNumbers {
    kind: Option<Kind>,
    count: u32,
    names: Vec<String>,
    /// The number of each name.
    named: HashMap<String, u32>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Numbered,
    Named,
    Anonymous,
}

impl ParameterNumbers {
    /// `$1`
    pub(super) fn numbered(&mut self, digits: &str) -> Result<u32> {
        self.expect(Kind::Numbered)?;
        // More digits than fit are too high a number as well.
        let number = digits.parse().unwrap_or(u32::MAX);
        if number == 0 {
            return Err(StatementError::UndefinedParameter { number }.into());
        }
        check(number)?;
        self.count = self.count.max(number);
        Ok(number)
    }

    /// `?`
    pub(super) fn anonymous(&mut self) -> Result<u32> {
        self.expect(Kind::Anonymous)?;
        check(self.count + 1)?;
        self.count += 1;
        Ok(self.count)
    }

    /// `$name`, `:name`
    pub(super) fn named(&mut self, name: &str) -> Result<u32> {
        self.expect(Kind::Named)?;
        if let Some(number) = self.named.get(name) {
            return Ok(*number);
        }
        check(self.count + 1)?;
        self.count += 1;
        self.names.push(name.to_owned());
        self.named.insert(name.to_owned(), self.count);
        Ok(self.count)
    }

    pub(super) fn finish(self) -> Parameters {
        Parameters { count: self.count, names: self.names }
    }

    fn expect(&mut self, kind: Kind) -> Result<()> {
        if *self.kind.get_or_insert(kind) == kind {
            Ok(())
        } else {
            Err(StatementError::MixedParameters.into())
        }
    }
}

fn check(number: u32) -> Result<()> {
    if number > MAX_PARAMETERS {
        return Err(StatementError::TooManyParameters { limit: MAX_PARAMETERS }.into());
    }
    Ok(())
}
