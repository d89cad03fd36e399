//! `.dump`: SQL that makes tables again, with their rows.
//!
//! ```text
//!   BEGIN;
//!   CREATE TABLE t (.., constraints);      each table with what is checked row by row
//!   INSERT INTO t VALUES (..), (..);
//!   CREATE INDEX i ON t (..);              made when the rows are there
//!   COMMIT;
//! ```
//! Everything is read in one transaction, under one snapshot. The tables are locked before the first is written, so that
//! nobody empties or drops one meanwhile; writers are not held up.

use crate::quote::{literal, string};
use rustdb::catalog::{IndexEntry, TableEntry, TableKind};
use rustdb::expr::functions::quote_ident;
use rustdb::types::DataType;
use rustdb::{Connection, Error, TransactionState};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

/// An INSERT gets no more rows once it is so long, in bytes: a reader of the text has to keep a whole statement.
const STATEMENT: usize = 32 << 10;
/// How often a dump begins anew because tables were changed while it locked them.
const ATTEMPTS: usize = 10;

/// Why there is no dump, or half of one, which has no COMMIT at its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    #[error("a dump is a transaction of its own; end the one that is open")]
    InTransaction,
    #[error("there is no table {0}")]
    NoTable(String),
    #[error("tables are being changed all the time; try again later")]
    Changing,
    #[error("{code}: {0}", code = .0.sqlstate().0)]
    Sql(#[from] Error),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

type Result<T> = std::result::Result<T, DumpError>;

/// Writes the SQL of a table, or of all.
pub(crate) fn dump(connection: &Connection, wanted: Option<&str>, out: &mut dyn Write) -> Result<()> {
    if connection.transaction_state() != TransactionState::Idle {
        return Err(DumpError::InTransaction);
    }
    let written = lock_tables(connection, wanted).and_then(|tables| write_tables(connection, &tables, out));
    // It has changed nothing, and after an error there is nothing else to do.
    connection.rollback().ok();
    written
}

fn tables(connection: &Connection, wanted: Option<&str>) -> Vec<Arc<TableEntry>> {
    let mut tables = connection.tables();
    tables.retain(|table| table.kind == TableKind::Base && wanted.is_none_or(|wanted| table.name == wanted));
    tables
}

/// Begins a transaction with a snapshot and locks the tables that are there for it.
fn lock_tables(connection: &Connection, wanted: Option<&str>) -> Result<Vec<Arc<TableEntry>>> {
    for _ in 0..ATTEMPTS {
        let before = tables(connection, wanted);
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())?;
        // The first takes the snapshot. One fails if its table is dropped just now: the list is another then.
        let locked = before.iter().try_for_each(|table| {
            connection.execute(&format!("SELECT FROM {} LIMIT 0", quote_ident(&table.name)), ()).map(drop)
        });
        let after = tables(connection, wanted);
        if before.len() == after.len() && before.iter().zip(&after).all(|(a, b)| Arc::ptr_eq(a, b)) {
            locked?;
            return match wanted {
                Some(name) if after.is_empty() => Err(DumpError::NoTable(name.to_owned())),
                _ => Ok(after),
            };
        }
        connection.rollback()?;
    }
    Err(DumpError::Changing)
}

fn write_tables(connection: &Connection, tables: &[Arc<TableEntry>], out: &mut dyn Write) -> Result<()> {
    writeln!(out, "BEGIN;")?;
    for table in tables {
        writeln!(out, "{}", create_table(table))?;
        write_rows(connection, table, out)?;
        for index in table.indexes.iter().filter(|index| !index.constraint) {
            writeln!(out, "{}", create_index(table, index))?;
        }
    }
    writeln!(out, "COMMIT;")?;
    Ok(out.flush()?)
}

fn create_table(table: &TableEntry) -> String {
    let mut parts: Vec<String> = Vec::new();
    for column in &table.columns {
        let not_null = if column.not_null { " NOT NULL" } else { "" };
        let default = column.default.as_ref().map_or_else(String::new, |sql| format!(" DEFAULT {sql}"));
        parts.push(format!("{} {}{not_null}{default}", quote_ident(&column.name), column.ty));
    }
    for key in table.indexes.iter().filter(|index| index.constraint) {
        let kind = if key.primary { "PRIMARY KEY" } else { "UNIQUE" };
        let columns: Vec<String> = key.columns.iter().map(|key| column_name(table, key.column)).collect();
        parts.push(format!("CONSTRAINT {} {kind} ({})", quote_ident(&key.name), columns.join(", ")));
    }
    for check in &table.checks {
        parts.push(format!("CONSTRAINT {} CHECK ({})", quote_ident(&check.name), check.sql));
    }
    let body = if parts.is_empty() { String::new() } else { format!("\n    {}\n", parts.join(",\n    ")) };
    format!("CREATE TABLE {} ({body});", quote_ident(&table.name))
}

fn column_name(table: &TableEntry, number: u16) -> String {
    table.columns.get(usize::from(number)).map_or_else(String::new, |column| quote_ident(&column.name))
}

fn create_index(table: &TableEntry, index: &IndexEntry) -> String {
    let column = |key: &rustdb::catalog::IndexColumn| {
        let direction = if key.descending { " DESC" } else { "" };
        let nulls = match (key.descending, key.nulls_first) {
            (true, false) => " NULLS LAST",
            (false, true) => " NULLS FIRST",
            (true, true) | (false, false) => "",
        };
        format!("{}{direction}{nulls}", column_name(table, key.column))
    };
    let columns: Vec<String> = index.columns.iter().map(column).collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (name, table) = (quote_ident(&index.name), quote_ident(&table.name));
    format!("CREATE {unique}INDEX {name} ON {table} ({});", columns.join(", "))
}

fn write_rows(connection: &Connection, table: &TableEntry, out: &mut dyn Write) -> Result<()> {
    let name = quote_ident(&table.name);
    if table.columns.is_empty() {
        let mut rows = connection.query(&format!("SELECT count(*) FROM {name}"), ())?;
        let count = rows.next()?.map_or(Ok(0), |row| row.get::<i64>(0))?;
        for _ in 0..count {
            writeln!(out, "INSERT INTO {name} DEFAULT VALUES;")?;
        }
        return Ok(());
    }
    let columns: Vec<String> = table.columns.iter().map(|column| quote_ident(&column.name)).collect();
    let mut rows = connection.query(&format!("SELECT {} FROM {name}", columns.join(", ")), ())?;
    let mut insert = String::new();
    while let Some(row) = rows.next()? {
        if insert.is_empty() {
            write!(insert, "INSERT INTO {name} VALUES ").ok();
        } else {
            insert.push_str(", ");
        }
        for (number, column) in table.columns.iter().enumerate() {
            let text = row.text(number)?;
            insert.push(if number == 0 { '(' } else { ',' });
            insert.push_str(&exact(text.as_deref(), &column.ty));
        }
        insert.push(')');
        if insert.len() >= STATEMENT {
            writeln!(out, "{insert};")?;
            insert.clear();
        }
    }
    if !insert.is_empty() {
        writeln!(out, "{insert};")?;
    }
    Ok(())
}

/// A literal that is read as the same value. A number with a point is a decimal before it is a float, so floats are given
/// as texts.
fn exact(text: Option<&str>, ty: &DataType) -> String {
    match (text, ty) {
        (Some(text), DataType::Real | DataType::Double) => string(text),
        _ => literal(text, ty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustdb::Database;

    fn dumped(connection: &Connection, wanted: Option<&str>) -> Result<String> {
        let mut out = Vec::new();
        dump(connection, wanted, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn everything_a_table_says_is_written() {
        let client = Database::in_memory().unwrap().connect().unwrap();
        let script =
            "CREATE TABLE b (\"Order\" int DEFAULT 1 + 1, n numeric(5,2) NOT NULL, t text DEFAULT 'it''s', \
             CONSTRAINT few UNIQUE (n, \"Order\"), CHECK (n > 0));
             CREATE TABLE a (id bigint PRIMARY KEY);
             CREATE TABLE bare ();
             CREATE UNIQUE INDEX once ON b (t DESC, n NULLS FIRST);
             CREATE INDEX often ON b (n DESC NULLS LAST);
             INSERT INTO b (n, t) VALUES (1.50, NULL), (2, 'x');
             INSERT INTO bare DEFAULT VALUES;";
        client.run_script(script, &mut |_| Ok(())).unwrap();
        let b = "CREATE TABLE b (\n    \"Order\" integer DEFAULT 1 + 1,\n    n numeric(5,2) NOT NULL,\n    \
             t text DEFAULT 'it''s',\n    CONSTRAINT few UNIQUE (n, \"Order\"),\n    \
             CONSTRAINT b_n_check CHECK (n > 0)\n);\n\
             INSERT INTO b VALUES (2,1.50,NULL), (2,2.00,'x');\n\
             CREATE UNIQUE INDEX once ON b (t DESC, n NULLS FIRST);\n\
             CREATE INDEX often ON b (n DESC NULLS LAST);\n";
        let a = "CREATE TABLE a (\n    id bigint NOT NULL,\n    CONSTRAINT a_pkey PRIMARY KEY (id)\n);\n";
        let bare = "CREATE TABLE bare ();\nINSERT INTO bare DEFAULT VALUES;\n";
        assert_eq!(dumped(&client, None).unwrap(), format!("BEGIN;\n{a}{b}{bare}COMMIT;\n"));
        assert_eq!(dumped(&client, Some("a")).unwrap(), format!("BEGIN;\n{a}COMMIT;\n"));
        assert_eq!(client.transaction_state(), TransactionState::Idle);
    }

    #[test]
    fn a_dump_that_cannot_be_is_refused() {
        let client = Database::in_memory().unwrap().connect().unwrap();
        assert!(matches!(dumped(&client, Some("t")), Err(DumpError::NoTable(_))));
        assert_eq!(client.transaction_state(), TransactionState::Idle);
        client.begin().unwrap();
        assert!(matches!(dumped(&client, None), Err(DumpError::InTransaction)));
        assert_eq!(client.transaction_state(), TransactionState::Active, "whose it is goes on");
    }

    /// Lets another client act when the dump's first bytes are written.
    struct Meanwhile<'a> {
        act: Option<Box<dyn FnOnce() + 'a>>,
        written: Vec<u8>,
    }

    impl Write for Meanwhile<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(act) = self.act.take() {
                act();
            }
            self.written.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_tables_are_as_they_were_at_one_time() {
        let database = Database::in_memory().unwrap();
        let [client, other] = [database.connect().unwrap(), database.connect().unwrap()];
        let script = "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)";
        client.run_script(script, &mut |_| Ok(())).unwrap();
        let act = || {
            other.execute("INSERT INTO a VALUES (2)", ()).unwrap();
            other.execute("UPDATE b SET n = 2", ()).unwrap();
            other.execute("SET lock_timeout = '1ms'", ()).unwrap();
            for sql in ["TRUNCATE b", "DROP TABLE b"] {
                let refused = other.execute(sql, ()).expect_err("the table is locked");
                assert_eq!(refused.sqlstate().0, "55P03", "{sql}");
            }
        };
        let mut out = Meanwhile { act: Some(Box::new(act)), written: Vec::new() };
        dump(&client, None, &mut out).unwrap();
        let text = String::from_utf8(out.written).unwrap();
        assert!(text.contains("INSERT INTO a VALUES (1);\n"), "{text}");
        assert!(text.contains("INSERT INTO b VALUES (1);\n"), "{text}");
        other.execute("DROP TABLE b", ()).unwrap();
    }

    #[test]
    fn a_dump_that_cannot_be_written_has_failed() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let client = Database::in_memory().unwrap().connect().unwrap();
        assert!(matches!(dump(&client, None, &mut Full), Err(DumpError::Write(_))));
        assert_eq!(client.transaction_state(), TransactionState::Idle);
    }
}
