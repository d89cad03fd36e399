//! Many rows at once: runs of rows with neighbouring ids go into a leaf under one latch, with one undo record.

use super::leaf::{self, LeafMut, Room};
use super::unique::Suspect;
use super::{RowKey, Store, Table, corrupt, versions_of, view_of};
use crate::error::Result;
use crate::ids::RowId;
use crate::pager::Attempt;
use crate::transaction::{Change, Effect, Transaction};

impl Table {
    /// Inserts rows in the form of [`Table::layout`], in order. Tables whose rows have hidden ids take them leaf by
    /// leaf; the others, and rows with long strings, one by one.
    ///
    /// # Errors
    /// As [`Table::insert`].
    pub fn insert_many(
        &self,
        store: &Store,
        tx: &mut Transaction,
        rows: &[&[u8]],
        suspects: &mut Vec<Suspect>,
    ) -> Result<()> {
        tx.write_id()?;
        let mut rest = rows;
        while let Some((first, others)) = rest.split_first() {
            let long = |row: &[u8]| row.len() > super::overflow::MAX_INLINE;
            if self.def.row_key != RowKey::Hidden || long(first) {
                self.insert(store, tx, first, suspects)?;
                rest = others;
                continue;
            }
            let run = rest.iter().take_while(|row| !long(row)).count();
            let ids = self.take_rows(run as u64)?;
            for (row, values) in rest[..run].iter().enumerate() {
                let row = RowId(ids.0 + row as u64);
                tx.push_redo(&Effect::Insert {
                    table: self.def.object,
                    row,
                    schema: self.def.schema,
                    values,
                });
                tx.write_ahead()?;
            }
            self.fill(store, tx, ids, &rest[..run])?;
            for index in self.indexes().iter() {
                for (row, values) in rest[..run].iter().enumerate() {
                    let row = RowId(ids.0 + row as u64);
                    let (entry, null) = self.entry_of(store, index, row, &self.layout().view(values)?)?;
                    self.add_entry(store, tx, index, row, &entry, null, suspects)?;
                }
            }
            rest = &rest[run..];
        }
        Ok(())
    }

    /// Puts rows with the ids from `first` on into leaves.
    fn fill(&self, store: &Store, tx: &Transaction, first: RowId, rows: &[&[u8]]) -> Result<()> {
        let mut done = 0;
        while done < rows.len() {
            let next = RowId(first.0 + done as u64);
            let filled = store.attempt(|| self.try_fill(store, tx, next, &rows[done..]))?;
            done += filled;
            if filled == 0 {
                let heap = leaf::heap_bytes(&self.layout().view(rows[done])?);
                self.split(store, next, heap)?;
            }
        }
        Ok(())
    }

    /// Fills the leaf of `first` with as many rows as fit, in one step; 0 if it must be split first.
    fn try_fill(&self, store: &Store, tx: &Transaction, first: RowId, rows: &[&[u8]]) -> Attempt<usize> {
        let mut guard = self.tree.find_exclusive(store.pager(), first)?;
        let page = guard.page_id();
        let damaged = |damage| corrupt(page, damage);
        let limit = crate::btree::Fences::of(&*guard);
        let mut filled = 0;
        for values in rows {
            let row = RowId(first.0 + filled as u64);
            let values = view_of(self.layout(), values)?;
            if !limit.cover(row) {
                break;
            }
            match leaf::room_for(&guard, &self.layout, row, leaf::heap_bytes(&values)).map_err(damaged)? {
                Room::Fits => {}
                Room::Reshape { capacity, dense } => {
                    LeafMut::new(&mut guard, &self.layout).reshape(capacity, dense).map_err(damaged)?;
                }
                Room::Full => break,
            }
            let slot = self.view(&guard, page)?.find(row).unwrap_or_else(|slot| slot);
            LeafMut::new(&mut guard, &self.layout).insert(slot, row, &values).map_err(damaged)?;
            filled += 1;
        }
        if filled > 0 {
            let last = RowId(first.0 + filled as u64 - 1);
            let record = tx.push_undo(self.def.object, first, Change::Fill { last });
            store.versions_for(&mut guard).push(record);
            debug_assert!(versions_of(guard.side()).is_some());
        }
        Ok(filled)
    }
}
