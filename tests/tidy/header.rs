//! The C header is generated and committed; it must declare exactly the functions that are exported.

use crate::assert_none;
use crate::source::{self, Rust, is_ident, leading_ident};
use std::collections::BTreeSet;

const PREFIX: &str = "rustdb_";

/// Functions exported by the C binding.
fn exported(sources: &[Rust]) -> BTreeSet<&str> {
    let binding = sources.iter().filter(|s| s.path.starts_with("bindings/c/src/"));
    let functions = binding.flat_map(|s| {
        s.shipped.match_indices("extern ").filter_map(|(at, _)| {
            let rest = &s.shipped[at..];
            let name = rest[rest.find("fn ")? + 3..].trim_start();
            Some(leading_ident(name)).filter(|name| name.starts_with(PREFIX))
        })
    });
    functions.collect()
}

/// Functions declared by the header: a name with the prefix before a parenthesis.
fn declared(header: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (at, _) in header.match_indices(PREFIX) {
        let starts = at == 0 || !is_ident(header.as_bytes()[at - 1]);
        let name = leading_ident(&header[at..]);
        if starts && header[at + name.len()..].starts_with('(') {
            names.insert(name);
        }
    }
    names
}

fn check(sources: &[Rust], header: &str) -> Vec<String> {
    let (rust, c) = (exported(sources), declared(header));
    let missing = rust.difference(&c).map(|name| format!("include/rustdb.h lacks {name}"));
    let stale = c.difference(&rust).map(|name| format!("include/rustdb.h declares {name}, which is gone"));
    missing.chain(stale).collect()
}

#[test]
fn header_declares_what_is_exported() {
    let header = source::read("include/rustdb.h").unwrap_or_default();
    assert_none(&check(&source::rust_files(), &header));
}

#[test]
fn a_drifted_header_is_found() {
    let rust = "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn rustdb_open(uri: *const c_char) {}";
    let sources = [Rust::new("bindings/c/src/database.rs", rust)];
    assert_none(&check(&sources, "rustdb_status rustdb_open(const char *uri);"));
    assert_eq!(check(&sources, "void rustdb_close(rustdb_db *db);").len(), 2);
}
