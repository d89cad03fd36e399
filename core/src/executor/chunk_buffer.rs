//! Rows that are kept to be read again, in the order of arrival: the right side of nested loops, common table
//! expressions, what a writing statement returns.

use super::memory::Allowance;
use super::pipeline::{Flow, Reader, Sink, Source, Stage};
use super::resources::Query;
use super::spill::{SpillReader, SpillRun};
use crate::error::Result;
use crate::types::{Chunk, DataType, PhysicalType};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The rows, while they arrive and afterwards.
pub(super) struct ChunkBuffer {
    node: usize,
    shapes: Arc<[PhysicalType]>,
    serial: bool,
    arriving: Mutex<Contents>,
    complete: OnceLock<Contents>,
}

/// All rows: those in memory come after those on disk of the same thread.
#[derive(Default)]
pub(super) struct Contents {
    chunks: Vec<Chunk>,
    runs: Vec<SpillRun>,
    allowances: Vec<Allowance>,
}

impl ChunkBuffer {
    /// For rows of these types.
    pub(super) fn new(node: usize, types: &[DataType]) -> Arc<Self> {
        Self::with_order(node, types, false)
    }

    /// For rows that must stay in order: they arrive from one thread.
    pub(super) fn in_order(node: usize, types: &[DataType]) -> Arc<Self> {
        Self::with_order(node, types, true)
    }

    fn with_order(node: usize, types: &[DataType], serial: bool) -> Arc<Self> {
        let shapes = types.iter().map(DataType::physical).collect();
        Arc::new(Self { node, shapes, serial, arriving: Mutex::default(), complete: OnceLock::new() })
    }

    /// The node of the plan that it belongs to.
    pub(super) fn node(&self) -> usize {
        self.node
    }

    /// The rows.
    ///
    /// # Panics
    /// If they are still arriving.
    pub(super) fn contents(&self) -> &Contents {
        self.complete.get().expect("rows are read after they have all arrived")
    }
}

impl Contents {
    /// How many rows.
    pub(super) fn rows(&self) -> u64 {
        let in_memory: usize = self.chunks.iter().map(|chunk| chunk.len).sum();
        in_memory as u64 + self.runs.iter().map(SpillRun::rows).sum::<u64>()
    }

    /// Reads all rows.
    pub(super) fn reader(&self) -> ContentsReader<'_> {
        ContentsReader { contents: self, run: 0, reader: None, chunk: 0 }
    }

    /// Parts that can be read apart.
    fn parts(&self) -> usize {
        self.runs.len() + self.chunks.len()
    }
}

/// Reads contents from the first row to the last.
pub(super) struct ContentsReader<'a> {
    contents: &'a Contents,
    run: usize,
    reader: Option<SpillReader>,
    chunk: usize,
}

impl ContentsReader<'_> {
    /// The next rows. Chunks in memory are handed out by cloning, which copies no values.
    ///
    /// # Errors
    /// I/O errors.
    pub(super) fn next(&mut self) -> Result<Option<Chunk>> {
        while let Some(run) = self.contents.runs.get(self.run) {
            let reader = self.reader.get_or_insert_with(|| run.reader());
            let mut chunk = reader.chunk();
            if reader.next(&mut chunk)? {
                return Ok(Some(chunk));
            }
            self.reader = None;
            self.run += 1;
        }
        self.chunk += 1;
        Ok(self.contents.chunks.get(self.chunk - 1).cloned())
    }
}

/// The part that takes rows in.
pub(super) struct BufferSink(pub(super) Arc<ChunkBuffer>);

impl Sink for BufferSink {
    fn stage(&self, query: &Arc<Query>) -> Result<Box<dyn Stage>> {
        Ok(Box::new(BufferStage { writer: BufferWriter::new(query, &self.0)? }))
    }

    fn complete(&self, _: &Arc<Query>) -> Result<()> {
        self.0.complete();
        Ok(())
    }

    fn is_serial(&self) -> bool {
        self.0.serial
    }
}

impl ChunkBuffer {
    /// All rows have arrived.
    pub(super) fn complete(&self) {
        let first = self.complete.set(std::mem::take(&mut *self.arriving.lock())).is_ok();
        assert!(first, "a buffer is completed once");
    }
}

struct BufferStage {
    writer: BufferWriter,
}

impl Stage for BufferStage {
    fn push(&mut self, chunk: &mut Chunk) -> Result<Flow> {
        self.writer.push(chunk)?;
        Ok(Flow::More)
    }

    fn finish(&mut self) -> Result<()> {
        self.writer.finish()
    }
}

/// Fills a buffer from one thread.
pub(super) struct BufferWriter {
    query: Arc<Query>,
    buffer: Arc<ChunkBuffer>,
    chunks: Vec<Chunk>,
    bytes: usize,
    run: Option<SpillRun>,
    allowance: Option<Allowance>,
}

impl BufferWriter {
    pub(super) fn new(query: &Arc<Query>, buffer: &Arc<ChunkBuffer>) -> Result<Self> {
        Ok(Self {
            query: Arc::clone(query),
            buffer: Arc::clone(buffer),
            chunks: Vec::new(),
            bytes: 0,
            run: None,
            allowance: Some(query.allowance()?),
        })
    }

    /// Copies the rows of a chunk that count.
    pub(super) fn push(&mut self, chunk: &Chunk) -> Result<()> {
        let mut done = 0;
        while done < chunk.count() {
            if self.chunks.last().is_none_or(Chunk::is_full) {
                self.chunks.push(Chunk::new(self.buffer.shapes.iter().copied()));
            }
            let Some(last) = self.chunks.last_mut() else { break };
            let before = last.memory_size();
            done += last.append(chunk, done);
            self.bytes += last.memory_size().saturating_sub(before);
        }
        if let Some(allowance) = &mut self.allowance
            && !allowance.cover(self.bytes)?
        {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let run = match &mut self.run {
            Some(run) => run,
            None => self.run.insert(SpillRun::new(&self.query.spill_file()?, &self.buffer.shapes)),
        };
        let before = run.bytes();
        for chunk in self.chunks.drain(..) {
            run.push(&chunk)?;
        }
        run.flush()?;
        let stats = &self.query.stats[self.buffer.node];
        stats.add_spilled(run.bytes() - before);
        stats.saw_memory(self.bytes as u64);
        self.bytes = 0;
        if let Some(allowance) = &mut self.allowance {
            allowance.shrink_to(0);
        }
        Ok(())
    }

    /// Hands the rows over.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.run.is_some() && !self.chunks.is_empty() {
            // Rows on disk come first, so all of them go there.
            self.spill()?;
        }
        self.query.stats[self.buffer.node].saw_memory(self.bytes as u64);
        let mut contents = self.buffer.arriving.lock();
        contents.chunks.append(&mut self.chunks);
        contents.runs.extend(self.run.take());
        contents.allowances.extend(self.allowance.take());
        Ok(())
    }
}

/// Gives the rows of a buffer out again.
pub(super) struct BufferSource(Arc<PartCursor>);

impl BufferSource {
    pub(super) fn new(buffer: &Arc<ChunkBuffer>) -> Self {
        Self(Arc::new(PartCursor { buffer: Arc::clone(buffer), next: AtomicUsize::new(0) }))
    }
}

impl Source for BufferSource {
    fn prepare(&self, _: &Arc<Query>) -> Result<usize> {
        let buffer = &self.0.buffer;
        Ok(if buffer.serial { 1 } else { buffer.contents().parts().max(1) })
    }

    fn reader(&self, _: &Arc<Query>) -> Result<Box<dyn Reader>> {
        Ok(Box::new(BufferReader { cursor: Arc::clone(&self.0), run: None }))
    }
}

/// The next part for whichever thread comes first.
struct PartCursor {
    buffer: Arc<ChunkBuffer>,
    next: AtomicUsize,
}

struct BufferReader {
    cursor: Arc<PartCursor>,
    run: Option<SpillReader>,
}

impl Reader for BufferReader {
    fn next(&mut self, chunk: &mut Chunk) -> Result<bool> {
        let contents = self.cursor.buffer.contents();
        loop {
            if let Some(run) = &mut self.run {
                let mut next = run.chunk();
                if run.next(&mut next)? {
                    *chunk = next;
                    return Ok(true);
                }
                self.run = None;
            }
            let part = self.cursor.next.fetch_add(1, Ordering::Relaxed);
            if let Some(run) = contents.runs.get(part) {
                self.run = Some(run.reader());
                continue;
            }
            let Some(next) = contents.chunks.get(part - contents.runs.len()) else { return Ok(false) };
            *chunk = next.clone();
            return Ok(true);
        }
    }
}
