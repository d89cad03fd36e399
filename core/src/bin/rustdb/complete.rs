//! What Tab makes of the word before the cursor.
//!
//! ```text
//!   .du                 commands of the shell, at the beginning of a line; behind one, tables
//!   from pl  "Big ta    tables
//!   p.na                columns of the table or alias before the point
//!   na                  columns of the tables that the statement names, or of all; tables; keywords
//! ```
//! There is no grammar here: a suggestion may be wrong at its place, it only must not get in the way. Nothing is
//! suggested within texts, and for a word of which no letter is known only where a table must follow.

use crate::meta;
use rustdb::Connection;
use rustdb::catalog::{TableEntry, TableKind};
use rustdb::expr::functions::quote_ident;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::collections::HashSet;
use std::sync::Arc;

/// Words that a table's name follows.
const BEFORE_TABLES: [&str; 5] = ["from", "join", "into", "update", "table"];

/// Completes words by what a connection sees.
pub(crate) struct Completion {
    connection: Connection,
    /// The lines of the statement before the one that is edited.
    pub(crate) before: String,
}

impl Completion {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, before: String::new() }
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let mut tables = self.connection.tables();
        tables.retain(|table| table.kind == TableKind::Base);
        let text = format!("{}{line}", self.before);
        let (start, candidates) = complete(&tables, &text, self.before.len() + at);
        Ok((start.saturating_sub(self.before.len()), candidates))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}

impl Hinter for Completion {
    type Hint = String;
}

/// The part of a text that is completed.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Where it begins, its quote included.
    start: usize,
    /// What of it is there.
    typed: &'a str,
    quoted: bool,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// The name at the end of a text; `None` within a string.
fn place(text: &str) -> Option<Place<'_>> {
    let mut quote: Option<(char, usize)> = None;
    for (at, c) in text.char_indices() {
        match quote {
            Some((open, _)) if c == open => quote = None,
            None if matches!(c, '\'' | '"') => quote = Some((c, at)),
            Some(_) | None => {}
        }
    }
    match quote {
        Some(('"', start)) => Some(Place { start, typed: &text[start + 1..], quoted: true }),
        Some(_) => None,
        None => {
            let typed = text.rsplit(|c| !is_word(c)).next().unwrap_or_default();
            Some(Place { start: text.len() - typed.len(), typed, quoted: false })
        }
    }
}

/// Where the word at a place of a text begins, and what it may become.
fn complete(tables: &[Arc<TableEntry>], text: &str, at: usize) -> (usize, Vec<String>) {
    let before = text.get(..at).unwrap_or(text);
    let command = before.starts_with(['.', '\\']);
    if command && !before.contains(char::is_whitespace) {
        let commands = meta::commands().filter(|name| name.starts_with(before));
        return (0, commands.map(str::to_owned).collect());
    }
    let Some(place) = place(before) else { return (at, Vec::new()) };
    let head = &before[..place.start];
    let (names, keywords) = if let Some(qualifier) = qualifier(head) {
        (named_by(tables, text, qualifier).map(|table| columns(table).collect()).unwrap_or_default(), false)
    } else if command || needs_table(head) {
        (tables.iter().map(|table| table.name.as_str()).collect(), false)
    } else if place.typed.is_empty() {
        (Vec::new(), false)
    } else {
        (names(tables, text), !place.quoted)
    };
    let begin = place.typed.to_lowercase();
    let matching = names.into_iter().filter(|name| name.to_lowercase().starts_with(&begin));
    let mut candidates: Vec<String> = matching.map(|name| written(name, place)).collect();
    candidates.sort_unstable();
    if keywords {
        candidates.extend(matching_keywords(place.typed));
    }
    // A keyword may be the name of a column.
    let mut seen = HashSet::new();
    candidates.retain(|candidate| seen.insert(candidate.clone()));
    (place.start, candidates)
}

fn columns(table: &TableEntry) -> impl Iterator<Item = &str> {
    table.columns.iter().map(|column| column.name.as_str())
}

/// The tables, and the columns of those that a text names, or of all.
fn names<'t>(tables: &'t [Arc<TableEntry>], text: &str) -> Vec<&'t str> {
    let any = tables.iter().any(|table| is_named(table, text));
    let meant = tables.iter().filter(|table| !any || is_named(table, text));
    meant.flat_map(|table| columns(table)).chain(tables.iter().map(|table| table.name.as_str())).collect()
}

fn written(name: &str, place: Place<'_>) -> String {
    let plain = quote_ident(name);
    // A quote that stands there already is kept.
    if place.quoted && !plain.starts_with('"') { format!("\"{plain}\"") } else { plain }
}

/// Keywords that begin like this, in capitals if it is.
fn matching_keywords(typed: &str) -> impl Iterator<Item = String> {
    let capitals = typed.chars().all(|c| !c.is_lowercase());
    let begin = typed.to_lowercase();
    rustdb::parser::keywords()
        .filter(move |word| word.starts_with(&begin))
        .map(move |word| if capitals { word.to_uppercase() } else { word.to_owned() })
}

/// The name before the point that a text ends with.
fn qualifier(head: &str) -> Option<&str> {
    let head = head.strip_suffix('.')?;
    match head.strip_suffix('"') {
        Some(open) => open.rsplit('"').next(),
        None => head.rsplit(|c| !is_word(c)).next().filter(|name| !name.is_empty()),
    }
}

fn needs_table(head: &str) -> bool {
    let last = head.split_whitespace().next_back().filter(|_| head.ends_with(char::is_whitespace));
    last.is_some_and(|last| BEFORE_TABLES.iter().any(|word| word.eq_ignore_ascii_case(last)))
}

fn is_named(table: &TableEntry, text: &str) -> bool {
    words(text).any(|word| word.eq_ignore_ascii_case(&table.name))
        || text.contains(&format!("\"{}\"", table.name))
}

/// The table that a name before a point means: its own, or an alias, `table [AS] alias`.
fn named_by<'t>(tables: &'t [Arc<TableEntry>], text: &str, name: &str) -> Option<&'t Arc<TableEntry>> {
    let find = |name: &str| tables.iter().find(|table| table.name.eq_ignore_ascii_case(name));
    find(name).or_else(|| {
        let words: Vec<&str> = words(text).filter(|word| !word.eq_ignore_ascii_case("as")).collect();
        words.windows(2).filter(|pair| pair[1].eq_ignore_ascii_case(name)).find_map(|pair| find(pair[0]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may become of the word before the bar in `text`: the text up to there with each of the candidates.
    fn check(text: &str, expected: &[&str]) {
        let connection = rustdb::Database::in_memory().unwrap().connect().unwrap();
        let script = "CREATE TABLE planets (id int, name text, \"Order\" int); CREATE TABLE moons (planet int, size int);
            CREATE TABLE \"Big Table\" (n int)";
        connection.run_script(script, &mut |_| Ok(())).unwrap();
        let at = text.find('|').unwrap();
        let (start, candidates) = complete(&connection.tables(), &text.replace('|', ""), at);
        let whole: Vec<String> = candidates.iter().map(|word| format!("{}{word}", &text[..start])).collect();
        assert_eq!(whole, expected, "{text}");
    }

    #[test]
    fn commands_are_completed_at_the_beginning() {
        check(".du|", &[".dump"]);
        check("\\t|", &["\\timing"]);
        check("select .du|", &[]);
        check(".dump |", &[".dump \"Big Table\"", ".dump moons", ".dump planets"]);
        check(".dump pl|", &[".dump planets"]);
        check("\\d b|", &["\\d \"Big Table\""]);
    }

    #[test]
    fn keywords_keep_their_case() {
        check("selec|", &["select"]);
        check("SELEC|", &["SELECT"]);
        check(
            "insert into moons va|",
            &[
                "insert into moons vacuum",
                "insert into moons valid",
                "insert into moons validate",
                "insert into moons validator",
                "insert into moons value",
                "insert into moons values",
                "insert into moons varchar",
                "insert into moons variadic",
                "insert into moons varying",
            ],
        );
    }

    #[test]
    fn tables_follow_some_words() {
        check(
            "select * from |",
            &["select * from \"Big Table\"", "select * from moons", "select * from planets"],
        );
        check("select * FROM P|", &["select * FROM planets"]);
        check("select * from \"b|", &["select * from \"Big Table\""]);
        check("select * from \"pl|", &["select * from \"planets\""]);
        check("insert into mo|", &["insert into moons"]);
        check("select |", &[]);
    }

    #[test]
    fn columns_are_those_of_tables_that_are_named() {
        check(
            "select na| from planets",
            &["select name", "select names", "select national", "select natural"],
        );
        check("select siz| from planets", &[]);
        check("select siz|", &["select size"]);
        check("select p.| from planets as p", &["select p.\"Order\"", "select p.id", "select p.name"]);
        check(
            "select * from moons m,\nplanets p where m.s|",
            &["select * from moons m,\nplanets p where m.size"],
        );
        check("select planets.o|", &["select planets.\"Order\""]);
        check("select \"Big Table\".|", &["select \"Big Table\".n"]);
        check("select x.|", &[]);
    }

    #[test]
    fn texts_are_left_alone() {
        check("select 'it''s sel|", &[]);
        check("select 'it''s' fro|", &["select 'it''s' from"]);
    }
}
