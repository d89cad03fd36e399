//! The committed header is the one that the sources make.

use std::fs;
use std::path::Path;

const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/rustdb.h"));

#[test]
#[expect(clippy::disallowed_methods, reason = "the repository's own file, not a database's")]
fn the_header_is_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/rustdb.h");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&committed, GENERATED).expect("a writable repository");
    }
    let text = fs::read(&committed).expect("include/rustdb.h is there");
    assert!(text == GENERATED.as_bytes(), "include/rustdb.h is not current: run `make docs`");
}

#[test]
fn what_only_rust_must_know_is_left_out() {
    assert!(!GENERATED.contains("# Safety") && !GENERATED.contains("//\nrustdb_"));
    assert!(GENERATED.contains("#define RUSTDB_NUL_TERMINATED SIZE_MAX"));
    assert!(GENERATED.contains("RUSTDB_ROW = 100,"));
    assert!(GENERATED.contains("rustdb_status rustdb_step(rustdb_stmt *stmt"));
}
