//! Calls of aggregates.
//!
//! An aggregate belongs to the innermost query whose columns its arguments read, which may be one around the query it
//! stands in; without columns, to the query it stands in. There it becomes a column of the groups, and the expression
//! reads that column.

use super::scope::{Clause, Use};
use super::{At as _, Binder};
use crate::error::{BindingError, Error, Result};
use crate::expr::aggregate::{AggregateCall, SortKey};
use crate::expr::{Expr, Volatility};
use crate::parser::ast::{self, FunctionCall, NullsOrder, Position};
use crate::plan::logical::{Column, ColumnId, ComputedAggregate};

impl Binder<'_> {
    /// An aggregate as the column that holds it.
    pub(super) fn bind_aggregate(&mut self, call: &FunctionCall, position: Position) -> Result<Expr> {
        let here = self.levels.len() - 1;
        let reads = self.reads.len();
        let uses: Vec<usize> = self.levels.iter().map(|level| level.uses.len()).collect();
        let attachments = std::mem::take(&mut self.level().attachments);
        let bound = self.bind_aggregate_call(call, position);
        let inner = std::mem::replace(&mut self.level().attachments, attachments);
        let bound = bound?;
        let owner = self.reads[reads..].iter().map(|(level, _)| *level).filter(|level| *level <= here).max();
        let owner = owner.unwrap_or(here);
        let level = &mut self.levels[owner];
        if !level.clause.allows_aggregates() {
            let error = BindingError::AggregateNotAllowed { clause: level.clause.name() };
            return Err(Error::from(error).at(position));
        }
        let is_aggregate = |used: &&Use| level.aggregates.iter().any(|aggregate| aggregate.id == used.id);
        if let Some(nested) = level.uses[uses[owner]..].iter().find(is_aggregate) {
            return Err(Error::from(BindingError::NestedAggregate).at(nested.position));
        }
        level.uses.truncate(uses[owner]);
        level.inner_attachments.extend(inner);
        level.aggregated = true;
        let id = self.add_aggregate(owner, bound);
        self.reads.truncate(reads);
        self.reads.push((owner, id));
        self.levels[owner].uses.push(Use { id, position });
        let aggregates = &self.levels[owner].aggregates;
        let nullable = aggregates.iter().any(|of| of.id == id && of.call.function.may_return_null);
        Ok(self.columns.read_as(id, nullable))
    }

    /// The column of an aggregate of a level; equal ones share it.
    fn add_aggregate(&mut self, owner: usize, call: AggregateCall) -> ColumnId {
        let aggregates = &mut self.levels[owner].aggregates;
        let mut volatile = false;
        crate::plan::for_each_argument(&call, &mut |expr| {
            volatile |= expr.volatility() == Volatility::Volatile
        });
        if let Some(known) = aggregates.iter().find(|known| !volatile && known.call == call) {
            return known.id;
        }
        let id = self.columns.add(Column {
            name: call.function.name.into(),
            relation: None,
            ty: call.ty,
            declared: crate::expr::without_modifiers(call.ty),
            origin: None,
        });
        aggregates.push(ComputedAggregate { id, call });
        id
    }

    fn bind_aggregate_call(&mut self, call: &FunctionCall, position: Position) -> Result<AggregateCall> {
        let name = call.name.name.name.as_str();
        if !call.star && call.arguments.is_empty() {
            // `count()` is no `count(*)`.
            if crate::expr::resolve::resolve_aggregate(name, &[]).is_ok() {
                return Err(Error::from(BindingError::AggregateWithoutArguments { name: name.to_owned() })
                    .at(position));
            }
        }
        let operands: Vec<&ast::Expr> = call.arguments.iter().map(|argument| &argument.value).collect();
        let arguments = operands.iter().map(|value| self.bind_expr(value)).collect::<Result<Vec<_>>>()?;
        let mut order_by = self.bind_aggregate_order(call)?;
        let filter = match &call.filter {
            None => None,
            Some(condition) => {
                let clause = std::mem::replace(&mut self.level().clause, Clause::Filter);
                let bound = self.bind_condition(condition, "FILTER");
                self.level().clause = clause;
                Some(bound?)
            }
        };
        let mut bound = AggregateCall::new(name, arguments).at(position)?;
        if call.distinct {
            bound = bound.distinct().at(position)?;
            if order_by.iter().any(|key| !bound.arguments.contains(&key.expr)) {
                return Err(Error::from(BindingError::DistinctAggregateOrder).at(position));
            }
            if bound.function.sees_order() {
                // PostgreSQL finds equal arguments by sorting.
                for expr in &bound.arguments {
                    if !order_by.iter().any(|key| key.expr == *expr) {
                        order_by.push(SortKey { expr: expr.clone(), descending: false, nulls_first: false });
                    }
                }
            }
        }
        for argument in &bound.arguments {
            argument.check_depth().at(position)?;
            self.settle(argument, position)?;
        }
        Ok(AggregateCall { order_by, filter, ..bound })
    }

    fn bind_aggregate_order(&mut self, call: &FunctionCall) -> Result<Vec<SortKey>> {
        let mut keys = Vec::with_capacity(call.order_by.len());
        for key in &call.order_by {
            let expr = self.bind_expr(&key.expr)?.resolve_unknown()?;
            self.settle(&expr, key.expr.position)?;
            let nulls_first = match key.nulls {
                NullsOrder::Default => key.descending,
                NullsOrder::First => true,
                NullsOrder::Last => false,
            };
            keys.push(SortKey { expr, descending: key.descending, nulls_first });
        }
        Ok(keys)
    }
}
