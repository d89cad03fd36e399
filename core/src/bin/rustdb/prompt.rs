//! Lines typed at a terminal, with history and completion. A statement may take several lines; ^C drops it, or stops the
//! one that runs.

use crate::complete::Completion;
use crate::session::Shell;
use crate::{complain, meta, say};
use rustdb::TransactionState;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};
use std::path::PathBuf;

fn history_file() -> Option<PathBuf> {
    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".rustdb_history"))
}

/// Reads and runs until the end.
pub(crate) fn run(shell: &mut Shell) {
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor: Editor<Completion, DefaultHistory> = match Editor::with_config(config) {
        Ok(editor) => editor,
        Err(error) => return complain(&format!("rustdb: the terminal cannot be used: {error}")),
    };
    // While a line is edited ^C is a key; otherwise it is a signal.
    let interrupt = shell.interrupt_handle();
    if let Err(error) = ctrlc::set_handler(move || interrupt.interrupt()) {
        complain(&format!("rustdb: ^C will end the shell: {error}"));
    }
    editor.set_helper(Some(Completion::new(shell.connection().clone())));
    let history = history_file();
    if let Some(path) = &history {
        // The first time there is none.
        editor.load_history(path).ok();
    }
    say("RustDB. \".help\" lists commands, \".quit\" ends.");
    let mut sql = String::new();
    while !shell.quit {
        let mark = match shell.transaction_state() {
            TransactionState::Idle => "",
            TransactionState::Active => "*",
            TransactionState::Failed => "!",
        };
        let prompt = if sql.is_empty() { format!("rustdb{mark}> ") } else { "   ...> ".to_owned() };
        if let Some(completion) = editor.helper_mut() {
            completion.before.clone_from(&sql);
        }
        match editor.readline(&prompt) {
            Ok(line) => {
                if sql.is_empty() && line.trim_start().starts_with(['.', '\\']) {
                    editor.add_history_entry(line.trim()).ok();
                    meta::run(shell, line.trim());
                    continue;
                }
                sql.push_str(&line);
                sql.push('\n');
                if sql.trim().is_empty() {
                    sql.clear();
                } else if rustdb::parser::is_complete(&sql) {
                    editor.add_history_entry(sql.trim()).ok();
                    shell.run_sql(&sql);
                    sql.clear();
                }
            }
            Err(ReadlineError::Interrupted) => sql.clear(),
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                complain(&format!("rustdb: {error}"));
                break;
            }
        }
    }
    if let Some(path) = &history {
        editor.save_history(path).ok();
    }
}
