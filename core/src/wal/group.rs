//! Appending and group commit.
//!
//! Appended records wait in a queue. Whoever wants one durable and finds no flush running takes the whole
//! queue and writes it: the *leader*. Others wait meanwhile; when the leader is done it hands the next flush
//! to one whose record came too late, and only then wakes those that are served, so that the disk
//! never waits for wake-ups. There is no timer: batches grow exactly as fast as the disk is slow.

use super::format::{BLOCK, FRAME_HEADER, FRAME_LIMIT, RECORD_HEADER};
use super::segments::{Segments, usable_bytes};
use super::writer::{Batch, Writer};
use super::{WalOptions, record_bytes};
use crate::error::{Error, Result, StorageError};
use crate::ids::Lsn;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::vfs::Vfs;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

/// The log of an open database. Every method may be called from any thread.
pub struct Wal {
    options: WalOptions,
    queue: Mutex<Queue>,
    /// Signalled when claimed room was given back or the log is poisoned.
    room_freed: Condvar,
    /// Held by the leader throughout its flush; never waited for, since there is one leader.
    writer: Mutex<Leading>,
    segments: Segments,
    durable: AtomicU64,
    end: AtomicU64,
    poisoned: AtomicBool,
}

/// What the leader alone uses.
struct Leading {
    writer: Writer,
    /// The batch being written; swapped with the queue's bytes, so that neither is allocated again.
    batch: Vec<u8>,
}

struct Queue {
    /// The stream from `start`, not taken by a leader yet.
    bytes: Vec<u8>,
    start: Lsn,
    /// Of the room below, what the queued bytes claimed.
    queued_claims: u64,
    /// Claims of all reservations, of the queue and of the batch being written.
    claimed: u64,
    /// Room in the segments that nothing claims: what the current one has left and the ready ones offer,
    /// less `claimed`. Below 0 if more was appended than reserved.
    room: i64,
    flushing: bool,
    waiters: Vec<Arc<Waiter>>,
}

/// A thread that waits for a position to become durable.
struct Waiter {
    upto: Lsn,
    told: Mutex<Option<Told>>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
enum Told {
    Durable,
    Lead,
    Unknown,
}

impl Waiter {
    fn tell(&self, what: Told) {
        *self.told.lock() = Some(what);
        self.changed.notify_one();
    }

    fn wait(&self) -> Told {
        let mut told = self.told.lock();
        loop {
            match *told {
                Some(what) => return what,
                None => self.changed.wait(&mut told),
            }
        }
    }
}

/// Room in the ring and in the files for records to come; what is not used is given back on drop.
///
/// A thread that holds one must not ask for another, since both may wait for the first to be used.
pub struct Reservation<'a> {
    wal: &'a Wal,
    left: Cell<u64>,
}

impl Reservation<'_> {
    /// Appends a record of the concatenated `parts` and returns its end. Neither waits for room nor fails for
    /// want of it; more than was reserved is taken from what is free, even past the limit.
    ///
    /// # Errors
    /// `Poisoned`.
    pub fn append(&self, parts: &[&[u8]]) -> Result<Lsn> {
        let payload = payload_length(parts)?;
        let claim = self.wal.claim(payload);
        let mut queue = self.wal.queue.lock();
        self.wal.check_poison()?;
        let left = self.left.get();
        let excess = claim.saturating_sub(left);
        self.left.set(left.saturating_sub(claim));
        queue.claimed += excess;
        queue.room -= excess.cast_signed();
        queue.queued_claims += claim;
        Ok(self.wal.push(&mut queue, payload, parts))
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let left = self.left.get();
        if left > 0 {
            self.wal.queue.lock().give_back(left, left);
        }
        // Used up or not: who waits may now have something to flush.
        self.wal.room_freed.notify_all();
    }
}

fn payload_length(parts: &[&[u8]]) -> Result<u32> {
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    u32::try_from(bytes)
        .map_err(|_| StorageError::ValueTooBig { size: bytes as u64, limit: u64::from(u32::MAX) }.into())
}

impl Queue {
    /// Of `claimed` bytes that were claimed, `unused` are free again.
    fn give_back(&mut self, claimed: u64, unused: u64) {
        self.claimed -= claimed;
        self.room += unused.cast_signed();
    }
}

impl Wal {
    /// A log that goes on at `start`, in a new segment with a `salt` that no earlier one has. What is in the
    /// folder stays readable until it is recycled.
    ///
    /// The segment is durable when this returns, so a superblock may name `start` from then on.
    ///
    /// # Errors
    /// `DiskFull` or `Io`.
    ///
    /// # Panics
    /// If a segment has not one of the allowed sizes.
    pub fn create(
        vfs: Arc<dyn Vfs>,
        folder: &Path,
        salt: u64,
        start: Lsn,
        options: WalOptions,
    ) -> Result<Self> {
        let sizes = 4 * BLOCK as u64..=1 << 30;
        let allowed = sizes.contains(&options.segment_bytes);
        assert!(allowed && options.segment_bytes.is_multiple_of(BLOCK as u64), "size of a log segment");
        let segments = Segments::open(vfs, folder, options.segment_bytes, start)?;
        let writer = Writer::create(&segments, &options, salt, start)?;
        let queue = Queue {
            bytes: Vec::with_capacity(options.ring_bytes),
            start,
            queued_claims: 0,
            claimed: 0,
            room: usable_bytes(&options).cast_signed(),
            flushing: false,
            waiters: Vec::new(),
        };
        Ok(Self {
            writer: Mutex::new(Leading { writer, batch: Vec::with_capacity(options.ring_bytes) }),
            options,
            queue: Mutex::new(queue),
            room_freed: Condvar::new(),
            segments,
            durable: AtomicU64::new(start.0),
            end: AtomicU64::new(start.0),
            poisoned: AtomicBool::new(false),
        })
    }

    /// The end of the last record appended.
    pub fn end(&self) -> Lsn {
        Lsn(self.end.load(Ordering::Acquire))
    }

    /// Everything before this position survives a crash. It may lie inside of a record.
    pub fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    /// Whether a write failed. Nothing can be appended any more.
    pub fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn check_poison(&self) -> Result<()> {
        if self.poisoned() { Err(StorageError::Poisoned.into()) } else { Ok(()) }
    }

    /// The most that a record can take in the files, headers and padding included.
    fn claim(&self, payload: u32) -> u64 {
        let record = record_bytes(0) as u64 + u64::from(payload);
        let frames = 1 + record / (FRAME_LIMIT - FRAME_HEADER) as u64;
        let padding = if self.options.pad { BLOCK } else { 0 };
        record + frames * FRAME_HEADER as u64 + padding as u64
    }

    /// Appends a record of the concatenated `parts` and returns its end. May wait for room; a caller that
    /// must not wait reserves first.
    ///
    /// # Errors
    /// `Poisoned`, or what [`Self::reserve`] returns.
    pub fn append(&self, parts: &[&[u8]]) -> Result<Lsn> {
        let payload = payload_length(parts)?;
        self.reserve(payload as usize)?.append(parts)
    }

    /// Claims room for one record of `bytes` bytes of payload. Waits while too much is on its way to the
    /// disk, and helps it there. A record larger than the ring gets it alone.
    ///
    /// # Errors
    /// `DiskFull` if the file system has no room for a further segment; `Poisoned`.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation<'_>> {
        let too_big = |_| StorageError::ValueTooBig { size: bytes as u64, limit: u64::from(u32::MAX) };
        let claim = self.claim(u32::try_from(bytes).map_err(too_big)?);
        let mut queue = self.queue.lock();
        loop {
            self.check_poison()?;
            let fits = queue.claimed + claim <= self.options.ring_bytes as u64 || queue.claimed == 0;
            if fits && queue.room >= claim.cast_signed() {
                queue.claimed += claim;
                queue.room -= claim.cast_signed();
                return Ok(Reservation { wal: self, left: Cell::new(claim) });
            }
            if fits {
                drop(queue);
                self.segments.add()?;
                queue = self.queue.lock();
                queue.room += usable_bytes(&self.options).cast_signed();
            } else if queue.flushing || queue.bytes.is_empty() {
                self.room_freed.wait(&mut queue);
            } else {
                drop(self.lead(queue));
                queue = self.queue.lock();
            }
        }
    }

    fn push(&self, queue: &mut Queue, payload: u32, parts: &[&[u8]]) -> Lsn {
        queue.bytes.extend_from_slice(&payload.to_le_bytes());
        for part in parts {
            queue.bytes.extend_from_slice(part);
        }
        let end = self.end.load(Ordering::Relaxed) + RECORD_HEADER as u64 + u64::from(payload);
        self.end.store(end, Ordering::Release);
        Lsn(end)
    }

    /// Returns when everything before `upto` is durable; a position past the end counts as the end.
    ///
    /// # Errors
    /// `OutcomeUnknown` if a write failed before that.
    pub fn flush(&self, upto: Lsn) -> Result<()> {
        if self.durable() >= upto {
            return Ok(());
        }
        let mut queue = self.queue.lock();
        let upto = upto.min(self.end());
        loop {
            if self.durable() >= upto {
                return Ok(());
            }
            if self.poisoned() {
                return Err(StorageError::OutcomeUnknown.into());
            }
            if !queue.flushing {
                let unknown =
                    |cause: Error| Error::from(StorageError::OutcomeUnknown).with_detail(cause.to_string());
                return self.lead(queue).map_err(unknown);
            }
            let waiter = Arc::new(Waiter { upto, told: Mutex::new(None), changed: Condvar::new() });
            queue.waiters.push(Arc::clone(&waiter));
            drop(queue);
            match waiter.wait() {
                Told::Durable => return Ok(()),
                Told::Unknown => return Err(StorageError::OutcomeUnknown.into()),
                Told::Lead => queue = self.queue.lock(),
            }
        }
    }

    /// Writes all that is queued.
    fn lead(&self, mut queue: MutexGuard<'_, Queue>) -> Result<()> {
        queue.flushing = true;
        let mut guard = self.writer.lock();
        let leading = &mut *guard;
        std::mem::swap(&mut queue.bytes, &mut leading.batch);
        let claims = std::mem::take(&mut queue.queued_claims);
        let start = queue.start;
        let end = Lsn(start.0 + leading.batch.len() as u64);
        queue.start = end;
        drop(queue);

        // A panic on the way must not leave the others waiting for ever.
        let turn = Turn { wal: self };
        let batch = Batch { payload: &leading.batch, start };
        let used = leading.writer.write(&self.segments, &batch)?;
        leading.batch.clear();
        leading.batch.shrink_to(self.options.ring_bytes);
        let look_ahead = leading.writer.is_past_half();
        drop(guard);
        std::mem::forget(turn);
        self.finish(end, claims, used);
        if look_ahead {
            self.add_ahead();
        }
        Ok(())
    }

    /// Ends a flush that went well.
    fn finish(&self, end: Lsn, claims: u64, used: u64) {
        let mut queue = self.queue.lock();
        self.durable.store(end.0, Ordering::Release);
        queue.flushing = false;
        debug_assert!(used <= claims, "frames took {used} bytes where {claims} were claimed");
        queue.give_back(claims, claims - used.min(claims));
        let mut served = std::mem::take(&mut queue.waiters);
        queue.waiters.extend(served.extract_if(.., |waiter| waiter.upto > end));
        let next = queue.waiters.pop();
        drop(queue);
        if let Some(next) = next {
            next.tell(Told::Lead);
        }
        for waiter in served {
            waiter.tell(Told::Durable);
        }
        self.room_freed.notify_all();
    }

    /// Makes a segment for later. That there is no room for it is told to those who will need it.
    fn add_ahead(&self) {
        if let Ok(true) = self.segments.add_ahead() {
            self.queue.lock().room += usable_bytes(&self.options).cast_signed();
        }
    }

    fn poison(&self) {
        let mut queue = self.queue.lock();
        self.poisoned.store(true, Ordering::Release);
        queue.flushing = false;
        let waiters = std::mem::take(&mut queue.waiters);
        drop(queue);
        for waiter in waiters {
            waiter.tell(Told::Unknown);
        }
        self.room_freed.notify_all();
    }

    /// Gives segments wholly below `below` to the future of the log, or back to the file system.
    ///
    /// # Errors
    /// `Io` or `Poisoned`. The log itself is not affected by a failure.
    pub fn recycle(&self, below: Lsn) -> Result<()> {
        self.check_poison()?;
        let recycled = self.segments.recycle(below)?;
        let segment = usable_bytes(&self.options);
        let surplus = {
            let mut queue = self.queue.lock();
            queue.room += (segment * recycled.added).cast_signed();
            let unclaimed = u64::try_from(queue.room).map_or(0, |room| room / segment);
            let surplus = recycled.surplus.min(unclaimed);
            queue.room -= (segment * surplus).cast_signed();
            surplus
        };
        self.segments.remove_ready(surplus)
    }

    /// Removes all segments and their folder, after a cut that needs none of them.
    ///
    /// # Errors
    /// `Io`. What was not removed is harmless: the next opening puts it below its own start.
    pub fn close_empty(self) -> Result<()> {
        self.segments.remove_all()
    }
}

/// A leader's turn; dropped only when it does not end well.
struct Turn<'a> {
    wal: &'a Wal,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wal.poison();
    }
}
