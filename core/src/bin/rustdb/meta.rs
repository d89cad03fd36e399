//! Commands of the shell itself: `.name`, and psql's `\name` for the same.

use crate::dump::dump;
use crate::quote::string;
use crate::render::Mode;
use crate::say;
use crate::session::Shell;
use clap::ValueEnum;
use rustdb::expr::functions::quote_ident;
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
.dump [TABLE]            SQL that makes a table again with its rows, or all tables
.read FILE  \\i FILE      runs a file of SQL
.quit  \\q                ends the shell";

/// The names of all commands.
pub(crate) fn commands() -> impl Iterator<Item = &'static str> {
    HELP.split_whitespace().filter(|word| word.starts_with(['.', '\\']))
}

/// Runs a command; false if it failed.
pub(crate) fn run(shell: &mut Shell, line: &str) -> bool {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
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
        (".dump", []) => return dump_to_output(shell, None),
        (".dump", [table]) => return dump_to_output(shell, Some(table)),
        (".import", [file, table]) => {
            let (file, table) = (string(file), quote_ident(table));
            return shell.run_sql(&format!("COPY {table} FROM {file} (FORMAT csv, HEADER)"));
        }
        (".export", [file, table]) => {
            let (file, table) = (string(file), quote_ident(table));
            return shell.run_sql(&format!("COPY {table} TO {file} (FORMAT csv, HEADER)"));
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

/// The words of a command, with quotes around those that have spaces; a quote inside them stands twice, as in SQL.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match quote {
            Some(open) if c == open => {
                if chars.next_if_eq(&open).is_some() {
                    word.push(c);
                } else {
                    quote = None;
                }
            }
            None if matches!(c, '"' | '\'') && !begun => (quote, begun) = (Some(c), true),
            None if c.is_whitespace() => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            Some(_) | None => {
                begun = true;
                word.push(c);
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

fn dump_to_output(shell: &mut Shell, table: Option<&str>) -> bool {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let dumped = dump(shell.connection(), table, &mut out);
    drop(out);
    match dumped {
        Ok(()) => true,
        Err(error) => wrong(shell, &format!(".dump: {error}")),
    }
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

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_may_be_quoted() {
        assert_eq!(words(" .read  a.sql "), [".read", "a.sql"]);
        assert_eq!(words(".import 'my file' \"A \"\"b\"\"\""), [".import", "my file", "A \"b\""]);
        assert_eq!(words(".nullvalue ''"), [".nullvalue", ""]);
        assert_eq!(words(".read it's"), [".read", "it's"]);
    }
}
