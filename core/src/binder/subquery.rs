//! Subqueries in expressions. Each is joined to the plan that the expression's rows come from and leaves a column
//! there: its value for a scalar subquery, a truth value for EXISTS, IN, ANY and ALL.

use super::scope::Attachment;
use super::{At as _, Binder, not_supported};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::parser::ast::{self, ExprKind, Position, Quantifier, Query};
use crate::plan::logical::{Column, ColumnId, JoinKind, LogicalPlan};
use crate::types::DataType;

/// A subquery and the columns it returns.
struct Subquery {
    plan: LogicalPlan,
    /// What it returns, and whether that may be NULL.
    columns: Vec<(ColumnId, bool)>,
}

impl Binder<'_> {
    /// `(SELECT ..)` as a value.
    pub(super) fn bind_scalar_subquery(&mut self, query: &Query, position: Position) -> Result<Expr> {
        let subquery = self.bind_subquery(query, position)?;
        let [(column, _)] = subquery.columns[..] else {
            return Err(Error::from(BindingError::SubqueryColumns).at(position));
        };
        self.attach(JoinKind::Single, subquery.plan, position);
        Ok(self.columns.read(column))
    }

    /// `EXISTS (SELECT ..)`
    pub(super) fn bind_exists(&mut self, query: &Query, position: Position) -> Result<Expr> {
        let subquery = self.bind_subquery(query, position)?;
        Ok(self.attach_mark(subquery.plan, Vec::new(), "exists", position))
    }

    /// `operand operator ANY (SELECT ..)`, of which IN is the one with `=`.
    pub(super) fn bind_in_query(
        &mut self,
        operand: &ast::Expr,
        operator: &str,
        query: &Query,
        position: Position,
    ) -> Result<Expr> {
        let (subquery, test) = self.bind_test(operand, operator, query, position)?;
        let column = if operator == "=" { "in" } else { "any" };
        Ok(self.attach_mark(subquery, test.split_conjunction(), column, position))
    }

    /// `operand operator ANY | ALL (SELECT ..)`
    pub(super) fn bind_quantified(
        &mut self,
        operand: &ast::Expr,
        operator: &str,
        quantifier: Quantifier,
        query: &Query,
        position: Position,
    ) -> Result<Expr> {
        if quantifier == Quantifier::Any {
            return self.bind_in_query(operand, operator, query, position);
        }
        // For all rows it holds if it fails for none.
        let (subquery, test) = self.bind_test(operand, operator, query, position)?;
        let failure = match test {
            Expr::Compare { operator, left, right } => {
                Expr::Compare { operator: operator.negate(), left, right }
            }
            other => other.negate()?,
        };
        self.attach_mark(subquery, vec![failure], "any", position).negate()
    }

    /// `(a, b) operator (SELECT x, y ..)`: the subquery has at most one row.
    pub(super) fn bind_row_subquery(
        &mut self,
        row: &ast::Expr,
        operator: &str,
        query: &Query,
        position: Position,
    ) -> Result<Expr> {
        let values = self.bind_operand(row)?;
        let subquery = self.bind_subquery(query, position)?;
        check_width(values.len(), subquery.columns.len(), position)?;
        let rights = subquery.columns.iter().map(|&(id, _)| self.columns.read(id)).collect();
        self.attach(JoinKind::Single, subquery.plan, position);
        self.compare_rows(operator, values, rights, position)
    }

    /// The columns of a subquery with at most one row, for `(a, b) = (SELECT ..)` of UPDATE.
    pub(super) fn bind_row_of(&mut self, query: &Query, position: Position) -> Result<Vec<Expr>> {
        let subquery = self.bind_subquery(query, position)?;
        self.attach(JoinKind::Single, subquery.plan, position);
        Ok(subquery.columns.iter().map(|&(id, _)| self.columns.read(id)).collect())
    }

    /// The plan of the subquery and the comparison of the operand with its columns.
    fn bind_test(
        &mut self,
        operand: &ast::Expr,
        operator: &str,
        query: &Query,
        position: Position,
    ) -> Result<(LogicalPlan, Expr)> {
        let values = self.bind_operand(operand)?;
        let subquery = self.bind_subquery(query, position)?;
        check_width(values.len(), subquery.columns.len(), position)?;
        let columns = subquery.columns.iter();
        let rights: Vec<Expr> = columns.map(|&(id, nullable)| self.columns.read_as(id, nullable)).collect();
        let test = if values.len() == 1 {
            let result = Expr::operator(operator, values.into_iter().chain(rights).collect());
            let test = self.finish(result, position, &[operand])?;
            if test.data_type() != DataType::Boolean {
                let operator = operator.to_owned();
                return Err(Error::from(BindingError::NotBooleanOperator { operator }).at(position));
            }
            test
        } else {
            self.compare_rows(operator, values, rights, position)?
        };
        Ok((subquery.plan, test))
    }

    /// The fields of a row, or the one value.
    fn bind_operand(&mut self, operand: &ast::Expr) -> Result<Vec<Expr>> {
        match &operand.kind {
            ExprKind::Row { fields, .. } => fields.iter().map(|field| self.bind_expr(field)).collect(),
            _ => Ok(vec![self.bind_expr(operand)?]),
        }
    }

    fn bind_subquery(&mut self, query: &Query, position: Position) -> Result<Subquery> {
        let clause = self.level().clause;
        if !clause.allows_subqueries() {
            let error = BindingError::SubqueryNotAllowed { clause: clause.singular() };
            return Err(Error::from(error).at(position));
        }
        self.count_node().at(position)?;
        let bound = self.bind_query(query)?;
        Ok(Subquery {
            columns: bound.output.iter().map(|column| (column.id, column.nullable)).collect(),
            plan: bound.plan,
        })
    }

    fn attach(&mut self, kind: JoinKind, plan: LogicalPlan, position: Position) {
        self.level().attachments.push(Attachment { kind, plan, position });
    }

    fn attach_mark(&mut self, plan: LogicalPlan, test: Vec<Expr>, name: &str, position: Position) -> Expr {
        let nullable = test.iter().any(Expr::nullable);
        let ty = DataType::Boolean;
        let column =
            self.columns.add(Column { name: name.into(), relation: None, ty, declared: ty, origin: None });
        self.attach(JoinKind::Mark { column, test }, plan, position);
        self.columns.read_as(column, nullable)
    }

    /// Refuses the subqueries found since, where the plan has no place for them.
    pub(super) fn refuse_attachments(&mut self, clause: &str) -> Result<()> {
        match std::mem::take(&mut self.level().attachments).first() {
            None => Ok(()),
            Some(subquery) => Err(not_supported(format!("a subquery in {clause}")).at(subquery.position)),
        }
    }
}

fn check_width(values: usize, columns: usize, position: Position) -> Result<()> {
    if values == columns {
        return Ok(());
    }
    Err(Error::from(BindingError::SubqueryWidth { too_many: columns > values }).at(position))
}
