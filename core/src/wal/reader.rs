//! Reading a log after its writer is gone, down to the last record that can be trusted.

use super::format::{
    BLOCK, CONTINUES, FRAME_HEADER, FRAME_MAGIC, FrameHeader, PADDED, RECORD_HEADER, SegmentHeader, VERSION,
};
use super::segments::{list_segments, segment_path};
use super::{corrupt, io_error};
use crate::error::{Result, StorageError};
use crate::ids::Lsn;
use crate::vfs::{OpenOptions, Vfs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Yields the records of a log from a position on, in order.
///
/// Memory: one segment and the longest record.
pub struct WalReader {
    vfs: Arc<dyn Vfs>,
    folder: PathBuf,
    /// Numbers of the segments after the current one, descending.
    later: Vec<u64>,
    salt: u64,
    /// The whole current segment.
    segment: Vec<u8>,
    /// Offset in it of the next frame.
    offset: usize,
    /// The start of the next frame.
    expected: Lsn,
    /// Bytes of frames that were not returned yet, from `consumed` on.
    stream: Vec<u8>,
    consumed: usize,
    /// The position of `stream[consumed]`.
    position: Lsn,
    finished: bool,
}

/// What follows in the chain.
enum Frame {
    Read,
    Missing,
}

impl WalReader {
    /// A reader of the records from `from` on, which is the end of a record or where a log began, in the chain with
    /// `salt`, or in the newest that has the position. An opening that failed leaves an empty chain behind, so
    /// whoever knows the salt gives it.
    ///
    /// # Errors
    /// `CorruptLog` if no segment holds the position or the log ends before it; `WrongVersion`; `Io`.
    pub fn open(vfs: Arc<dyn Vfs>, folder: &Path, from: Lsn, salt: Option<u64>) -> Result<Self> {
        let missing = || corrupt(from, "the segment that holds this position is missing");
        if !vfs.exists(folder).map_err(|e| io_error("open", folder, e))? {
            return Err(missing());
        }
        let mut later = list_segments(&*vfs, folder)?;
        let mut passed = Vec::new();
        let header = loop {
            let number = later.pop().ok_or_else(missing)?;
            match read_header(&*vfs, folder, number)? {
                Some(header) if header.start <= from && salt.is_none_or(|salt| salt == header.salt) => {
                    break header;
                }
                Some(_) | None => passed.push(number),
            }
        };
        let mut reader = Self {
            segment: read_segment(&*vfs, folder, header.number)?,
            vfs,
            folder: folder.to_owned(),
            later: passed,
            salt: header.salt,
            offset: BLOCK,
            expected: header.start,
            stream: Vec::new(),
            consumed: 0,
            position: from,
            finished: false,
        };
        reader.skip_to(from)?;
        Ok(reader)
    }

    /// The salt of the chain that is read. If it is not the one that the database was told at
    /// [`super::Wal::create`], the first segment's header is damaged and an older chain was found in its place.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// Reads frames up to the one that `from` lies in and drops what is before it.
    fn skip_to(&mut self, from: Lsn) -> Result<()> {
        while self.expected < from {
            let start = self.expected;
            self.stream.clear();
            self.position = start;
            match self.read_frame()? {
                Frame::Missing => return Err(corrupt(from, "the log ends before this position")),
                Frame::Read if self.expected > from => {
                    self.consumed = usize::try_from(from.0 - start.0).unwrap_or(usize::MAX);
                }
                Frame::Read => self.stream.clear(),
            }
        }
        self.position = from;
        Ok(())
    }

    /// The next record: where it starts, where it ends, its payload; `None` at the end of the log.
    ///
    /// # Errors
    /// `CorruptLog` if something is damaged that was durable; `Io`. The log then ends for this reader.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would go on after an error")]
    pub fn next(&mut self) -> Result<Option<(Lsn, Lsn, Vec<u8>)>> {
        if self.finished {
            return Ok(None);
        }
        let record = self.next_record();
        self.finished = !matches!(record, Ok(Some(_)));
        record
    }

    fn next_record(&mut self) -> Result<Option<(Lsn, Lsn, Vec<u8>)>> {
        loop {
            if let Some(payload) = self.take_record() {
                let start = self.position;
                self.position = Lsn(start.0 + (RECORD_HEADER + payload.len()) as u64);
                return Ok(Some((start, self.position, payload)));
            }
            if let Frame::Missing = self.read_frame()? {
                return Ok(None);
            }
        }
    }

    /// Cuts a record off the stream if it is there as a whole.
    fn take_record(&mut self) -> Option<Vec<u8>> {
        let rest = self.stream.get(self.consumed..)?;
        let (length, rest) = rest.split_first_chunk::<RECORD_HEADER>()?;
        let payload = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?.to_vec();
        self.consumed += RECORD_HEADER + payload.len();
        Some(payload)
    }

    /// Appends the next frame of the chain to the stream.
    fn read_frame(&mut self) -> Result<Frame> {
        loop {
            let expected = self.expected;
            let rest = self.segment.get(self.offset..).unwrap_or(&[]);
            let Some((header, payload)) = FrameHeader::open(rest, self.salt, |h| h.start == expected) else {
                if self.enter_next_segment()? {
                    continue;
                }
                return if self.is_durable_past(expected)? {
                    Err(corrupt(expected, "a frame is damaged that later frames build upon"))
                } else {
                    Ok(Frame::Missing)
                };
            };
            self.stream.drain(..self.consumed.min(self.stream.len()));
            self.consumed = 0;
            if header.flags & CONTINUES == 0 && !self.stream.is_empty() {
                return Err(corrupt(expected, "a record is cut short"));
            }
            self.stream.extend_from_slice(payload);
            self.expected = header.end();
            self.offset += FRAME_HEADER + payload.len();
            if header.flags & PADDED != 0 {
                self.offset = self.offset.next_multiple_of(BLOCK);
            }
            return Ok(Frame::Read);
        }
    }

    /// Goes to the segment that starts where the last frame ended; false if there is none.
    fn enter_next_segment(&mut self) -> Result<bool> {
        for at in (0..self.later.len()).rev() {
            let number = self.later[at];
            let header = read_header(&*self.vfs, &self.folder, number)?;
            if header.is_some_and(|h| h.salt == self.salt && h.start == self.expected) {
                self.segment = read_segment(&*self.vfs, &self.folder, number)?;
                self.offset = BLOCK;
                self.later.truncate(at);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether any sound frame behind the current place knew the log to be durable past `end`.
    fn is_durable_past(&self, end: Lsn) -> Result<bool> {
        let here = self.segment.get(self.offset..).unwrap_or(&[]);
        if holds_frame_past(here, self.salt, end) {
            return Ok(true);
        }
        for &number in self.later.iter().rev() {
            let segment = read_segment(&*self.vfs, &self.folder, number)?;
            if holds_frame_past(&segment, self.salt, end) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Frames may start at any byte.
fn holds_frame_past(bytes: &[u8], salt: u64, end: Lsn) -> bool {
    let candidates =
        bytes.windows(FRAME_MAGIC.len()).enumerate().filter(|(_, window)| *window == FRAME_MAGIC);
    let mut starts = candidates.map(|(at, _)| &bytes[at..]);
    starts.any(|frame| FrameHeader::open(frame, salt, |h| h.start > end && h.durable > end).is_some())
}

fn open_segment(vfs: &dyn Vfs, folder: &Path, number: u64, buf: Option<usize>) -> Result<Vec<u8>> {
    let path = segment_path(folder, number);
    let read = || {
        let file = vfs.open(&path, OpenOptions::default())?;
        let size = usize::try_from(file.size()?).unwrap_or(usize::MAX);
        let mut bytes = vec![0; buf.map_or(size, |limit| size.min(limit))];
        file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    read().map_err(|e| io_error("read", &path, e))
}

fn read_segment(vfs: &dyn Vfs, folder: &Path, number: u64) -> Result<Vec<u8>> {
    open_segment(vfs, folder, number, None)
}

/// The segment's header; `None` if it is damaged or that of the file's former life.
fn read_header(vfs: &dyn Vfs, folder: &Path, number: u64) -> Result<Option<SegmentHeader>> {
    let block = open_segment(vfs, folder, number, Some(BLOCK))?;
    match SegmentHeader::read(&block).filter(|header| header.number == number) {
        Some(header) if header.version != VERSION => {
            Err(StorageError::WrongVersion { found: header.version, supported: VERSION }.into())
        }
        header => Ok(header),
    }
}
