//! What the database should hold: plain maps, changed by commits only.

use rustdb::codec::key::KeyColumn;
use rustdb::ids::ObjectId;
use rustdb::table::{ColumnDef, IndexColumn, IndexDef, RowKey, TableDef};
use rustdb::types::{DataType, Scalar};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The columns of every table: a key, a number, a short text, a text of any length.
pub(crate) const ID: u16 = 0;
pub(crate) const NUMBER: u16 = 1;
pub(crate) const WORD: u16 = 2;
pub(crate) const BODY: u16 = 3;

/// A row without its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) number: Option<i64>,
    pub(crate) word: Option<Arc<str>>,
    pub(crate) body: Arc<str>,
}

impl Row {
    /// One column of the row with the key `id`.
    pub(crate) fn scalar(&self, id: i64, column: u16) -> Scalar<'_> {
        match column {
            ID => Scalar::I64(id),
            NUMBER => self.number.map_or(Scalar::Null, Scalar::I64),
            WORD => self.word.as_deref().map_or(Scalar::Null, |word| Scalar::Bytes(word.as_bytes())),
            _ => Scalar::Bytes(self.body.as_bytes()),
        }
    }

    /// The row's key in an index, without the row id, and whether a column of it is NULL.
    pub(crate) fn key(&self, id: i64, index: &IndexDef) -> (Vec<u8>, bool) {
        let mut key = Vec::new();
        let mut null = false;
        for indexed in &index.columns {
            let scalar = self.scalar(id, indexed.column);
            null |= scalar == Scalar::Null;
            indexed.key.encode(&mut key, scalar);
        }
        (key, null)
    }
}

/// The rows of a table by key.
pub(crate) type Rows = BTreeMap<i64, Arc<Row>>;

/// The first difference, in words.
pub(crate) fn row_difference(expected: &Rows, found: &Rows) -> Option<String> {
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differing: Vec<_> = keys.into_iter().filter(|id| expected.get(id) != found.get(id)).collect();
    let id = differing.first()?;
    let show = |rows: &Rows| match rows.get(id) {
        Some(row) => {
            let body: String = row.body.chars().take(12).collect();
            format!("({:?}, {:?}, {body}.. {})", row.number, row.word, row.body.len())
        }
        None => "nothing".to_owned(),
    };
    let (count, found, expected) = (differing.len(), show(found), show(expected));
    Some(format!("{count} rows differ; row {id} is {found} instead of {expected}"))
}

/// A table and what is in it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct TableState {
    pub(crate) def: TableDef,
    pub(crate) indexes: BTreeMap<ObjectId, IndexDef>,
    pub(crate) rows: Rows,
}

/// All tables. Copies share what they have in common.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct State {
    pub(crate) tables: BTreeMap<ObjectId, Arc<TableState>>,
}

impl State {
    fn table_mut(&mut self, table: ObjectId) -> &mut TableState {
        Arc::make_mut(self.tables.get_mut(&table).expect("effects name tables that exist"))
    }

    /// The first difference, in words.
    pub(crate) fn difference(&self, found: &Self) -> String {
        let names = |state: &Self| state.tables.keys().copied().collect::<BTreeSet<_>>();
        if names(self) != names(found) {
            return format!("tables {:?} instead of {:?}", names(found), names(self));
        }
        for (object, expected) in &self.tables {
            let found = &found.tables[object];
            if expected.def != found.def || expected.indexes != found.indexes {
                let indexes = |table: &TableState| table.indexes.keys().copied().collect::<Vec<_>>();
                return format!(
                    "table {object} has indexes {:?} instead of {:?}",
                    indexes(found),
                    indexes(expected)
                );
            }
            if let Some(difference) = row_difference(&expected.rows, &found.rows) {
                return format!("table {object} ({:?}): {difference}", expected.def.row_key);
            }
        }
        "none".to_owned()
    }
}

/// What an open transaction would change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) tables: BTreeMap<ObjectId, TableDef>,
    pub(crate) indexes: BTreeMap<ObjectId, (ObjectId, IndexDef)>,
    pub(crate) dropped: BTreeSet<ObjectId>,
    pub(crate) rows: BTreeMap<(ObjectId, i64), Option<Arc<Row>>>,
}

impl Draft {
    /// A row as the transaction sees it.
    pub(crate) fn row<'s>(&'s self, base: &'s State, table: ObjectId, id: i64) -> Option<&'s Arc<Row>> {
        match self.rows.get(&(table, id)) {
            Some(own) => own.as_ref(),
            None => base.tables.get(&table).and_then(|table| table.rows.get(&id)),
        }
    }

    /// All rows of a table as the transaction sees them.
    pub(crate) fn rows(&self, base: &State, table: ObjectId) -> Rows {
        let mut rows = base.tables.get(&table).map(|table| table.rows.clone()).unwrap_or_default();
        for ((_, id), row) in self.rows.range((table, i64::MIN)..=(table, i64::MAX)) {
            match row {
                Some(row) => drop(rows.insert(*id, Arc::clone(row))),
                None => drop(rows.remove(id)),
            }
        }
        rows
    }

    /// The indexes of a table as the transaction sees them.
    pub(crate) fn indexes(&self, base: &State, table: ObjectId) -> BTreeMap<ObjectId, IndexDef> {
        let mut indexes = base.tables.get(&table).map(|table| table.indexes.clone()).unwrap_or_default();
        for (object, (of, index)) in &self.indexes {
            if *of == table {
                indexes.insert(*object, index.clone());
            }
        }
        indexes.retain(|object, _| !self.dropped.contains(object));
        indexes
    }

    /// Makes the changes in `state`.
    pub(crate) fn apply(self, state: &mut State) {
        for (object, def) in self.tables {
            let table = TableState { def, indexes: BTreeMap::new(), rows: Rows::new() };
            state.tables.insert(object, Arc::new(table));
        }
        for (object, (table, index)) in self.indexes {
            state.table_mut(table).indexes.insert(object, index);
        }
        for ((table, id), row) in self.rows {
            let rows = &mut state.table_mut(table).rows;
            match row {
                Some(row) => drop(rows.insert(id, row)),
                None => drop(rows.remove(&id)),
            }
        }
        for object in self.dropped {
            if state.tables.remove(&object).is_none() {
                let holder = state.tables.values_mut().find(|table| table.indexes.contains_key(&object));
                holder.map(|table| Arc::make_mut(table).indexes.remove(&object));
            }
        }
    }
}

/// A table with the columns of all tables here.
pub(crate) fn table_def(object: ObjectId, row_key: RowKey) -> TableDef {
    let column = |name: &str, ty, not_null| ColumnDef { name: name.to_owned(), ty, not_null };
    TableDef {
        object,
        name: format!("t{object}"),
        schema: 1,
        columns: vec![
            column("id", DataType::BigInt, true),
            column("number", DataType::BigInt, false),
            column("word", DataType::Text, false),
            column("body", DataType::Text, true),
        ],
        row_key,
    }
}

/// An index over some of them; those given with true descend.
pub(crate) fn index_def(object: ObjectId, unique: bool, columns: &[(u16, bool)]) -> IndexDef {
    let key = |column: u16, descending| {
        let ty = if column <= NUMBER { DataType::BigInt } else { DataType::Text };
        if descending { KeyColumn::descending(ty) } else { KeyColumn::ascending(ty) }
    };
    let columns =
        columns.iter().map(|&(column, descending)| IndexColumn { column, key: key(column, descending) });
    IndexDef { object, name: format!("i{object}"), unique, columns: columns.collect() }
}
