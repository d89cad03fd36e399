//! Settings that are parsed, shown and documented, but read by nobody.

use crate::assert_none;
use crate::source::{self, Rust, find_word, leading_ident};

const CONFIG: &str = "core/src/config";

/// Every public field of the configuration must be named somewhere outside it.
fn check(sources: &[Rust]) -> Vec<String> {
    let (config, others): (Vec<&Rust>, Vec<&Rust>) = sources.iter().partition(|s| s.path.starts_with(CONFIG));
    let mut complaints = Vec::new();
    for source in config {
        for (at, field) in public_fields(&source.shipped) {
            let read = others.iter().any(|other| {
                find_word(&other.shipped, field).any(|found| other.shipped[..found].ends_with('.'))
            });
            if !read {
                complaints.push(format!("{}: nothing reads the setting `{field}`", source.at(at)));
            }
        }
    }
    complaints
}

fn public_fields(code: &str) -> impl Iterator<Item = (usize, &str)> {
    find_word(code, "pub").filter_map(|at| {
        let rest = code[at + 3..].trim_start();
        let rest = if rest.starts_with('(') { rest.split_once(')')?.1.trim_start() } else { rest };
        let name = leading_ident(rest);
        let after = &rest[name.len()..];
        (after.starts_with(':') && !after.starts_with("::")).then_some((at, name))
    })
}

#[test]
fn every_setting_is_read() {
    assert_none(&check(&source::rust_files()));
}

#[test]
fn a_setting_that_nobody_reads_is_found() {
    let config = "pub struct Settings {\n    pub work_mem: u64,\n    pub(crate) idle: u8,\n}\npub use a::b;";
    let reader =
        |text| [Rust::new("core/src/config/mod.rs", config), Rust::new("core/src/engine/mod.rs", text)];
    assert_none(&check(&reader("fn f() { s.work_mem + s.idle }")));
    assert_eq!(check(&reader("fn f() { s.work_mem }")).len(), 1);
    assert_eq!(check(&reader("fn f(idle: u8) { s.work_mem }\n#[cfg(test)] fn g() { s.idle }")).len(), 1);
}
