//! The command line.

use crate::progress::When;
use crate::render::Mode;
use clap::Parser;
use std::path::PathBuf;

/// RustDB's shell: runs SQL on a database file.
///
/// Without SQL on the command line it reads statements from the terminal or standard input. `.help` lists its own
/// commands. Exit status: 0, 1 if a statement failed, 2 for a wrong command line, 3 if the database cannot be opened.
#[derive(Parser, Debug)]
#[command(name = "rustdb", version)]
pub(crate) struct Args {
    /// The database file, made if it is missing; a rustdb: URL; or :memory:, the default.
    pub(crate) database: Option<String>,
    /// SQL to run; then the shell ends.
    pub(crate) sql: Vec<String>,
    /// SQL to run, before other SQL; may be given several times.
    #[arg(short, long, value_name = "SQL")]
    pub(crate) command: Vec<String>,
    /// A file of SQL to run.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How rows are printed.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Short for --mode csv.
    #[arg(long)]
    pub(crate) csv: bool,
    /// Short for --mode json.
    #[arg(long)]
    pub(crate) json: bool,
    /// What NULL looks like.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) nullvalue: String,
    /// Column names are not printed.
    #[arg(long)]
    pub(crate) no_header: bool,
    /// Prints how long each statement took.
    #[arg(long)]
    pub(crate) timer: bool,
    /// Whether a bar on standard error shows how far a long statement is; auto: if that is a terminal.
    #[arg(long, value_enum, default_value_t = When::Auto)]
    pub(crate) progress: When,
    /// Stops at the first error.
    #[arg(long)]
    pub(crate) bail: bool,
    /// Prints each statement before it runs.
    #[arg(long)]
    pub(crate) echo: bool,
    /// Memory for the database, such as 256MB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory_limit: Option<String>,
    /// Threads that a query may use.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// A setting, as SET takes it: name=value; may be given several times.
    #[arg(short = 'v', long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Verifies every page, table and index of a database file, and ends.
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
}

impl Args {
    /// What to open.
    pub(crate) fn location(&self) -> &str {
        self.database.as_deref().unwrap_or(":memory:")
    }

    /// How rows are printed: as boxes where somebody looks at them.
    pub(crate) fn chosen_mode(&self, terminal: bool) -> Mode {
        match self.mode {
            Some(mode) => mode,
            None if self.csv => Mode::Csv,
            None if self.json => Mode::Json,
            None if terminal => Mode::Box,
            None => Mode::List,
        }
    }
}
