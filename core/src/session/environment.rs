//! What expressions ask their session: time, randomness, settings.

use crate::config::{Setting, Settings};
use crate::engine::Queries;
use crate::error::{Result, StatementError};
use crate::executor::VirtualTables;
use crate::expr::Environment;
use crate::ids::ObjectId;
use crate::types::Chunk;
use crate::vfs::{Clock, Rng};
use std::sync::Arc;

/// Between 1970, where the machine's clock counts from, and 2000, where timestamps do; in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The time now, in microseconds since 2000-01-01 00:00 UTC.
pub(super) fn now(clock: &dyn Clock) -> i64 {
    clock.now_micros().saturating_sub(EPOCH_MICROS)
}

/// A session as its statements' expressions see it.
pub(super) struct SessionEnvironment {
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
}

impl SessionEnvironment {
    pub(super) fn new(queries: &Queries, settings: Arc<Settings>) -> Self {
        Self { settings, clock: Arc::clone(&queries.clock), rng: Arc::clone(&queries.rng) }
    }

    /// The same with other settings.
    pub(super) fn with_settings(&self, settings: Arc<Settings>) -> Self {
        Self { settings, clock: Arc::clone(&self.clock), rng: Arc::clone(&self.rng) }
    }
}

fn no_sequence<T>(name: &str) -> Result<T> {
    Err(StatementError::UndefinedTable { name: name.to_owned() }.into())
}

impl Environment for SessionEnvironment {
    fn clock_timestamp(&self) -> i64 {
        now(&*self.clock)
    }

    fn random(&self) -> u64 {
        self.rng.next_u64()
    }

    fn setting(&self, name: &str) -> Option<String> {
        Setting::find(name).ok().map(|setting| self.settings.show(setting))
    }

    fn next_value(&self, sequence: &str) -> Result<i64> {
        no_sequence(sequence)
    }

    fn current_value(&self, sequence: &str) -> Result<i64> {
        no_sequence(sequence)
    }

    fn set_value(&self, sequence: &str, _: i64, _: bool) -> Result<()> {
        no_sequence(sequence)
    }
}

impl VirtualTables for SessionEnvironment {
    fn rows(&self, table: ObjectId, _: &[u16]) -> Result<Vec<Chunk>> {
        Err(StatementError::UndefinedTable { name: table.to_string() }.into())
    }
}
