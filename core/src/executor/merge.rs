//! Merging sorted runs, of memory and of disk.

use super::sort::SortedRun;
use super::spill::SpillReader;
use crate::error::Result;
use crate::types::vector::Rows;
use crate::types::{Chunk, DataType, FlatVector, PhysicalType, Vector};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

/// A run being merged.
pub(super) enum Cursor {
    Memory { run: SortedRun, at: usize },
    Disk { reader: SpillReader, block: Chunk, at: usize },
}

impl Cursor {
    pub(super) fn in_memory(run: SortedRun) -> Self {
        Self::Memory { run, at: 0 }
    }

    pub(super) fn on_disk(reader: SpillReader) -> Self {
        Self::Disk { block: reader.chunk(), reader, at: 0 }
    }

    /// Makes a row available if there is one left.
    fn fill(&mut self) -> Result<bool> {
        match self {
            Self::Memory { run, at } => Ok(*at < run.len()),
            Self::Disk { block, at, .. } if *at < block.len => Ok(true),
            Self::Disk { reader, block, at } => {
                *at = 0;
                reader.next_block(block)
            }
        }
    }

    fn key(&self) -> &[u8] {
        match self {
            Self::Memory { run, at } => run.key(*at),
            Self::Disk { block, at, .. } => {
                let keys = block.columns.last().and_then(Vector::base);
                keys.map_or(&[], |(keys, rows)| match rows {
                    Rows::Each => keys.bytes_at(*at),
                    Rows::Same | Rows::Codes(_) => &[],
                })
            }
        }
    }

    /// Takes the row; its number, and whether the next needs a [`fill`](Self::fill) first.
    fn take(&mut self) -> (u32, bool) {
        match self {
            Self::Memory { run, at } => {
                *at += 1;
                (run.row(*at - 1), *at == run.len())
            }
            Self::Disk { block, at, .. } => {
                *at += 1;
                // Rows of a chunk fit.
                (*at as u32 - 1, *at == block.len)
            }
        }
    }

    fn append(&self, column: usize, rows: &[u32], out: &mut FlatVector) {
        match self {
            Self::Memory { run, .. } => run.store().gather(column, rows, out),
            Self::Disk { block, .. } => {
                let rows: Vec<u16> = rows.iter().map(|&row| row as u16).collect();
                out.append(&block.columns[column], block.len, Some(&rows));
            }
        }
    }

    fn shapes(&self, with_key: bool) -> Vec<PhysicalType> {
        match self {
            Self::Memory { run, .. } => run.store().format().types().map(DataType::physical).collect(),
            Self::Disk { block, .. } => {
                let columns = block.columns.len() - usize::from(!with_key);
                block.columns[..columns].iter().map(Vector::physical).collect()
            }
        }
    }
}

/// The next row of a cursor.
struct Head {
    key: Vec<u8>,
    cursor: usize,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key).then(self.cursor.cmp(&other.cursor))
    }
}

/// A merge of runs.
pub(super) struct Merge {
    cursors: Vec<Cursor>,
    heap: BinaryHeap<Reverse<Head>>,
    /// A cursor that is not in the heap because it has to be filled.
    dry: Option<usize>,
    /// By cursor, the rows taken for the chunk being made.
    taken: Vec<Vec<u32>>,
}

impl Merge {
    pub(super) fn new(cursors: impl Iterator<Item = Cursor>) -> Result<Self> {
        let cursors: Vec<Cursor> = cursors.collect();
        let taken = vec![Vec::new(); cursors.len()];
        let mut merge = Self { heap: BinaryHeap::with_capacity(cursors.len()), cursors, dry: None, taken };
        for cursor in 0..merge.cursors.len() {
            merge.refill(cursor)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, cursor: usize) -> Result<()> {
        if self.cursors[cursor].fill()? {
            self.heap.push(Reverse(Head { key: self.cursors[cursor].key().to_vec(), cursor }));
        }
        Ok(())
    }

    /// Makes `chunk` the next rows; false after the last. The columns are dictionaries: the rows of one run after
    /// those of another, and the order in which they come.
    pub(super) fn next(&mut self, limit: usize, with_key: bool, chunk: &mut Chunk) -> Result<bool> {
        if let Some(cursor) = self.dry.take() {
            self.refill(cursor)?;
        }
        self.taken.iter_mut().for_each(Vec::clear);
        let mut order = Vec::with_capacity(limit);
        while order.len() < limit
            && let Some(mut top) = self.heap.peek_mut()
        {
            let Head { key, cursor } = &mut top.0;
            let number = *cursor;
            let (row, is_dry) = self.cursors[number].take();
            self.taken[number].push(row);
            order.push(number);
            if is_dry {
                PeekMut::pop(top);
                self.dry = Some(number);
                // Its rows in the chunk must be copied before its next block is read.
                break;
            }
            key.clear();
            key.extend_from_slice(self.cursors[number].key());
        }
        if order.is_empty() {
            *chunk = Chunk::default();
            return Ok(false);
        }
        self.assemble(&order, with_key, chunk);
        Ok(true)
    }

    fn assemble(&self, order: &[usize], with_key: bool, chunk: &mut Chunk) {
        let mut starts: Vec<usize> = self
            .taken
            .iter()
            .scan(0, |sum, rows| {
                let start = *sum;
                *sum += rows.len();
                Some(start)
            })
            .collect();
        let codes: Arc<[u16]> = order
            .iter()
            .map(|&cursor| {
                starts[cursor] += 1;
                // At most a chunk's rows.
                (starts[cursor] - 1) as u16
            })
            .collect();
        let shapes = self.cursors[order[0]].shapes(with_key);
        let column = |(index, &shape): (usize, &PhysicalType)| {
            let mut values = FlatVector::with_capacity(shape, order.len());
            for (cursor, rows) in self.cursors.iter().zip(&self.taken).filter(|(_, rows)| !rows.is_empty()) {
                cursor.append(index, rows, &mut values);
            }
            Vector::Dictionary { codes: Arc::clone(&codes), dictionary: Arc::new(values) }
        };
        let columns = shapes.iter().enumerate().map(column).collect();
        *chunk = Chunk { len: order.len(), selection: None, columns };
    }
}
