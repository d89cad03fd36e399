//! Files of statements with PostgreSQL's answers, `tests/slt/*.slt`, run in memory and on disk, before and after a
//! database is opened again, with the smallest pool and with many pages and all threads.

use rustdb::vfs::{OsVfs, Vfs};
use rustdb::{Database, OpenOptions};
use sqllogictest::{DBOutput, DefaultColumnType, Record, Runner};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A connection as the runner knows it. Errors are told as `SQLSTATE: message`.
struct Session(rustdb::Connection);

#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<rustdb::Error> for Failure {
    fn from(error: rustdb::Error) -> Self {
        Self(format!("{}: {error}", error.sqlstate().0))
    }
}

impl sqllogictest::DB for Session {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Failure> {
        let mut result = self.0.query(sql, ())?;
        let columns = result.columns().len();
        if columns == 0 {
            let affected = result.affected().unwrap_or(0);
            return Ok(DBOutput::StatementComplete(affected));
        }
        let mut rows = Vec::new();
        while let Some(row) = result.next()? {
            let cell = |column| -> Result<String, Failure> {
                let text = row.text(column)?;
                Ok(text.map_or_else(
                    || "NULL".to_owned(),
                    |text| if text.is_empty() { "(empty)".to_owned() } else { text },
                ))
            };
            rows.push((0..columns).map(cell).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Text; columns], rows })
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let names = OsVfs.list(&folder).expect("the folder of the files");
    let mut files: Vec<PathBuf> = names
        .into_iter()
        .map(|name| folder.join(name))
        .filter(|path| path.extension().is_some_and(|ending| ending == "slt"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Runs every record of a file; returns how many there are and what went wrong.
fn run_file(path: &Path, connect: impl Fn() -> rustdb::Connection) -> (usize, Vec<String>) {
    let records: Vec<Record<DefaultColumnType>> =
        sqllogictest::parse_file(path).expect("the file is well formed");
    let connection = Arc::new(connect());
    let mut runner = Runner::new(|| {
        let session = Session((*connection).clone());
        async move { Ok(session) }
    });
    let (mut count, mut failed) = (0, Vec::new());
    for record in records {
        count += usize::from(matches!(record, Record::Statement { .. } | Record::Query { .. }));
        if let Err(error) = runner.run(record) {
            failed.push(error.to_string());
        }
    }
    (count, failed)
}

fn check(name: &str, open: impl Fn(&str) -> Database) {
    let (mut total, mut failed) = (0, Vec::new());
    for path in files() {
        let topic = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let database = open(&topic);
        let (count, wrong) = run_file(&path, || database.connect().expect("a connection"));
        total += count;
        failed.extend(wrong);
    }
    eprintln!("{name}: {total} records, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn options(frames: Option<usize>, threads: Option<usize>) -> OpenOptions {
    OpenOptions { frames, threads, memory_limit: Some(64 << 20), ..OpenOptions::default() }
}

#[test]
fn answers_are_postgresqls_in_memory() {
    check("in memory", |_| Database::in_memory().expect("a database in memory"));
}

#[test]
fn answers_are_postgresqls_with_few_frames_and_one_thread() {
    let options = options(Some(64), Some(1));
    check("64 frames", |_| Database::open_with(":memory:", &options).expect("a database in memory"));
}

#[test]
fn answers_are_postgresqls_on_disk_and_after_opening_again() {
    let folder = std::env::temp_dir().join(format!("rustdb-sql-{}", std::process::id()));
    OsVfs.create_dir(&folder).expect("a folder");
    let options = options(None, None);
    let open = |topic: &str| {
        let path = folder.join(format!("{topic}.db"));
        let database = Database::open_path(&path, &options).expect("a database");
        database
            .connect()
            .expect("a connection")
            .execute("CREATE TABLE opened_before (i int)", ())
            .expect("a table");
        database.close().expect("closed");
        let database = Database::open_path(&path, &options).expect("the database again");
        database
            .connect()
            .expect("a connection")
            .execute("DROP TABLE opened_before", ())
            .expect("the table is there");
        database
    };
    check("on disk", open);
    for name in OsVfs.list(&folder).expect("its files") {
        OsVfs.remove(&folder.join(name)).expect("a file goes");
    }
    OsVfs.remove_dir(&folder).expect("the folder goes");
}
