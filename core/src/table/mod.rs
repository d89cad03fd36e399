//! Tables: rows in PAX leaves under a tree of row ids, their indexes, and one way to write, read and take back both.
//!
//! ```text
//!   insert/update/delete (write.rs)     get/scan (read.rs)
//!        | row operation                     |
//!   leaf under its latch ---- version map beside the page (transaction::VersionMap)
//!        | then, each its own row operation
//!   index entries (index.rs), long values (overflow.rs)
//!        | committed and old                | taken back
//!   purge.rs                             undo.rs
//! ```
//! Invariants:
//! 1. The leaf, its row's undo record and the transaction's undo log change in one row operation.
//! 2. A version of a row that somebody may see has its entry in every index: entries are added after the row, before
//!    its statement ends, and removed (by purge or undo) only under the row's leaf latch and when no version in the
//!    page or its chain has that key. Entries without such a version may exist; readers check the row.
//! 3. Everything a transaction did can be found from its undo log, in reverse; taking back tolerates work that had
//!    not been finished: a missing entry, a missing row.
//! 4. Replay needs no versions: it applies committed effects one after the other.

mod bulk;
mod ddl;
mod def;
mod index;
mod leaf;
mod lock;
mod overflow;
mod purge;
mod read;
mod replay;
mod scan;
mod undo;
mod unique;
mod verify;
mod write;

use crate::btree::{Damage, Fences, IndexTree, Leaf, RowTree};
use crate::codec::row::{RowLayout, RowView};
use crate::error::{Result, StorageError};
use crate::ids::{ObjectId, PageId, RowId};
use crate::pager::{Attempt, Pager, ReadGuard, Restart, Side, WriteGuard};
use crate::transaction::{Transactions, VersionMap};
use crate::types::DataType;
use leaf::{LeafLayout, LeafView};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

pub use index::{Index, IndexColumn, IndexDef};
pub use lock::RowLocked;
pub use overflow::check_length;
pub use scan::{ChunkScan, RowRange};
pub use unique::Suspect;
pub use verify::TableReport;
pub use write::Written;

const KEY_LATCHES: usize = 1024;
/// Hidden row ids have 48 bits.
pub(crate) const MAX_HIDDEN_ROW: u64 = (1 << 48) - 1;

/// What a row's id is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowKey {
    /// A number from the table's counter.
    Hidden,
    /// The value of this integer column, which is the primary key.
    Column(u16),
}

/// A column as storage knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColumnDef {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: DataType,
    /// NULL is refused.
    pub not_null: bool,
}

/// A table as storage knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableDef {
    /// Its id.
    pub object: ObjectId,
    /// Its name, for messages.
    pub name: String,
    /// The version of its columns, written into leaves and log records.
    pub schema: u32,
    /// Its columns.
    pub columns: Vec<ColumnDef>,
    /// What its row ids are.
    pub row_key: RowKey,
}

impl TableDef {
    /// The row id of a key.
    pub fn row_of_key(key: i64) -> RowId {
        RowId(key.cast_unsigned() ^ 1 << 63)
    }

    /// The key of a row id.
    pub fn key_of_row(row: RowId) -> i64 {
        (row.0 ^ 1 << 63).cast_signed()
    }
}

/// A table that is open.
pub struct Table {
    def: TableDef,
    layout: LeafLayout,
    all_columns: Box<[u16]>,
    tree: RowTree,
    next_row: AtomicU64,
    indexes: RwLock<Arc<[Arc<Index>]>>,
}

impl Table {
    /// A table whose rows are in `tree`.
    pub fn new(def: TableDef, tree: RowTree, next_row: u64, indexes: Vec<Arc<Index>>) -> Self {
        let layout = LeafLayout::new(RowLayout::new(def.columns.iter().map(|column| column.ty.physical())));
        Self {
            all_columns: (0..def.columns.len()).filter_map(|column| u16::try_from(column).ok()).collect(),
            def,
            layout,
            tree,
            next_row: AtomicU64::new(next_row),
            indexes: RwLock::new(indexes.into()),
        }
    }

    /// What it is.
    pub fn def(&self) -> &TableDef {
        &self.def
    }

    /// The form of its rows as bytes.
    pub fn layout(&self) -> &RowLayout {
        self.layout.rows()
    }

    /// Where its rows are.
    pub fn tree(&self) -> &RowTree {
        &self.tree
    }

    /// The next hidden row id.
    pub fn next_row(&self) -> u64 {
        self.next_row.load(Ordering::Acquire)
    }

    /// Its indexes.
    pub fn indexes(&self) -> Arc<[Arc<Index>]> {
        Arc::clone(&self.indexes.read())
    }

    /// Adds or removes indexes.
    pub fn set_indexes(&self, indexes: Vec<Arc<Index>>) {
        *self.indexes.write() = indexes.into();
    }

    fn take_row(&self) -> Result<RowId> {
        self.take_rows(1)
    }

    /// The first of `count` hidden ids that are new.
    fn take_rows(&self, count: u64) -> Result<RowId> {
        let row = self.next_row.fetch_add(count, Ordering::AcqRel);
        if row + count > MAX_HIDDEN_ROW {
            let reason = format!("table \"{}\" has used up its row ids", self.def.name);
            return Err(StorageError::Corrupt { reason }.into());
        }
        Ok(RowId(row))
    }

    /// The hidden ids up to `row` are taken.
    fn saw_row(&self, row: RowId) {
        if self.def.row_key == RowKey::Hidden {
            self.next_row.fetch_max(row.0.saturating_add(1), Ordering::AcqRel);
        }
    }

    fn view<'p>(&'p self, guard: &'p [u8], page: PageId) -> Attempt<LeafView<'p, [u8]>> {
        LeafView::new(guard, &self.layout).map_err(|damage| corrupt(page, damage))
    }

    /// The table's leaves as the tree needs to see them, for a row with `heap` bytes of strings.
    fn leaves<'t>(&'t self, store: &'t Store, heap: usize) -> HotLeaf<'t> {
        HotLeaf { table: self, store, heap }
    }
}

fn corrupt(page: PageId, Damage(reason): Damage) -> Restart {
    Restart::Corrupt(page, reason)
}

/// The leaves of a table, for the tree; `heap` is what the row to come needs for its strings.
struct HotLeaf<'t> {
    table: &'t Table,
    store: &'t Store,
    heap: usize,
}

impl Leaf for HotLeaf<'_> {
    fn init(&self, leaf: &mut WriteGuard<'_>) -> Result<(), Damage> {
        let first = Fences::of(&**leaf).first;
        leaf::init(leaf, &self.table.layout, self.table.def.schema, first, self.heap);
        Ok(())
    }

    fn separator(&self, leaf: &[u8], row: RowId) -> Result<Option<RowId>, Damage> {
        if leaf::room_for(leaf, &self.table.layout, row, self.heap)? != leaf::Room::Full {
            return Ok(None);
        }
        leaf::separator(leaf, &self.table.layout, row).map(Some)
    }

    fn split(
        &self,
        left: &mut WriteGuard<'_>,
        right: &mut WriteGuard<'_>,
        separator: RowId,
    ) -> Result<(), Damage> {
        leaf::split(left, right, &self.table.layout, separator)?;
        if left.side().is_some() {
            let moved = versions_of_mut(left).map(|versions| versions.split_off(separator));
            if let Some(moved) = moved.filter(|moved| !moved.is_empty()) {
                self.store.versioned.lock().push(right.page_id());
                *right.side_mut() = Some(Box::new(moved));
            }
        }
        Ok(())
    }

    fn mergeable(&self, left: &[u8], right: &[u8]) -> bool {
        leaf::mergeable(left, right, &self.table.layout)
    }

    fn merge(&self, left: &mut WriteGuard<'_>, right: &mut WriteGuard<'_>) -> Result<(), Damage> {
        leaf::merge(left, right, &self.table.layout)?;
        if let Some(side) = right.side_mut().take()
            && let Ok(versions) = side.downcast::<VersionMap>()
        {
            self.store.versions_for(left).absorb(*versions);
        }
        Ok(())
    }

    fn check(&self, leaf: &[u8]) -> Result<u64, Damage> {
        let view = LeafView::new(leaf, &self.table.layout)?;
        view.check()?;
        Ok((0..view.rows()).filter(|&slot| view.is_alive(slot)).count() as u64)
    }
}

fn versions_of(side: Option<&Side>) -> Option<&VersionMap> {
    side.and_then(|side| side.downcast_ref())
}

fn versions_of_mut<'g>(guard: &'g mut WriteGuard<'_>) -> Option<&'g mut VersionMap> {
    guard.side_mut().as_mut().and_then(|side| side.downcast_mut())
}

/// A table as it was at a cut's barrier.
pub(crate) struct TableAtCut {
    pub(crate) table: Arc<Table>,
    pub(crate) next_row: u64,
    pub(crate) indexes: Arc<[Arc<Index>]>,
}

/// What the tables of a database share.
pub struct Store {
    pager: Arc<Pager>,
    transactions: Arc<Transactions>,
    tables: RwLock<HashMap<ObjectId, Arc<Table>>>,
    key_latches: Box<[Mutex<()>]>,
    key_hasher: RandomState,
    /// Pages that have, or had when they were split, a version map: each is looked at until it has none.
    versioned: Mutex<Vec<PageId>>,
    /// One collector at a time.
    collector: Mutex<()>,
    next_object: AtomicU32,
    /// The horizon when versions were last pruned.
    pruned_at: AtomicU64,
}

impl Store {
    /// Tables over `pager`, none of them open yet.
    pub fn new(pager: Arc<Pager>, transactions: Arc<Transactions>) -> Self {
        Self {
            pager,
            transactions,
            tables: RwLock::new(HashMap::new()),
            key_latches: (0..KEY_LATCHES).map(|_| Mutex::new(())).collect(),
            key_hasher: RandomState::new(),
            versioned: Mutex::new(Vec::new()),
            collector: Mutex::new(()),
            next_object: AtomicU32::new(0),
            pruned_at: AtomicU64::new(u64::MAX),
        }
    }

    /// The pages.
    pub fn pager(&self) -> &Pager {
        &self.pager
    }

    /// The transactions.
    pub fn transactions(&self) -> &Arc<Transactions> {
        &self.transactions
    }

    /// An open table.
    ///
    /// # Errors
    /// XX001 when there is none of that id: whoever asks found the id in the database.
    pub fn table(&self, object: ObjectId) -> Result<Arc<Table>> {
        let table = self.tables.read().get(&object).cloned();
        table.ok_or_else(|| StorageError::Corrupt { reason: format!("there is no object {object}") }.into())
    }

    /// All open tables, in the order of their ids.
    pub fn tables(&self) -> Vec<Arc<Table>> {
        let mut tables: Vec<_> = self.tables.read().values().cloned().collect();
        tables.sort_unstable_by_key(|table| table.def.object);
        tables
    }

    /// An id that no object has had.
    pub fn allocate_object(&self) -> ObjectId {
        ObjectId(self.next_object.fetch_add(1, Ordering::AcqRel))
    }

    /// The id that the next object gets.
    pub fn next_object(&self) -> u32 {
        self.next_object.load(Ordering::Acquire)
    }

    /// Ids below `next` are taken.
    pub fn set_next_object(&self, next: u32) {
        self.next_object.fetch_max(next, Ordering::AcqRel);
    }

    /// All tables as they are now, for a cut. Called inside the barrier.
    pub(crate) fn tables_at_cut(&self) -> Vec<TableAtCut> {
        let at_cut =
            |table: Arc<Table>| TableAtCut { next_row: table.next_row(), indexes: table.indexes(), table };
        self.tables().into_iter().map(at_cut).collect()
    }

    /// Opens a table, or replaces what was known of it.
    pub fn add_table(&self, table: Arc<Table>) {
        for object in table.indexes().iter().map(|index| index.def.object).chain([table.def.object]) {
            self.set_next_object(object.0.saturating_add(1));
        }
        self.tables.write().insert(table.def.object, table);
    }

    /// Forgets a table.
    pub fn remove_table(&self, object: ObjectId) -> Option<Arc<Table>> {
        self.tables.write().remove(&object)
    }

    /// Runs one row operation to its end: `operation` is tried, inside, until nothing makes it start again.
    ///
    /// # Errors
    /// What stands in the way of resolving a restart.
    pub fn attempt<T>(&self, mut operation: impl FnMut() -> Attempt<T>) -> Result<T> {
        loop {
            let tried = {
                let _inside = self.transactions.row_ops().enter();
                operation()
            };
            match tried {
                Ok(value) => return Ok(value),
                Err(restart) => self.pager.resolve(restart)?,
            }
        }
    }

    /// An empty tree for the rows of a table. The caller registers it where recovery finds it.
    ///
    /// # Errors
    /// I/O errors.
    pub fn create_row_tree(&self, def: &TableDef) -> Result<RowTree> {
        let table = Table::new(def.clone(), RowTree::open(PageId(0), def.object), 0, Vec::new());
        self.attempt(|| RowTree::create(&self.pager, def.object, &table.leaves(self, 0)))
    }

    /// An empty tree for the entries of an index.
    ///
    /// # Errors
    /// I/O errors.
    pub fn create_index_tree(&self, object: ObjectId) -> Result<IndexTree> {
        self.attempt(|| IndexTree::create(&self.pager, object))
    }

    /// Keeps others from probing for or inserting a key meanwhile.
    fn latch_key(&self, index: ObjectId, key: &[u8]) -> MutexGuard<'_, ()> {
        let hash = self.key_hasher.hash_one((index, key));
        self.key_latches[(hash % KEY_LATCHES as u64) as usize].lock()
    }

    /// The version map of a page, made if there is none.
    fn versions_for<'g>(&self, guard: &'g mut WriteGuard<'_>) -> &'g mut VersionMap {
        let page = guard.page_id();
        let side = guard.side_mut();
        let side = side.get_or_insert_with(|| {
            self.versioned.lock().push(page);
            Box::<VersionMap>::default()
        });
        side.downcast_mut().expect("only version maps hang beside the pages of tables")
    }
}

/// A row's own bytes or, as bytes of a row, a copy with its long values moved out.
fn view_of<'a>(layout: &'a RowLayout, bytes: &'a [u8]) -> Attempt<RowView<'a>> {
    layout.view(bytes).map_err(|_| Restart::Corrupt(PageId(0), "a row in memory is damaged"))
}

fn versions_of_read<'g>(guard: &'g ReadGuard<'_>) -> Option<&'g VersionMap> {
    versions_of(guard.side())
}
