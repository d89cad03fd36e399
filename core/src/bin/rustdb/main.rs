//! The shell: SQL typed, piped or given as arguments, answered as tables.
//!
//! ```text
//!   args.rs     the command line             session.rs   running statements, errors with a caret
//!   render.rs   rows as text                 meta.rs      commands that begin with a dot or a backslash
//!   dump.rs     tables as SQL                quote.rs     values in SQL
//!   prompt.rs   lines typed at a terminal    complete.rs  what Tab makes of words
//!   progress.rs the bar under a long statement
//! ```

mod args;
mod complete;
mod dump;
mod meta;
mod progress;
mod prompt;
mod quote;
mod render;
mod session;

use args::Args;
use clap::Parser;
use session::Shell;
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

/// A statement failed.
const SQL_ERROR: u8 = 1;
/// The database cannot be opened.
const CANNOT_OPEN: u8 = 3;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(path) = &args.check {
        return check(path);
    }
    let mut shell = match Shell::open(&args) {
        Ok(shell) => shell,
        Err(error) => {
            complain(&format!("rustdb: cannot open \"{}\": {error}", args.location()));
            return ExitCode::from(CANNOT_OPEN);
        }
    };
    let succeeded = run(&mut shell, &args);
    match shell.close() {
        Ok(()) if succeeded => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(SQL_ERROR),
        Err(error) => {
            complain(&format!("rustdb: {error}"));
            ExitCode::from(SQL_ERROR)
        }
    }
}

/// Runs what the command line says; false if something failed.
fn run(shell: &mut Shell, args: &Args) -> bool {
    let given: Vec<&String> = args.command.iter().chain(&args.sql).collect();
    if !given.is_empty() || args.file.is_some() {
        let texts = given.into_iter().all(|text| shell.run_text(text) || !args.bail);
        let file = args.file.as_ref().is_none_or(|path| shell.run_file(path));
        return texts && file && !shell.has_failed();
    }
    if std::io::stdin().is_terminal() {
        prompt::run(shell);
        return true;
    }
    let mut text = String::new();
    if let Err(error) = std::io::stdin().read_to_string(&mut text) {
        complain(&format!("rustdb: standard input: {error}"));
        return false;
    }
    shell.run_text(&text);
    !shell.has_failed()
}

fn check(path: &std::path::Path) -> ExitCode {
    match rustdb::Database::check(path) {
        Ok(report) if report.problems.is_empty() => {
            say(&format!("ok: {} rows, {} pages", report.rows, report.pages));
            ExitCode::SUCCESS
        }
        Ok(report) => {
            report.problems.iter().for_each(|problem| complain(problem));
            ExitCode::from(SQL_ERROR)
        }
        Err(error) => {
            complain(&format!("rustdb: {error}"));
            ExitCode::from(CANNOT_OPEN)
        }
    }
}

/// A line on standard output. A reader that has gone needs no line.
fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}

/// A line on standard error.
fn complain(line: &str) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}
