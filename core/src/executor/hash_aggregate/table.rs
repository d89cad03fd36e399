//! A hash table of groups: their keys in a row store, the states of their aggregates in one array of bytes, and a
//! directory with linear probing.
//!
//! ```text
//!   directory   | 0 | tag, 3 | 0 | tag, 1 | tag, 2 | ..      u64: upper half of the hash, number of the group + 1
//!   store       group 0: hash, keys | group 1: .. | ..
//!   states      group 0: stride bytes | group 1: .. | ..
//! ```
//! The tag decides whether keys are looked at: two groups with one tag are rare, so nearly every comparison succeeds.
//! Rows of a chunk are resolved together, in rounds: find a candidate each, compare the candidates column by column,
//! go on with the rows that met another group.

use crate::error::Result;
use crate::executor::hash::{MAX_LEVEL, PARTITIONS, Picked, radix_of};
use crate::executor::row_store::{RowFormat, RowStore};
use crate::expr::aggregate::{Accumulator, AggregateCall, Groups, StateHeap, States};
use crate::expr::eval::RowSet;
use crate::types::{CHUNK_BYTES, Chunk, DataType, FlatVector, PhysicalType, VECTOR_SIZE, Vector};
use std::sync::Arc;

const FIRST_DIRECTORY: usize = 64;

/// The aggregates of a table and where their states lie.
pub(super) struct StateLayout {
    accumulators: Vec<Box<dyn Accumulator>>,
    offsets: Vec<usize>,
    stride: usize,
}

impl StateLayout {
    pub(super) fn new(calls: &[AggregateCall]) -> Arc<Self> {
        let accumulators: Vec<_> = calls.iter().map(AggregateCall::accumulator).collect();
        let mut stride = 0;
        let offsets = accumulators
            .iter()
            .map(|accumulator| {
                let offset = stride;
                stride += accumulator.state_size();
                offset
            })
            .collect();
        Arc::new(Self { accumulators, offsets, stride })
    }

    fn is_empty(&self) -> bool {
        self.accumulators.is_empty()
    }

    /// Folds states kept elsewhere into those of a table: pairs of a group there and one of these.
    fn combine(
        &self,
        (into, into_heap): (&mut [u8], &mut StateHeap),
        (from, from_heap): (&mut [u8], &mut StateHeap),
        pairs: &[(u32, u32)],
    ) -> Result<()> {
        for (accumulator, &offset) in self.accumulators.iter().zip(&self.offsets) {
            let stride = self.stride;
            let mut target = States { bytes: &mut *into, stride, offset, heap: &mut *into_heap };
            let source = States { bytes: &mut *from, stride, offset, heap: &mut *from_heap };
            accumulator.combine(&mut target, &source, pairs)?;
        }
        Ok(())
    }
}

/// The table.
pub(super) struct GroupTable {
    layout: Arc<StateLayout>,
    store: Arc<RowStore>,
    directory: Vec<u64>,
    states: Vec<u8>,
    heap: StateHeap,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    /// By row, the slot it is at.
    slots: Vec<u32>,
    pending: Vec<u16>,
    fresh: Vec<u16>,
    pairs: Vec<(u16, u32)>,
    /// By row.
    groups: Vec<u32>,
    /// By group, its rows of the chunk; as many as there are groups, or none if there are too many.
    dealt: Vec<Vec<u16>>,
}

const UNKNOWN: u32 = u32::MAX;

/// Up to so many groups the rows of a chunk are dealt to them, so that an aggregate goes through the rows of one group
/// after those of another: it can keep its state in registers meanwhile.
const FEW_GROUPS: usize = 8;
/// Rows of a chunk for which that is worth while.
const MANY_ROWS: usize = 128;

impl GroupTable {
    /// No groups; without keys the one there is.
    pub(super) fn new(format: &Arc<RowFormat>, layout: &Arc<StateLayout>) -> Self {
        let mut table = Self {
            layout: Arc::clone(layout),
            store: Arc::new(RowStore::new(format)),
            directory: Vec::new(),
            states: Vec::new(),
            heap: StateHeap::default(),
            scratch: Scratch::default(),
        };
        if format.types().len() == 0 {
            table.rows_mut().append(&[], Picked { selected: None, count: 1 }, &[]);
            table.states.resize(layout.stride, 0);
        }
        table
    }

    fn rows_mut(&mut self) -> &mut RowStore {
        Arc::get_mut(&mut self.store).expect("nobody reads a table that still grows")
    }

    /// How many groups.
    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    fn has_keys(&self) -> bool {
        self.store.format().types().len() > 0
    }

    /// Bytes of memory.
    pub(super) fn memory_size(&self) -> usize {
        self.store.memory_size()
            + self.directory.capacity() * size_of::<u64>()
            + self.states.capacity()
            + self.heap.memory_size()
    }

    /// Groups to be copied at a time: as many as a chunk may have, by their number and by their bytes.
    pub(super) fn chunk_groups(&self) -> usize {
        let bytes = (self.store.memory_size() + self.heap.memory_size()) / self.len().max(1);
        (CHUNK_BYTES / bytes.max(1)).clamp(1, VECTOR_SIZE)
    }

    /// Finds the groups of the picked rows, making those that are not there. `hashes` are by number of the row.
    pub(super) fn find(&mut self, keys: &[Vector], picked: Picked<'_>, hashes: &[u64]) {
        // Those of the chunk before.
        self.scratch.dealt.clear();
        if !self.has_keys() || picked.count == 0 {
            return;
        }
        self.reserve(picked.count);
        let mut scratch = std::mem::take(&mut self.scratch);
        let mask = self.directory.len() as u64 - 1;
        scratch.groups.clear();
        scratch.groups.resize(picked.end(), UNKNOWN);
        scratch.slots.clear();
        scratch.slots.extend(hashes[..picked.end()].iter().map(|hash| (hash & mask) as u32));
        scratch.pending.clear();
        // Rows of a chunk fit u16.
        scratch.pending.extend((0..picked.count).map(|i| picked.row(i) as u16));
        while !scratch.pending.is_empty() {
            self.probe(&mut scratch, hashes);
            let fresh = Picked { selected: Some(&scratch.fresh), count: scratch.fresh.len() };
            self.rows_mut().append(keys, fresh, hashes);
            for (column, key) in keys.iter().enumerate() {
                self.store.retain_equal(column, key, true, &mut scratch.pairs);
            }
            for &(row, group) in &scratch.pairs {
                scratch.groups[usize::from(row)] = group;
            }
            let Scratch { pending, groups, slots, .. } = &mut scratch;
            pending.retain(|&row| {
                let other = groups[usize::from(row)] == UNKNOWN;
                if other {
                    let slot = &mut slots[usize::from(row)];
                    *slot = ((u64::from(*slot) + 1) & mask) as u32;
                }
                other
            });
        }
        self.states.resize(self.store.len() * self.layout.stride, 0);
        self.scratch = scratch;
        self.deal(picked);
    }

    /// Deals the rows found last to their groups, if these are few.
    fn deal(&mut self, picked: Picked<'_>) {
        let Scratch { groups, dealt, .. } = &mut self.scratch;
        let few = self.store.len() <= FEW_GROUPS && picked.count >= MANY_ROWS && !self.layout.is_empty();
        if few {
            dealt.resize_with(self.store.len(), Vec::new);
            // Rows of a chunk fit u16.
            (0..picked.count)
                .map(|i| picked.row(i))
                .for_each(|row| dealt[groups[row] as usize].push(row as u16));
        }
    }

    /// Finds a candidate or a free slot for each pending row, and gives the free slots to new groups.
    fn probe(&mut self, scratch: &mut Scratch, hashes: &[u64]) {
        let mask = self.directory.len() - 1;
        scratch.fresh.clear();
        scratch.pairs.clear();
        for &row in &scratch.pending {
            let hash = hashes[usize::from(row)];
            let tag = hash >> 32;
            let mut slot = scratch.slots[usize::from(row)] as usize;
            loop {
                let entry = self.directory[slot];
                if entry == 0 {
                    // Stores have fewer than 2^32 rows.
                    let group = (self.store.len() + scratch.fresh.len()) as u32;
                    self.directory[slot] = tag << 32 | u64::from(group + 1);
                    scratch.fresh.push(row);
                    scratch.groups[usize::from(row)] = group;
                    break;
                }
                if entry >> 32 == tag {
                    scratch.pairs.push((row, entry as u32 - 1));
                    break;
                }
                slot = (slot + 1) & mask;
            }
            scratch.slots[usize::from(row)] = slot as u32;
        }
    }

    /// Makes the directory large enough for so many groups more.
    fn reserve(&mut self, more: usize) {
        let wanted = (2 * (self.store.len() + more)).next_power_of_two().max(FIRST_DIRECTORY);
        if wanted <= self.directory.len() {
            return;
        }
        // For a chunk of few groups, half of that may do: the groups there are, twice, and those that come, once.
        self.directory.clear();
        self.directory.resize(wanted, 0);
        for group in 0..self.store.len() as u32 {
            let hash = self.store.hash(group);
            let mut slot = hash as usize & (wanted - 1);
            while self.directory[slot] != 0 {
                slot = (slot + 1) & (wanted - 1);
            }
            self.directory[slot] = (hash >> 32) << 32 | u64::from(group + 1);
        }
    }

    /// Folds some of the rows whose groups were found last into the states of the aggregate `number`.
    pub(super) fn update(&mut self, number: usize, inputs: &[&Vector], rows: RowSet<'_>) -> Result<()> {
        let groups = if self.has_keys() { Groups::Each(&self.scratch.groups) } else { Groups::One(0) };
        let layout = &self.layout;
        let (stride, offset) = (layout.stride, layout.offsets[number]);
        let mut states = States { bytes: &mut self.states, stride, offset, heap: &mut self.heap };
        layout.accumulators[number].update(&mut states, groups, inputs, rows)
    }

    /// The same with all of these rows.
    pub(super) fn update_all(&mut self, number: usize, inputs: &[&Vector], rows: RowSet<'_>) -> Result<()> {
        if self.scratch.dealt.is_empty() {
            return self.update(number, inputs, rows);
        }
        let layout = &self.layout;
        let (stride, offset) = (layout.stride, layout.offsets[number]);
        let mut states = States { bytes: &mut self.states, stride, offset, heap: &mut self.heap };
        for (group, rows) in (0..).zip(&self.scratch.dealt).filter(|(_, rows)| !rows.is_empty()) {
            let rows = RowSet::Some(rows);
            layout.accumulators[number].update(&mut states, Groups::One(group), inputs, rows)?;
        }
        Ok(())
    }

    /// The groups of each partition at `level`.
    pub(super) fn by_partition(&self, level: u32) -> Vec<Vec<u32>> {
        let mut parts = vec![Vec::new(); PARTITIONS];
        for group in 0..self.store.len() as u32 {
            parts[radix_of(self.store.hash(group), level)].push(group);
        }
        parts
    }

    /// Takes groups of another table over, folding their states into those of equal groups.
    pub(super) fn absorb(&mut self, other: &mut Self, groups: &[u32]) -> Result<()> {
        let mut chunk = Chunk::default();
        let mut hashes = Vec::new();
        for groups in groups.chunks(VECTOR_SIZE) {
            other.read_keys(groups, &mut chunk);
            hashes.clear();
            hashes.extend(groups.iter().map(|&group| other.store.hash(group)));
            self.find(&chunk.columns, Picked { selected: None, count: groups.len() }, &hashes);
            let pairs = self.pairs(groups.iter().copied());
            self.layout.combine(
                (&mut self.states, &mut self.heap),
                (&mut other.states, &mut other.heap),
                &pairs,
            )?;
        }
        Ok(())
    }

    /// The groups found last with these of elsewhere.
    fn pairs(&self, others: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
        let found = |i: usize| if self.has_keys() { self.scratch.groups[i] } else { 0 };
        others.enumerate().map(|(i, other)| (found(i), other)).collect()
    }

    fn read_keys(&self, groups: &[u32], chunk: &mut Chunk) {
        *chunk = Chunk::new(self.store.format().types().map(DataType::physical));
        for (column, vector) in chunk.columns.iter_mut().enumerate() {
            self.store.gather(column, groups, vector.writer());
        }
        chunk.len = groups.len();
    }

    /// Makes `chunk` the keys and results of some groups.
    pub(super) fn finalize(&mut self, groups: &[u32], types: &[DataType], chunk: &mut Chunk) -> Result<()> {
        self.read_keys(groups, chunk);
        let layout = &self.layout;
        for ((accumulator, &offset), ty) in layout.accumulators.iter().zip(&layout.offsets).zip(types) {
            let mut out = FlatVector::with_capacity(ty.physical(), groups.len());
            let states =
                States { bytes: &mut self.states, stride: layout.stride, offset, heap: &mut self.heap };
            accumulator.finalize(&states, groups, &mut out)?;
            chunk.columns.push(out.into());
        }
        Ok(())
    }

    // ---- Spilling ----

    /// The shapes of spilled groups: hash, keys, the bytes of the states.
    pub(super) fn spilled_shapes(format: &RowFormat) -> Arc<[PhysicalType]> {
        let keys = format.types().map(DataType::physical);
        std::iter::once(PhysicalType::I64).chain(keys).chain([PhysicalType::Bytes]).collect()
    }

    /// Makes `chunk` some groups in the form that is spilled.
    pub(super) fn save(&mut self, groups: &[u32], chunk: &mut Chunk) {
        self.read_keys(groups, chunk);
        let mut hashes = FlatVector::with_capacity(PhysicalType::I64, groups.len());
        groups.iter().for_each(|&group| hashes.push(self.store.hash(group).cast_signed()));
        chunk.columns.insert(0, hashes.into());
        let mut saved = FlatVector::with_capacity(PhysicalType::Bytes, groups.len());
        let mut bytes = Vec::new();
        let layout = &self.layout;
        for &group in groups {
            bytes.clear();
            for (accumulator, &offset) in layout.accumulators.iter().zip(&layout.offsets) {
                let states =
                    States { bytes: &mut self.states, stride: layout.stride, offset, heap: &mut self.heap };
                accumulator.save(&states, group, &mut bytes);
            }
            saved.push_bytes(&bytes);
        }
        chunk.columns.push(saved.into());
    }

    /// Takes spilled groups back, folding their states into those of equal groups.
    pub(super) fn load(&mut self, chunk: &Chunk) -> Result<()> {
        let [hashes, keys @ .., saved] = chunk.columns.as_slice() else { return Ok(()) };
        let (Some((hashes, _)), Some((saved, _))) = (hashes.base(), saved.base()) else { return Ok(()) };
        let hashes: Vec<u64> =
            hashes.values::<i64>()[..chunk.len].iter().map(|h| h.cast_unsigned()).collect();
        self.find(keys, Picked { selected: None, count: chunk.len }, &hashes);
        if self.layout.is_empty() {
            return Ok(());
        }
        let layout = Arc::clone(&self.layout);
        let (mut states, mut heap) = (vec![0; chunk.len * layout.stride], StateHeap::default());
        for group in 0..chunk.len {
            let mut bytes = saved.bytes_at(group);
            for (accumulator, &offset) in layout.accumulators.iter().zip(&layout.offsets) {
                let mut target =
                    States { bytes: &mut states, stride: layout.stride, offset, heap: &mut heap };
                // Written by `save`, in a file that nobody else can reach.
                bytes = accumulator.load(&mut target, group as u32, bytes).unwrap_or_default();
            }
        }
        let pairs = self.pairs(0..chunk.len as u32);
        layout.combine((&mut self.states, &mut self.heap), (&mut states, &mut heap), &pairs)
    }

    /// Whether spilled groups at `level` can be dealt to smaller partitions.
    pub(super) fn can_split(level: u32) -> bool {
        level < MAX_LEVEL
    }
}
