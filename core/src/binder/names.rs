//! Looking up columns and tables by name, and what to say when there are none.

use super::Binder;
use super::scope::{Clause, Entry, ScopeColumn, Use};
use crate::error::{BindingError, Error, Result};
use crate::expr::Expr;
use crate::parser::ast::{Ident, Position};
use crate::plan::logical::ColumnId;

/// The most edits between a name and the one that is suggested.
const MAX_DISTANCE: usize = 3;

impl Binder<'_> {
    /// The value of `column`, `table.column`, `schema.table.column` or `database.schema.table.column`.
    pub(super) fn bind_column(&mut self, names: &[Ident]) -> Result<Expr> {
        let position = names[0].position;
        let clause = self.level().clause;
        if matches!(clause, Clause::Default | Clause::Execute) {
            let error = BindingError::ColumnNotAllowed { clause: clause.singular() };
            return Err(Error::from(error).at(position));
        }
        match names {
            [name] => match self.find_plain(&name.name, position)? {
                Some((level, column)) => Ok(self.read(level, &column, position)),
                None => Err(self.missing_plain(name)),
            },
            [.., table, name] => {
                let schema = self.schema_of(names)?;
                let Some((level, entry)) = self.find_entry(schema, table, position)? else {
                    return Err(self.missing_entry(schema, table).at(position));
                };
                let found: Vec<ScopeColumn> =
                    self.levels[level].entries[entry].named(&name.name).take(2).cloned().collect();
                match &found[..] {
                    [] => Err(self.missing_column(Some(&table.name), &name.name).at(position)),
                    [column] => Ok(self.read(level, column, position)),
                    _ => Err(ambiguous(&name.name).at(position)),
                }
            }
            [] => unreachable!("a column reference has a name"),
        }
    }

    /// The entry of the innermost level that `table` or `schema.table` names.
    pub(super) fn find_entry(
        &self,
        schema: Option<&str>,
        table: &Ident,
        position: Position,
    ) -> Result<Option<(usize, usize)>> {
        for (index, level) in self.levels.iter().enumerate().rev().filter(|(_, level)| !level.hidden) {
            let mut found = level.visible().filter(|(_, entry)| {
                entry.qualified
                    && entry.alias.as_deref() == Some(&*table.name)
                    && schema.is_none_or(|schema| {
                        !entry.renamed && entry.table.as_ref().is_some_and(|table| table.schema == schema)
                    })
            });
            if let Some((at, entry)) = found.next() {
                if found.next().is_some() {
                    let name = table.name.clone();
                    return Err(Error::from(BindingError::AmbiguousTable { name }).at(position));
                }
                self.check_lateral(entry, &table.name, position)?;
                return Ok(Some((index, at)));
            }
        }
        Ok(None)
    }

    /// The schema in a qualified name; its database must be this one.
    fn schema_of<'n>(&self, names: &'n [Ident]) -> Result<Option<&'n str>> {
        match names {
            [database, schema, _, _] => {
                if database.name != self.catalog.database() {
                    let name = names.iter().map(|name| &*name.name).collect::<Vec<_>>().join(".");
                    let error = BindingError::CrossDatabaseReference { name };
                    return Err(Error::from(error).at(database.position));
                }
                Ok(Some(&schema.name))
            }
            [schema, _, _] => Ok(Some(&schema.name)),
            _ => Ok(None),
        }
    }

    /// The level and the column that a plain name stands for.
    fn find_plain(&self, name: &str, position: Position) -> Result<Option<(usize, ScopeColumn)>> {
        for (index, level) in self.levels.iter().enumerate().rev().filter(|(_, level)| !level.hidden) {
            let entries = level.visible().map(|(_, entry)| entry).filter(|entry| entry.plain);
            let mut found = entries.flat_map(|entry| entry.named(name).map(move |column| (entry, column)));
            if let Some((entry, column)) = found.next() {
                if found.next().is_some() {
                    return Err(ambiguous(name).at(position));
                }
                self.check_lateral(entry, entry.alias.as_deref().unwrap_or_default(), position)?;
                return Ok(Some((index, column.clone())));
            }
        }
        Ok(None)
    }

    fn check_lateral(&self, entry: &Entry, name: &str, position: Position) -> Result<()> {
        if !entry.forbidden {
            return Ok(());
        }
        let error = Error::from(BindingError::InvalidLateral { name: name.to_owned() });
        Err(error
            .with_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
            .at(position))
    }

    /// The column's value, and a note that it was read.
    pub(super) fn read(&mut self, level: usize, column: &ScopeColumn, position: Position) -> Expr {
        for index in column.expr.columns() {
            let used = Use { id: ColumnId::of_index(index), position };
            self.reads.push((level, used.id));
            self.levels[level].uses.push(used);
        }
        column.expr.clone()
    }

    /// No column has the plain name; perhaps a table does.
    fn missing_plain(&self, name: &Ident) -> Error {
        match self.find_entry(None, name, name.position) {
            Ok(Some(_)) => super::not_supported("using a whole row as a value").at(name.position),
            Ok(None) => self.missing_column(None, &name.name).at(name.position),
            Err(error) => error,
        }
    }

    /// PostgreSQL's `errorMissingColumn`: the error with the best of its hints.
    fn missing_column(&self, table: Option<&str>, name: &str) -> Error {
        let error = Error::from(BindingError::UndefinedColumn {
            table: table.map(str::to_owned),
            name: name.to_owned(),
        });
        match self.suggest(table, name) {
            Suggestion::None => error,
            Suggestion::Hidden(table) => error.with_hint(format!(
                "There is a column named \"{name}\" in table \"{table}\", but it cannot be referenced from this \
                 part of the query."
            )),
            Suggestion::Column(table, column) => {
                error.with_hint(format!("Perhaps you meant to reference the column \"{table}.{column}\"."))
            }
            Suggestion::Columns([(table, column), (other_table, other)]) => error.with_hint(format!(
                "Perhaps you meant to reference the column \"{table}.{column}\" or the column \
                 \"{other_table}.{other}\"."
            )),
        }
    }

    /// PostgreSQL's `searchRangeTableForCol`: an exact match that cannot be seen, or the one or two closest names.
    fn suggest(&self, table: Option<&str>, name: &str) -> Suggestion {
        let mut distance = MAX_DISTANCE + 1;
        let mut best: Vec<(String, String)> = Vec::new();
        for entry in self.levels.iter().rev().flat_map(|level| &level.entries) {
            let Some(alias) = entry.alias.as_deref().filter(|_| !entry.is_join) else { continue };
            let penalty = match table {
                Some(table) if table != alias => edit_distance(table, alias),
                _ => 0,
            };
            if penalty == 0 && entry.named(name).next().is_some() {
                return Suggestion::Hidden(alias.to_owned());
            }
            for column in &entry.columns {
                let edits = edit_distance(name, &column.name);
                if penalty > distance || edits > name.len() / 2 {
                    continue;
                }
                let edits = edits + penalty;
                let candidate = || (alias.to_owned(), column.name.to_string());
                if edits < distance {
                    distance = edits;
                    best = vec![candidate()];
                } else if edits == distance && best.len() == 2 {
                    best.clear();
                    distance = edits.saturating_sub(1);
                } else if edits == distance && (!best.is_empty() || distance <= MAX_DISTANCE) {
                    best.push(candidate());
                }
            }
        }
        let mut best = best.into_iter();
        match (best.next(), best.next()) {
            (Some(first), Some(second)) => Suggestion::Columns([first, second]),
            (Some((table, column)), None) => Suggestion::Column(table, column),
            _ => Suggestion::None,
        }
    }

    /// PostgreSQL's `errorMissingRTE`: no table of that name can be seen.
    pub(super) fn missing_entry(&self, schema: Option<&str>, table: &Ident) -> Error {
        let name = table.name.clone();
        let mut entries = self.levels.iter().rev().flat_map(|level| &level.entries);
        let matching = entries.find(|entry| {
            entry.alias.as_deref() == Some(&name)
                || entry.table.as_ref().is_some_and(|table| {
                    table.name == name && schema.is_none_or(|schema| table.schema == schema)
                })
        });
        let Some((entry, alias)) = matching.and_then(|entry| Some((entry, entry.alias.as_deref()?))) else {
            return BindingError::MissingTableEntry { name }.into();
        };
        let error = Error::from(BindingError::InvalidTableReference { name: name.clone() });
        if entry.renamed && alias != name && entry.qualified {
            error.with_hint(format!("Perhaps you meant to reference the table alias \"{alias}\"."))
        } else {
            error.with_hint(format!(
                "There is an entry for table \"{alias}\", but it cannot be referenced from this part of the query."
            ))
        }
    }
}

/// What to suggest for a column that is not there.
enum Suggestion {
    None,
    /// The table that has it and cannot be seen.
    Hidden(String),
    /// A table and its column.
    Column(String, String),
    /// Two that are equally close.
    Columns([(String, String); 2]),
}

fn ambiguous(name: &str) -> Error {
    BindingError::AmbiguousColumn { name: name.to_owned() }.into()
}

/// Insertions, deletions and replacements of characters between two names.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("ab", "ba"), 2);
        assert_eq!(edit_distance("id", "id"), 0);
    }
}
