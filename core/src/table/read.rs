//! Reading rows as a snapshot sees them.
//!
//! A row of a page that nothing hangs beside is read optimistically, without touching shared memory. Where versions
//! hang, the page is held shared and the row's chain is walked from the page's image back to the version seen.

use super::index::{Index, KeyError};
use super::leaf::LeafView;
use super::{Store, Table, corrupt, overflow, versions_of_read, view_of};
use crate::btree::NextLeaf;
use crate::codec::row::{Cell, RowLayout, RowView};
use crate::error::Result;
use crate::ids::{PageId, RowId};
use crate::pager::{Attempt, ReadGuard, Restart};
use crate::transaction::{Change, ReadView, Resolution, StampState, UndoRecord};
use std::sync::Arc;

/// A row with some changes taken back.
pub(super) struct Image<'a> {
    view: &'a LeafView<'a, [u8]>,
    slot: usize,
    alive: bool,
    /// Old values, each over those before it.
    layers: Vec<(RowLayout, Arc<UndoRecord>)>,
}

impl<'a> Image<'a> {
    /// The row as the page has it.
    pub(super) fn current(view: &'a LeafView<'a, [u8]>, slot: usize) -> Self {
        Self { view, slot, alive: view.is_alive(slot), layers: Vec::new() }
    }

    /// Takes one change back; false when there was no row before it.
    pub(super) fn take_back(&mut self, table: &Table, record: &Arc<UndoRecord>) -> bool {
        match &record.change {
            Change::Insert => return false,
            Change::Delete { .. } => self.alive = true,
            Change::Revive { .. } => {
                self.alive = false;
                self.layers.push((table.layout().clone(), Arc::clone(record)));
            }
            Change::Update { columns, .. } => {
                self.layers.push((table.layout().project(columns), Arc::clone(record)));
            }
            Change::Fill { .. } | Change::Create | Change::Overflow { .. } => {
                unreachable!("chains of rows hold changes of rows")
            }
        }
        true
    }

    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }

    /// One column.
    pub(super) fn cell(&self, column: usize) -> Attempt<Cell<'_>> {
        for (layout, record) in self.layers.iter().rev() {
            match &record.change {
                Change::Revive { old, .. } => return Ok(view_of(layout, old)?.cell(column)),
                Change::Update { columns, old, .. } => {
                    if let Some(at) = columns.iter().position(|&c| usize::from(c) == column) {
                        return Ok(view_of(layout, old)?.cell(at));
                    }
                }
                Change::Insert | Change::Fill { .. } | Change::Delete { .. } => {}
                Change::Create | Change::Overflow { .. } => {}
            }
        }
        self.view.cell(self.slot, column).map_err(|damage| corrupt(PageId(0), damage))
    }

    /// Appends some columns to `out` as a row.
    fn copy(&self, columns: &[u16], projected: &RowLayout, out: &mut Vec<u8>) -> Attempt<()> {
        let cells: Vec<Cell<'_>> =
            columns.iter().map(|&column| self.cell(usize::from(column))).collect::<Attempt<_>>()?;
        projected.encode(out, |index| cells[index]);
        Ok(())
    }
}

/// All versions of a row, newest first.
pub(super) struct Versions<'a> {
    table: &'a Table,
    view: &'a LeafView<'a, [u8]>,
    slot: usize,
    newest: Option<Arc<UndoRecord>>,
}

impl<'a> Versions<'a> {
    /// Those of a slot whose chain begins with `newest`.
    pub(super) fn new(
        table: &'a Table,
        view: &'a LeafView<'a, [u8]>,
        slot: usize,
        newest: Option<Arc<UndoRecord>>,
    ) -> Self {
        Self { table, view, slot, newest: newest.filter(|top| !matches!(top.change, Change::Fill { .. })) }
    }

    /// Whether a version that is, or was, there has this entry in an index.
    pub(super) fn any_has(&self, store: &Store, index: &Index, entry: &[u8]) -> Attempt<bool> {
        self.older_has(store, index, entry, None)
    }

    /// Whether the row will, or may again, have this entry: its newest version that has committed does, or one that
    /// has not.
    pub(super) fn may_keep(&self, store: &Store, index: &Index, entry: &[u8]) -> Attempt<bool> {
        self.search(store, index, entry, None, |state| matches!(state, StampState::Committed(_)))
    }

    /// The same of the versions before `newest_excluded` was made (all of them if None).
    pub(super) fn older_has(
        &self,
        store: &Store,
        index: &Index,
        entry: &[u8],
        newest_excluded: Option<&Arc<UndoRecord>>,
    ) -> Attempt<bool> {
        // What was before a change that every snapshot sees nobody reads again, and its long values may be gone.
        let horizon = store.transactions().snapshots().last_horizon();
        let ends = |state| matches!(state, StampState::Committed(ts) if ts <= horizon);
        self.search(store, index, entry, newest_excluded, ends)
    }

    /// Looks for the entry from the newest version on, up to the first whose making `ends` the search.
    fn search(
        &self,
        store: &Store,
        index: &Index,
        entry: &[u8],
        newest_excluded: Option<&Arc<UndoRecord>>,
        ends: impl Fn(StampState) -> bool,
    ) -> Attempt<bool> {
        let mut image = Image::current(self.view, self.slot);
        let mut counts = newest_excluded.is_none();
        let mut next = self.newest.clone();
        let row = self.view.row_id(self.slot);
        loop {
            if counts && image.is_alive() {
                match index.entry(store, row, |column| image.cell(column)) {
                    Ok((own, _)) if own == entry => return Ok(true),
                    Ok(_) | Err(KeyError::TooLong(_)) => {}
                    Err(KeyError::Restart(restart)) => return Err(restart),
                }
            }
            let Some(record) = next else { return Ok(false) };
            if ends(record.stamp.resolve(store.transactions().statuses())) {
                return Ok(false);
            }
            counts |= newest_excluded.is_some_and(|excluded| Arc::ptr_eq(excluded, &record));
            if !image.take_back(self.table, &record) {
                return Ok(false);
            }
            next = record.older();
        }
    }
}

impl Table {
    /// Appends some columns of a row to `out` as `view` sees it; false if it sees none.
    ///
    /// # Errors
    /// I/O errors and damage.
    pub fn get(
        &self,
        store: &Store,
        view: &ReadView,
        row: RowId,
        columns: &[u16],
        projected: &RowLayout,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        let start = out.len();
        let found = store.pager().retry(|| {
            out.truncate(start);
            match self.get_clean(store, row, columns, projected, out)? {
                Some(found) => Ok(found),
                None => self.get_versioned(store, view, row, columns, projected, out),
            }
        })?;
        if found {
            bring_in_long(store, projected, out, start)?;
        }
        Ok(found)
    }

    /// The row if nothing hangs beside its page; None otherwise.
    fn get_clean(
        &self,
        store: &Store,
        row: RowId,
        columns: &[u16],
        projected: &RowLayout,
        out: &mut Vec<u8>,
    ) -> Attempt<Option<bool>> {
        let page = self.tree.find_optimistic(store.pager(), row)?;
        if page.has_side() {
            page.validate()?;
            return Ok(None);
        }
        let found = LeafView::new(&page, &self.layout).and_then(|view| match view.find(row) {
            Ok(slot) if view.is_alive(slot) => view.copy_row(slot, columns, projected, out).map(|()| true),
            Ok(_) | Err(_) => Ok(false),
        });
        page.validate()?;
        found.map(Some).map_err(|damage| corrupt(page.page_id(), damage))
    }

    fn get_versioned(
        &self,
        store: &Store,
        view: &ReadView,
        row: RowId,
        columns: &[u16],
        projected: &RowLayout,
        out: &mut Vec<u8>,
    ) -> Attempt<bool> {
        let guard = self.tree.find_shared(store.pager(), row)?;
        let leaf = self.view(&guard, guard.page_id())?;
        let Ok(slot) = leaf.find(row) else { return Ok(false) };
        self.copy_visible(store, view, &guard, &leaf, slot, columns, projected, out)
    }

    /// Appends what `view` sees of a slot.
    #[expect(clippy::too_many_arguments, reason = "the place, the view and the form of one row")]
    fn copy_visible(
        &self,
        store: &Store,
        view: &ReadView,
        guard: &ReadGuard<'_>,
        leaf: &LeafView<'_, [u8]>,
        slot: usize,
        columns: &[u16],
        projected: &RowLayout,
        out: &mut Vec<u8>,
    ) -> Attempt<bool> {
        let statuses = store.transactions().statuses();
        let resolution = match versions_of_read(guard) {
            Some(versions) => versions.resolve(leaf.row_id(slot), view, statuses),
            None => Resolution::Current,
        };
        match resolution {
            Resolution::Absent => Ok(false),
            Resolution::Current => {
                if leaf.is_alive(slot) {
                    let copied = leaf.copy_row(slot, columns, projected, out);
                    copied.map_err(|damage| corrupt(guard.page_id(), damage))?;
                }
                Ok(leaf.is_alive(slot))
            }
            Resolution::Undo(records) => {
                let mut image = Image::current(leaf, slot);
                for record in &records {
                    if !image.take_back(self, record) {
                        return Ok(false);
                    }
                }
                if image.is_alive() {
                    image.copy(columns, projected, out)?;
                }
                Ok(image.is_alive())
            }
        }
    }

    /// Hands the rows from `from` on that `view` sees to `visit`, ascending, until it returns false. Rows are in the
    /// form of `projected`, the layout projected to `columns`.
    ///
    /// # Errors
    /// I/O errors and damage, and those of `visit`.
    pub fn scan(
        &self,
        store: &Store,
        view: &ReadView,
        from: RowId,
        columns: &[u16],
        mut visit: impl FnMut(RowId, RowView<'_>) -> Result<bool>,
    ) -> Result<()> {
        let projected = self.layout().project(columns);
        let mut next = Place::Row(from);
        let mut lowest = from;
        let (mut bytes, mut rows) = (Vec::new(), Vec::new());
        loop {
            let after = store.pager().retry(|| {
                bytes.clear();
                rows.clear();
                let guard = match next {
                    Place::Row(row) => self.tree.find_shared(store.pager(), row)?,
                    Place::Leaf(leaf) => self.tree.find_next(store.pager(), leaf)?,
                };
                let leaf = self.view(&guard, guard.page_id())?;
                for slot in 0..leaf.rows() {
                    let (row, start) = (leaf.row_id(slot), bytes.len());
                    let wanted = row >= lowest;
                    if wanted
                        && self
                            .copy_visible(store, view, &guard, &leaf, slot, columns, &projected, &mut bytes)?
                    {
                        rows.push((row, start, bytes.len()));
                    }
                }
                Ok(NextLeaf::after(&*guard))
            })?;
            for &(row, start, end) in &rows {
                let mut long = Vec::new();
                let mut values = &bytes[start..end];
                if has_long(&projected, values)? {
                    long.extend_from_slice(values);
                    bring_in_long(store, &projected, &mut long, 0)?;
                    values = &long;
                }
                if !visit(row, projected.view(values)?)? {
                    return Ok(());
                }
            }
            match after {
                Some(leaf) => {
                    // A leaf joined with the one before it begins with rows that were visited.
                    lowest = leaf.first;
                    next = Place::Leaf(leaf);
                }
                None => return Ok(()),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Place {
    Row(RowId),
    Leaf(NextLeaf),
}

fn has_long(layout: &RowLayout, bytes: &[u8]) -> Result<bool> {
    let view = layout.view(bytes)?;
    Ok((0..layout.columns().len()).any(|column| matches!(view.cell(column), Cell::Overflow(_))))
}

/// Replaces references to long values in the row from `start` on by the values.
pub(super) fn bring_in_long(
    store: &Store,
    layout: &RowLayout,
    out: &mut Vec<u8>,
    start: usize,
) -> Result<()> {
    let references = layout.columns().contains(&crate::types::PhysicalType::Bytes);
    if !references || !has_long(layout, &out[start..])? {
        return Ok(());
    }
    let row = out.split_off(start);
    let view = layout.view(&row)?;
    let mut long = Vec::with_capacity(layout.columns().len());
    for column in 0..layout.columns().len() {
        let mut bytes = Vec::new();
        if let Cell::Overflow(value) = view.cell(column) {
            store.pager().retry(|| -> std::result::Result<(), Restart> {
                bytes.clear();
                overflow::read(store.pager(), value, &mut bytes)
            })?;
        }
        long.push(bytes);
    }
    layout.encode(out, |column| match view.cell(column) {
        Cell::Overflow(_) => Cell::Scalar(crate::types::Scalar::Bytes(&long[column])),
        cell @ Cell::Scalar(_) => cell,
    });
    Ok(())
}
