//! Semantic analysis: from a statement's syntax to a plan in which every name, type and function is known.
//!
//! ```text
//!   ast::Statement --Binder--> BoundStatement
//!        names        scope.rs names.rs        which column, in which query
//!        expressions  expr.rs literal.rs ..    expr::Expr; overloads and casts are resolved by crate::expr
//!        subqueries   subquery.rs              joined to the plan below the expression
//!        clauses      from.rs select.rs ..     one file a clause
//!        commands     insert.rs ddl.rs ..      one file a statement
//! ```
//!
//! The rules, the SQLSTATEs, the wording and the positions of errors are PostgreSQL's, down to the order in which
//! clauses are looked at.
//!
//! 1. Binding reads the catalog's snapshot and nothing else: no data, no clock, no setting.
//! 2. An expression in the result has no subquery and no literal of unknown type; parameters have the type they are
//!    used as.
//! 3. What nests, nests in the syntax tree, whose depth the parser bounds; what only chains there (joins, set
//!    operations, subqueries side by side, tables of WITH) is counted against `MAX_NODES`.

mod aggregate;
mod change;
mod coerce;
mod copy;
mod cte;
mod ddl;
mod delete;
mod distinct;
mod execute;
mod expr;
mod from;
mod function;
mod group;
mod insert;
mod interval;
mod join;
mod limit;
mod literal;
mod names;
mod naming;
mod order;
mod parameter;
mod query;
mod returning;
mod row;
mod scope;
mod select;
mod set_operation;
mod statement;
mod subquery;
mod type_name;
mod update;
mod utility;
mod values;

use crate::catalog::Catalog;
use crate::error::{BindingError, Error, Result, StatementError};
use crate::parser::ast::{Position, Statement};
use crate::plan::logical::{ColumnId, Columns};
use crate::types::DataType;
use cte::CommonTableEntry;
use scope::Level;

pub use execute::bind_arguments;
pub use statement::{
    Bound, BoundQuery, BoundStatement, Command, CopyIn, CopyOut, CreateIndex, CreateTable, CreateTableAs,
    Dropped, NewIndex, OutputColumn,
};
pub use type_name::resolve_type;

/// How many joins, subqueries, set operations and tables of WITH a statement may have in all.
const MAX_NODES: usize = 1000;

/// Binds one statement; make a new one for the next.
pub struct Binder<'c> {
    catalog: &'c Catalog,
    columns: Columns,
    parameters: Vec<DataType>,
    levels: Vec<Level>,
    /// Columns read so far, with their level.
    reads: Vec<(usize, ColumnId)>,
    ctes: Vec<CommonTableEntry>,
    /// Tables of WITH that stand later than what is being bound.
    later_tables: Vec<String>,
    nodes: usize,
}

/// Binds a statement against a snapshot of the catalog. `types` are what the client said about the first parameters;
/// those it left out or gave as [`DataType::Unknown`] are inferred.
///
/// # Errors
/// Those of names, types and everything else that PostgreSQL finds wrong before it runs a statement.
pub fn bind(catalog: &Catalog, statement: &Statement, types: &[DataType]) -> Result<Bound> {
    let mut binder = Binder::new(catalog, statement.parameters.count, types)?;
    let statement = binder.bind_statement(&statement.kind)?;
    Ok(Bound { statement, parameters: binder.finish_parameters()? })
}

impl<'c> Binder<'c> {
    fn new(catalog: &'c Catalog, parameters: u32, types: &[DataType]) -> Result<Self> {
        let mut parameters = vec![DataType::Unknown; usize::try_from(parameters).unwrap_or(0)];
        if parameters.len() < types.len() {
            parameters.resize(types.len(), DataType::Unknown);
        }
        parameters[..types.len()].copy_from_slice(types);
        Ok(Self {
            catalog,
            columns: Columns::default(),
            parameters,
            levels: Vec::new(),
            reads: Vec::new(),
            ctes: Vec::new(),
            later_tables: Vec::new(),
            nodes: 0,
        })
    }

    /// The innermost query.
    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().expect("expressions are bound inside a query")
    }

    /// Counts a join, subquery, set operation or table of WITH.
    fn count_node(&mut self) -> Result<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(BindingError::TooComplex { limit: MAX_NODES }.into());
        }
        Ok(())
    }
}

fn not_supported(feature: impl Into<String>) -> Error {
    StatementError::NotSupported { feature: feature.into() }.into()
}

/// Adds the position to an error that has none.
trait At<T> {
    fn at(self, position: Position) -> Result<T>;
}

impl<T> At<T> for Result<T> {
    fn at(self, position: Position) -> Self {
        self.map_err(|error| error.at(position))
    }
}

#[cfg(test)]
pub(crate) mod tests;
