//! How many rows a plan has, about.
//!
//! Shares of rows are estimated from what ANALYZE has found (most common values, bounds of buckets, different values)
//! and, where nothing is known, with PostgreSQL's constants. Conditions count as independent.

use super::TableSizes;
use crate::catalog::{ColumnStatistics, TableEntry};
use crate::expr::{CompareOp, Expr, IsTest, PatternKind};
use crate::ids::ObjectId;
use crate::plan::logical::{ColumnId, JoinKind, LogicalPlan, SetOperator};
use crate::table::RowKey;
use crate::types::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Share of rows for an equality about which nothing is known.
const EQUALITY: f64 = 0.005;
/// Of an inequality.
const RANGE: f64 = 1.0 / 3.0;
/// Of two inequalities that bound a value from both sides.
const BETWEEN: f64 = 0.005;
/// Of a pattern.
const MATCH: f64 = 0.05;
/// Of a truth value.
const BOOLEAN: f64 = 0.5;
/// Different values of a column about which nothing is known.
const DISTINCT: f64 = 200.0;

/// Estimates for the plans of one statement.
pub(super) struct Estimator<'a> {
    sizes: &'a dyn TableSizes,
    /// Rows of the tables that are scanned, at least one: they are asked for often.
    table_rows: HashMap<ObjectId, f64>,
    /// The table and number of columns that a scan makes.
    scanned: HashMap<ColumnId, (Arc<TableEntry>, u16)>,
    /// What stands for a column that is passed on under another name.
    passed: HashMap<ColumnId, ColumnId>,
    ctes: HashMap<crate::plan::logical::CteId, f64>,
}

impl<'a> Estimator<'a> {
    /// For a plan and whatever is made of its parts.
    pub(super) fn new(sizes: &'a dyn TableSizes, plan: &LogicalPlan) -> Self {
        let (scanned, passed, ctes) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut estimator = Self { sizes, table_rows: HashMap::new(), scanned, passed, ctes };
        estimator.collect(plan);
        estimator
    }

    fn collect(&mut self, plan: &LogicalPlan) {
        match plan {
            LogicalPlan::Scan(scan) => {
                let storage = scan.table.storage;
                self.table_rows.entry(storage).or_insert_with(|| self.sizes.rows(storage).max(1.0));
                let entry = |&(number, id): &(u16, ColumnId)| (id, (Arc::clone(&scan.table), number));
                self.scanned.extend(scan.columns.iter().map(entry));
            }
            LogicalPlan::Project(project) => {
                for column in &project.columns {
                    self.note_passed(column.id, &column.expr);
                }
            }
            LogicalPlan::Aggregate(aggregate) => {
                for key in &aggregate.keys {
                    self.note_passed(key.id, &key.expr);
                }
            }
            LogicalPlan::CteScan(scan) => self.passed.extend(scan.columns.iter().map(|&(of, id)| (id, of))),
            _ => {}
        }
        for input in plan.inputs() {
            self.collect(input);
        }
        if let LogicalPlan::With(with) = plan {
            let rows = self.rows(&with.definition);
            self.ctes.insert(with.cte, rows);
        }
    }

    fn note_passed(&mut self, id: ColumnId, expr: &Expr) {
        if let Expr::Column { index, .. } = expr
            && *index != id.index()
        {
            self.passed.insert(id, ColumnId::of_index(*index));
        }
    }

    /// Rows of a table, at least one.
    pub(super) fn table_rows(&self, table: &TableEntry) -> f64 {
        self.storage_rows(table.storage)
    }

    fn storage_rows(&self, storage: ObjectId) -> f64 {
        let known = self.table_rows.get(&storage).copied();
        known.unwrap_or_else(|| self.sizes.rows(storage).max(1.0))
    }

    /// Whether rows may be looked for in an index.
    pub(super) fn may_use(&self, index: ObjectId) -> bool {
        self.sizes.may_use(index)
    }

    fn origin(&self, mut id: ColumnId) -> Option<(&TableEntry, u16)> {
        while let Some(&of) = self.passed.get(&id) {
            id = of;
        }
        self.scanned.get(&id).map(|(table, number)| (&**table, *number))
    }

    fn statistics(&self, id: ColumnId) -> Option<&ColumnStatistics> {
        let (table, number) = self.origin(id)?;
        table.statistics.as_ref()?.columns.get(usize::from(number))
    }

    /// Different values of a column.
    pub(super) fn distinct(&self, id: ColumnId) -> f64 {
        let Some((table, number)) = self.origin(id) else { return DISTINCT };
        let rows = self.table_rows(table);
        let alone = |index: &crate::catalog::IndexEntry| {
            index.columns.len() == 1 && index.columns[0].column == number
        };
        if table.row_key == RowKey::Column(number) || table.unique_indexes().any(alone) {
            return rows;
        }
        match self.statistics(id) {
            // Shares stay when the table grows, few values stay few.
            Some(known) if known.distinct > 0.0 => {
                let then =
                    table.statistics.as_ref().map_or(rows, |statistics| (statistics.rows as f64).max(1.0));
                if known.distinct > 0.1 * then {
                    (known.distinct / then * rows).max(1.0)
                } else {
                    known.distinct
                }
            }
            _ => DISTINCT.min(rows),
        }
    }

    fn distinct_of(&self, expr: &Expr) -> f64 {
        match expr {
            Expr::Column { index, .. } => self.distinct(ColumnId::of_index(*index)),
            Expr::Cast { operand, .. } => self.distinct_of(operand),
            _ => {
                let read = expr.columns();
                if read.is_empty() {
                    return 1.0;
                }
                read.into_iter().map(|column| self.distinct(ColumnId::of_index(column))).product()
            }
        }
    }

    /// Rows of a plan.
    pub(super) fn rows(&self, plan: &LogicalPlan) -> f64 {
        match plan {
            LogicalPlan::Scan(scan) => self.table_rows(&scan.table),
            LogicalPlan::Values(values) => values.rows.len() as f64,
            LogicalPlan::Series(series) => self.rows(&series.input) * 1000.0,
            LogicalPlan::Input(_) => 100_000.0,
            LogicalPlan::Filter(filter) => self.rows(&filter.input) * self.share(&filter.conditions),
            LogicalPlan::Project(project) => self.rows(&project.input),
            LogicalPlan::Aggregate(aggregate) => {
                let keys = aggregate.keys.iter().map(|key| self.distinct_of(&key.expr));
                groups(self.rows(&aggregate.input), keys)
            }
            LogicalPlan::Distinct(distinct) => {
                let input = self.rows(&distinct.input);
                match &distinct.on {
                    Some(on) => groups(input, on.iter().map(|expr| self.distinct_of(expr))),
                    None => groups(input, plan.columns().into_iter().map(|id| self.distinct(id))),
                }
            }
            LogicalPlan::Sort(sort) => self.rows(&sort.input),
            LogicalPlan::Limit(limit) => {
                let input = self.rows(&limit.input);
                let count = limit.limit.as_ref().and_then(integer).map_or(0.1 * input, |count| count as f64);
                let groups = limit.partition.iter().map(|&id| self.distinct(id)).product::<f64>();
                input.min(count * groups)
            }
            LogicalPlan::Join(join) => {
                let (left, right) = (self.rows(&join.left), self.rows(&join.right));
                self.join_rows(&join.kind, left, right, &join.conditions)
            }
            LogicalPlan::SetOperation(operation) => {
                let mut inputs = operation.inputs.iter().map(|input| self.rows(&input.plan));
                match operation.operator {
                    SetOperator::Union => inputs.sum(),
                    SetOperator::Intersect => inputs.fold(f64::INFINITY, f64::min),
                    SetOperator::Except => inputs.next().unwrap_or(0.0),
                }
            }
            LogicalPlan::With(with) => self.rows(&with.body),
            LogicalPlan::CteScan(scan) => self.ctes.get(&scan.cte).copied().unwrap_or(1000.0),
            LogicalPlan::Lock(lock) => self.rows(&lock.input),
            LogicalPlan::Insert(insert) => self.rows(&insert.source),
            LogicalPlan::Update(update) => self.rows(&update.source),
            LogicalPlan::Delete(delete) => self.rows(&delete.source),
        }
    }

    /// Rows of a join of inputs with these numbers of rows.
    pub(super) fn join_rows(&self, kind: &JoinKind, left: f64, right: f64, conditions: &[Expr]) -> f64 {
        joined_rows(kind, left, right, self.share(conditions))
    }

    /// The share of rows, or pairs of rows, for which all conditions are true.
    pub(super) fn share(&self, conditions: &[Expr]) -> f64 {
        let mut share = 1.0;
        let mut ranges: Vec<Range<'_>> = Vec::new();
        let mut equal: Vec<(&Expr, &Expr)> = Vec::new();
        let mut open: Vec<&Expr> = conditions.iter().collect();
        while let Some(condition) = open.pop() {
            match condition {
                Expr::And(terms) => open.extend(terms),
                Expr::Compare { operator, left, right } if operator.is_inequality() => {
                    let (operator, left, right) = if left.columns().is_empty() {
                        (operator.commute(), right, left)
                    } else {
                        (*operator, left, right)
                    };
                    if !right.columns().is_empty() {
                        share *= RANGE;
                        continue;
                    }
                    let at = ranges.iter().position(|range| range.of == &**left).unwrap_or_else(|| {
                        ranges.push(Range { of: left, lower: None, upper: None });
                        ranges.len() - 1
                    });
                    ranges[at].narrow(operator, self.below(left, right));
                }
                Expr::Compare { operator: CompareOp::Equal | CompareOp::NotDistinct, left, right }
                    if !left.columns().is_empty() && !right.columns().is_empty() =>
                {
                    equal.push((left, right));
                }
                condition => share *= self.selectivity(condition),
            }
        }
        share *= self.equal_share(equal);
        share *= ranges.iter().map(Range::share).product::<f64>();
        share.clamp(0.0, 1.0)
    }

    /// The share of pairs of rows that are equal in all of these. Several columns of one table have no more different
    /// combinations than the table has rows.
    fn equal_share(&self, equalities: Vec<(&Expr, &Expr)>) -> f64 {
        // The tables of both sides, where they are known.
        type Tables = (Option<ObjectId>, Option<ObjectId>);
        let mut groups: HashMap<Tables, Vec<(f64, f64)>> = HashMap::new();
        for (left, right) in equalities {
            let table =
                |expr| plain_column(expr).and_then(|id| self.origin(id)).map(|(table, _)| table.storage);
            let distinct = (self.distinct_of(left), self.distinct_of(right));
            let (tables, distinct) = match (table(left), table(right)) {
                (a, b) if a <= b => ((a, b), distinct),
                (a, b) => ((b, a), (distinct.1, distinct.0)),
            };
            groups.entry(tables).or_default().push(distinct);
        }
        let rows = |table: Option<ObjectId>| table.map_or(f64::INFINITY, |table| self.storage_rows(table));
        let share = |((a, b), distinct): (Tables, Vec<(f64, f64)>)| {
            if a.is_some() && b.is_some() {
                let left: f64 = distinct.iter().map(|pair| pair.0).product();
                let right: f64 = distinct.iter().map(|pair| pair.1).product();
                return 1.0 / left.min(rows(a)).max(right.min(rows(b))).max(1.0);
            }
            // Of columns that are computed nothing is known together: the second counts half, the third a quarter.
            let mut shares: Vec<f64> =
                distinct.iter().map(|pair| 1.0 / pair.0.max(pair.1).max(1.0)).collect();
            shares.sort_by(f64::total_cmp);
            let weights = std::iter::successors(Some(1.0), |weight| Some(weight / 2.0));
            shares.into_iter().zip(weights).map(|(share, weight): (f64, f64)| share.powf(weight)).product()
        };
        groups.into_iter().map(share).product()
    }

    /// The share of rows for which a condition is true.
    pub(super) fn selectivity(&self, condition: &Expr) -> f64 {
        match condition {
            Expr::Constant { value: Value::Boolean(true), .. } => 1.0,
            Expr::Constant { .. } => 0.0,
            Expr::And(terms) => self.share(terms),
            Expr::Or(terms) => 1.0 - terms.iter().map(|term| 1.0 - self.selectivity(term)).product::<f64>(),
            Expr::Not(operand) => 1.0 - self.selectivity(operand),
            Expr::Compare { operator, left, right } => self.comparison(*operator, left, right),
            Expr::Is { operand, test: IsTest::Null, negated } => {
                let nulls = match &**operand {
                    Expr::Column { index, .. } => {
                        self.statistics(ColumnId::of_index(*index)).map_or(0.01, |known| known.null_fraction)
                    }
                    _ => 0.01,
                };
                if *negated { 1.0 - nulls } else { nulls }
            }
            Expr::InList { operand, list, negated } => {
                let hit: f64 = list
                    .iter()
                    .map(|value| self.comparison(CompareOp::Equal, operand, value))
                    .sum::<f64>()
                    .min(1.0);
                if *negated { 1.0 - hit } else { hit }
            }
            Expr::Like { kind, pattern, negated, .. } => {
                let hit = match (&**pattern, kind) {
                    (Expr::Constant { value: Value::Text(text), .. }, PatternKind::Like) => like_share(text),
                    _ => MATCH,
                };
                if *negated { 1.0 - hit } else { hit }
            }
            _ => BOOLEAN,
        }
    }

    fn comparison(&self, operator: CompareOp, left: &Expr, right: &Expr) -> f64 {
        let (left_columns, right_columns) = (left.columns(), right.columns());
        if left_columns.is_empty() && !right_columns.is_empty() {
            return self.comparison(operator.commute(), right, left);
        }
        match operator {
            CompareOp::Equal | CompareOp::NotDistinct if !right_columns.is_empty() => {
                1.0 / self.distinct_of(left).max(self.distinct_of(right)).max(1.0)
            }
            CompareOp::Equal | CompareOp::NotDistinct => self.equals_constant(left, right),
            CompareOp::NotEqual | CompareOp::Distinct => 1.0 - self.comparison(CompareOp::Equal, left, right),
            CompareOp::Less | CompareOp::LessEqual | CompareOp::Greater | CompareOp::GreaterEqual => {
                let mut range = Range { of: left, lower: None, upper: None };
                range.narrow(operator, self.below(left, right));
                range.share()
            }
        }
    }

    fn equals_constant(&self, left: &Expr, right: &Expr) -> f64 {
        let Some(id) = plain_column(left) else {
            // A computed value has fewer different values than what it is computed of.
            let distinct = self.distinct_of(left).min(DISTINCT);
            return if distinct > 0.0 { 1.0 / distinct } else { EQUALITY };
        };
        if let (Some(known), Expr::Constant { value, .. }) = (self.statistics(id), right) {
            let common =
                known.most_common.iter().find(|(other, _)| other.compare(value).is_some_and(|o| o.is_eq()));
            if let Some((_, share)) = common {
                return *share;
            }
            let rest =
                1.0 - known.null_fraction - known.most_common.iter().map(|(_, share)| share).sum::<f64>();
            let others = (self.distinct(id) - known.most_common.len() as f64).max(1.0);
            return (rest / others).clamp(1e-9, 1.0);
        }
        1.0 / self.distinct(id).max(1.0)
    }

    /// The share of rows with a value below a constant.
    fn below(&self, left: &Expr, right: &Expr) -> Option<f64> {
        let id = plain_column(left)?;
        let Expr::Constant { value, .. } = right else { return None };
        let known = self.statistics(id)?;
        let smaller = |other: &Value| other.compare(value).is_some_and(|order| order.is_lt());
        let common: f64 =
            known.most_common.iter().filter(|(other, _)| smaller(other)).map(|(_, share)| share).sum();
        let all_common: f64 = known.most_common.iter().map(|(_, share)| share).sum();
        let rest = (1.0 - known.null_fraction - all_common).max(0.0);
        if known.bounds.len() < 2 {
            return (all_common > 0.0).then_some(common);
        }
        let buckets = (known.bounds.len() - 1) as f64;
        let passed = known.bounds.iter().take_while(|bound| smaller(bound)).count();
        let within = match passed {
            0 => 0.0,
            passed if passed == known.bounds.len() => buckets,
            passed => {
                let (low, high) = (&known.bounds[passed - 1], &known.bounds[passed]);
                (passed - 1) as f64 + position(low, high, value).unwrap_or(0.5)
            }
        };
        Some((common + rest * within / buckets).clamp(1e-6, 1.0))
    }
}

/// The inequalities that bound one value: two bounds are one range, not two independent conditions.
struct Range<'a> {
    of: &'a Expr,
    /// The share of rows below the lower bound, if there is one; `None` inside when it is not known.
    lower: Option<Option<f64>>,
    /// The share of rows below the upper bound.
    upper: Option<Option<f64>>,
}

impl Range<'_> {
    /// Takes one more bound; of two on one side the narrower counts.
    fn narrow(&mut self, operator: CompareOp, below: Option<f64>) {
        let (side, narrower): (_, fn(f64, f64) -> f64) = match operator {
            CompareOp::Less | CompareOp::LessEqual => (&mut self.upper, f64::min),
            _ => (&mut self.lower, f64::max),
        };
        let old = side.flatten();
        *side = Some(match (old, below) {
            (Some(old), Some(below)) => Some(narrower(old, below)),
            (old, below) => below.or(old),
        });
    }

    fn share(&self) -> f64 {
        match (self.lower, self.upper) {
            (None, None) => 1.0,
            (Some(lower), None) => lower.map_or(RANGE, |share| 1.0 - share),
            (None, Some(upper)) => upper.unwrap_or(RANGE),
            (Some(Some(lower)), Some(Some(upper))) => (upper - lower).clamp(1e-6, 1.0),
            (Some(Some(one)), Some(None)) => (1.0 - one) * RANGE,
            (Some(None), Some(Some(one))) => one * RANGE,
            (Some(None), Some(None)) => BETWEEN,
        }
    }
}

/// Where a value lies between two others, from 0 to 1.
fn position(low: &Value, high: &Value, value: &Value) -> Option<f64> {
    let (low, high, value) = (number(low)?, number(high)?, number(value)?);
    (high > low).then(|| ((value - low) / (high - low)).clamp(0.0, 1.0))
}

fn number(value: &Value) -> Option<f64> {
    Some(match value {
        Value::SmallInt(n) => f64::from(*n),
        Value::Integer(n) | Value::Date(n) => f64::from(*n),
        Value::BigInt(n) | Value::Time(n) | Value::Timestamp(n) | Value::TimestampTz(n) => *n as f64,
        Value::Real(n) => f64::from(*n),
        Value::Double(n) => *n,
        Value::Numeric(n) => n.value as f64 / 10f64.powi(n.scale.into()),
        _ => return None,
    })
}

fn like_share(pattern: &str) -> f64 {
    let fixed = pattern.chars().filter(|c| !matches!(c, '%' | '_')).count();
    match fixed {
        0 => 1.0,
        fixed => {
            0.3_f64.powi(i32::try_from(fixed.min(6)).unwrap_or(6)).max(0.002)
                * if pattern.starts_with('%') { 5.0 } else { 1.0 }
        }
    }
    .min(1.0)
}

fn plain_column(expr: &Expr) -> Option<ColumnId> {
    match expr {
        Expr::Column { index, .. } => Some(ColumnId::of_index(*index)),
        Expr::Cast { operand, .. } => plain_column(operand),
        _ => None,
    }
}

/// The value of an integer constant.
pub(super) fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Constant { value: Value::BigInt(n), .. } => Some(*n),
        Expr::Constant { value: Value::Integer(n), .. } => Some((*n).into()),
        _ => None,
    }
}

/// Rows of a join of inputs with these numbers of rows, whose conditions leave a share of their pairs.
pub(super) fn joined_rows(kind: &JoinKind, left: f64, right: f64, share: f64) -> f64 {
    let pairs = left * right * share;
    // The share of left rows with a match.
    let matched = || {
        let per_row = right * share;
        if per_row >= 1.0 { 0.9_f64.min(1.0 - (-per_row).exp()) } else { per_row }
    };
    match kind {
        JoinKind::Inner => pairs,
        JoinKind::Left | JoinKind::Single => pairs.max(left),
        JoinKind::Right => pairs.max(right),
        JoinKind::Full => pairs.max(left).max(right),
        JoinKind::Semi => (left * matched()).max(1.0),
        JoinKind::Anti => (left * (1.0 - matched())).max(1.0),
        JoinKind::Mark { .. } => left,
    }
}

/// Groups of so many rows by keys with these numbers of values.
fn groups(rows: f64, distinct: impl Iterator<Item = f64>) -> f64 {
    let possible: f64 = distinct.product();
    if possible >= rows { rows.max(1.0) } else { possible.max(1.0) }
}
