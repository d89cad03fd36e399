//! Words that have no place in the repository: notes to self, diary entries, the author's machine.

use crate::assert_none;
use crate::source::{self, File, find_word};

/// Written in two halves, so that this list does not find itself. Upper case is matched as it stands, but not in
/// literals of Rust; lower case anywhere and in any case.
const FORBIDDEN: [(&str, &str); 20] = [
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("HA", "CK"),
    ("for", " now"),
    ("phase", " 1"),
    ("phase", " 2"),
    ("phase", " 3"),
    ("phase", " 4"),
    ("not yet", " implemented"),
    ("will be", " implemented"),
    ("as an", " ai"),
    ("chat", "gpt"),
    ("clau", "de"),
    ("language", " model"),
    ("co-authored", "-by"),
    ("/work/", "main"),
    ("/ro", "ot/"),
    ("/tmp/", "rdb"),
    ("work", "tree"),
];

fn check(files: &[File]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let folded = file.text.to_ascii_lowercase();
        let noted =
            if file.path.ends_with(".rs") { source::blank_literals(&file.text) } else { file.text.clone() };
        for (first, second) in FORBIDDEN {
            let word = format!("{first}{second}");
            let text = if word.bytes().any(|b| b.is_ascii_uppercase()) { &noted } else { &folded };
            for at in find_word(text, &word) {
                complaints.push(format!("{}:{}: `{word}`", file.path, source::line_of(text, at)));
            }
        }
    }
    complaints
}

#[test]
fn no_forbidden_word_stands_anywhere() {
    assert_none(&check(&source::files()));
}

#[test]
fn forbidden_words_are_found_as_words() {
    let found_in =
        |path: &str, text: &str| check(&[File { path: path.to_owned(), text: text.to_owned() }]).len();
    let found = |text: &str| found_in("a.md", text);
    assert_eq!(found(&format!("// {}DO: later", "TO")), 1);
    assert_eq!(found(&format!("good enough {} now", "For")), 1);
    assert_eq!(found(&format!("see {} 2", "Phase")), 1);
    assert_eq!(found_in("a.rs", &format!("// {0}X\nconst ROW: &str = \"{0}X\";", "XX")), 1);
    assert_eq!(found("the two-phase commit, before nowhere, XX000, hacking"), 0);
}
