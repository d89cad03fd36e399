//! From what is on disk to a database that can be used.

use super::state::{CutState, Domains};
use crate::error::{Result, StorageError};
use crate::ids::{Lsn, Timestamp, TransactionId};
use crate::pager::space::Superblock;
use crate::table::Store;
use crate::transaction::{Effect, Effects, LogRecord};
use crate::vfs::Vfs;
use crate::wal::WalReader;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What recovery found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovered {
    /// The newest commit.
    pub commit_ts: Timestamp,
    /// The end of the log.
    pub end: Lsn,
    /// Transactions applied from the log.
    pub replayed: u64,
}

/// The effects of a transaction that were written before its end, as places in the log.
#[derive(Default)]
struct Chunks {
    /// Where each begins, and its bytes of effects that count.
    parts: Vec<(Lsn, u64)>,
}

impl Chunks {
    /// Effects from byte `bytes` on were taken back.
    fn truncate(&mut self, bytes: u64) {
        let mut before = 0;
        for (_, length) in &mut self.parts {
            *length = (*length).min(bytes.saturating_sub(before));
            before += *length;
        }
    }
}

/// Brings the store, whose pages are those of the cut in `superblock`, to the newest committed state. `log_folder` is
/// where the log is, if the cut needs one.
///
/// # Errors
/// XX001 when the cut or the log is damaged, or the log does not begin where the cut needs it; I/O errors.
pub fn recover(
    store: &Store,
    superblock: &Superblock,
    vfs: &Arc<dyn Vfs>,
    log_folder: &Path,
) -> Result<Recovered> {
    let space = store.pager().space();
    // Counters that leave no room to go on can only be damage.
    if superblock.commit_ts.0 >= 1 << 62 || superblock.wal_start.0 >= 1 << 62 {
        return Err(
            StorageError::Corrupt { reason: "the superblock's counters are used up".to_owned() }.into()
        );
    }
    let domains = Domains::decode(&space.read_blob(superblock.domains)?)?;
    let state = CutState::decode(&space.read_blob(superblock.cut_state)?)?;
    store.set_next_object(domains.next_object);
    for table in domains.tables {
        store.add_table(table);
    }
    for open in &state.changes {
        store.take_back(open.object, open.row, &open.change, None, || ())?;
    }
    for garbage in &state.garbage {
        store.clear_remembered(garbage)?;
    }
    let mut recovered = Recovered { commit_ts: superblock.commit_ts, end: superblock.wal_start, replayed: 0 };
    if superblock.clean {
        return Ok(recovered);
    }
    let log = Log { vfs, folder: log_folder, salt: superblock.wal_salt };
    let mut reader = log.read_from(superblock.wal_start)?;
    let mut chunks: HashMap<TransactionId, Chunks> = HashMap::new();
    while let Some((start, end, record)) = reader.next()? {
        recovered.end = end;
        let Some(record) = LogRecord::decode(&record)? else { continue };
        match record {
            LogRecord::Chunk { transaction, effects, .. } => {
                chunks.entry(transaction).or_default().parts.push((start, effects.len() as u64));
            }
            LogRecord::UndoTo { transaction, bytes } => {
                if let Some(chunks) = chunks.get_mut(&transaction) {
                    chunks.truncate(bytes);
                }
            }
            LogRecord::Abort { transaction } => drop(chunks.remove(&transaction)),
            LogRecord::Commit { transaction, ts, effects, chunks: count, .. } => {
                let chunks = chunks.remove(&transaction).unwrap_or_default();
                if start < state.cut_lsn {
                    continue;
                }
                if chunks.parts.len() != count as usize {
                    let reason = "a commit's chunks are not all there";
                    return Err(StorageError::CorruptLog { lsn: start.0, reason }.into());
                }
                replay_chunks(store, &log, &chunks.parts)?;
                replay(store, effects)?;
                recovered.commit_ts = recovered.commit_ts.max(ts);
                recovered.replayed += 1;
            }
        }
    }
    Ok(recovered)
}

/// The log that the cut names.
struct Log<'a> {
    vfs: &'a Arc<dyn Vfs>,
    folder: &'a Path,
    salt: u64,
}

impl Log<'_> {
    fn read_from(&self, from: Lsn) -> Result<WalReader> {
        WalReader::open(Arc::clone(self.vfs), self.folder, from, Some(self.salt))
    }
}

/// Applies what counts of a transaction's chunks, each given by its place and its bytes of effects that count.
fn replay_chunks(store: &Store, log: &Log<'_>, parts: &[(Lsn, u64)]) -> Result<()> {
    let Some(&(first, _)) = parts.first() else { return Ok(()) };
    let mut reader = log.read_from(first)?;
    for &(at, length) in parts {
        let missing = || StorageError::CorruptLog { lsn: at.0, reason: "a chunk is gone" };
        let record = loop {
            let (start, _, record) = reader.next()?.ok_or_else(missing)?;
            if start == at {
                break record;
            }
        };
        let Some(LogRecord::Chunk { effects, .. }) = LogRecord::decode(&record)? else {
            return Err(missing().into());
        };
        let counting = usize::try_from(length).ok().and_then(|length| effects.get(..length));
        replay(store, counting.ok_or_else(missing)?)?;
    }
    Ok(())
}

fn replay(store: &Store, effects: &[u8]) -> Result<()> {
    for effect in Effects::new(effects) {
        match effect? {
            Effect::Insert { table, row, values, .. } => {
                store.table(table)?.replay_insert(store, row, values)?;
            }
            Effect::Update { table, row, columns, values, .. } => {
                let columns: Vec<u16> =
                    columns.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                store.table(table)?.replay_update(store, row, &columns, values)?;
            }
            Effect::Delete { table, row } => store.table(table)?.replay_delete(store, row)?,
            Effect::CreateTable { definition, .. } => store.replay_create_table(definition)?,
            Effect::CreateIndex { table, definition } => store.replay_create_index(table, definition)?,
            Effect::Drop { object } => store.drop_object(object, || ())?,
        }
    }
    Ok(())
}
