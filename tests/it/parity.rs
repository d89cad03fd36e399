//! What every way into the engine must answer alike (`tests/parity/steps.txt`), through the Rust API. C, Python,
//! Node.js and the shell have a test of their own that reads the same file.

use rustdb::{Connection, Database, Result};

/// The steps: SQL, and what is to come of it.
fn steps() -> Vec<(String, Vec<String>)> {
    let text = include_str!("../parity/steps.txt");
    let blocks = text.split("\n\n").filter(|block| !block.starts_with('#'));
    blocks
        .map(|block| {
            let is_answer = |line: &&str| matches!(line.as_bytes(), [b'=' | b'~' | b'%' | b'!', b' ', ..]);
            let (answer, sql): (Vec<&str>, Vec<&str>) = block.lines().partition(is_answer);
            (sql.join("\n"), answer.into_iter().map(str::to_owned).collect())
        })
        .collect()
}

fn answer(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut rows = connection.query(sql, ())?;
    if rows.columns().is_empty() {
        return Ok(rows.affected().map(|count| format!("~ {count}")).into_iter().collect());
    }
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let cell = |column| Ok(row.text(column)?.unwrap_or_else(|| "null".to_owned()));
        let cells: Result<Vec<String>> = (0..row.columns().len()).map(cell).collect();
        lines.push(format!("= {}", cells?.join("|")));
    }
    Ok(lines)
}

#[test]
fn the_rust_api_answers_as_all_do() {
    let connection = Database::in_memory().unwrap().connect().unwrap();
    let steps = steps();
    assert!(steps.len() > 20);
    for (sql, expected) in steps {
        let mut got = match answer(&connection, &sql) {
            Ok(lines) => lines,
            Err(error) => vec![format!("! {}", error.sqlstate().0)],
        };
        if expected.first().is_some_and(|line| line.starts_with('%')) {
            got = vec![format!("% {}", got.len())];
        }
        assert_eq!(got, expected, "{sql}");
    }
}
