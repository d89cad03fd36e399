//! What a function is: one row of PostgreSQL's `pg_proc` or `pg_operator`, with the code that computes it.

use super::eval::Call;
use crate::error::Result;
use crate::types::DataType;
use std::fmt;
use std::hash::{Hash, Hasher};

/// One overload of a function or operator. They are statics: equality is of identity.
pub struct Function {
    /// The name it is called by; operators have their characters.
    pub name: &'static str,
    /// Whether it is written as a function or as an operator.
    pub kind: Kind,
    /// The types of the arguments.
    pub arguments: &'static [Operand],
    /// Whether more arguments may follow.
    pub variadic: Variadic,
    /// The type of the result.
    pub result: ResultType,
    /// NULL if an argument is; the code does not see those rows.
    pub strict: bool,
    /// The result may be NULL although no argument is.
    pub may_return_null: bool,
    /// What the result depends on besides the arguments.
    pub volatility: Volatility,
    /// Computes the rows of a chunk.
    pub code: fn(&mut Call<'_>) -> Result<()>,
}

/// How a function is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// `name(arguments)`
    Function,
    /// `left name right`
    Infix,
    /// `name right`
    Prefix,
}

/// The type of an argument.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// This type, with any modifiers.
    Is(DataType),
    /// Any type, as it comes.
    Any,
}

/// Whether a function takes more arguments than it names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Variadic {
    /// No.
    No,
    /// The last argument may stand any number of times, at least once.
    Last,
    /// The last argument may stand any number of times, or not at all.
    Optional,
}

/// The type of a result.
#[derive(Clone, Copy)]
pub enum ResultType {
    /// Always this one.
    Is(DataType),
    /// What the arguments' modifiers make it.
    Rule(fn(&[DataType]) -> DataType),
}

/// What a result depends on besides the arguments; PostgreSQL's `provolatile`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Volatility {
    /// Nothing: it may be computed when the statement is bound.
    Immutable,
    /// The transaction, the session and its settings: constant during a statement.
    Stable,
    /// Anything: computed anew for each row.
    Volatile,
}

impl Function {
    /// The result for arguments of these types.
    pub fn result_type(&self, arguments: &[DataType]) -> DataType {
        match self.result {
            ResultType::Is(ty) => ty,
            ResultType::Rule(rule) => rule(arguments),
        }
    }

    /// The declared type of the `index`-th argument; `None` if there is no such argument.
    pub fn operand(&self, index: usize) -> Option<Operand> {
        self.arguments.get(index).copied().or_else(|| match self.variadic {
            Variadic::No => None,
            Variadic::Last | Variadic::Optional => self.arguments.last().copied(),
        })
    }

    /// Whether it can be called with so many arguments.
    pub fn accepts(&self, count: usize) -> bool {
        match self.variadic {
            Variadic::No => count == self.arguments.len(),
            Variadic::Last => count >= self.arguments.len(),
            Variadic::Optional => count + 1 >= self.arguments.len(),
        }
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::from_ref(self).hash(state);
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, operand) in self.arguments.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match operand {
                Operand::Is(ty) => write!(f, "{comma}{}", ty.name())?,
                Operand::Any => write!(f, "{comma}\"any\"")?,
            }
        }
        f.write_str(")")
    }
}
