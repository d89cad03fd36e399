//! What is known about the values of a table, for estimates only: no answer may depend on it.

use crate::types::Value;

/// Statistics of a table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableStatistics {
    /// Rows, when they were collected.
    pub rows: u64,
    /// Leaf pages, when they were collected.
    pub pages: u64,
    /// One for each column of the table, in order.
    pub columns: Vec<ColumnStatistics>,
}

/// Statistics of a column.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ColumnStatistics {
    /// The share of NULLs, 0 to 1.
    pub null_fraction: f64,
    /// Different values, NULL apart.
    pub distinct: f64,
    /// Average bytes of a value.
    pub width: f64,
    /// The most common values with their share of all rows, the most common first.
    pub most_common: Vec<(Value, f64)>,
    /// Bounds of buckets with equal numbers of the other rows, from the lowest value to the highest; empty if
    /// unknown.
    pub bounds: Vec<Value>,
}
