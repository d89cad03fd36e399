//! Results: what a statement gives at once, and those that are read as they are asked for.
//!
//! The first chunks of a result are fetched before the statement returns, so that most results are complete then and
//! most errors come from the statement itself. A longer one stays open as the session's portal, at most one at a time:
//! when the next statement begins, the rest of its rows moves into the [`Rest`] that its reader has.

use super::prepare::{Column, Query};
use super::transaction::Block;
use super::{Prepared, Session};
use crate::config::Setting;
use crate::error::{Error, Result};
use crate::executor::{PointRead, RowStream};
use crate::transaction::Transaction;
use crate::types::{Chunk, DataType, Value};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
    /// Runs a query or change in the open transaction.
    pub(super) fn run_query(
        &mut self,
        prepared: &Prepared,
        query: &Query,
        parameters: Vec<Value>,
        implicit: bool,
    ) -> Result<Started> {
        let command = query.command();
        if let Some(what) = query.writes {
            self.check_writable(what)?;
        }
        if let Some(point) = &query.point {
            return self.run_point(prepared, point, &parameters);
        }
        let mut stream = self.start(&query.plan, parameters, false)?;
        let mut chunks = VecDeque::new();
        let mut ended = false;
        // What a change returns is complete before its transaction ends.
        while chunks.len() < 2 || query.writes.is_some() {
            match stream.next()? {
                Some(chunk) => chunks.push_back(chunk),
                None => {
                    ended = true;
                    break;
                }
            }
        }
        let rows = || chunks.iter().map(|chunk| chunk.count() as u64).sum();
        let affected = if query.changes() { stream.affected_rows() } else { rows() };
        let mut started =
            Started { columns: Arc::clone(&prepared.columns), command, affected, chunks, rest: None };
        if !ended {
            self.portals += 1;
            let rest = Arc::new(Rest::default());
            started.rest = Some((self.portals, Arc::clone(&rest)));
            self.portal = Some(Portal { number: self.portals, stream, implicit, rest });
        }
        Ok(started)
    }

    /// Reads a row by its key in the open transaction.
    fn run_point(&mut self, prepared: &Prepared, point: &PointRead, parameters: &[Value]) -> Result<Started> {
        self.begin_statement();
        let view = self.in_transaction(|_, tx| Ok(tx.view()))?;
        let chunk = point.run(&self.store, &view, parameters)?;
        Ok(self.point_result(prepared, chunk))
    }

    fn point_result(&self, prepared: &Prepared, chunk: Option<Chunk>) -> Started {
        self.queries.point_reads.fetch_add(1, Ordering::Relaxed);
        let (columns, affected) = (Arc::clone(&prepared.columns), u64::from(chunk.is_some()));
        Started { columns, command: "SELECT", affected, chunks: chunk.into_iter().collect(), rest: None }
    }

    /// Reads a row by its key as a transaction of its own, which nothing but this function ever sees. `None` if the
    /// statement is another, or must be bound again.
    pub(super) fn read_alone(
        &mut self,
        prepared: &Arc<Prepared>,
        parameters: &[Value],
    ) -> Result<Option<Started>> {
        if prepared.query().is_none_or(|query| query.point.is_none())
            || self.open.is_some()
            || self.block != Block::None
        {
            return Ok(None);
        }
        let catalog = self.queries.catalog.current();
        let newest;
        let prepared = if prepared.is_current(&catalog) {
            prepared
        } else {
            newest = prepared.newest();
            &newest
        };
        let Some(point) = prepared.query().and_then(|query| query.point.as_ref()) else { return Ok(None) };
        if !prepared.is_current(&catalog) {
            return Ok(None);
        }
        let fits = |(value, ty): (&Value, &DataType)| value.data_type() == *ty;
        let converted;
        let parameters = if parameters.iter().zip(&prepared.parameters).all(fits) {
            parameters
        } else {
            converted = self.parameter_values(prepared, parameters)?;
            &converted
        };
        let Some(party) = self.party.take() else { return Ok(None) };
        let mut tx = Transaction::begin_reading(self.store.transactions(), party);
        let read = self.read_point_in(&mut tx, prepared, point, parameters);
        let wait = self.settings.text(Setting::SynchronousCommit) != "off";
        let (party, ended) = tx.commit(wait, &*self.store);
        self.party = Some(party);
        let read = read?;
        ended?;
        Ok(read.map(|chunk| self.point_result(prepared, chunk)))
    }

    /// The row, if there is one; `None` if the statement must be bound again.
    fn read_point_in(
        &self,
        tx: &mut Transaction,
        prepared: &Prepared,
        point: &PointRead,
        parameters: &[Value],
    ) -> Result<Option<Option<Chunk>>> {
        for (table, mode) in &prepared.tables {
            self.lock_table_in(tx, table.oid, *mode)?;
        }
        // Now that they are locked, tables stay what they are.
        if !prepared.is_current(&self.queries.catalog.current()) {
            return Ok(None);
        }
        tx.start_statement();
        point.run(&self.store, &tx.view(), parameters).map(Some)
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
