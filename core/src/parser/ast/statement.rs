//! Statements.

use super::{
    ddl::{CreateIndex, CreateTable, CreateTableAs, DropObjects, Truncate},
    dml::{Delete, Insert, Update},
    name::{Ident, Position},
    query::Query,
    utility::{
        Analyze, Begin, Copy, Deallocate, Execute, Explain, Prepare, Set, SettingName, TransactionModes,
        Vacuum,
    },
};
use std::ops::Range;

/// One statement of a text.
#[derive(Clone, PartialEq, Debug)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// The parameters it takes.
    pub parameters: Parameters,
    /// Its bytes in the text that was parsed: from its first token to its last, without the semicolon.
    pub range: Range<usize>,
    /// Where its first token stands.
    pub position: Position,
}

impl Statement {
    /// More than it has joins, subqueries and levels of nesting: none takes fewer bytes.
    pub fn nodes(&self) -> usize {
        self.range.len() / 4
    }
}

/// The parameters of a statement.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// How many values must be given: the highest number, or the number of `?` or of different names.
    pub count: u32,
    /// The names of `$name` and `:name` in the order of their numbers; empty if parameters have numbers.
    pub names: Vec<String>,
}

impl Parameters {
    /// The number, from 1, of the parameter with a name.
    pub fn number(&self, name: &str) -> Option<u32> {
        let index = self.names.iter().position(|n| n == name)?;
        u32::try_from(index + 1).ok()
    }
}

/// What a statement is.
#[derive(Clone, PartialEq, Debug)]
pub enum StatementKind {
    /// `SELECT`, `VALUES`, `TABLE`, `WITH .. SELECT`
    Query(Box<Query>),
    /// `INSERT`
    Insert(Box<Insert>),
    /// `UPDATE`
    Update(Box<Update>),
    /// `DELETE`
    Delete(Box<Delete>),
    /// `TRUNCATE`
    Truncate(Truncate),
    /// `CREATE TABLE`
    CreateTable(Box<CreateTable>),
    /// `CREATE TABLE .. AS`
    CreateTableAs(Box<CreateTableAs>),
    /// `DROP TABLE`
    DropTable(DropObjects),
    /// `CREATE INDEX`
    CreateIndex(Box<CreateIndex>),
    /// `DROP INDEX`
    DropIndex(DropObjects),
    /// `BEGIN`, `START TRANSACTION`
    Begin(Begin),
    /// `COMMIT`, `END`
    Commit {
        /// `AND CHAIN`: begin another with the same modes.
        chain: bool,
    },
    /// `ROLLBACK`, `ABORT`
    Rollback {
        /// `AND CHAIN`: begin another with the same modes.
        chain: bool,
    },
    /// `SAVEPOINT name`
    Savepoint(Ident),
    /// `RELEASE [SAVEPOINT] name`
    Release(Ident),
    /// `ROLLBACK TO [SAVEPOINT] name`
    RollbackTo(Ident),
    /// `SET TRANSACTION`
    SetTransaction(TransactionModes),
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION`
    SetCharacteristics(TransactionModes),
    /// `SET name = value`
    Set(Set),
    /// `SHOW name`; none for `SHOW ALL`
    Show(Option<SettingName>),
    /// `RESET name`; none for `RESET ALL`
    Reset(Option<SettingName>),
    /// `PREPARE`
    Prepare(Box<Prepare>),
    /// `EXECUTE`
    Execute(Execute),
    /// `DEALLOCATE`
    Deallocate(Deallocate),
    /// `DISCARD ALL`: forget everything the session has set.
    DiscardAll,
    /// `EXPLAIN`
    Explain(Box<Explain>),
    /// `COPY`
    Copy(Box<Copy>),
    /// `ANALYZE`
    Analyze(Analyze),
    /// `VACUUM`
    Vacuum(Vacuum),
    /// `CHECKPOINT`
    Checkpoint,
}
