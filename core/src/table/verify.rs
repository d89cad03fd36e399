//! Whether a table and its indexes say the same.

use super::{Store, Table, corrupt, overflow};
use crate::btree::{Direction, KeyRange, NextLeaf};
use crate::codec::row::Cell;
use crate::error::Result;
use crate::ids::{PageId, RowId};
use std::collections::HashSet;

/// What was found in a table.
#[derive(Clone, Debug, Default)]
pub struct TableReport {
    /// Rows that are there.
    pub rows: u64,
    /// Pages of its trees and long values.
    pub pages: Vec<PageId>,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

impl Table {
    /// Checks the trees, that every row has its entry in every index, and that every entry without a row is in a
    /// leaf that says so. Nothing may change the table meanwhile.
    ///
    /// # Errors
    /// I/O errors and damage that hides the rest.
    pub fn verify(&self, store: &Store) -> Result<TableReport> {
        let mut report = TableReport::default();
        let tree = self.tree.check(store.pager(), &self.leaves(store, 0))?;
        report.pages.extend(tree.pages);
        let mut entries: Vec<HashSet<Vec<u8>>> = vec![HashSet::new(); self.indexes().len()];
        let mut next = Some(None);
        while let Some(place) = next {
            next = self.verify_leaf(store, place, &mut report, &mut entries)?.map(Some);
        }
        for (index, mut expected) in self.indexes().iter().zip(entries) {
            let name = &index.def.name;
            let tree = index.tree.check(store.pager())?;
            report.pages.extend(tree.pages);
            let mut cursor = index.tree.cursor(KeyRange::all(), Direction::Forward);
            while let Some(entry) = cursor.next(store.pager())? {
                if !expected.remove(entry.key) && entry.clean {
                    let row = index.row_of(entry.key);
                    report.problems.push(format!("index \"{name}\" has an entry of no version of row {row}"));
                }
            }
            for entry in expected {
                let row = index.row_of(&entry);
                report.problems.push(format!("index \"{name}\" misses row {row}"));
            }
        }
        Ok(report)
    }

    fn verify_leaf(
        &self,
        store: &Store,
        place: Option<NextLeaf>,
        report: &mut TableReport,
        entries: &mut [HashSet<Vec<u8>>],
    ) -> Result<Option<NextLeaf>> {
        let mut long = Vec::new();
        let mut rows = Vec::new();
        let next = store.pager().retry(|| {
            long.clear();
            rows.clear();
            let guard = match place {
                None => self.tree.find_shared(store.pager(), RowId(0))?,
                Some(next) => self.tree.find_next(store.pager(), next)?,
            };
            let page = guard.page_id();
            let view = self.view(&guard, page)?;
            for slot in 0..view.rows() {
                for &column in &self.all_columns {
                    let cell =
                        view.cell(slot, usize::from(column)).map_err(|damage| corrupt(page, damage))?;
                    if let Cell::Overflow(value) = cell {
                        long.push(value);
                    }
                }
                if view.is_alive(slot) {
                    let mut bytes = Vec::new();
                    let copied = view.copy_row(slot, &self.all_columns, self.layout(), &mut bytes);
                    copied.map_err(|damage| corrupt(page, damage))?;
                    rows.push((view.row_id(slot), bytes));
                }
            }
            Ok(NextLeaf::after(&*guard))
        })?;
        for value in long {
            report.pages.extend(overflow::pages(store.pager(), value)?);
        }
        report.rows += rows.len() as u64;
        for (row, bytes) in rows {
            for (index, entries) in self.indexes().iter().zip(&mut *entries) {
                entries.insert(self.entry_of(store, index, row, &self.layout().view(&bytes)?)?.0);
            }
        }
        Ok(next)
    }
}
