//! UNION, INTERSECT, EXCEPT.

use super::query::{Output, Rows, Unknowns};
use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result};
use crate::expr::resolve::common_type;
use crate::expr::without_modifiers;
use crate::parser::ast::{self, Position, Query, QueryBody};
use crate::plan::logical::{Column, ColumnId, LogicalPlan, SetInput, SetOperation, SetOperator};
use crate::types::DataType;
use std::sync::Arc;

/// What stands left of the next operation.
struct Chain {
    /// The operands of one operation; a single one has had none yet.
    inputs: Vec<(Rows, Position)>,
    operator: Option<(SetOperator, bool)>,
    /// The types of the result so far, and those a client is told.
    types: Vec<(DataType, DataType)>,
}

impl Binder<'_> {
    /// `first op query op query ..`, from left to right; a chain of UNIONs of one kind is one node.
    pub(super) fn bind_set_operations(
        &mut self,
        first: &QueryBody,
        rest: &[ast::SetOperation],
    ) -> Result<Rows> {
        let rows = self.bind_side(first)?;
        let columns = rows.output.iter().map(|column| self.columns.get(column.id));
        let types = columns.map(|column| (column.ty, column.declared)).collect();
        let mut chain = Chain { inputs: vec![(rows, body_start(first))], operator: None, types };
        for step in rest {
            self.count_node().at(step.position)?;
            let right = self.bind_side(&step.right)?;
            let position = body_start(&step.right);
            let operator = match step.operator {
                ast::SetOperator::Union => SetOperator::Union,
                ast::SetOperator::Intersect => SetOperator::Intersect,
                ast::SetOperator::Except => SetOperator::Except,
            };
            if chain.types.len() != right.output.len() {
                let error = BindingError::SetOperationWidth { operator: operator_name(operator) };
                return Err(Error::from(error).at(position));
            }
            let operation = (operator, step.all);
            if chain.operator.is_some_and(|open| open != operation || operator != SetOperator::Union) {
                chain = self.close(chain)?;
            }
            chain.operator = Some(operation);
            for (known, column) in chain.types.iter_mut().zip(&right.output) {
                let column = self.columns.get(column.id);
                let common = common_type(&[known.0, column.ty], operator_name(operator)).at(position)?;
                // A literal takes the type, but not modifiers that could cut it.
                let is_open = [known.0, column.ty].contains(&DataType::Unknown);
                let common = if is_open { without_modifiers(common) } else { common };
                let same = known.1 == column.declared && known.1 != DataType::Unknown;
                let declared = if same { known.1 } else { without_modifiers(common) };
                *known = (common, declared);
            }
            chain.inputs.push((right, position));
        }
        let mut chain = self.close(chain)?;
        Ok(chain.inputs.remove(0).0)
    }

    /// An operand; literals in it wait for the type of the other side.
    fn bind_side(&mut self, body: &QueryBody) -> Result<Rows> {
        match body {
            QueryBody::Nested(query) => self.bind_query_with(query, Unknowns::Keep),
            QueryBody::Values(rows) => self.bind_values(rows, Unknowns::Keep),
            QueryBody::SetOperations { first, rest } => self.bind_set_operations(first, rest),
            QueryBody::Select(select) => {
                let around = Query {
                    with: None,
                    body: QueryBody::Values(Vec::new()),
                    order_by: Vec::new(),
                    limit: None,
                    with_ties: false,
                    offset: None,
                    locks: Vec::new(),
                    position: select.position,
                };
                self.bind_select(select, &around, Unknowns::Keep)
            }
        }
    }

    /// Makes the operands one.
    fn close(&mut self, chain: Chain) -> Result<Chain> {
        let Chain { mut inputs, operator, types } = chain;
        let Some((operator, all)) = operator else { return Ok(Chain { inputs, operator, types }) };
        let position = inputs[0].1;
        let names: Vec<Arc<str>> = inputs[0].0.output.iter().map(|column| Arc::clone(&column.name)).collect();
        let wanted: Vec<DataType> = types.iter().map(|(ty, _)| *ty).collect();
        let mut set = Vec::with_capacity(inputs.len());
        let mut nullable = vec![false; types.len()];
        for (rows, position) in inputs.drain(..) {
            let rows = self.coerce_rows(rows, &wanted, position)?;
            for (any, column) in nullable.iter_mut().zip(&rows.output) {
                *any |= column.nullable;
            }
            let columns = rows.output.iter().map(|column| column.id).collect();
            set.push(SetInput { plan: rows.plan, columns });
        }
        let mut columns: Vec<ColumnId> = Vec::with_capacity(types.len());
        let mut output = Vec::with_capacity(types.len());
        for ((name, (ty, declared)), nullable) in names.into_iter().zip(&types).zip(nullable) {
            let column = Column {
                name: Arc::clone(&name),
                relation: None,
                ty: *ty,
                declared: *declared,
                origin: None,
            };
            let id = self.columns.add(column);
            columns.push(id);
            output.push(Output { name, id, nullable });
        }
        let plan = LogicalPlan::SetOperation(Box::new(SetOperation { operator, all, columns, inputs: set }));
        Ok(Chain { inputs: vec![(Rows { plan, output }, position)], operator: None, types })
    }
}

fn operator_name(operator: SetOperator) -> &'static str {
    match operator {
        SetOperator::Union => "UNION",
        SetOperator::Intersect => "INTERSECT",
        SetOperator::Except => "EXCEPT",
    }
}

/// Where PostgreSQL points to for a whole operand: its first result column.
fn body_start(body: &QueryBody) -> Position {
    column_start(body, 0)
}

/// Where a result column of a query stands, as far as stars leave that clear.
pub(super) fn column_start(body: &QueryBody, index: usize) -> Position {
    match body {
        QueryBody::Select(select) => {
            let is_star = |item: &ast::SelectItem| matches!(item, ast::SelectItem::Wildcard { .. });
            let star = select.items.iter().take(index + 1).find(|item| is_star(item));
            match star.or_else(|| select.items.get(index)) {
                Some(ast::SelectItem::Expr { expr, .. }) => expr.start(),
                Some(ast::SelectItem::Wildcard { position, .. }) => *position,
                None => select.position,
            }
        }
        QueryBody::Values(rows) => rows.first().and_then(|row| row.get(index)).map_or(1, ast::Expr::start),
        QueryBody::Nested(query) => column_start(&query.body, index),
        QueryBody::SetOperations { first, .. } => column_start(first, index),
    }
}
