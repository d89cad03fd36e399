//! From a stretch of the stream to frames on the disk. Only the leader of a flush has the writer.

use super::format::{
    BLOCK, BLOCK_BYTES, CONTINUES, FRAME_HEADER, FRAME_LIMIT, FrameHeader, PADDED, SegmentHeader, VERSION,
};
use super::segments::{Ready, Segments, usable_bytes};
use super::{WalOptions, io_error};
use crate::error::{Result, StorageError};
use crate::ids::Lsn;
use crate::vfs::AlignedBuf;

/// A piece of payload shorter than this does not get a frame of its own at the end of a segment.
const SMALLEST_PIECE: usize = 512;
/// How much of a new segment is filled with zeros at a time; a write at least as long fills by itself.
const FILL_SLICE: u64 = 256 * 1024;

/// A stretch of the stream to be written.
pub(super) struct Batch<'a> {
    pub(super) payload: &'a [u8],
    pub(super) start: Lsn,
}

/// Where the next frame goes, and the block it starts in.
pub(super) struct Writer {
    segment: Ready,
    segment_bytes: u64,
    usable: u64,
    salt: u64,
    pad: bool,
    /// Offset in the segment of the next frame.
    position: u64,
    /// Offset of the first block to write: the one that `position` is in.
    base: u64,
    /// The blocks from `base`; up to `position` the bytes to be written again.
    image: AlignedBuf,
}

impl Writer {
    /// Starts a chain: the header of its first segment is durable when this returns.
    pub(super) fn create(segments: &Segments, options: &WalOptions, salt: u64, start: Lsn) -> Result<Self> {
        segments.add()?;
        let mut writer = Self {
            segment: take(segments, start)?,
            segment_bytes: options.segment_bytes,
            usable: usable_bytes(options),
            salt,
            pad: options.pad,
            position: 0,
            base: 0,
            image: AlignedBuf::zeroed(16 * BLOCK),
        };
        writer.begin_segment(start);
        writer.write_blocks()?;
        writer.advance();
        Ok(writer)
    }

    /// Offset of the next frame as a share of the segment, for looking ahead.
    pub(super) fn is_past_half(&self) -> bool {
        self.position > self.segment_bytes / 2
    }

    /// What the current segment still has of its usable bytes.
    fn left(&self) -> u64 {
        self.usable.saturating_sub(self.position - BLOCK_BYTES)
    }

    /// Writes a batch as one frame, or as several where it is too long or meets a segment's end. Returns how
    /// much of the segments' usable bytes that took. After an error the writer must not be used again.
    pub(super) fn write(&mut self, segments: &Segments, batch: &Batch<'_>) -> Result<u64> {
        let mut available = self.left();
        let mut done = 0;
        while done < batch.payload.len() {
            let start = Lsn(batch.start.0 + done as u64);
            let left = batch.payload.len() - done;
            let room = usize::try_from(self.segment_bytes - self.position).unwrap_or(usize::MAX);
            if room < FRAME_HEADER + left.min(SMALLEST_PIECE) {
                self.segment = take(segments, start)?;
                self.begin_segment(start);
                available += self.usable;
                continue;
            }
            let piece = left.min(room.min(FRAME_LIMIT) - FRAME_HEADER);
            let header = FrameHeader {
                salt: self.salt,
                start,
                payload_bytes: u32::try_from(piece).map_err(|_| StorageError::ValueTooBig {
                    size: piece as u64,
                    limit: FRAME_LIMIT as u64,
                })?,
                flags: if done > 0 { CONTINUES } else { 0 } | if self.pad { PADDED } else { 0 },
                // The write before this one has returned, and with it the stream up to here is durable.
                durable: start,
            };
            self.write_frame(&header, &batch.payload[done..done + piece])?;
            done += piece;
        }
        Ok(available - self.left())
    }

    fn begin_segment(&mut self, start: Lsn) {
        let header = SegmentHeader {
            version: VERSION,
            segment_bytes: self.segment_bytes,
            salt: self.salt,
            number: self.segment.number,
            start,
        };
        header.write(&mut self.image[..BLOCK]);
        self.base = 0;
        self.position = BLOCK_BYTES;
    }

    fn write_frame(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<()> {
        let from = self.offset_in_image();
        let end = from + FRAME_HEADER + payload.len();
        self.grow_image(end.next_multiple_of(BLOCK), from);
        let frame = &mut self.image[from..end];
        frame[FRAME_HEADER..].copy_from_slice(payload);
        header.seal(frame);
        self.position += (end - from) as u64;
        self.write_blocks()?;
        if self.pad {
            self.position = self.position.next_multiple_of(BLOCK_BYTES);
        }
        self.advance();
        Ok(())
    }

    /// Writes the blocks from `base` to the one that `position` ends in.
    fn write_blocks(&mut self) -> Result<()> {
        let end = self.offset_in_image();
        let whole = end.next_multiple_of(BLOCK);
        self.image[end..whole].fill(0);
        self.fill_ahead(self.base + whole as u64)?;
        let written = self.segment.file.write_at(&self.image[..whole], self.base);
        written.map_err(|e| io_error("write", &self.segment.path, e))
    }

    /// Makes the block of `position` the first of the image.
    fn advance(&mut self) {
        let base = self.position / BLOCK_BYTES * BLOCK_BYTES;
        let from = self.offset_in_image() / BLOCK * BLOCK;
        if from > 0 && self.position > base {
            self.image.copy_within(from..from + BLOCK, 0);
        }
        self.base = base;
    }

    fn offset_in_image(&self) -> usize {
        usize::try_from(self.position - self.base).expect("the image is a slice in memory")
    }

    /// Makes the image hold `len` bytes, of which the first `keep` stay.
    fn grow_image(&mut self, len: usize, keep: usize) {
        if self.image.len() < len {
            let mut image = AlignedBuf::zeroed(len.next_power_of_two());
            image[..keep].copy_from_slice(&self.image[..keep]);
            self.image = image;
        }
    }

    /// Sees to it that a write up to `end` overwrites blocks rather than giving the file new ones.
    fn fill_ahead(&mut self, end: u64) -> Result<()> {
        if end <= self.segment.filled {
            return Ok(());
        }
        if end - self.base >= FILL_SLICE {
            self.segment.filled = end;
            return Ok(());
        }
        let from = self.segment.filled;
        let to = (from.max(self.base) + FILL_SLICE).min(self.segment_bytes);
        let zeros = AlignedBuf::zeroed(usize::try_from(to - from).unwrap_or(0));
        let filled = self.segment.file.write_at(&zeros, from);
        filled.map_err(|e| io_error("write", &self.segment.path, e))?;
        self.segment.filled = to;
        Ok(())
    }
}

fn take(segments: &Segments, start: Lsn) -> Result<Ready> {
    if let Some(ready) = segments.take(start) {
        return Ok(ready);
    }
    // Claims keep this from happening, but for records appended past what was reserved.
    segments.add()?;
    segments.take(start).ok_or_else(|| StorageError::Poisoned.into())
}
