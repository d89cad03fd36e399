//! Long values: strings over [`MAX_INLINE`] bytes, in chains of pages of their own.
//!
//! ```text
//! page header 96 | next page u64, 0 at the end | bytes here u32 | zero u32 | the bytes
//! ```
//! A chain is written once and never changed. It is written front to back and taken down back to front, so that it
//! is a whole chain at every moment: whoever finds its first page finds all of it.

use super::Store;
use crate::btree::PageBytes;
use crate::codec::row::OverflowRef;
use crate::error::{Result, StorageError};
use crate::ids::{ObjectId, PageId, RowId};
use crate::pager::space::{HEADER_SIZE, PageKind};
use crate::pager::{Attempt, Pager, Restart};
use crate::transaction::{Change, Transaction};
use crate::types::MAX_STRING;

/// Strings up to this many bytes are stored in their leaf.
pub(super) const MAX_INLINE: usize = 2048;
const NEXT: usize = HEADER_SIZE;
const LENGTH: usize = HEADER_SIZE + 8;
const BYTES: usize = HEADER_SIZE + 16;

/// Refuses a string that is too long for the engine.
///
/// # Errors
/// 54000.
pub fn check_length(length: usize) -> Result<()> {
    if length > MAX_STRING {
        let (size, limit) = (length as u64, MAX_STRING as u64);
        return Err(StorageError::ValueTooBig { size, limit }.into());
    }
    Ok(())
}

/// Writes a chain that is not part of any transaction (replay).
pub(super) fn write_untracked(store: &Store, object: ObjectId, bytes: &[u8]) -> Result<OverflowRef> {
    write_chain(store, object, bytes, |_| ())
}

/// Writes a chain that goes away if the transaction is taken back.
pub(super) fn write(store: &Store, tx: &Transaction, object: ObjectId, bytes: &[u8]) -> Result<OverflowRef> {
    write_chain(store, object, bytes, |first| {
        tx.push_undo(object, RowId(0), Change::Overflow { first });
    })
}

fn write_chain(store: &Store, object: ObjectId, bytes: &[u8], begun: impl Fn(PageId)) -> Result<OverflowRef> {
    check_length(bytes.len())?;
    let length = u32::try_from(bytes.len()).expect("checked against the limit");
    let mut first = None;
    let mut last: Option<PageId> = None;
    for part in bytes.chunks(store.pager().page_size() - BYTES) {
        let page = store.attempt(|| {
            let before = last.map(|last| store.pager().pin_exclusive(last)).transpose()?;
            let mut page = store.pager().allocate(PageKind::Overflow, object, 0)?;
            page[LENGTH..LENGTH + 4].copy_from_slice(&(part.len() as u32).to_le_bytes());
            page[BYTES..BYTES + part.len()].copy_from_slice(part);
            match before {
                Some(mut before) => before[NEXT..NEXT + 8].copy_from_slice(&page.page_id().0.to_le_bytes()),
                None => begun(page.page_id()),
            }
            Ok(page.page_id())
        })?;
        first.get_or_insert(page);
        last = Some(page);
    }
    Ok(OverflowRef { length, first: first.unwrap_or_default() })
}

/// Appends a long value's bytes to `out`.
pub(super) fn read(pager: &Pager, value: OverflowRef, out: &mut Vec<u8>) -> Attempt<()> {
    let start = out.len();
    let length = value.length as usize;
    let mut next = value.first;
    if length > MAX_STRING {
        return Err(Restart::Corrupt(next, "a long value is longer than any can be"));
    }
    while out.len() - start < length {
        let damaged = |reason| Restart::Corrupt(next, reason);
        let page = pager.pin_shared(next)?;
        let here = page.u32(LENGTH) as usize;
        if page.kind() != Some(PageKind::Overflow) || here == 0 || here > length - (out.len() - start) {
            return Err(damaged("not the piece of a long value that it should be"));
        }
        let bytes = page.get(BYTES..BYTES + here).ok_or_else(|| damaged("a long value leaves its page"))?;
        out.extend_from_slice(bytes);
        next = PageId(page.u64(NEXT));
    }
    Ok(())
}

/// Takes a chain down; `last_step` is part of the row operation that frees its first page.
pub(super) fn free(store: &Store, first: PageId, last_step: impl Fn() -> Attempt<()>) -> Result<()> {
    let mut pages = Vec::new();
    let mut next = first;
    while next != PageId(0) {
        if pages.len() > MAX_STRING / (store.pager().page_size() - BYTES) {
            let reason = "the chain of a long value does not end";
            return Err(StorageError::CorruptPage { page: first.0, reason }.into());
        }
        pages.push(next);
        next = store.attempt(|| {
            let page = store.pager().pin_shared(next)?;
            if page.kind() != Some(PageKind::Overflow) {
                return Err(Restart::Corrupt(next, "not a piece of a long value"));
            }
            Ok(PageId(page.u64(NEXT)))
        })?;
    }
    while let Some(page) = pages.pop() {
        let before = pages.last().copied();
        store.attempt(|| {
            let before = before.map(|before| store.pager().pin_exclusive(before)).transpose()?;
            let page = store.pager().pin_exclusive(page)?;
            match before {
                Some(mut before) => before[NEXT..NEXT + 8].fill(0),
                None => last_step()?,
            }
            store.pager().free(page);
            Ok(())
        })?;
    }
    Ok(())
}

/// All pages of a chain, for verification.
pub(super) fn pages(pager: &Pager, value: OverflowRef) -> Result<Vec<PageId>> {
    let mut pages = Vec::new();
    let mut next = value.first;
    while next != PageId(0) {
        if pages.len() > MAX_STRING / (pager.page_size() - BYTES) {
            let reason = "the chain of a long value does not end";
            return Err(StorageError::CorruptPage { page: value.first.0, reason }.into());
        }
        pages.push(next);
        next = pager.retry(|| Ok(PageId(pager.pin_shared(next)?.u64(NEXT))))?;
    }
    Ok(pages)
}
