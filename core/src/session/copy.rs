//! COPY: files and what a client sends or gets, at the two ends of a query.

use super::prepare::tables_of;
use super::{Prepared, Session, Started};
use crate::binder::{BoundStatement, CopyIn, CopyOut, bind};
use crate::catalog::TableEntry;
use crate::error::{Result, StatementError, StorageError};
use crate::executor::copy::{ByteSink, ByteSource, CopyReader, CopyStyle, CopyWriter};
use crate::executor::{Share, execute};
use crate::parser::ast::{CopyTarget, Statement};
use crate::stack;
use crate::transaction::TableLockMode;
use crate::vfs::{OpenOptions, Vfs, VfsFile};
use parking_lot::Mutex;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Rows of one COPY after which statistics are collected anew, if the table has grown by a fifth.
const ANALYZE_ROWS: u64 = 50;

/// The bytes of a file, one after the other.
struct FileSource {
    file: Arc<dyn VfsFile>,
    path: String,
    at: u64,
    size: u64,
    /// Its bytes as the statement's work.
    share: Arc<Share>,
}

/// A file that is written from its beginning.
struct FileSink {
    file: Arc<dyn VfsFile>,
    path: String,
    at: u64,
}

fn io_error(operation: &'static str, path: &str, source: io::Error) -> crate::Error {
    StorageError::Io { operation, path: path.to_owned(), source }.into()
}

impl FileSource {
    fn open(vfs: &dyn Vfs, path: &str) -> Result<Self> {
        let file =
            vfs.open(Path::new(path), OpenOptions::default()).map_err(|e| missing(path, e, "reading"))?;
        let size = file.size().map_err(|e| io_error("read", path, e))?;
        Ok(Self { file, path: path.to_owned(), at: 0, size, share: Share::new(size) })
    }
}

/// PostgreSQL's words for a file that cannot be opened.
fn missing(path: &str, error: io::Error, purpose: &'static str) -> crate::Error {
    if error.kind() == io::ErrorKind::NotFound {
        return StorageError::CopyFile { path: path.to_owned(), purpose }.into();
    }
    io_error("open", path, error)
}

impl ByteSource for FileSource {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted > 0 {
            self.file.read_at(&mut buffer[..wanted], self.at).map_err(|e| io_error("read", &self.path, e))?;
        }
        self.at += wanted as u64;
        self.share.advance(wanted as u64);
        Ok(wanted)
    }
}

impl ByteSink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(bytes, self.at).map_err(|e| io_error("write", &self.path, e))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Session {
    /// Runs COPY FROM STDIN with the bytes of a client.
    ///
    /// # Errors
    /// Those of the statement and its data.
    pub fn run_with_input(
        &mut self,
        prepared: &Arc<Prepared>,
        input: Box<dyn ByteSource>,
    ) -> Result<Started> {
        self.client_input = Some(input);
        let started = self.run(prepared, &[]);
        self.client_input = None;
        started
    }

    /// Runs COPY TO STDOUT with a client's sink.
    ///
    /// # Errors
    /// Those of the statement and of writing; 0A000 for another statement.
    pub fn run_with_output(&mut self, prepared: &Arc<Prepared>, sink: &mut dyn ByteSink) -> Result<Started> {
        self.run_checked(prepared, 0, |session| {
            let implicit = session.open.is_none();
            if implicit {
                session.open_transaction(true);
            }
            let nodes = prepared.statement.nodes();
            let result = stack::with_room(nodes, || session.copy_to(&prepared.statement, sink));
            match result {
                Ok(started) if implicit => session.end_implicit().map(|()| started),
                Err(_) if implicit => {
                    session.rollback_all()?;
                    result
                }
                Ok(_) | Err(_) => result,
            }
        })
    }

    fn copy_to(&mut self, statement: &Statement, sink: &mut dyn ByteSink) -> Result<Started> {
        let BoundStatement::CopyOut(copy) = bind(&self.catalog(), statement, &[])?.statement else {
            return Err(not_supported("writing anything but COPY TO STDOUT to a client"));
        };
        self.begin_statement();
        self.copy_out(*copy, Some(sink))
    }

    pub(super) fn copy_in(&mut self, copy: CopyIn) -> Result<Started> {
        self.check_writable("COPY FROM")?;
        let CopyIn { insert, table, columns, source, options } = copy;
        self.lock_table(table.oid, TableLockMode::RowExclusive)?;
        let mut share = None;
        let source: Box<dyn ByteSource> = match source {
            CopyTarget::File(path) => {
                let file = FileSource::open(&*self.queries.files, &path)?;
                share = Some(Arc::clone(&file.share));
                Box::new(file)
            }
            CopyTarget::Client => {
                let input = self.client_input.take();
                input.ok_or_else(|| not_supported("COPY FROM STDIN without data of the client"))?
            }
            CopyTarget::Program(_) => return Err(not_supported("COPY with PROGRAM")),
        };
        let column = |&number: &u16| {
            let column = &table.columns[usize::from(number)];
            (column.name.clone(), column.ty)
        };
        let columns: Vec<_> = columns.iter().map(column).collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let style = CopyStyle::new(&options, &names);
        let reader = CopyReader::new(source, style, &table.name, columns.clone(), self.times());
        let plan = Arc::new(self.plan(insert)?);
        self.begin_statement();
        let mut context = self.context(Vec::new(), true, false)?;
        context.input = Some(Arc::new(Mutex::new(reader)));
        context.input_share = share;
        let mut stream = execute(&self.queries.resources, &plan, context)?;
        while stream.next()?.is_some() {}
        let rows = stream.affected_rows();
        drop(stream);
        self.analyze_grown(&table, rows)?;
        Ok(Started::done(Arc::default(), "COPY", rows))
    }

    /// Collects statistics of a table that has got so many rows that those it has are of no use, unless somebody else
    /// is at it.
    fn analyze_grown(&mut self, table: &TableEntry, rows: u64) -> Result<()> {
        let entry = self.known(table)?;
        let enough = entry.statistics.as_ref().map_or(1, |known| ANALYZE_ROWS.max(known.rows / 5));
        if rows < enough {
            return Ok(());
        }
        let free = self.in_transaction(|_, tx| {
            Ok(tx.party().locker.try_lock_table(table.oid, TableLockMode::ShareUpdateExclusive))
        })?;
        if free {
            self.begin_statement();
            self.analyze_table(&entry, &[])?;
        }
        Ok(())
    }

    pub(super) fn copy_out(&mut self, copy: CopyOut, sink: Option<&mut dyn ByteSink>) -> Result<Started> {
        let CopyOut { query, target, options } = copy;
        let mut tables = Vec::new();
        tables_of(&query.plan, &mut tables);
        for (table, mode) in &tables {
            self.lock_table(table.oid, *mode)?;
        }
        let mut file;
        let sink: &mut dyn ByteSink = match (target, sink) {
            (CopyTarget::Client, Some(sink)) => sink,
            (CopyTarget::File(path), _) => {
                let how = OpenOptions { write: true, create: true, ..OpenOptions::default() };
                let opened = self.queries.files.open(Path::new(&path), how);
                let opened = opened.map_err(|e| missing(&path, e, "writing"))?;
                opened.set_size(0).map_err(|e| io_error("truncate", &path, e))?;
                file = FileSink { file: opened, path, at: 0 };
                &mut file
            }
            (CopyTarget::Client, None) => {
                return Err(not_supported("COPY TO STDOUT without a client to write to"));
            }
            (CopyTarget::Program(_), _) => return Err(not_supported("COPY with PROGRAM")),
        };
        let columns = super::prepare::columns_of(&query);
        let names: Vec<&str> = columns.iter().map(|column| &*column.name).collect();
        let typed: Vec<_> = columns.iter().map(|column| (&*column.name, column.value_type)).collect();
        let mut writer = CopyWriter::new(sink, CopyStyle::new(&options, &names), &typed, self.times())?;
        let plan = Arc::new(self.plan(query)?);
        let mut stream = self.start(&plan, Vec::new(), false)?;
        let mut rows = 0;
        while let Some(chunk) = stream.next()? {
            rows += chunk.count() as u64;
            writer.write(&chunk)?;
        }
        writer.finish()?;
        Ok(Started::done(Arc::default(), "COPY", rows))
    }
}

fn not_supported(feature: &str) -> crate::Error {
    StatementError::NotSupported { feature: feature.to_owned() }.into()
}
