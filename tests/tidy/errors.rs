//! docs/errors.md is generated from the table of codes and the error enums; this keeps it current.

use crate::source::{self, Rust, leading_ident, matching};
use rustdb::sqlstate::SqlState;
use std::collections::BTreeMap;
use std::fmt::Write;

const DOCUMENT: &str = "docs/errors.md";

const HEAD: &str = "\
# Error codes

Every error carries an SQLSTATE with PostgreSQL's meaning. This table is generated from `core/src/sqlstate.rs`
and `core/src/error/` by `make docs`; a test fails when it is not current. In a message `{field}` stands for a
value. A code without a message is one that the engine knows but raises nowhere.

The last column says what a client can do:

| retry | meaning |
|---|---|
| never | the same statement fails again |
| transaction | the transaction was rolled back and may succeed when run again from its start |
| reopen | the database must be closed and opened again |
| outcome unknown | the commit may or may not have happened; look before repeating it |
";

/// PostgreSQL's names of the classes, the first two characters of a code.
const CLASSES: [(&str, &str); 24] = [
    ("01", "Warning"),
    ("02", "No Data"),
    ("08", "Connection Exception"),
    ("0A", "Feature Not Supported"),
    ("21", "Cardinality Violation"),
    ("22", "Data Exception"),
    ("23", "Integrity Constraint Violation"),
    ("24", "Invalid Cursor State"),
    ("25", "Invalid Transaction State"),
    ("26", "Invalid SQL Statement Name"),
    ("28", "Invalid Authorization Specification"),
    ("2B", "Dependent Privilege Descriptors Still Exist"),
    ("34", "Invalid Cursor Name"),
    ("3B", "Savepoint Exception"),
    ("3D", "Invalid Catalog Name"),
    ("3F", "Invalid Schema Name"),
    ("40", "Transaction Rollback"),
    ("42", "Syntax Error or Access Rule Violation"),
    ("53", "Insufficient Resources"),
    ("54", "Program Limit Exceeded"),
    ("55", "Object Not In Prerequisite State"),
    ("57", "Operator Intervention"),
    ("58", "System Error"),
    ("XX", "Internal Error"),
];

/// One variant of an error enum.
struct Kind {
    message: String,
    /// Constants of `SqlState` that it maps to.
    states: Vec<String>,
    /// Variants of `Retry` that it maps to.
    retries: Vec<String>,
}

/// Name and code of every entry of the `states!` table.
fn states(text: &str) -> Vec<(String, String)> {
    let entries = text.lines().filter_map(|line| {
        let (name, rest) = line.trim().split_once(" = \"")?;
        let code = rest.strip_suffix("\",")?;
        (leading_ident(name) == name).then(|| (name.to_owned(), code.to_owned()))
    });
    entries.collect()
}

/// The variants of the enums in one file of `core/src/error`.
fn kinds(source: &Rust) -> Vec<Kind> {
    let states = arms(&source.shipped, "fn sqlstate", "SqlState::");
    let retries = arms(&source.shipped, "fn retry", "Retry::");
    let mut found = Vec::new();
    for (at, _) in source.shipped.match_indices("#[error(") {
        let after = matching(&source.shipped, at + 1);
        let Some(message) = string_literal(&source.text[at..after]) else { continue };
        let mut rest = source.shipped[after..].trim_start();
        while rest.starts_with('#') {
            rest = rest[matching(rest, 1)..].trim_start();
        }
        let name = leading_ident(rest);
        let of = |arms: &[(Vec<&str>, Vec<&str>)]| {
            let own = arms.iter().filter(|(variants, _)| variants.contains(&name));
            own.flat_map(|(_, values)| values.iter().map(|v| (*v).to_owned())).collect()
        };
        found.push(Kind { message, states: of(&states), retries: of(&retries) });
    }
    found
}

/// The arms of the match in `function`: variants on the left, constants of `of` on the right.
fn arms<'a>(code: &'a str, function: &str, of: &'a str) -> Vec<(Vec<&'a str>, Vec<&'a str>)> {
    let Some(start) = code.find(function) else { return Vec::new() };
    let open = start + code[start..].find('{').unwrap_or(0);
    let body = &code[open..matching(code, open)];
    let mut tokens: Vec<(usize, &str)> =
        ["Self::", "=>", of].iter().flat_map(|t| body.match_indices(t)).collect();
    tokens.sort_unstable();
    let mut found: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    let mut on_left = false;
    for (at, token) in tokens {
        let name = leading_ident(&body[at + token.len()..]);
        match token {
            "=>" => on_left = false,
            "Self::" if on_left => found.last_mut().expect("an arm is open").0.push(name),
            "Self::" => {
                found.push((vec![name], Vec::new()));
                on_left = true;
            }
            _ => {
                if let Some(arm) = found.last_mut() {
                    arm.1.push(name);
                }
            }
        }
    }
    found
}

/// The first string literal of an attribute, its escapes resolved.
fn string_literal(attribute: &str) -> Option<String> {
    let (_, body) = attribute.split_once('"')?;
    let mut literal = String::new();
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(literal),
            '\\' => match chars.next()? {
                '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                'n' => literal.push(' '),
                escaped => literal.push(escaped),
            },
            c => literal.push(c),
        }
    }
    None
}

fn retry_words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

fn document(states: &[(String, String)], kinds: &[Kind]) -> String {
    let mut out = HEAD.to_owned();
    let mut class = "";
    for (name, code) in states {
        if !code.starts_with(class) || class.is_empty() {
            class = &code[..2];
            let title = CLASSES.iter().find(|(c, _)| *c == class).map_or("", |(_, title)| title);
            let _ = write!(
                out,
                "\n## Class {class}: {title}\n\n| code | condition | message | retry |\n|---|---|---|---|\n"
            );
        }
        let condition = name.to_ascii_lowercase();
        let mut raised = kinds.iter().filter(|kind| kind.states.contains(name)).peekable();
        if raised.peek().is_none() {
            let _ = writeln!(out, "| `{code}` | {condition} | | |");
        }
        for kind in raised {
            let retry = match kind.retries.as_slice() {
                [] => "never".to_owned(),
                some => some.iter().map(|r| retry_words(r)).collect::<Vec<_>>().join(" or "),
            };
            let message = kind.message.replace('|', "\\|");
            let _ = writeln!(out, "| `{code}` | {condition} | {message} | {retry} |");
        }
    }
    out
}

fn generate(sources: &[Rust]) -> (Vec<(String, String)>, Vec<Kind>) {
    let table = sources.iter().find(|s| s.path == "core/src/sqlstate.rs").expect("the table of codes");
    let enums = sources.iter().filter(|s| s.path.starts_with("core/src/error/") && !s.is_test());
    // A module that is a folder is read as one text: an enum may stand beside the table of its codes.
    let mut modules: BTreeMap<&str, String> = BTreeMap::new();
    for source in enums {
        let name = source.path["core/src/error/".len()..].split(['/', '.']).next().unwrap_or_default();
        modules.entry(name).or_default().push_str(&source.text);
    }
    let module =
        |(name, text): (&str, String)| kinds(&Rust::new(&format!("core/src/error/{name}.rs"), &text));
    (states(&table.text), modules.into_iter().flat_map(module).collect())
}

#[test]
fn error_codes_are_documented() {
    let (states, kinds) = generate(&source::rust_files());
    let codes: Vec<&str> = states.iter().map(|(_, code)| code.as_str()).collect();
    let all: Vec<&str> = SqlState::ALL.iter().map(|state| state.0).collect();
    assert_eq!(codes, all, "the text of the table was misread");
    let unmapped: Vec<String> =
        kinds.iter().filter(|k| k.states.is_empty()).map(|k| format!("no code: {}", k.message)).collect();
    crate::assert_none(&unmapped);
    let wanted = document(&states, &kinds);
    source::assert_current(DOCUMENT, &source::read(DOCUMENT).unwrap_or_default(), &wanted);
}

#[test]
fn every_code_has_a_class_and_stands_once_in_order() {
    let codes: Vec<&str> = SqlState::ALL.iter().map(|state| state.0).collect();
    for code in &codes {
        assert!(CLASSES.iter().any(|(class, _)| code.starts_with(class)), "{code} has no class");
    }
    for pair in codes.windows(2) {
        assert!(pair[0][..2] <= pair[1][..2], "{} stands after its class", pair[1]);
        assert_ne!(pair[0], pair[1]);
    }
}

#[test]
fn variants_are_read_with_their_codes_and_retry_classes() {
    let text = "pub enum E {
        /// Doc.
        #[error(\"table \\\"{name}\\\" | gone\")]
        Gone { name: String },
        #[error(\"stopped, \\
            {0}\")]
        Stopped(u8),
        #[error(transparent)]
        Other(Io),
    }
    impl E {
        fn sqlstate(&self) -> SqlState {
            match self { Self::Gone { .. } | Self::Other(_) => SqlState::A, Self::Stopped(_) => { SqlState::B } }
        }
        fn retry(&self) -> Retry { match self { Self::Stopped(_) => Retry::OutcomeUnknown, Self::Gone { .. } | Self::Other(_) => Retry::Never } }
    }";
    let kinds = kinds(&Rust::new("core/src/error/e.rs", text));
    let table = states("    A = \"0A000\",\n    B = \"XX000\",\n    C = \"XX001\",");
    let written = document(&table, &kinds);
    for line in [
        "| `0A000` | a | table \"{name}\" \\| gone | never |",
        "| `XX000` | b | stopped, {0} | outcome unknown |",
        "| `XX001` | c | | |",
        "## Class XX: Internal Error",
    ] {
        assert!(written.lines().any(|l| l == line), "{line} is missing in {written}");
    }
    assert_eq!(written.matches("## Class").count(), 2);
}

#[test]
fn a_variant_without_a_code_is_found() {
    let text = "enum E { #[error(\"a\")] A, } fn sqlstate(&self) { match self { Self::A => code() } }";
    assert!(kinds(&Rust::new("core/src/error/e.rs", text))[0].states.is_empty());
}
