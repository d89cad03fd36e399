//! The right side of a hash join: rows are kept, in memory or in partitions on disk.

use super::spec::JoinSpec;
use super::table::JoinTable;
use crate::error::Result;
use crate::executor::hash::{PARTITIONS, Picked, hash_rows, radix_of};
use crate::executor::memory::Allowance;
use crate::executor::pipeline::{Flow, Sink, Stage};
use crate::executor::resources::Query;
use crate::executor::row_store::RowStore;
use crate::executor::runtime_filter::RuntimeFilter;
use crate::executor::spill::SpillRun;
use crate::expr::eval::Evaluator;
use crate::plan::physical::JoinType;
use crate::types::{Chunk, FlatVector, PhysicalType, Selection, VECTOR_SIZE, Vector};
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A hash join at work.
pub(in crate::executor) struct JoinState {
    pub(super) spec: Arc<JoinSpec>,
    parts: Mutex<Parts>,
    /// Set when the right side is complete, and until the partitions on disk need the memory.
    table: RwLock<Option<Arc<JoinTable>>>,
    /// Partitions below this are in the table; the others are on disk.
    resident: AtomicUsize,
    /// A right row has a NULL key.
    has_null: AtomicBool,
    /// There is a right row.
    has_rows: AtomicBool,
    /// By partition, left rows that wait for right rows on disk.
    pub(super) left_runs: Mutex<Vec<Vec<SpillRun>>>,
    /// The next partition on disk, and the next kept row to look at for a match.
    pub(super) next_partition: AtomicUsize,
    pub(super) next_row: AtomicUsize,
}

#[derive(Default)]
struct Parts {
    stores: Vec<RowStore>,
    allowances: Vec<Allowance>,
    /// By partition.
    runs: Vec<Vec<SpillRun>>,
}

impl JoinState {
    pub(in crate::executor) fn new(spec: &Arc<JoinSpec>) -> Arc<Self> {
        Arc::new(Self {
            spec: Arc::clone(spec),
            parts: Mutex::default(),
            table: RwLock::new(None),
            resident: AtomicUsize::new(PARTITIONS),
            has_null: AtomicBool::new(false),
            has_rows: AtomicBool::new(false),
            left_runs: Mutex::default(),
            next_partition: AtomicUsize::new(0),
            next_row: AtomicUsize::new(0),
        })
    }

    /// The rows in memory.
    ///
    /// # Panics
    /// If the right side is not complete, or the rows have been given up; left pipelines run between.
    pub(super) fn table(&self) -> Arc<JoinTable> {
        self.table.read().clone().expect("the right side is in memory while left rows are read")
    }

    /// Gives the rows in memory up: all that are to come out have.
    pub(super) fn drop_table(&self) {
        *self.table.write() = None;
        self.parts.lock().allowances.clear();
    }

    /// Whether rows of this hash are in memory.
    #[inline]
    pub(super) fn is_resident(&self, hash: u64) -> bool {
        radix_of(hash, 0) < self.resident.load(Ordering::Relaxed)
    }

    /// The partitions on disk.
    pub(super) fn partitions_on_disk(&self) -> std::ops::Range<usize> {
        self.resident.load(Ordering::Relaxed)..PARTITIONS
    }

    /// Takes the right rows of a partition on disk.
    pub(super) fn take_right_runs(&self, partition: usize) -> Vec<SpillRun> {
        self.parts.lock().runs.get_mut(partition).map(std::mem::take).unwrap_or_default()
    }

    /// What IN answers a row without a match whose key is not NULL: NULL if a right key is.
    pub(super) fn has_null_key(&self) -> bool {
        self.has_null.load(Ordering::Relaxed)
    }

    /// Whether there is any right row.
    pub(super) fn has_rows(&self) -> bool {
        self.has_rows.load(Ordering::Relaxed)
    }
}

/// Takes the right side in.
pub(in crate::executor) struct JoinBuild(pub(in crate::executor) Arc<JoinState>);

impl Sink for JoinBuild {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        let spec = &self.0.spec;
        Ok(Box::new(BuildStage {
            evaluator: Evaluator::new(&spec.right_keys)?,
            store: RowStore::new(&spec.format),
            allowance: query.allowance()?,
            query: Arc::clone(query),
            join: Arc::clone(&self.0),
            runs: Vec::new(),
            hashes: Vec::new(),
            kept: Selection::new(),
        }))
    }

    fn complete(&self, query: &Arc<Query>) -> Result<()> {
        let Parts { mut stores, mut allowances, mut runs } = std::mem::take(&mut *self.0.parts.lock());
        let spec = &self.0.spec;
        let mut allowance = query.allowance()?;
        let mut kept = RowStore::new(&spec.format);
        // One table over all rows may need more than the tables over the rows of each thread, which are covered.
        let covered: usize = stores.iter().map(|store| JoinTable::overhead(store.len())).sum();
        let wanted = JoinTable::overhead(stores.iter().map(RowStore::len).sum());
        if runs.is_empty() && allowance.cover(wanted.saturating_sub(covered)).unwrap_or(false) {
            stores.drain(..).for_each(|store| kept.absorb(store));
        } else {
            runs.resize_with(PARTITIONS, Vec::new);
            // Threads that had memory for their rows follow those that had not.
            for store in stores.drain(..) {
                let mut own = Vec::new();
                write_partitions(query, spec, &Arc::new(store), &mut own)?;
                runs.iter_mut().zip(own).for_each(|(all, run)| all.push(run));
            }
            allowances.clear();
            let resident = load_partitions(query, &mut runs, &mut allowance, &mut kept)?;
            self.0.resident.store(resident, Ordering::Relaxed);
        }
        let table = JoinTable::new(kept, |store, row| spec.may_match(store, row), spec.keeps_right());
        if self.0.partitions_on_disk().is_empty() {
            for &(key, id) in &spec.runtime_filters {
                let filter = RuntimeFilter::new(table.store(), key, &spec.key_types[key]);
                query.runtime_filters.write().insert(id, Arc::new(filter));
            }
        }
        allowances.push(allowance);
        let bytes = allowances.iter().map(Allowance::bytes).sum();
        query.stats[spec.node].saw_memory(bytes);
        *self.0.parts.lock() = Parts { stores, allowances, runs };
        let before = self.0.table.write().replace(Arc::new(table));
        assert!(before.is_none(), "a right side is completed once");
        Ok(())
    }
}

/// Reads partitions back, from the first on, as long as memory is given. How many.
fn load_partitions(
    query: &Query,
    runs: &mut [Vec<SpillRun>],
    allowance: &mut Allowance,
    kept: &mut RowStore,
) -> Result<usize> {
    for (partition, runs) in runs.iter_mut().enumerate() {
        let rows: u64 = runs.iter().map(SpillRun::rows).sum();
        let bytes: u64 = runs.iter().map(SpillRun::bytes).sum();
        let rows = kept.len() + usize::try_from(rows).unwrap_or(usize::MAX);
        // In memory rows have padding and headers; half as much again covers them.
        let wanted = kept.memory_size() + usize::try_from(bytes + bytes / 2).unwrap_or(usize::MAX);
        if !allowance.cover(wanted + JoinTable::overhead(rows)).unwrap_or(false) {
            return Ok(partition);
        }
        for run in runs.drain(..) {
            let mut reader = run.reader();
            let mut chunk = reader.chunk();
            while reader.next(&mut chunk)? {
                query.check()?;
                append_kept(kept, &chunk);
            }
        }
        allowance.demand(kept.memory_size() + JoinTable::overhead(kept.len()))?;
    }
    Ok(PARTITIONS)
}

/// Adds rows in the form they have on disk.
pub(super) fn append_kept(store: &mut RowStore, chunk: &Chunk) {
    if let [hashes, columns @ ..] = chunk.columns.as_slice()
        && let Some((hashes, _)) = hashes.base()
    {
        let hashes: Vec<u64> = hashes.values::<i64>().iter().map(|hash| hash.cast_unsigned()).collect();
        store.append(columns, Picked { selected: None, count: chunk.len }, &hashes);
    }
}

struct BuildStage {
    query: Arc<Query>,
    join: Arc<JoinState>,
    evaluator: Evaluator,
    store: RowStore,
    allowance: Allowance,
    /// By partition, once something was spilled.
    runs: Vec<SpillRun>,
    hashes: Vec<u64>,
    kept: Selection,
}

impl Stage for BuildStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        let spec = &self.join.spec;
        let outputs = self.evaluator.evaluate(chunk, &self.query.eval())?;
        let keys: Vec<Vector> = outputs.iter().cloned().collect();
        self.join.has_rows.store(true, Ordering::Relaxed);
        let nullable = |(key, &equal): (&Vector, &bool)| !equal && key.may_have_nulls();
        if keys.iter().zip(&spec.nulls_equal).any(nullable) {
            let is_null = |row: usize| {
                keys.iter().zip(&spec.nulls_equal).any(|(key, &equal)| !equal && key.is_null(row))
            };
            let kept = self.kept.rows_mut();
            kept.clear();
            // Rows of a chunk fit u16.
            kept.extend(chunk.rows().filter(|&row| !is_null(row)).map(|row| row as u16));
            if kept.len() < chunk.count() {
                self.join.has_null.store(true, Ordering::Relaxed);
                if !spec.keeps_right() || spec.kind == JoinType::RightSemi {
                    std::mem::swap(&mut self.kept, chunk.selection.get_or_insert_default());
                }
            }
        }
        let picked = Picked::of(chunk);
        hash_rows(&keys, &spec.key_types, picked, &mut self.hashes);
        let payload = spec.payload.iter().map(|&column| chunk.columns[column].clone());
        let columns: Vec<Vector> = keys.into_iter().chain(payload).collect();
        self.store.append(&columns, picked, &self.hashes);
        let bytes = self.store.memory_size() + JoinTable::overhead(self.store.len());
        if !self.allowance.cover(bytes)? {
            self.spill()?;
        }
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        if !self.runs.is_empty() {
            self.spill()?;
        }
        let spec = &self.join.spec;
        let mut parts = self.join.parts.lock();
        if self.store.len() > 0 {
            parts.stores.push(std::mem::replace(&mut self.store, RowStore::new(&spec.format)));
            let fresh = self.query.allowance()?;
            parts.allowances.push(std::mem::replace(&mut self.allowance, fresh));
        }
        if !self.runs.is_empty() {
            parts.runs.resize_with(PARTITIONS, Vec::new);
            parts.runs.iter_mut().zip(self.runs.drain(..)).for_each(|(all, run)| all.push(run));
        }
        Ok(())
    }
}

impl BuildStage {
    fn spill(&mut self) -> Result<()> {
        let spec = &self.join.spec;
        self.query.stats[spec.node].saw_memory(self.store.memory_size() as u64);
        let store = std::mem::replace(&mut self.store, RowStore::new(&spec.format));
        write_partitions(&self.query, spec, &Arc::new(store), &mut self.runs)?;
        self.allowance.shrink_to(0);
        Ok(())
    }
}

/// Writes rows to the partitions they belong to, which are made if there are none.
fn write_partitions(
    query: &Query,
    spec: &JoinSpec,
    store: &Arc<RowStore>,
    runs: &mut Vec<SpillRun>,
) -> Result<()> {
    if runs.is_empty() {
        let (file, shapes) = (query.spill_file()?, spec.right_shapes());
        runs.extend(std::iter::repeat_with(|| SpillRun::new(&file, &shapes)).take(PARTITIONS));
    }
    let mut parts = vec![Vec::new(); PARTITIONS];
    // Stores have fewer than 2^32 rows.
    (0..store.len() as u32).for_each(|row| parts[radix_of(store.hash(row), 0)].push(row));
    for (run, rows) in runs.iter_mut().zip(parts) {
        let before = run.bytes();
        for rows in rows.chunks(VECTOR_SIZE) {
            run.push(&kept_chunk(spec, store, rows))?;
        }
        run.flush()?;
        query.stats[spec.node].add_spilled(run.bytes() - before);
    }
    Ok(())
}

/// Rows in the form they have on disk.
fn kept_chunk(spec: &JoinSpec, store: &Arc<RowStore>, rows: &[u32]) -> Chunk {
    let mut hashes = FlatVector::with_capacity(PhysicalType::I64, rows.len());
    rows.iter().for_each(|&row| hashes.push(store.hash(row).cast_signed()));
    let mut columns = vec![Vector::from(hashes)];
    for (column, ty) in spec.format.types().enumerate() {
        let mut out = FlatVector::with_capacity(ty.physical(), rows.len());
        store.gather(column, rows, &mut out);
        columns.push(out.into());
    }
    Chunk { len: rows.len(), selection: None, columns }
}
