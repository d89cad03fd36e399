//! Prepared statements.

use super::connection::Connection;
use super::parameters::Params;
use super::rows::Rows;
use crate::error::Result;
use crate::session::{Column, Prepared};
use crate::types::DataType;
use std::sync::Arc;

/// A statement of a connection that is ready to run.
///
/// ```
/// # use rustdb::Database;
/// # let connection = Database::in_memory()?.connect()?;
/// let sum = connection.prepare("SELECT $1::int + $2")?;
/// assert_eq!(sum.query((1, 2))?.next()?.expect("one row").get::<i32>(0)?, 3);
/// # Ok::<(), rustdb::Error>(())
/// ```
#[derive(Clone)]
pub struct Statement {
    connection: Connection,
    prepared: Arc<Prepared>,
}

impl Statement {
    pub(super) fn new(connection: Connection, prepared: Arc<Prepared>) -> Self {
        Self { connection, prepared }
    }

    /// Runs it and returns its rows, as they are asked for.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn query(&self, parameters: impl Params) -> Result<Rows> {
        let connection = &self.connection;
        connection.shared.with(|session| connection.run(session, &self.prepared, parameters))
    }

    /// Runs it to its end and returns how many rows it inserted, changed, removed or, of a query, found.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn execute(&self, parameters: impl Params) -> Result<u64> {
        self.query(parameters)?.count_rest()
    }

    /// The columns of its result; none for a statement without one.
    pub fn columns(&self) -> &[Column] {
        &self.prepared.columns
    }

    /// The types of its parameters.
    pub fn parameter_types(&self) -> &[DataType] {
        &self.prepared.parameters
    }

    /// The number, from 1, of the parameter `$name` or `:name`.
    pub fn parameter_number(&self, name: &str) -> Option<usize> {
        self.prepared.parameter_number(name)
    }
}
