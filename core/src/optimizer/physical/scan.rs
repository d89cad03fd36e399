//! How the rows of a table are read: all of them, a range of row ids, or those an index finds.

use super::write::table_name;
use super::{Builder, Built, place_all};
use crate::catalog::{IndexEntry, TableEntry, TableKind};
use crate::expr::fold::is_safe_cast;
use crate::expr::{CompareOp, Expr, Volatility};
use crate::plan::logical::{ColumnId, LogicalPlan, Scan};
use crate::plan::physical::{Bound, Bounds, IndexScan, PhysicalNode, TableScan, VirtualScan};
use crate::table::RowKey;
use crate::types::{DataType, Value};

/// Microseconds for a row that a scan reads.
pub(super) const SCAN_ROW: f64 = 0.02;
/// For a row that an index finds.
pub(super) const INDEX_ROW: f64 = 0.7;

/// A condition that bounds a column.
pub(super) struct Term {
    column: u16,
    operator: CompareOp,
    value: Expr,
    /// Its place among the conditions.
    condition: usize,
}

/// Where rows are looked for, and which conditions that makes true.
pub(super) struct Lookup {
    pub(super) bounds: Bounds,
    pub(super) met: Vec<usize>,
}

/// The conditions that compare a column of the scan with a value that is known before it begins.
pub(super) fn terms(scan: &Scan, conditions: &[Expr]) -> Vec<Term> {
    let mut terms = Vec::new();
    for (condition, expr) in conditions.iter().enumerate() {
        let Expr::Compare { operator, left, right } = expr else { continue };
        for (operator, column, value) in [(*operator, left, right), (operator.commute(), right, left)] {
            let bounds = matches!(
                operator,
                CompareOp::Equal
                    | CompareOp::Less
                    | CompareOp::LessEqual
                    | CompareOp::Greater
                    | CompareOp::GreaterEqual
            );
            let known = value.columns().is_empty() && value.volatility() != Volatility::Volatile;
            if !bounds || !known {
                continue;
            }
            if let Some((column, value)) = bound_column(scan, column, value) {
                terms.push(Term { column, operator, value, condition });
            }
        }
    }
    terms
}

/// The number of the column, and the value as the column's type has it.
pub(super) fn bound_column(scan: &Scan, column: &Expr, value: &Expr) -> Option<(u16, Expr)> {
    let (index, widened) = match column {
        Expr::Column { index, .. } => (*index, false),
        Expr::Cast { operand, .. } => match &**operand {
            Expr::Column { index, .. } => (*index, true),
            _ => return None,
        },
        _ => return None,
    };
    let id = ColumnId::of_index(index);
    let number = scan.columns.iter().find(|(_, other)| *other == id)?.0;
    let ty = scan.table.columns[usize::from(number)].ty;
    if !widened {
        return comparable(&value.data_type(), &ty).then(|| (number, value.clone()));
    }
    // A cast that cuts text, or that fails, asks for other rows than the column itself.
    if !is_safe_cast(&ty, &column.data_type()) {
        return None;
    }
    if is_text(&ty) && is_text(&column.data_type()) {
        return Some((number, value.clone()));
    }
    // A wider integer that the column's type has too.
    let Expr::Constant { value, .. } = value else { return None };
    let wide = match value {
        Value::SmallInt(n) => i64::from(*n),
        Value::Integer(n) => i64::from(*n),
        Value::BigInt(n) => *n,
        _ => return None,
    };
    let value = match ty {
        DataType::SmallInt => Value::SmallInt(i16::try_from(wide).ok()?),
        DataType::Integer => Value::Integer(i32::try_from(wide).ok()?),
        DataType::BigInt => Value::BigInt(wide),
        _ => return None,
    };
    Some((number, Expr::Constant { value, ty }))
}

fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Text | DataType::VarChar(_))
}

/// Whether values of two types compare as they are stored in an index.
fn comparable(a: &DataType, b: &DataType) -> bool {
    let is_numeric = |ty: &DataType| matches!(ty, DataType::Numeric { .. } | DataType::AnyNumeric);
    a == b
        || (is_text(a) && is_text(b))
        || (is_numeric(a) && is_numeric(b))
        || matches!((a, b), (DataType::Char(_), DataType::Char(_)))
}

/// Bounds of key columns from terms: equalities of the first ones, then a range of the next.
pub(super) fn lookup(key: impl IntoIterator<Item = u16>, terms: &[Term]) -> Option<Lookup> {
    let mut found = Lookup { bounds: Bounds::default(), met: Vec::new() };
    for column in key {
        let of_column = |term: &&Term| term.column == column;
        if let Some(term) = terms.iter().filter(of_column).find(|term| term.operator == CompareOp::Equal) {
            found.bounds.equal.push(term.value.clone());
            found.met.push(term.condition);
            continue;
        }
        for term in terms.iter().filter(of_column) {
            let (side, inclusive) = match term.operator {
                CompareOp::Greater => (&mut found.bounds.lower, false),
                CompareOp::GreaterEqual => (&mut found.bounds.lower, true),
                CompareOp::Less => (&mut found.bounds.upper, false),
                CompareOp::LessEqual => (&mut found.bounds.upper, true),
                _ => continue,
            };
            if side.is_none() {
                *side = Some(Bound { value: term.value.clone(), inclusive });
                found.met.push(term.condition);
            }
        }
        break;
    }
    let Bounds { equal, lower, upper } = &found.bounds;
    let any = !equal.is_empty() || lower.is_some() || upper.is_some();
    any.then_some(found)
}

/// The indexes of a table that have a tree: a primary key that is the row id has none.
pub(super) fn trees(table: &TableEntry) -> impl Iterator<Item = &IndexEntry> {
    table.indexes.iter().filter(|index| !(index.primary && table.row_key != RowKey::Hidden))
}

impl Builder<'_> {
    /// The rows of a table for which all conditions are true.
    pub(super) fn scan(&mut self, scan: &Scan, conditions: &[Expr]) -> Built {
        let ids = LogicalPlan::Scan(scan.clone()).columns();
        let columns: Vec<u16> = scan.columns.iter().map(|&(number, _)| number).collect();
        let table = table_name(&scan.table, &scan.alias);
        let all = self.estimator.table_rows(&scan.table);
        let rows = all * self.estimator.share(conditions);
        if scan.table.kind == TableKind::Virtual {
            let node = VirtualScan { table, columns, filters: place_all(conditions, &ids) };
            return self.built(PhysicalNode::VirtualScan(node), ids, rows);
        }
        let terms = terms(scan, conditions);
        let found = |lookup: &Lookup| {
            let met: Vec<Expr> = lookup.met.iter().map(|&condition| conditions[condition].clone()).collect();
            (all * self.estimator.share(&met)).max(1.0)
        };
        let rest = |met: &[usize]| {
            let rest = conditions.iter().enumerate().filter(|(at, _)| !met.contains(at));
            place_all(&rest.map(|(_, condition)| condition.clone()).collect::<Vec<_>>(), &ids)
        };
        let by_row = match scan.table.row_key {
            RowKey::Column(column) => lookup([column], &terms),
            RowKey::Hidden => None,
        };
        let read = by_row.as_ref().map_or(all, found);
        let by_index = trees(&scan.table)
            .filter(|index| self.estimator.may_use(index.oid))
            .filter_map(|index| {
                Some((index, lookup(index.columns.iter().map(|column| column.column), &terms)?))
            })
            .min_by(|(_, a), (_, b)| found(a).total_cmp(&found(b)));
        if let Some((index, lookup)) = by_index
            && found(&lookup) * INDEX_ROW < read * SCAN_ROW
        {
            let node = IndexScan {
                table,
                index: index.oid,
                index_name: index.name.as_str().into(),
                columns,
                row_ids: scan.row_id.is_some(),
                filters: rest(&lookup.met),
                bounds: lookup.bounds,
                backward: false,
            };
            return self.built(PhysicalNode::IndexScan(node), ids, rows);
        }
        let (bounds, met) = by_row.map_or_else(Default::default, |lookup| (lookup.bounds, lookup.met));
        let node = TableScan {
            table,
            columns,
            row_ids: scan.row_id.is_some(),
            bounds,
            filters: rest(&met),
            runtime_filters: Vec::new(),
            scanned: read,
        };
        self.built(PhysicalNode::TableScan(node), ids, rows)
    }
}
