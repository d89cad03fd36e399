//! Sessions as clients see them: each test is a conversation, a line a statement, with what PostgreSQL answers.

mod isolation;
mod limits;
mod memory;
mod plans;
mod prepared;
mod progress;
mod results;
mod settings;
mod transactions;

use crate::database::{Connection, Database, Rows};
use crate::error::{Error, Result};

/// A database in memory with clients `a` and `b`.
fn two() -> [Connection; 2] {
    let database = Database::in_memory().unwrap();
    [database.connect().unwrap(), database.connect().unwrap()]
}

fn one() -> Connection {
    let [client, _] = two();
    client
}

fn text(mut rows: Rows) -> Result<String> {
    if rows.columns().is_empty() {
        let command = rows.command().to_owned();
        return Ok(rows.affected().map_or_else(|| command.clone(), |count| format!("{command} {count}")));
    }
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let cells: Result<Vec<String>> =
            (0..row.columns().len()).map(|i| Ok(row.text(i)?.unwrap_or_else(|| "null".to_owned()))).collect();
        lines.push(cells?.join("|"));
    }
    Ok(lines.join(" "))
}

fn said(error: &Error) -> String {
    format!("{}: {error}", error.sqlstate().0)
}

/// What a client is answered: rows as `a|b c|d`, a command tag, or the SQLSTATE and message of an error.
fn ask(client: &Connection, sql: &str) -> String {
    client.query(sql, ()).and_then(text).unwrap_or_else(|error| said(&error))
}

/// Has a conversation with a client.
fn talk(client: &Connection, lines: &[(&str, &str)]) {
    for (sql, answer) in lines {
        assert_eq!(ask(client, sql), *answer, "{sql}");
    }
}

/// Has a conversation with clients that are known by their letters.
fn talk_with(clients: &[Connection], lines: &[(char, &str, &str)]) {
    for (name, sql, answer) in lines {
        let client = &clients[usize::from(*name as u8 - b'a')];
        assert_eq!(ask(client, sql), *answer, "{name}: {sql}");
    }
}

fn warnings(client: &Connection) -> Vec<String> {
    client.take_notices().into_iter().map(|notice| format!("{}: {}", notice.code, notice.message)).collect()
}
