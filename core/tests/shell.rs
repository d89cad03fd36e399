//! What every way into the engine must answer alike (`tests/parity/steps.txt`), through the shell: rows on its output,
//! errors where they belong.

use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn the_shell_answers_as_all_do() {
    let text = include_str!("../../tests/parity/steps.txt");
    let (mut script, mut rows, mut errors) = (String::new(), String::new(), Vec::new());
    for block in text.split("\n\n").filter(|block| !block.starts_with('#') && !block.contains("\n% ")) {
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
    let mut shell = Command::new(env!("CARGO_BIN_EXE_rustdb"))
        .args(["--mode", "list", "--no-header", "--nullvalue", "null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts");
    let mut input = shell.stdin.take().expect("piped");
    input.write_all(script.as_bytes()).expect("the shell reads");
    drop(input);
    let output = shell.wait_with_output().expect("the shell ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), rows);
    let complaints = String::from_utf8_lossy(&output.stderr);
    let states = complaints.lines().filter_map(|line| line.strip_prefix("ERROR:  ")?.get(..5));
    assert_eq!(states.collect::<Vec<_>>(), errors, "{complaints}");
    assert_eq!(output.status.code(), Some(1), "some steps fail");
}
