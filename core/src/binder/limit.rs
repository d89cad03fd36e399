//! LIMIT, OFFSET and FETCH FIRST.

use super::scope::Clause;
use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::parser::ast::{self, Query};
use crate::types::DataType;

/// How many rows to return.
pub(super) struct BoundLimit {
    pub(super) limit: Option<Expr>,
    pub(super) offset: Option<Expr>,
    pub(super) with_ties: bool,
}

impl Binder<'_> {
    /// The limit and offset of a query; the innermost level is the query's.
    pub(super) fn bind_limit(&mut self, query: &Query) -> Result<BoundLimit> {
        let offset = query.offset.as_ref().map(|expr| self.bind_count(expr, Clause::Offset)).transpose()?;
        let limit = query.limit.as_ref().map(|expr| self.bind_count(expr, Clause::Limit)).transpose()?;
        Ok(BoundLimit { limit, offset, with_ties: query.with_ties })
    }

    fn bind_count(&mut self, expr: &ast::Expr, clause: Clause) -> Result<Expr> {
        self.level().clause = clause;
        let level = self.levels.len() - 1;
        let mark = self.reads.len();
        let count = self.bind_as(expr, DataType::BigInt, clause.name())?;
        self.refuse_attachments(clause.name())?;
        if self.reads[mark..].iter().any(|(read, _)| *read == level) {
            let error = BindingError::VariableNotAllowed { clause: clause.name() };
            return Err(Error::from(error).at(expr.start()));
        }
        count.check_depth().at(expr.position)?;
        Ok(count)
    }
}
