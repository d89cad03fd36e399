//! Queries and changes of rows: by operators, or on the short path of one that reads a row by its key.

use super::portal::Started;
use super::prepare::Query;
use super::transaction::Block;
use super::{Prepared, Session};
use crate::config::Setting;
use crate::error::Result;
use crate::executor::PointRead;
use crate::transaction::Transaction;
use crate::types::{Chunk, DataType, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

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
            started.rest = Some(self.open_portal(stream, implicit));
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
}
