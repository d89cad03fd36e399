//! One statement for many sets of parameters.
//!
//! An INSERT of one row of VALUES becomes, for many sets, an insert of many rows: the sets are the input of the plan, and
//! what it computed from parameters is computed from columns. Nothing but the order in which errors are found tells it
//! from so many statements, since the row reads no table and is not arbitrated with rows that are there. Any other
//! change runs once for each set.

use super::prepare::Query;
use super::{Prepared, Session};
use crate::error::Result;
use crate::executor::{ChunkSource, execute};
use crate::expr::Expr;
use crate::plan::physical::{OutputColumn, PhysicalNode, PhysicalPlan};
use crate::types::{CastContext, Chunk, DataType, TimeContext, VECTOR_SIZE, Value};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// A value as a parameter of a type.
pub(super) fn convert(value: Value, ty: &DataType, times: &TimeContext) -> Result<Value> {
    match value {
        value if value.is_null() || value.data_type() == *ty => Ok(value),
        Value::Text(text) => Value::parse(&text, ty, times),
        value => value.cast(ty, CastContext::Assignment, times),
    }
}

/// The plan that does for rows of parameters what `plan` does for one set of them, if it inserts a row of VALUES.
pub(super) fn insert_of_sets(plan: &PhysicalPlan, parameters: &[DataType]) -> Option<PhysicalPlan> {
    let PhysicalNode::Insert(insert) = &plan.node else { return None };
    if insert.returning || insert.on_conflict.is_some() {
        return None;
    }
    let column_of = |expr: Expr| match expr {
        Expr::Parameter { number, ty } => Expr::Column { index: number as usize - 1, ty, nullable: true },
        other => other,
    };
    let row = row_of(&insert.source)?;
    let exprs = row.into_iter().map(|expr| expr.transform(&mut |node| column_of(node))).collect();
    let column = |ty: &DataType| OutputColumn { name: "".into(), ty: *ty };
    let columns = parameters.iter().map(column).collect();
    let input = Box::new(PhysicalPlan { node: PhysicalNode::Input, columns, rows: VECTOR_SIZE as f64 });
    let mut insert = insert.clone();
    insert.source.node = PhysicalNode::Project { input, exprs };
    let columns = plan.columns.clone();
    Some(PhysicalPlan { node: PhysicalNode::Insert(insert), columns, rows: plan.rows })
}

/// The only row of a plan, computed from parameters.
fn row_of(plan: &PhysicalPlan) -> Option<Vec<Expr>> {
    match &plan.node {
        PhysicalNode::Values(rows) => match &rows[..] {
            [row] => Some(row.clone()),
            _ => None,
        },
        PhysicalNode::Project { input, exprs } => {
            let below = row_of(input)?;
            let value_of = |expr: Expr| match expr {
                Expr::Column { index, .. } => below[index].clone(),
                other => other,
            };
            // A value that is computed once may not be computed twice.
            let plain = |expr: &Expr| matches!(expr, Expr::Parameter { .. } | Expr::Constant { .. });
            let once = below.iter().all(plain) || exprs.iter().all(|e| matches!(e, Expr::Column { .. }));
            once.then(|| exprs.iter().map(|e| e.clone().transform(&mut |node| value_of(node))).collect())
        }
        _ => None,
    }
}

/// Sets of parameters as rows.
struct ParameterSets {
    sets: VecDeque<Vec<Value>>,
    types: Vec<DataType>,
    times: TimeContext,
}

impl ChunkSource for ParameterSets {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        *chunk = Chunk::of_types(&self.types);
        let count = self.sets.len().min(VECTOR_SIZE);
        for mut set in self.sets.drain(..count) {
            for (value, ty) in set.iter_mut().zip(&self.types) {
                *value = convert(std::mem::replace(value, Value::Null), ty, &self.times)?;
            }
            chunk.push_row(&set, &self.types)?;
        }
        Ok(count > 0)
    }
}

impl Session {
    /// Runs a change of rows for each set of parameters; returns how many rows were changed.
    pub(super) fn run_sets(
        &mut self,
        prepared: &Prepared,
        query: &Query,
        sets: VecDeque<Vec<Value>>,
    ) -> Result<u64> {
        let Some(plan) = &query.of_sets else {
            let mut affected = 0;
            for set in sets {
                let values = self.parameter_values(prepared, &set)?;
                affected += self.run_query(prepared, query, values, false)?.affected;
            }
            return Ok(affected);
        };
        self.check_writable("INSERT")?;
        self.begin_statement();
        let mut context = self.context(Vec::new(), true, false)?;
        let (types, times) = (prepared.parameters.clone(), self.times());
        context.input = Some(Arc::new(Mutex::new(ParameterSets { sets, types, times })));
        let mut stream = execute(&self.queries.resources, plan, context)?;
        while stream.next()?.is_some() {}
        Ok(stream.affected_rows())
    }
}
