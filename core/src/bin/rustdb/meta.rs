//! Commands of the shell itself: `.name`, and psql's `\name` for the same.

use crate::render::Mode;
use crate::say;
use crate::session::Shell;
use clap::ValueEnum;
use std::path::Path;

const HELP: &str = "\
.help                    this list
.tables  \\dt             tables
.schema [TABLE]  \\d TABLE  columns and indexes of a table, or of all
.indexes  \\di            indexes
.mode MODE               box column list line csv tsv json jsonlines markdown insert quote null
.headers on|off          column names
.nullvalue TEXT          what NULL looks like
.timer on|off  \\timing   how long statements take
.import FILE TABLE       rows of a CSV file with a header, into a table
.export FILE TABLE       rows of a table, into a CSV file with a header
.read FILE  \\i FILE      runs a file of SQL
.quit  \\q                ends the shell";

/// Runs a command; false if it failed.
pub(crate) fn run(shell: &mut Shell, line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((&name, arguments)) = words.split_first() else { return true };
    match (name, arguments) {
        (".help" | "\\?", _) => say(HELP),
        (".quit" | ".exit" | "\\q", _) => shell.quit = true,
        (".tables" | "\\dt", _) => return tables(shell),
        (".indexes" | "\\di", _) => return indexes(shell),
        (".schema" | "\\d", []) => return schema(shell, None),
        (".schema" | "\\d", [table]) => return schema(shell, Some(table)),
        (".mode", [mode]) => match Mode::from_str(mode, true) {
            Ok(mode) => shell.style.mode = mode,
            Err(_) => return wrong(shell, &format!("there is no mode {mode}; .help lists them")),
        },
        (".headers" | ".header", [state]) => match switch(state) {
            Some(on) => shell.style.header = on,
            None => return wrong(shell, "on or off"),
        },
        (".nullvalue", [text]) => shell.style.null = (*text).to_owned(),
        (".timer", [state]) => match switch(state) {
            Some(on) => shell.timer = on,
            None => return wrong(shell, "on or off"),
        },
        ("\\timing", _) => shell.timer = !shell.timer,
        (".read" | "\\i", [path]) => return shell.run_file(Path::new(path)),
        (".import", [file, table]) => {
            let (file, table) = (file.replace('\'', "''"), identifier(table));
            return shell.run_sql(&format!("COPY {table} FROM '{file}' (FORMAT csv, HEADER)"));
        }
        (".export", [file, table]) => {
            let (file, table) = (file.replace('\'', "''"), identifier(table));
            return shell.run_sql(&format!("COPY {table} TO '{file}' (FORMAT csv, HEADER)"));
        }
        _ => return wrong(shell, &format!("{line}: no such command, or other arguments; .help lists them")),
    }
    true
}

fn wrong(shell: &mut Shell, message: &str) -> bool {
    shell.fail(message);
    false
}

fn switch(state: &str) -> Option<bool> {
    match state {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn tables(shell: &mut Shell) -> bool {
    shell.connection().tables().iter().for_each(|table| say(&table.name));
    true
}

fn indexes(shell: &mut Shell) -> bool {
    for table in shell.connection().tables() {
        table.indexes.iter().for_each(|index| say(&format!("{} on {}", index.name, table.name)));
    }
    true
}

fn schema(shell: &mut Shell, wanted: Option<&str>) -> bool {
    let tables = shell.connection().tables();
    let mut found = false;
    for table in tables.iter().filter(|table| wanted.is_none_or(|wanted| table.name == wanted)) {
        found = true;
        say(&format!("Table \"{}.{}\"", table.schema, table.name));
        for column in &table.columns {
            let not_null = if column.not_null { " not null" } else { "" };
            let default = column.default.as_ref().map_or_else(String::new, |sql| format!(" default {sql}"));
            say(&format!("  {} {}{not_null}{default}", column.name, column.ty));
        }
        for index in &table.indexes {
            let kind = match (index.primary, index.unique) {
                (true, _) => "primary key",
                (false, true) => "unique",
                (false, false) => "index",
            };
            let columns: Vec<&str> = index
                .columns
                .iter()
                .filter_map(|column| table.columns.get(usize::from(column.column)))
                .map(|column| column.name.as_str())
                .collect();
            say(&format!("  {kind} {} ({})", index.name, columns.join(", ")));
        }
        for check in &table.checks {
            say(&format!("  check {} ({})", check.name, check.sql));
        }
    }
    match wanted {
        Some(name) if !found => wrong(shell, &format!("there is no table {name}")),
        _ => true,
    }
}
