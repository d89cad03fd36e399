//! Rows `(a, b)` where they may stand: compared with each other, and tested for NULL.

use super::{At as _, Binder, not_supported};
use crate::error::{BindingError, Error, Result};
use crate::expr::{CompareOp, Expr, IsTest};
use crate::parser::ast::{self, ExprKind, Position};

impl Binder<'_> {
    /// `(a, b) op (x, y)`.
    pub(super) fn bind_row_comparison(
        &mut self,
        left: &ast::Expr,
        operator: &str,
        right: &ast::Expr,
        position: Position,
    ) -> Result<Expr> {
        if let ExprKind::Subquery(query) = &right.kind {
            return self.bind_row_subquery(left, operator, query, position);
        }
        let (lefts, rights) = self.bind_fields(left, right, position)?;
        self.compare_rows(operator, lefts, rights, position)
    }

    /// `(a, b) IS [NOT] DISTINCT FROM (x, y)`.
    pub(super) fn bind_row_distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        operator: CompareOp,
        position: Position,
    ) -> Result<Expr> {
        let (lefts, rights) = self.bind_fields(left, right, position)?;
        let mut terms = Vec::with_capacity(lefts.len());
        for (left, right) in lefts.into_iter().zip(rights) {
            terms.push(self.finish(Expr::compare(operator, left, right), position, &[])?);
        }
        if operator == CompareOp::Distinct { Expr::or(terms) } else { Expr::and(terms) }
    }

    /// `(a, b) IS NULL` asks it of all fields, `IS NOT NULL` too.
    pub(super) fn bind_row_is_null(
        &mut self,
        fields: &[ast::Expr],
        negated: bool,
        position: Position,
    ) -> Result<Expr> {
        let mut terms = Vec::with_capacity(fields.len());
        for field in fields {
            terms.push(self.bind_expr(field)?.is(IsTest::Null, negated).at(position)?);
        }
        Expr::and(terms)
    }

    /// The comparison of two lists of values of one length.
    pub(super) fn compare_rows(
        &mut self,
        operator: &str,
        lefts: Vec<Expr>,
        rights: Vec<Expr>,
        position: Position,
    ) -> Result<Expr> {
        let Some(operator) = CompareOp::from_name(operator) else {
            let hint = "Row comparison operators must be associated with btree operator families.";
            let operator = operator.to_owned();
            let error = Error::from(BindingError::RowOperator { operator }).with_hint(hint);
            return Err(error.at(position));
        };
        let mut pairs = Vec::with_capacity(lefts.len());
        for (left, right) in lefts.into_iter().zip(rights) {
            // Resolved once with `=`, so that literals have their types.
            let equal = self.finish(Expr::compare(CompareOp::Equal, left, right), position, &[])?;
            match equal {
                Expr::Compare { left, right, .. } => pairs.push((*left, *right)),
                _ => unreachable!("a comparison is made"),
            }
        }
        row_comparison(operator, &pairs).at(position)
    }

    /// The fields of both sides.
    fn bind_fields(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        position: Position,
    ) -> Result<(Vec<Expr>, Vec<Expr>)> {
        let (ExprKind::Row { fields: lefts, .. }, ExprKind::Row { fields: rights, .. }) =
            (&left.kind, &right.kind)
        else {
            return Err(not_supported("a row as a value").at(left.position));
        };
        if lefts.len() != rights.len() {
            return Err(Error::from(BindingError::RowLengths).at(position));
        }
        if lefts.is_empty() {
            return Err(Error::from(BindingError::EmptyRows).at(position));
        }
        let lefts = lefts.iter().map(|field| self.bind_expr(field)).collect::<Result<Vec<_>>>()?;
        let rights = rights.iter().map(|field| self.bind_expr(field)).collect::<Result<Vec<_>>>()?;
        Ok((lefts, rights))
    }
}

/// Rows are equal if all fields are; they are ordered by the first fields that differ.
fn row_comparison(operator: CompareOp, pairs: &[(Expr, Expr)]) -> Result<Expr> {
    let compare =
        |operator, (left, right): &(Expr, Expr)| Expr::compare(operator, left.clone(), right.clone());
    let all = |operator| pairs.iter().map(|pair| compare(operator, pair)).collect::<Result<Vec<_>>>();
    match operator {
        CompareOp::Equal | CompareOp::NotDistinct => Expr::and(all(operator)?),
        CompareOp::NotEqual | CompareOp::Distinct => Expr::or(all(operator)?),
        CompareOp::Less | CompareOp::LessEqual | CompareOp::Greater | CompareOp::GreaterEqual => {
            let strict = match operator {
                CompareOp::LessEqual => CompareOp::Less,
                CompareOp::GreaterEqual => CompareOp::Greater,
                other => other,
            };
            // a < x OR (a = x AND (b < y OR (b = y AND ..)))
            let mut pairs = pairs.iter().rev();
            let last = pairs.next().map(|pair| compare(operator, pair)).transpose()?;
            let Some(mut result) = last else { return Ok(Expr::boolean(true)) };
            for pair in pairs {
                let tie = Expr::and(vec![compare(CompareOp::Equal, pair)?, result])?;
                result = Expr::or(vec![compare(strict, pair)?, tie])?;
            }
            Ok(result)
        }
    }
}
