//! Transaction blocks: begin, commit, rollback, savepoints, and what a failed statement leaves.

use super::{Session, Started, environment};
use crate::catalog::{Catalog, CatalogChanges, CatalogMark};
use crate::config::{Setting, Value as SettingValue};
use crate::error::{Error, Result, StatementError, StorageError, TransactionError};
use crate::executor::SharedTransaction;
use crate::ids::ObjectId;
use crate::parser::ast::{AccessMode, IsolationLevel, Statement, StatementKind, TransactionModes};
use crate::table::Store;
use crate::transaction::{Isolation, LockMark, Mark, Participant, Transaction};
use parking_lot::Mutex;
use std::sync::Arc;

/// Whether a session is in a transaction block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionState {
    /// Each statement is a transaction of its own.
    Idle,
    /// In a block.
    Active,
    /// In a block in which a statement has failed.
    Failed,
}

/// Where a session is between statements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Block {
    /// In no block.
    None,
    /// In one that BEGIN has opened.
    Explicit,
    /// In one that a text of several statements is.
    Script,
    /// In one that has failed.
    Failed,
}

/// The open transaction.
pub(super) struct Open {
    pub(super) tx: SharedTransaction,
    /// When it began, in microseconds since 2000-01-01 00:00 UTC.
    pub(super) started: i64,
    pub(super) read_only: bool,
    pub(super) level: IsolationLevel,
    /// No statement that needs a snapshot has run in it.
    pub(super) fresh: bool,
    /// The catalog when the snapshot of the whole transaction was taken: an index made since has no entries for what
    /// the snapshot sees.
    pub(super) known: Option<Arc<Catalog>>,
}

/// How far a transaction has come.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    mark: Mark,
    locks: LockMark,
    catalog: CatalogMark,
    dropped: usize,
    settings: usize,
}

/// A setting that the open transaction has changed.
pub(super) struct ChangedSetting {
    setting: Setting,
    before: SettingValue,
    /// SET LOCAL: the change ends with the transaction.
    local: bool,
}

impl Session {
    /// Whether a block is open.
    pub fn transaction_state(&self) -> TransactionState {
        match self.block {
            Block::None => TransactionState::Idle,
            Block::Explicit | Block::Script => TransactionState::Active,
            Block::Failed => TransactionState::Failed,
        }
    }

    /// Opens a transaction for one statement, or the first of a block.
    pub(super) fn open_transaction(&mut self, reads: bool) {
        let modes = TransactionModes::default();
        if reads && self.block == Block::None {
            let Some(party) = self.party.take() else { return };
            let tx = Transaction::begin_reading(self.store.transactions(), party);
            self.opened(tx, IsolationLevel::ReadCommitted, true);
        } else {
            self.open_with(modes);
        }
    }

    fn open_with(&mut self, modes: TransactionModes) {
        let level =
            modes.isolation.unwrap_or_else(|| default_level(self.settings.text(Setting::DefaultIsolation)));
        let isolation = match level {
            IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted => Isolation::ReadCommitted,
            IsolationLevel::RepeatableRead | IsolationLevel::Serializable => Isolation::RepeatableRead,
        };
        let read_only = match modes.access {
            Some(access) => access == AccessMode::ReadOnly,
            None => self.settings.is_on(Setting::DefaultReadOnly),
        };
        let Some(party) = self.party.take() else { return };
        let tx = Transaction::begin(self.store.transactions(), party, isolation);
        self.opened(tx, level, read_only);
    }

    fn opened(&mut self, tx: Transaction, level: IsolationLevel, read_only: bool) {
        let started = environment::now(&*self.queries.clock);
        let tx = Arc::new(Mutex::new(tx));
        self.open = Some(Open { tx, started, read_only, level, fresh: true, known: None });
    }

    /// 25006 if the open transaction may not change anything.
    pub(super) fn check_writable(&self, statement: &'static str) -> Result<()> {
        match &self.open {
            Some(open) if open.read_only => Err(TransactionError::ReadOnly { statement }.into()),
            _ => Ok(()),
        }
    }

    /// Ends the transaction of a statement outside a block.
    pub(super) fn end_implicit(&mut self) -> Result<()> {
        if self.block == Block::None { self.commit_all() } else { Ok(()) }
    }

    fn take_transaction(&mut self) -> Result<Option<Transaction>> {
        let Some(open) = self.open.take() else { return Ok(None) };
        let in_use =
            |_| StorageError::Corrupt { reason: "a transaction ends while a statement runs".to_owned() };
        Ok(Some(Arc::try_unwrap(open.tx).map_err(in_use)?.into_inner()))
    }

    /// Commits the open transaction; whatever comes of it, none is open afterwards.
    pub(super) fn commit_all(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut self.changes);
        let dropped = std::mem::take(&mut self.dropped_indexes);
        self.block = Block::None;
        self.savepoints.clear();
        let Some(tx) = self.take_transaction()? else { return Ok(()) };
        let wait = self.settings.text(Setting::SynchronousCommit) != "off";
        let store = &*self.store;
        let commit = || {
            let (party, result) = tx.commit(wait, store);
            // After an unknown outcome the database is stopped: what is current counts no more.
            let committed = result.is_ok();
            if committed {
                retire(store, &dropped);
            }
            ((party, result), committed)
        };
        let (party, result): (Participant, Result<_>) =
            if changes.is_empty() { commit().0 } else { self.queries.catalog.publish(&changes, commit) };
        self.party = Some(party);
        match result {
            Ok(_) => self.end_local_settings(),
            Err(_) => self.restore_settings(0),
        }
        result.map(drop)
    }

    /// Takes the open transaction back; none is open afterwards.
    pub(super) fn rollback_all(&mut self) -> Result<()> {
        self.block = Block::None;
        self.give_up()
    }

    /// Takes everything back and gives all locks up; the block stays as it is.
    fn give_up(&mut self) -> Result<()> {
        self.changes = CatalogChanges::default();
        self.dropped_indexes.clear();
        self.savepoints.clear();
        self.restore_settings(0);
        let Some(tx) = self.take_transaction()? else { return Ok(()) };
        let (party, result) = tx.rollback(&*self.store);
        self.party = Some(party);
        result
    }

    /// A statement of a block has failed.
    pub(super) fn fail_block(&mut self) {
        match self.block {
            Block::None | Block::Failed => return,
            Block::Explicit => self.block = Block::Failed,
            Block::Script => {
                self.rollback_all().ok();
                return;
            }
        }
        // What cannot be taken back now is tried again by the ROLLBACK TO that may follow, or else given up.
        match self.last_savepoint() {
            Some(progress) => self.go_back(progress).ok(),
            None => {
                self.failed = self.modes();
                self.give_up().ok()
            }
        };
    }

    fn last_savepoint(&self) -> Option<Progress> {
        self.savepoints.last()
    }

    fn progress(&self) -> Option<Progress> {
        let open = self.open.as_ref()?;
        let mut tx = open.tx.lock();
        let (mark, locks) = (tx.mark(), tx.party().locker.mark());
        let (dropped, settings) = (self.dropped_indexes.len(), self.changed.len());
        Some(Progress { mark, locks, catalog: self.changes.mark(), dropped, settings })
    }

    fn go_back(&mut self, progress: Progress) -> Result<()> {
        self.changes.rollback_to(progress.catalog);
        self.dropped_indexes.truncate(progress.dropped);
        self.restore_settings(progress.settings);
        let Some(open) = &self.open else { return Ok(()) };
        let mut tx = open.tx.lock();
        tx.rollback_to(progress.mark, &*self.store)?;
        tx.party().locker.release_to(progress.locks);
        Ok(())
    }

    /// BEGIN, COMMIT and their like.
    pub(super) fn control(&mut self, statement: &Statement) -> Result<Started> {
        match &statement.kind {
            StatementKind::Begin(begin) => self
                .begin(begin.modes)
                .map(|()| done(if begin.start { "START TRANSACTION" } else { "BEGIN" })),
            StatementKind::Commit { chain } => self.commit(*chain).map(done),
            StatementKind::Rollback { chain } => {
                let modes = self.modes();
                if matches!(self.block, Block::None | Block::Script) {
                    self.no_transaction(*chain, "ROLLBACK AND CHAIN")?;
                }
                self.rollback_all()?;
                self.chain(*chain, modes);
                Ok(done("ROLLBACK"))
            }
            StatementKind::Savepoint(name) => {
                self.in_block("SAVEPOINT")?;
                if self.open.is_none() {
                    self.open_with(TransactionModes::default());
                }
                if let Some(progress) = self.progress() {
                    self.savepoints.set(&name.name, progress);
                }
                Ok(done("SAVEPOINT"))
            }
            StatementKind::Release(name) => {
                self.in_block("RELEASE SAVEPOINT")?;
                self.savepoints.release(&name.name)?;
                Ok(done("RELEASE"))
            }
            StatementKind::RollbackTo(name) => {
                self.in_block("ROLLBACK TO SAVEPOINT")?;
                let progress = self.savepoints.rollback_to(&name.name)?;
                self.go_back(progress)?;
                self.block = Block::Explicit;
                Ok(done("ROLLBACK"))
            }
            StatementKind::SetTransaction(modes) => self.set_transaction(*modes).map(|()| done("SET")),
            StatementKind::SetCharacteristics(modes) => {
                self.set_characteristics(*modes).map(|()| done("SET"))
            }
            _ => Err(StatementError::NotSupported { feature: "this statement".to_owned() }.into()),
        }
    }

    /// Opens a block; 0A000 for SERIALIZABLE.
    fn begin(&mut self, modes: TransactionModes) -> Result<()> {
        refuse_serializable(modes.isolation)?;
        match self.block {
            Block::None | Block::Script => {
                let joined = self.block == Block::Script && self.open.is_some();
                self.block = Block::Explicit;
                if joined { self.set_transaction(modes)? } else { self.open_with(modes) }
            }
            Block::Explicit | Block::Failed => {
                self.warning("25001", "there is already a transaction in progress");
                self.set_transaction(modes)?;
            }
        }
        Ok(())
    }

    /// Ends the block; of a failed one everything is taken back. Returns the command that it came to.
    fn commit(&mut self, chain: bool) -> Result<&'static str> {
        let modes = self.modes();
        let failed = self.block == Block::Failed;
        if matches!(self.block, Block::None | Block::Script) {
            self.no_transaction(chain, "COMMIT AND CHAIN")?;
        }
        if failed {
            self.rollback_all()?
        } else {
            self.commit_all()?
        }
        self.chain(chain, modes);
        Ok(if failed { "ROLLBACK" } else { "COMMIT" })
    }

    fn no_transaction(&mut self, chain: bool, statement: &'static str) -> Result<()> {
        if chain {
            return Err(TransactionError::NoActiveTransaction { statement }.into());
        }
        self.warning("25P01", "there is no transaction in progress");
        Ok(())
    }

    fn modes(&self) -> TransactionModes {
        let Some(open) = &self.open else {
            let failed = self.block == Block::Failed;
            return if failed { self.failed } else { TransactionModes::default() };
        };
        let access = if open.read_only { AccessMode::ReadOnly } else { AccessMode::ReadWrite };
        TransactionModes { isolation: Some(open.level), access: Some(access), deferrable: None }
    }

    fn chain(&mut self, chain: bool, modes: TransactionModes) {
        if chain {
            self.block = Block::Explicit;
            self.open_with(modes);
        }
    }

    fn in_block(&self, statement: &'static str) -> Result<()> {
        match self.block {
            Block::None | Block::Script => Err(TransactionError::NoActiveTransaction { statement }.into()),
            Block::Explicit | Block::Failed => Ok(()),
        }
    }

    fn set_transaction(&mut self, modes: TransactionModes) -> Result<()> {
        refuse_serializable(modes.isolation)?;
        let Some(open) = &self.open else {
            self.warning("25P01", "SET TRANSACTION can only be used in transaction blocks");
            return Ok(());
        };
        if modes.isolation.is_some_and(|level| level != open.level) {
            if !open.fresh || !self.savepoints.is_empty() {
                return Err(TransactionError::LateModes { what: "SET TRANSACTION ISOLATION LEVEL" }.into());
            }
            let (level, read_only) = (modes.isolation, open.read_only);
            let access = Some(if read_only { AccessMode::ReadOnly } else { AccessMode::ReadWrite });
            if let Some(tx) = self.take_transaction()? {
                let (party, result) = tx.rollback(&*self.store);
                self.party = Some(party);
                result?;
            }
            self.open_with(TransactionModes { isolation: level, access, deferrable: None });
        }
        if let (Some(access), Some(open)) = (modes.access, &mut self.open) {
            if access == AccessMode::ReadWrite && open.read_only && !open.fresh {
                return Err(TransactionError::LateReadWrite.into());
            }
            open.read_only = access == AccessMode::ReadOnly;
        }
        Ok(())
    }

    fn set_characteristics(&mut self, modes: TransactionModes) -> Result<()> {
        refuse_serializable(modes.isolation)?;
        if let Some(level) = modes.isolation {
            self.set(Setting::DefaultIsolation, level_name(level), false)?;
        }
        if let Some(access) = modes.access {
            let on = if access == AccessMode::ReadOnly { "on" } else { "off" };
            self.set(Setting::DefaultReadOnly, on, false)?;
        }
        Ok(())
    }

    /// Begins a text of several statements, which is one transaction unless it says otherwise.
    pub fn begin_script(&mut self) {
        if self.block == Block::None {
            self.block = Block::Script;
        }
    }

    /// Ends it: what was done is committed, or taken back if a statement has failed.
    ///
    /// # Errors
    /// Those of committing.
    pub fn end_script(&mut self, failed: bool) -> Result<()> {
        self.detach_portal();
        match self.block {
            Block::Script if failed => self.rollback_all(),
            Block::Script => self.commit_all(),
            Block::None | Block::Explicit | Block::Failed => Ok(()),
        }
    }

    /// Gives a setting a value, until the transaction ends if `local`.
    pub(super) fn set(&mut self, setting: Setting, text: &str, local: bool) -> Result<()> {
        if setting == Setting::DefaultIsolation && text.eq_ignore_ascii_case("serializable") {
            refuse_serializable(Some(IsolationLevel::Serializable))?;
        }
        let before = Arc::make_mut(&mut self.settings).set(setting, text)?;
        self.note_setting(setting, before, local);
        Ok(())
    }

    /// Gives a setting its default.
    pub(super) fn reset(&mut self, setting: Setting) -> Result<()> {
        let before = Arc::make_mut(&mut self.settings).reset(setting)?;
        self.note_setting(setting, before, false);
        Ok(())
    }

    fn note_setting(&mut self, setting: Setting, before: SettingValue, local: bool) {
        if self.block != Block::None {
            self.changed.push(ChangedSetting { setting, before, local });
        }
        self.settings_changed();
    }

    fn restore_settings(&mut self, length: usize) {
        if self.changed.len() <= length {
            return;
        }
        let settings = Arc::make_mut(&mut self.settings);
        for change in self.changed.drain(length..).rev() {
            settings.replace(change.setting, change.before);
        }
        self.settings_changed();
    }

    /// SET LOCAL ends; what SET has set since stays.
    fn end_local_settings(&mut self) {
        let mut kept: Vec<Setting> = Vec::new();
        let changed = std::mem::take(&mut self.changed);
        if changed.is_empty() {
            return;
        }
        let settings = Arc::make_mut(&mut self.settings);
        for change in changed.into_iter().rev() {
            if !change.local {
                kept.push(change.setting);
            } else if !kept.contains(&change.setting) {
                settings.replace(change.setting, change.before);
            }
        }
        self.settings_changed();
    }

    fn settings_changed(&mut self) {
        self.environment = Arc::new(self.environment.with_settings(Arc::clone(&self.settings)));
    }
}

/// Indexes whose drop has committed enforce nothing any more.
fn retire(store: &Store, dropped: &[(ObjectId, ObjectId)]) {
    for &(storage, index) in dropped {
        // A table that is gone as well has nothing to enforce.
        let Ok(table) = store.table(storage) else { continue };
        table.indexes().iter().filter(|other| other.def.object == index).for_each(|index| index.retire());
    }
}

fn done(command: &'static str) -> Started {
    Started::done(Arc::default(), command, 0)
}

fn refuse_serializable(level: Option<IsolationLevel>) -> Result<()> {
    if level == Some(IsolationLevel::Serializable) {
        let error =
            Error::from(StatementError::NotSupported { feature: "isolation level SERIALIZABLE".to_owned() });
        return Err(error.with_hint("REPEATABLE READ gives one snapshot to the whole transaction."));
    }
    Ok(())
}

fn default_level(name: &str) -> IsolationLevel {
    match name {
        "repeatable read" => IsolationLevel::RepeatableRead,
        "read uncommitted" => IsolationLevel::ReadUncommitted,
        _ => IsolationLevel::ReadCommitted,
    }
}

/// A level as SHOW prints it.
pub(super) fn level_name(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadUncommitted => "read uncommitted",
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
        IsolationLevel::Serializable => "serializable",
    }
}
