//! Tables and indexes as the catalog describes them.

use super::statistics::TableStatistics;
use crate::ids::ObjectId;
use crate::table::RowKey;
use crate::types::DataType;
use std::sync::Arc;

/// The most columns a table or a result may have.
pub const MAX_COLUMNS: usize = 1600;
/// The most columns an index may have.
pub const MAX_INDEX_COLUMNS: usize = 32;
/// The most bytes of a name.
const MAX_NAME: usize = 63;

/// Where a table's rows come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableKind {
    /// From storage.
    Base,
    /// From the engine's own state when read: the tables of `pg_catalog`.
    Virtual,
}

/// A table.
#[derive(Clone, PartialEq, Debug)]
pub struct TableEntry {
    /// Its id.
    pub oid: ObjectId,
    /// The id of its rows in storage, which TRUNCATE changes.
    pub storage: ObjectId,
    /// The schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Where its rows come from.
    pub kind: TableKind,
    /// Its columns.
    pub columns: Vec<ColumnEntry>,
    /// Its checks.
    pub checks: Vec<CheckEntry>,
    /// Its indexes; unique constraints are among them.
    pub indexes: Vec<IndexEntry>,
    /// What its row ids are.
    pub row_key: RowKey,
    /// What is known about its values.
    pub statistics: Option<Arc<TableStatistics>>,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnEntry {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: DataType,
    /// NULL is refused.
    pub not_null: bool,
    /// Its default as SQL; NULL if absent.
    pub default: Option<String>,
}

/// A check constraint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckEntry {
    /// Its name.
    pub name: String,
    /// The condition as SQL.
    pub sql: String,
}

/// An index, or a constraint that an index enforces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    /// Its id.
    pub oid: ObjectId,
    /// Its name.
    pub name: String,
    /// What it orders.
    pub columns: Vec<IndexColumn>,
    /// No two rows have one key, NULLs apart.
    pub unique: bool,
    /// It is the primary key.
    pub primary: bool,
    /// It stands for a constraint of the table, so that DROP INDEX refuses it.
    pub constraint: bool,
}

/// A column of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexColumn {
    /// The table's column.
    pub column: u16,
    /// From high to low.
    pub descending: bool,
    /// NULLs come first.
    pub nulls_first: bool,
}

impl TableEntry {
    /// The number of the column of that name.
    pub fn column(&self, name: &str) -> Option<u16> {
        let index = self.columns.iter().position(|column| column.name == name)?;
        u16::try_from(index).ok()
    }

    /// The primary key.
    pub fn primary_key(&self) -> Option<&IndexEntry> {
        self.indexes.iter().find(|index| index.primary)
    }

    /// The indexes that make keys unique, the primary key among them. When the row id is the key, the primary key
    /// has an entry here but no tree in storage.
    pub fn unique_indexes(&self) -> impl Iterator<Item = &IndexEntry> {
        self.indexes.iter().filter(|index| index.unique)
    }
}

/// A made-up name: both parts are cut, the longer one first, until the whole fits.
pub(super) fn object_name(table: &str, column: &str, label: &str) -> String {
    let separators = usize::from(!column.is_empty()) + usize::from(!label.is_empty());
    let room = MAX_NAME.saturating_sub(label.len() + separators);
    let (mut first, mut second) = (table.len(), column.len());
    while first + second > room {
        if first > second { first -= 1 } else { second -= 1 }
    }
    let mut name = table[..table.floor_char_boundary(first)].to_owned();
    for part in [&column[..column.floor_char_boundary(second)], label] {
        if !part.is_empty() {
            name.push('_');
            name.push_str(part);
        }
    }
    name
}
