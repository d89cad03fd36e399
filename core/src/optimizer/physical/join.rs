//! How joins are done: by hash where something must be equal, by index where few rows look for partners, else by trying
//! all pairs.

use super::scan::{INDEX_ROW, SCAN_ROW, bound_column, trees};
use super::write::table_name;
use super::{Builder, Built, place, place_all};
use crate::catalog::TableKind;
use crate::error::Result;
use crate::expr::{CompareOp, Expr};
use crate::plan::logical::{ColumnId, Join, JoinKind, LogicalPlan, Scan};
use crate::plan::physical::{
    HashJoin, IndexJoin, JoinKey, JoinType, Mark, NestedLoopJoin, PhysicalNode, PhysicalPlan, RuntimeFilterId,
};
use crate::table::RowKey;
use std::collections::HashSet;

/// Filters are made for scans that read at least this many times the rows of the kept side.
const FILTER_GAIN: f64 = 2.0;

/// A pair of expressions, one for each side, that must be equal.
struct Equality {
    left: Expr,
    right: Expr,
    nulls_equal: bool,
}

fn ids_of(plan: &LogicalPlan) -> HashSet<usize> {
    plan.columns().into_iter().map(ColumnId::index).collect()
}

/// A condition as an equality between the sides.
fn equality(condition: &Expr, left: &HashSet<usize>, right: &HashSet<usize>) -> Option<Equality> {
    let Expr::Compare { operator, left: a, right: b } = condition else { return None };
    let nulls_equal = match operator {
        CompareOp::Equal => false,
        CompareOp::NotDistinct => true,
        _ => return None,
    };
    let within = |expr: &Expr, set: &HashSet<usize>| {
        let columns = expr.columns();
        !columns.is_empty() && columns.iter().all(|column| set.contains(column))
    };
    let (left, right) = match () {
        () if within(a, left) && within(b, right) => (a, b),
        () if within(b, left) && within(a, right) => (b, a),
        () => return None,
    };
    Some(Equality { left: (**left).clone(), right: (**right).clone(), nulls_equal })
}

impl Builder<'_> {
    pub(super) fn join(&mut self, join: &Join) -> Result<Built> {
        let (left_ids, right_ids) = (ids_of(&join.left), ids_of(&join.right));
        let (mut equalities, mut conditions) = (Vec::new(), Vec::new());
        for condition in &join.conditions {
            match equality(condition, &left_ids, &right_ids) {
                Some(equality) => equalities.push(equality),
                None => conditions.push(condition.clone()),
            }
        }
        let (left_rows, right_rows) = (self.estimator.rows(&join.left), self.estimator.rows(&join.right));
        let rows = self.estimator.join_rows(&join.kind, left_rows, right_rows, &join.conditions);
        let (kind, mark) = self.kind(&join.kind, &mut equalities, &conditions, &left_ids, &right_ids);
        if let Some(built) = self.index_join(join, &kind, &equalities, left_rows, rows)? {
            return Ok(built);
        }
        if equalities.is_empty() {
            return self.nested_loop(join, kind, mark, rows);
        }
        // The smaller side is kept.
        if left_rows < right_rows
            && let Some(kind) = turned(&kind)
        {
            let equalities = flip(equalities);
            return self.hash_join(&join.right, &join.left, kind, &equalities, &conditions, None, rows);
        }
        self.hash_join(&join.left, &join.right, kind, &equalities, &conditions, mark, rows)
    }

    /// The join's kind for operators, with the tests of a mark over column ids, and the mark's column. The test of
    /// `IN` becomes the keys when nothing else is asked. Otherwise tests that are never NULL become keys: pairs for
    /// which they are false say as little as no pair.
    fn kind(
        &self,
        kind: &JoinKind,
        equalities: &mut Vec<Equality>,
        conditions: &[Expr],
        left: &HashSet<usize>,
        right: &HashSet<usize>,
    ) -> (JoinType, Option<ColumnId>) {
        let kind = match kind {
            JoinKind::Inner => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Full => JoinType::Full,
            JoinKind::Semi => JoinType::Semi,
            JoinKind::Anti => JoinType::Anti,
            JoinKind::Single => JoinType::Single,
            JoinKind::Mark { column, test } => {
                let keys: Option<Vec<Equality>> =
                    test.iter().map(|test| equality(test, left, right)).collect();
                let strict = |keys: &Vec<Equality>| keys.len() == 1 && !keys[0].nulls_equal;
                if let Some(keys) = keys.filter(strict)
                    && equalities.is_empty()
                    && conditions.is_empty()
                {
                    *equalities = keys;
                    return (JoinType::Mark(Mark::NullAware), Some(*column));
                }
                let mut rest = Vec::new();
                for test in test {
                    match equality(test, left, right) {
                        Some(key) if !test.nullable() => equalities.push(key),
                        _ => rest.push(test.clone()),
                    }
                }
                return (JoinType::Mark(Mark::Test(rest)), Some(*column));
            }
        };
        (kind, None)
    }

    #[expect(clippy::too_many_arguments, reason = "what a hash join is")]
    fn hash_join(
        &mut self,
        left: &LogicalPlan,
        right: &LogicalPlan,
        kind: JoinType,
        equalities: &[Equality],
        conditions: &[Expr],
        mark: Option<ColumnId>,
        rows: f64,
    ) -> Result<Built> {
        let (mut left, right) = (self.build(left)?, self.build(right)?);
        let both: Vec<ColumnId> = left.ids.iter().chain(&right.ids).copied().collect();
        let key = |equality: &Equality| JoinKey {
            left: place(&equality.left, &left.ids),
            right: place(&equality.right, &right.ids),
            nulls_equal: equality.nulls_equal,
        };
        let keys: Vec<JoinKey> = equalities.iter().map(key).collect();
        let mut runtime_filters = Vec::new();
        if drops_unmatched_left(&kind) {
            for (number, key) in keys.iter().enumerate() {
                let Expr::Column { index, .. } = key.left else { continue };
                if key.nulls_equal || key.left.data_type() != key.right.data_type() {
                    continue;
                }
                let filter = RuntimeFilterId(self.runtime_filters + 1);
                if offer_filter(&mut left.plan, index, filter, right.plan.rows) {
                    runtime_filters.push((number, self.new_filter()));
                }
            }
        }
        let (kind, ids) = finish_kind(kind, mark, left.ids.len(), &both);
        let join = HashJoin {
            kind,
            left: left.plan,
            right: right.plan,
            keys,
            conditions: place_all(conditions, &both),
            // Noted when the whole plan is there.
            reads: vec![true; both.len()],
            runtime_filters,
        };
        Ok(self.built(PhysicalNode::HashJoin(Box::new(join)), ids, rows))
    }

    fn nested_loop(
        &mut self,
        join: &Join,
        kind: JoinType,
        mark: Option<ColumnId>,
        rows: f64,
    ) -> Result<Built> {
        let (left, right) = (self.build(&join.left)?, self.build(&join.right)?);
        let both: Vec<ColumnId> = left.ids.iter().chain(&right.ids).copied().collect();
        let conditions = place_all(&join.conditions, &both);
        let (kind, ids) = finish_kind(kind, mark, left.ids.len(), &both);
        let join = NestedLoopJoin { kind, left: left.plan, right: right.plan, conditions };
        Ok(self.built(PhysicalNode::NestedLoopJoin(Box::new(join)), ids, rows))
    }

    /// The join by an index of a table on its right side, or on its left side if it is inner, if that is cheaper than
    /// reading the table.
    fn index_join(
        &mut self,
        join: &Join,
        kind: &JoinType,
        equalities: &[Equality],
        left_rows: f64,
        rows: f64,
    ) -> Result<Option<Built>> {
        let fits = matches!(
            kind,
            JoinType::Inner | JoinType::Left | JoinType::Semi | JoinType::Anti | JoinType::Single
        );
        if !fits || equalities.is_empty() {
            return Ok(None);
        }
        if let Some(built) =
            self.look_up(&join.left, &join.right, &join.conditions, kind, equalities, left_rows, rows)?
        {
            return Ok(Some(built));
        }
        if *kind != JoinType::Inner {
            return Ok(None);
        }
        let right_rows = self.estimator.rows(&join.right);
        let turned: Vec<Equality> = equalities
            .iter()
            .map(|e| Equality { left: e.right.clone(), right: e.left.clone(), nulls_equal: e.nulls_equal })
            .collect();
        self.look_up(&join.right, &join.left, &join.conditions, kind, &turned, right_rows, rows)
    }

    #[expect(clippy::too_many_arguments, reason = "the join and what is known about it")]
    fn look_up(
        &mut self,
        outer: &LogicalPlan,
        inner: &LogicalPlan,
        conditions: &[Expr],
        kind: &JoinType,
        equalities: &[Equality],
        outer_rows: f64,
        rows: f64,
    ) -> Result<Option<Built>> {
        let Some((scan, filters)) = base_scan(inner) else { return Ok(None) };
        let table_rows = self.estimator.table_rows(&scan.table);
        let Some((index, keys, per_key)) = self.find_index(scan, equalities) else { return Ok(None) };
        let cost = outer_rows * (1.0 + per_key) * INDEX_ROW;
        if cost > table_rows * SCAN_ROW + outer_rows * SCAN_ROW {
            return Ok(None);
        }
        let left = self.build(outer)?;
        let scanned = inner.columns();
        let both: Vec<ColumnId> = left.ids.iter().chain(&scanned).copied().collect();
        let conditions: Vec<Expr> = filters.iter().chain(conditions).cloned().collect();
        let (kind, ids) = match kind {
            JoinType::Semi | JoinType::Anti => (kind.clone(), left.ids.clone()),
            _ => (kind.clone(), both.clone()),
        };
        let node = IndexJoin {
            kind,
            table: table_name(&scan.table, &scan.alias),
            index,
            keys: place_all(&keys, &left.ids),
            columns: scan.columns.iter().map(|&(number, _)| number).collect(),
            row_ids: scan.row_id.is_some(),
            conditions: place_all(&conditions, &both),
            left: left.plan,
        };
        Ok(Some(self.built(PhysicalNode::IndexJoin(Box::new(node)), ids, rows)))
    }

    /// An index whose first columns equalities determine: the index, its keys, and rows for each key.
    #[expect(clippy::type_complexity, reason = "the index as a plan names it, its keys, rows for a key")]
    fn find_index(
        &self,
        scan: &Scan,
        equalities: &[Equality],
    ) -> Option<(Option<(crate::ids::ObjectId, std::sync::Arc<str>)>, Vec<Expr>, f64)> {
        let key_of = |column: u16| {
            equalities.iter().find_map(|equality| {
                let same = |expr: &Expr| matches!(expr, Expr::Column { .. });
                let (number, key) = bound_column(scan, &equality.right, &equality.left)?;
                (number == column && same(&equality.right) && !equality.nulls_equal).then_some(key)
            })
        };
        if let RowKey::Column(column) = scan.table.row_key
            && let Some(key) = key_of(column)
        {
            return Some((None, vec![key], 1.0));
        }
        let rows = self.estimator.table_rows(&scan.table);
        trees(&scan.table)
            .filter(|index| self.estimator.may_use(index.oid))
            .filter_map(|index| {
                let columns = index.columns.iter().map(|column| column.column);
                let keys: Vec<Expr> = columns.map_while(&key_of).collect();
                if keys.is_empty() {
                    return None;
                }
                let whole = index.unique && keys.len() == index.columns.len();
                let distinct: f64 = index.columns[..keys.len()]
                    .iter()
                    .filter_map(|column| scan.columns.iter().find(|(number, _)| *number == column.column))
                    .map(|&(_, id)| self.estimator.distinct(id))
                    .product();
                let per_key = if whole { 1.0 } else { (rows / distinct.max(1.0)).max(1.0) };
                let name = (index.oid, index.name.as_str().into());
                Some((Some(name), keys, per_key))
            })
            .min_by(|a, b| a.2.total_cmp(&b.2))
    }
}

/// The scan of a table in storage and the conditions on it.
fn base_scan(plan: &LogicalPlan) -> Option<(&Scan, &[Expr])> {
    let (scan, filters): (_, &[Expr]) = match plan {
        LogicalPlan::Scan(scan) => (scan, &[]),
        LogicalPlan::Filter(filter) => match &*filter.input {
            LogicalPlan::Scan(scan) => (scan, &filter.conditions),
            _ => return None,
        },
        _ => return None,
    };
    (scan.table.kind == TableKind::Base).then_some((scan, filters))
}

/// The kind with the sides changed.
fn turned(kind: &JoinType) -> Option<JoinType> {
    Some(match kind {
        JoinType::Inner => JoinType::Inner,
        JoinType::Left => JoinType::Right,
        JoinType::Right => JoinType::Left,
        JoinType::Full => JoinType::Full,
        JoinType::Semi => JoinType::RightSemi,
        JoinType::Anti => JoinType::RightAnti,
        JoinType::RightSemi => JoinType::Semi,
        JoinType::RightAnti => JoinType::Anti,
        JoinType::Single | JoinType::Mark(_) => return None,
    })
}

fn flip(equalities: Vec<Equality>) -> Vec<Equality> {
    let flip = |Equality { left, right, nulls_equal }| Equality { left: right, right: left, nulls_equal };
    equalities.into_iter().map(flip).collect()
}

/// The kind with its tests over positions, and the columns of the join.
fn finish_kind(
    kind: JoinType,
    mark: Option<ColumnId>,
    left: usize,
    both: &[ColumnId],
) -> (JoinType, Vec<ColumnId>) {
    let kind = match kind {
        JoinType::Mark(Mark::Test(tests)) => JoinType::Mark(Mark::Test(place_all(&tests, both))),
        other => other,
    };
    let ids = match kind {
        JoinType::Semi | JoinType::Anti => both[..left].to_vec(),
        JoinType::RightSemi | JoinType::RightAnti => both[left..].to_vec(),
        JoinType::Mark(_) => both[..left].iter().copied().chain(mark).collect(),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full | JoinType::Single => {
            both.to_vec()
        }
    };
    (kind, ids)
}

/// Gives a filter over a column to the scan that makes it, if that is worth it.
fn offer_filter(plan: &mut PhysicalPlan, column: usize, filter: RuntimeFilterId, kept: f64) -> bool {
    match &mut plan.node {
        PhysicalNode::TableScan(scan) => {
            if scan.scanned < kept * FILTER_GAIN || column >= scan.columns.len() {
                return false;
            }
            scan.runtime_filters.push((filter, column));
            true
        }
        PhysicalNode::Filter { input, .. } => offer_filter(input, column, filter, kept),
        PhysicalNode::Project { input, exprs } => match exprs[column] {
            Expr::Column { index, .. } => offer_filter(input, index, filter, kept),
            _ => false,
        },
        // Groups that nothing asks for need not be made.
        PhysicalNode::Aggregate { input, keys, .. } => match keys.get(column) {
            Some(Expr::Column { index, .. }) => offer_filter(input, *index, filter, kept),
            _ => false,
        },
        // The kept side runs before; what passes by is filtered early.
        PhysicalNode::HashJoin(join) => {
            let left = join.left.columns.len();
            match join.kind {
                JoinType::Inner if column >= left => {
                    offer_filter(&mut join.right, column - left, filter, kept)
                }
                JoinType::Inner
                | JoinType::Left
                | JoinType::Semi
                | JoinType::Anti
                | JoinType::Single
                | JoinType::Mark(_)
                    if column < left =>
                {
                    offer_filter(&mut join.left, column, filter, kept)
                }
                JoinType::RightSemi | JoinType::RightAnti => {
                    offer_filter(&mut join.right, column, filter, kept)
                }
                _ => false,
            }
        }
        PhysicalNode::IndexJoin(join) if column < join.left.columns.len() => {
            offer_filter(&mut join.left, column, filter, kept)
        }
        _ => false,
    }
}

/// Whether left rows without a match do not matter.
fn drops_unmatched_left(kind: &JoinType) -> bool {
    matches!(
        kind,
        JoinType::Inner | JoinType::Right | JoinType::Semi | JoinType::RightSemi | JoinType::RightAnti
    )
}
