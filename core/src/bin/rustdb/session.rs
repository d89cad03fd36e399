//! Running statements: one connection, its results and its errors.

use crate::args::Args;
use crate::progress::{DELAY, ProgressBar, Shown, When};
use crate::render::{Style, print};
use crate::{complain, meta};
use rustdb::parser::statements;
use rustdb::{Connection, Database, Error, InterruptHandle, OpenOptions, Result, TransactionState};
use std::io::{IsTerminal, Write};
use std::path::Path;

/// A shell on an open database.
pub(crate) struct Shell {
    database: Option<Database>,
    connection: Option<Connection>,
    bar: Option<ProgressBar>,
    pub(crate) style: Style,
    pub(crate) timer: bool,
    pub(crate) echo: bool,
    pub(crate) bail: bool,
    pub(crate) quit: bool,
    failed: bool,
}

impl Shell {
    pub(crate) fn open(args: &Args) -> Result<Self> {
        let mut options = OpenOptions { threads: args.threads, ..OpenOptions::default() };
        let named = args.memory_limit.iter().map(|size| ("memory_limit", size.as_str()));
        let set = args.set.iter().map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        for (name, value) in named.chain(set) {
            options.set(name, value)?;
        }
        let database = Database::open_with(args.location(), &options)?;
        let connection = database.connect()?;
        let terminal = std::io::stdout().is_terminal();
        let style =
            Style { mode: args.chosen_mode(terminal), header: !args.no_header, null: args.nullvalue.clone() };
        let wanted = match args.progress {
            When::Auto => std::io::stderr().is_terminal(),
            When::On => true,
            When::Off => false,
        };
        let bar = || ProgressBar::new(connection.progress_handle(), Box::new(std::io::stderr()), DELAY);
        let bar = wanted.then(bar);
        Ok(Self {
            database: Some(database),
            connection: Some(connection),
            bar,
            style,
            timer: args.timer,
            echo: args.echo,
            bail: args.bail,
            quit: false,
            failed: false,
        })
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.connection = None;
        self.database.take().map_or(Ok(()), Database::close)
    }

    /// The connection; there is one until the shell is closed.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("the shell is open")
    }

    /// Stops the running statement, from any thread.
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.connection().interrupt_handle()
    }

    pub(crate) fn transaction_state(&self) -> TransactionState {
        self.connection().transaction_state()
    }

    /// Whether a statement has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn fail(&mut self, message: &str) {
        self.failed = true;
        complain(message);
    }

    /// Runs a file; false if something failed.
    pub(crate) fn run_file(&mut self, path: &Path) -> bool {
        let text = std::fs::read_to_string(path);
        match text {
            Ok(text) => self.run_text(&text),
            Err(error) => {
                self.fail(&format!("{}: {error}", path.display()));
                false
            }
        }
    }

    /// Runs statements and commands of the shell, which stand on lines of their own; false if something failed.
    pub(crate) fn run_text(&mut self, text: &str) -> bool {
        let mut succeeded = true;
        let mut sql = String::new();
        // A line keeps its end: within quotes that is part of a value.
        for line in text.split_inclusive('\n') {
            let first = sql.trim().is_empty();
            if first && line.trim_start().starts_with(['.', '\\']) {
                succeeded &= meta::run(self, line.trim());
                sql.clear();
            } else {
                sql.push_str(line);
                // All of the text is gone through to see whether a statement has ended: not at every line of a long one.
                let may_end = first || line.contains(';') || line.contains("*/");
                if !may_end || !rustdb::parser::is_complete(&sql) {
                    continue;
                }
                succeeded &= self.run_sql(&sql);
                sql.clear();
            }
            if self.quit || (self.bail && !succeeded) {
                return succeeded;
            }
        }
        if !sql.trim().is_empty() {
            succeeded &= self.run_sql(&sql);
        }
        succeeded
    }

    /// Runs statements, each by itself.
    pub(crate) fn run_sql(&mut self, sql: &str) -> bool {
        let mut succeeded = true;
        for item in statements(sql) {
            let text = &sql[item.range.clone()];
            if self.echo {
                crate::say(text);
            }
            let result = match item.statement {
                Ok(_) => self.run_statement(text),
                // What is wrong with the text is said with the text's own positions.
                Err(_) => self.connection().query(text, ()).map(drop),
            };
            if let Err(error) = result {
                succeeded = false;
                self.fail(&describe(&error, text));
                if self.bail {
                    return false;
                }
            }
        }
        succeeded
    }

    fn run_statement(&mut self, text: &str) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "the user's time, not the database's")]
        let begun = std::time::Instant::now();
        let shown = self.bar.as_ref().map(ProgressBar::start);
        let mut rows = self.connection().query(text, ())?;
        let mut out = std::io::BufWriter::new(Answer { shown, out: std::io::stdout().lock() });
        if rows.columns().is_empty() {
            rows.next_chunk()?;
            if std::io::stdout().is_terminal() {
                let tag = match (rows.command(), rows.affected()) {
                    ("INSERT", Some(count)) => format!("INSERT 0 {count}"),
                    (command, Some(count)) => format!("{command} {count}"),
                    (command, None) => command.to_owned(),
                };
                writeln!(out, "{tag}").ok();
            }
        } else {
            print(&mut rows, &self.style, &mut out)?;
        }
        out.flush().ok();
        drop(out);
        drop(rows);
        for notice in self.connection().take_notices() {
            complain(&format!("{}:  {}", notice.severity, notice.message));
        }
        if self.timer {
            crate::say(&format!("Time: {:.3} ms", begun.elapsed().as_secs_f64() * 1e3));
        }
        Ok(())
    }
}

/// Standard output, where what is written takes the bar's place.
struct Answer<'a> {
    shown: Option<Shown<'a>>,
    out: std::io::StdoutLock<'static>,
}

impl Write for Answer<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(shown) = self.shown.take() {
            shown.hide();
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

/// An error as psql prints it: the line it is about, with a caret, and what else is known.
pub(crate) fn describe(error: &Error, sql: &str) -> String {
    let mut out = format!("ERROR:  {}: {error}", error.sqlstate().0);
    if let Some(position) = error.position().and_then(|position| usize::try_from(position).ok())
        && position > 0
    {
        let before: String = sql.chars().take(position - 1).collect();
        let line = before.matches('\n').count();
        let column = before.chars().rev().take_while(|&c| c != '\n').count();
        if let Some(text) = sql.lines().nth(line) {
            let label = format!("LINE {}: ", line + 1);
            let spaces = " ".repeat(label.len() + column);
            out.push_str(&format!("\n{label}{text}\n{spaces}^"));
        }
    }
    for (name, text) in [("DETAIL", error.detail()), ("HINT", error.hint()), ("CONTEXT", error.context())] {
        if let Some(text) = text {
            out.push_str(&format!("\n{name}:  {text}"));
        }
    }
    out
}
