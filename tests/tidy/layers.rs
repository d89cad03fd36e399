//! The order of the engine's modules: each imports only from rows above its own.
//!
//! Paths are read from the text: `crate::m`, `$crate::m`, `use crate::{a, b::c}`, and `super::` chains long
//! enough to reach the root. A name re-exported by the root hides its layer, so it is not accepted.

use crate::source::{Rust, is_ident, leading_ident, matching};
use crate::{assert_none, source};
use std::collections::BTreeSet;
use std::ops::Range;

/// The rows from the bottom up. Modules of one row do not import each other.
const ROWS: [&[&str]; 20] = [
    &["ids", "sqlstate", "sync", "metrics"],
    &["error"],
    &["memory", "types", "config"],
    &["codec", "vfs", "expr"],
    &["security"],
    &["wal"],
    &["pager"],
    &["btree"],
    &["transaction"],
    &["table"],
    &["catalog"],
    &["checkpoint"],
    &["parser", "plan", "auth"],
    &["binder"],
    &["optimizer"],
    &["executor"],
    &["engine"],
    &["session"],
    &["database"],
    &["server", "cluster"],
];

/// Files that are no module of the library: its root, and programs.
const ROOTS: [&str; 3] = ["lib.rs", "main.rs", "bin"];

pub(crate) fn rank(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The engine's modules that exist.
pub(crate) fn modules(sources: &[Rust]) -> BTreeSet<&str> {
    sources.iter().filter_map(|s| module_of(&s.path)).map(|path| path[0]).collect()
}

/// `core/src/wal/frame.rs` is `["wal", "frame"]`; the root and programs are `None`.
fn module_of(path: &str) -> Option<Vec<&str>> {
    let inside = path.strip_prefix("core/src/")?.strip_suffix(".rs")?;
    let parts: Vec<&str> = inside.strip_suffix("/mod").unwrap_or(inside).split('/').collect();
    let root = ROOTS.iter().any(|r| r.trim_end_matches(".rs") == parts[0]);
    (!root).then_some(parts)
}

fn check(sources: &[Rust]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let Some(path) = module_of(&source.path) else { continue };
        let Some(own) = rank(path[0]) else {
            complaints
                .push(format!("{}: module `{}` has no row in the order of layers", source.path, path[0]));
            continue;
        };
        for (at, target) in root_paths(&source.shipped, path.len()) {
            let place = source.at(at);
            match rank(target) {
                _ if target == path[0] => {}
                None => complaints.push(format!("{place}: `crate::{target}` names no module of the table")),
                Some(other) if other >= own => {
                    complaints.push(format!("{place}: `{}` may not import from `{target}`", path[0]));
                }
                Some(_) => {}
            }
        }
    }
    complaints
}

/// The first segment of every path from the crate's root, in code of a file `depth` modules deep.
fn root_paths(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let inline = inline_modules(code);
    let mut found = Vec::new();
    for (at, text) in code.match_indices("crate::") {
        if at == 0 || !is_ident(code.as_bytes()[at - 1]) {
            found.extend(first_segments(code, at + text.len()).into_iter().map(|s| (at, s)));
        }
    }
    for (at, text) in code.match_indices("super::") {
        let continues = code[..at].ends_with("super::");
        if continues || (at > 0 && is_ident(code.as_bytes()[at - 1])) {
            continue;
        }
        let ups = code[at..].split("super::").take_while(|gap| gap.is_empty()).count();
        let rest = at + ups * text.len();
        let here = depth + inline.iter().filter(|range| range.contains(&at)).count();
        // `split` yields one empty piece before each `super::`.
        if ups >= here {
            found.extend(first_segments(code, rest).into_iter().map(|s| (at, s)));
        }
    }
    found
}

/// The name at `start`, or the first name of each member of the group there.
fn first_segments(code: &str, start: usize) -> Vec<&str> {
    if !code[start..].starts_with('{') {
        return vec![leading_ident(&code[start..])];
    }
    let end = matching(code, start);
    let mut names = Vec::new();
    let mut i = start + 1;
    let mut expecting = true;
    while i < end {
        match code.as_bytes()[i] {
            b'{' => i = matching(code, i),
            b',' => {
                expecting = true;
                i += 1;
            }
            b if expecting && is_ident(b) => {
                let name = leading_ident(&code[i..]);
                names.push(name);
                expecting = false;
                i += name.len();
            }
            _ => i += 1,
        }
    }
    names
}

fn inline_modules(code: &str) -> Vec<Range<usize>> {
    let declared = source::find_word(code, "mod").filter_map(|at| {
        let rest = code[at + 3..].trim_start();
        let name = leading_ident(rest);
        let body = rest[name.len()..].trim_start();
        let open = code.len() - body.len();
        (!name.is_empty() && body.starts_with('{')).then(|| open..matching(code, open))
    });
    declared.collect()
}

#[test]
fn modules_import_only_from_rows_above() {
    assert_none(&check(&source::rust_files()));
}

#[test]
fn an_upward_path_is_found_however_it_is_written() {
    let upward = [
        "use crate::pager::Pager;",
        "use crate::{error::Result, pager::{Pager, Guard}};",
        "fn f() { crate::pager::open() }",
        "macro_rules! m { () => { $crate::pager::open() } }",
        "use super::pager::Pager;",
        "mod inner { use super::super::pager::Pager; }",
        "use crate::Pager;",
        "use crate::security::Key; use crate::wal2::X;",
    ];
    for text in upward {
        assert_eq!(check(&[Rust::new("core/src/wal/mod.rs", text)]).len(), 1, "{text}");
    }
    let nested = Rust::new("core/src/wal/frame.rs", "use super::super::pager::Pager;");
    assert_eq!(check(&[nested]).len(), 1);
}

#[test]
fn a_neighbour_of_the_same_row_is_refused() {
    assert_eq!(check(&[Rust::new("core/src/vfs/mod.rs", "use crate::codec::crc;")]).len(), 1);
}

#[test]
fn downward_paths_comments_and_tests_pass() {
    let fine = [
        "use crate::{error::Result, vfs::Vfs};",
        "pub(crate) use self::frame::Frame; use super::Thing;",
        "mod inner { use super::pager; }",
        "/// See [`crate::pager`].\nfn f() {}",
        "#[cfg(test)]\nmod tests { use crate::pager::Pager; }",
    ];
    for text in fine {
        let path = if text.contains("Thing") { "core/src/wal/frame.rs" } else { "core/src/wal/mod.rs" };
        assert_none(&check(&[Rust::new(path, text)]));
    }
    assert_none(&check(&[Rust::new("core/src/lib.rs", "pub mod new;")]));
    assert_none(&check(&[Rust::new("core/src/wal/tests.rs", "use crate::pager::Pager;")]));
}

#[test]
fn a_module_without_a_row_is_refused() {
    assert_eq!(check(&[Rust::new("core/src/utils.rs", "")]).len(), 1);
}
