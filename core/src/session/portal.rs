//! Results: what a statement gives at once, and those that are read as they are asked for.
//!
//! The first chunks of a result are fetched before the statement returns, so that most results are complete then and
//! most errors come from the statement itself. A longer one stays open as the session's portal, at most one at a time:
//! when the next statement begins, the rest of its rows moves into the [`Rest`] that its reader has.

use super::Session;
use super::prepare::Column;
use super::transaction::Block;
use crate::error::{Error, Result};
use crate::executor::RowStream;
use crate::types::Chunk;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a statement has come to.
pub struct Started {
    /// The columns of the result; none for a statement without one.
    pub columns: Arc<[Column]>,
    /// The word of the command tag.
    pub command: &'static str,
    /// Rows inserted, changed, removed or copied; for queries, rows so far.
    pub affected: u64,
    /// The rows fetched so far.
    pub chunks: VecDeque<Chunk>,
    /// The rest, if there is more: the number of the portal and where its rows may be found.
    pub rest: Option<(u64, Arc<Rest>)>,
}

impl Started {
    /// A statement that is complete and has no rows.
    pub(super) fn done(columns: Arc<[Column]>, command: &'static str, affected: u64) -> Self {
        Self { columns, command, affected, chunks: VecDeque::new(), rest: None }
    }

    /// A result that the session has made itself.
    pub(super) fn rows(columns: Arc<[Column]>, command: &'static str, chunk: Chunk) -> Self {
        let affected = chunk.len as u64;
        let chunks = if chunk.len == 0 { VecDeque::new() } else { VecDeque::from([chunk]) };
        Self { columns, command, affected, chunks, rest: None }
    }
}

/// The rest of a result that its session had to fetch early.
#[derive(Default)]
pub struct Rest {
    fetched: Mutex<(VecDeque<Chunk>, Option<Error>)>,
}

impl Rest {
    /// The next chunk of those fetched.
    ///
    /// # Errors
    /// The error that ended the result, after its rows.
    pub fn next(&self) -> Result<Option<Chunk>> {
        let mut fetched = self.fetched.lock();
        match fetched.0.pop_front() {
            Some(chunk) => Ok(Some(chunk)),
            None => fetched.1.take().map_or(Ok(None), Err),
        }
    }
}

/// A result that is being read.
pub(super) struct Portal {
    number: u64,
    stream: RowStream,
    /// The statement is a transaction of its own.
    implicit: bool,
    rest: Arc<Rest>,
}

impl Session {
    /// Keeps a stream that has more rows.
    pub(super) fn open_portal(&mut self, stream: RowStream, implicit: bool) -> (u64, Arc<Rest>) {
        self.portals += 1;
        let (number, rest) = (self.portals, Arc::new(Rest::default()));
        self.portal = Some(Portal { number, stream, implicit, rest: Arc::clone(&rest) });
        (number, rest)
    }

    /// The next chunk of a result that is being read; `None` after the last, or if it was fetched early.
    ///
    /// # Errors
    /// What the query finds; the statement has then failed.
    pub fn fetch(&mut self, number: u64) -> Result<Option<Chunk>> {
        let Some(portal) = self.portal.as_mut().filter(|portal| portal.number == number) else {
            return Ok(None);
        };
        self.running = true;
        let next = portal.stream.next();
        self.running = false;
        match next {
            Ok(Some(chunk)) => Ok(Some(chunk)),
            Ok(None) => self.close_portal(true).map(|()| None),
            Err(error) => {
                self.close_portal(false).ok();
                Err(error)
            }
        }
    }

    /// The reader wants no more.
    pub fn close(&mut self, number: u64) {
        if self.portal.as_ref().is_some_and(|portal| portal.number == number) {
            // A query that was left early has nothing to commit that could fail.
            self.close_portal(true).ok();
        }
    }

    fn close_portal(&mut self, succeeded: bool) -> Result<()> {
        let Some(portal) = self.portal.take() else { return Ok(()) };
        let implicit = portal.implicit;
        drop(portal.stream);
        if succeeded {
            return if implicit { self.end_implicit() } else { Ok(()) };
        }
        if implicit && self.block == Block::None {
            return self.rollback_all();
        }
        self.fail_block();
        Ok(())
    }

    /// Fetches what is left of the open result, since a statement is about to begin.
    pub(super) fn detach_portal(&mut self) {
        if self.running {
            // What panicked has no more rows that could be trusted.
            self.portal = None;
        }
        let Some(portal) = &mut self.portal else { return };
        let (rest, number) = (Arc::clone(&portal.rest), portal.number);
        let mut fetched = rest.fetched.lock();
        // Nobody holds the other end any more: the rows are not wanted.
        if Arc::strong_count(&rest) <= 2 {
            drop(fetched);
            self.close(number);
            return;
        }
        loop {
            match self.fetch(number) {
                Ok(Some(chunk)) => fetched.0.push_back(chunk),
                Ok(None) => return,
                Err(error) => {
                    fetched.1 = Some(error);
                    return;
                }
            }
        }
    }
}
