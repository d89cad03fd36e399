//! Rows on disk for the time of a query: what operators put aside when memory is refused.
//!
//! A [`SpillFile`] loses its name as soon as it is made, so that nothing stays behind whatever happens. Several
//! [`SpillRun`]s share a file: each is a sequence of rows, written chunk by chunk and read back in that order, any
//! number of times.
//!
//! ```text
//!   file     | extent of run 1 | extent of run 7 | extent of run 1 | ..
//!   extent   | block | block | ..
//!   block    rows u32 | a column after the other: NULLs u8, [bitmap], values, or of strings lengths u32 and bytes
//! ```
//! A block is what a reader makes rows of at a time: those of a chunk, or fewer when its strings are long.

use super::resources::Resources;
use crate::error::{Result, StorageError};
use crate::types::{Chunk, FlatVector, PhysicalType, VECTOR_SIZE, Vector};
use crate::vfs::{OpenOptions, VfsFile};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Encoded bytes kept before they are written.
const EXTENT_BYTES: usize = 32 << 10;
/// Bytes of strings in a block, unless it has a single row.
const BLOCK_STRING_BYTES: usize = 128 << 10;

/// A file without a name.
pub(super) struct SpillFile {
    path: PathBuf,
    file: Arc<dyn VfsFile>,
    end: AtomicU64,
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> crate::Error {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::StorageFull => StorageError::DiskFull { path }.into(),
        _ => StorageError::Io { operation, path, source }.into(),
    }
}

impl SpillFile {
    /// A new file.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn create(resources: &Resources) -> Result<Arc<Self>> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            resources.options.spill_folder.join(format!("rustdb-spill-{}-{number}", std::process::id()));
        let options = OpenOptions { write: true, create: true, create_new: true, direct: false };
        let file = resources.options.vfs.open(&path, options).map_err(|e| failed("create", &path, e))?;
        resources.options.vfs.remove(&path).map_err(|e| failed("remove", &path, e))?;
        Ok(Arc::new(Self { path, file, end: AtomicU64::new(0) }))
    }

    /// Bytes written so far.
    pub(super) fn written(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    fn append(&self, bytes: &[u8]) -> Result<Extent> {
        let offset = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.file.write_at(bytes, offset).map_err(|e| failed("write", &self.path, e))?;
        Ok(Extent { offset, length: bytes.len() })
    }

    fn read(&self, extent: Extent, into: &mut Vec<u8>) -> Result<()> {
        into.resize(extent.length, 0);
        self.file.read_at(into, extent.offset).map_err(|e| failed("read", &self.path, e))
    }
}

#[derive(Clone, Copy)]
struct Extent {
    offset: u64,
    length: usize,
}

/// A sequence of rows in a file.
pub(super) struct SpillRun {
    file: Arc<SpillFile>,
    shapes: Arc<[PhysicalType]>,
    extents: Vec<Extent>,
    buffer: Vec<u8>,
    rows: u64,
    largest_extent: usize,
}

impl SpillRun {
    /// An empty run.
    pub(super) fn new(file: &Arc<SpillFile>, shapes: &Arc<[PhysicalType]>) -> Self {
        let (extents, buffer) = (Vec::new(), Vec::new());
        let (file, shapes) = (Arc::clone(file), Arc::clone(shapes));
        Self { file, shapes, extents, buffer, rows: 0, largest_extent: 0 }
    }

    /// Appends the rows of a chunk that count.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn push(&mut self, chunk: &Chunk) -> Result<()> {
        if chunk.count() == 0 {
            return Ok(());
        }
        let flat;
        let source = if chunk.selection.is_none() && chunk.columns.iter().all(is_flat) {
            chunk
        } else {
            let mut copy = chunk.clone();
            copy.flatten();
            flat = copy;
            &flat
        };
        self.rows += source.len as u64;
        let mut start = 0;
        while start < source.len {
            let end = block_end(source, start);
            encode(source, start..end, &mut self.buffer);
            start = end;
            if self.buffer.len() >= EXTENT_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is still in memory.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn flush(&mut self) -> Result<()> {
        if !self.buffer.is_empty() {
            self.largest_extent = self.largest_extent.max(self.buffer.len());
            self.extents.push(self.file.append(&self.buffer)?);
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// What a reader keeps of the file at a time, at the most, in bytes.
    pub(super) fn largest_extent(&self) -> usize {
        self.largest_extent
    }

    /// Bytes of its rows on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.extents.iter().map(|extent| extent.length as u64).sum()
    }

    /// Reads from the beginning. The run is flushed.
    pub(super) fn reader(&self) -> SpillReader {
        debug_assert!(self.buffer.is_empty());
        SpillReader {
            file: Arc::clone(&self.file),
            shapes: Arc::clone(&self.shapes),
            extents: self.extents.clone().into_iter(),
            buffer: Vec::new(),
            at: 0,
        }
    }
}

fn is_flat(vector: &Vector) -> bool {
    matches!(vector, Vector::Flat(_))
}

/// Reads a run.
pub(super) struct SpillReader {
    file: Arc<SpillFile>,
    shapes: Arc<[PhysicalType]>,
    extents: std::vec::IntoIter<Extent>,
    buffer: Vec<u8>,
    at: usize,
}

impl SpillReader {
    /// An empty chunk of the rows' shapes.
    pub(super) fn chunk(&self) -> Chunk {
        Chunk::new(self.shapes.iter().copied())
    }

    /// Fills `chunk` with the next rows, as many as a chunk may have; false after the last.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        self.fill(chunk, usize::MAX)
    }

    /// Fills `chunk` with the rows of a single block, as a merge of many runs wants.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn next_block(&mut self, chunk: &mut Chunk) -> Result<bool> {
        self.fill(chunk, 1)
    }

    fn fill(&mut self, chunk: &mut Chunk, blocks: usize) -> Result<bool> {
        chunk.reset();
        for _ in 0..blocks {
            if chunk.is_full() {
                break;
            }
            if self.at == self.buffer.len() {
                let Some(extent) = self.extents.next() else { break };
                self.file.read(extent, &mut self.buffer)?;
                self.at = 0;
            }
            let mut input = Input { bytes: &self.buffer, at: self.at };
            let rows = input.u32() as usize;
            if chunk.len + rows > VECTOR_SIZE {
                break;
            }
            for column in &mut chunk.columns {
                let Vector::Flat(flat) = column else { unreachable!("reset makes columns flat") };
                input.column(rows, flat);
            }
            chunk.len += rows;
            self.at = input.at;
        }
        Ok(chunk.len > 0)
    }
}

/// Where a block ends that begins at row `start`: with the chunk, unless its strings are too many bytes.
fn block_end(chunk: &Chunk, start: usize) -> usize {
    let flat = chunk.columns.iter().filter_map(Vector::base);
    let strings: Vec<_> = flat
        .filter(|(flat, _)| flat.physical() == PhysicalType::Bytes)
        .map(|(flat, _)| flat.strings())
        .collect();
    if strings.is_empty() {
        return chunk.len;
    }
    let mut bytes = 0;
    for row in start..chunk.len {
        bytes += strings.iter().map(|strings| strings[row].len()).sum::<usize>();
        if bytes > BLOCK_STRING_BYTES && row > start {
            return row;
        }
    }
    chunk.len
}

fn encode(chunk: &Chunk, rows: Range<usize>, out: &mut Vec<u8>) {
    let length =
        |n: usize| u32::try_from(n).expect("values and chunks are limited below 4 GiB").to_le_bytes();
    out.extend(length(rows.len()));
    for column in &chunk.columns {
        let Vector::Flat(flat) = column else { unreachable!("the chunk was made flat") };
        let nulls = flat.validity().words();
        out.push(u8::from(nulls.is_some()));
        if let Some(words) = nulls {
            let (first, shift) = (rows.start / 64, rows.start % 64);
            let word = |i: usize| words.get(first + i).copied().unwrap_or(u64::MAX);
            let upper = |i: usize| if shift == 0 { 0 } else { word(i + 1) << (64 - shift) };
            let shifted = |i: usize| word(i) >> shift | upper(i);
            (0..rows.len().div_ceil(64)).for_each(|i| out.extend(shifted(i).to_le_bytes()));
        }
        if flat.physical() == PhysicalType::Bytes {
            let strings = &flat.strings()[rows.clone()];
            strings.iter().for_each(|string| out.extend(length(string.len())));
            strings.iter().for_each(|string| out.extend_from_slice(string.as_bytes()));
        } else {
            let width = flat.physical().width();
            out.extend_from_slice(&flat.bytes()[rows.start * width..rows.end * width]);
        }
    }
}

/// Bytes that this process wrote itself and nobody else can reach.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        taken
    }

    fn u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4));
        u32::from_le_bytes(bytes)
    }

    fn column(&mut self, rows: usize, out: &mut FlatVector) {
        let start = out.len();
        let nulls = (self.take(1)[0] != 0).then(|| self.take(rows.div_ceil(64) * 8));
        if out.physical() == PhysicalType::Bytes {
            let mut lengths = Input { bytes: self.take(rows * 4), at: 0 };
            for _ in 0..rows {
                let length = lengths.u32() as usize;
                out.push_bytes(self.take(length));
            }
        } else {
            let bytes = self.take(rows * out.physical().width());
            out.extend_bytes(rows).copy_from_slice(bytes);
        }
        for row in (0..rows).filter(|row| nulls.is_some_and(|nulls| nulls[row / 8] >> (row % 8) & 1 == 0)) {
            out.set_null(start + row);
        }
    }
}
