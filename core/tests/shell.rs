//! The shell from outside: what it is given and what it writes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs the shell with some arguments and this on its standard input.
fn shell(arguments: &[&str], input: &str) -> Output {
    let mut shell = Command::new(env!("CARGO_BIN_EXE_rustdb"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut pipe = shell.stdin.take().expect("piped");
    pipe.write_all(input.as_bytes()).expect("the shell reads");
    drop(pipe);
    shell.wait_with_output().expect("the shell ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What every way into the engine must answer alike (`tests/parity/steps.txt`): rows on the output, errors where they
/// belong.
#[test]
fn the_shell_answers_as_all_do() {
    let steps = include_str!("../../tests/parity/steps.txt");
    let (mut script, mut rows, mut errors) = (String::new(), String::new(), Vec::new());
    for block in steps.split("\n\n").filter(|block| !block.starts_with('#') && !block.contains("\n% ")) {
        let is_answer = |line: &&str| matches!(line.as_bytes(), [b'=' | b'~' | b'!', b' ', ..]);
        let (answer, sql): (Vec<&str>, Vec<&str>) = block.lines().partition(is_answer);
        script += &format!("{};\n", sql.join("\n"));
        for line in answer {
            match line.split_at(2) {
                ("= ", row) => rows += &format!("{row}\n"),
                ("! ", state) => errors.push(state),
                _ => {}
            }
        }
    }
    let output = shell(&["--mode", "list", "--no-header", "--nullvalue", "null"], &script);
    assert_eq!(text(&output.stdout), rows);
    let complaints = text(&output.stderr);
    let states = complaints.lines().filter_map(|line| line.strip_prefix("ERROR:  ")?.get(..5));
    assert_eq!(states.collect::<Vec<_>>(), errors, "{complaints}");
    assert_eq!(output.status.code(), Some(1), "some steps fail");
}

/// A statement that is stopped after a time longer than it takes a bar to appear, and has done nothing by then.
const LONG: &str = "SET statement_timeout = '2500ms'; SELECT count(*) FROM generate_series(1, 100000000000);";

#[test]
fn pipes_get_no_progress_bar() {
    let output = shell(&[], LONG);
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "ERROR:  57014: canceling statement due to statement timeout\n");
}

#[test]
fn a_progress_bar_is_gone_when_its_statement_ends() {
    let output = shell(&["--progress", "on"], LONG);
    assert_eq!(text(&output.stdout), "");
    let complaints = text(&output.stderr);
    let mut drawn: Vec<&str> = complaints.split('\r').collect();
    assert_eq!(drawn.pop(), Some("ERROR:  57014: canceling statement due to statement timeout\n"));
    assert_eq!(drawn.pop().map(str::trim), Some(""), "blanks over the bar: {complaints:?}");
    assert_eq!(drawn.remove(0), "", "{complaints:?}");
    assert!(!drawn.is_empty() && drawn.iter().all(|line| line.starts_with("[....")), "{complaints:?}");
}
