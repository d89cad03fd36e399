//! Documents name what is there: the code map lists the engine's modules, and links lead somewhere.

use crate::assert_none;
use crate::layers;
use crate::source::{self, File};
use std::collections::BTreeSet;

const CODE_MAP: &str = "## Code map";

/// Modules named in the first column of the code map, as `` `core/src/wal` ``.
fn mapped(architecture: &str) -> BTreeSet<&str> {
    let section = architecture.split_once(CODE_MAP).map_or("", |(_, rest)| rest);
    let section = section.split_once("\n## ").map_or(section, |(own, _)| own);
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `core/src/")?.split_once('`'));
    cells
        .map(|(name, _)| name.trim_end_matches(".rs"))
        .filter(|name| !matches!(*name, "lib" | "bin"))
        .collect()
}

fn check_map(architecture: &str, modules: &BTreeSet<&str>) -> Vec<String> {
    let mapped = mapped(architecture);
    let missing =
        modules.difference(&mapped).map(|m| format!("ARCHITECTURE.md: the code map lacks `core/src/{m}`"));
    let stale = mapped.difference(modules).map(|m| format!("ARCHITECTURE.md: there is no `core/src/{m}`"));
    missing.chain(stale).collect()
}

/// Relative links of Markdown files that lead to no file.
fn check_links(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, _) in file.text.match_indices("](") {
            let target = file.text[at + 2..].split([')', ' ']).next().unwrap_or("");
            let path = target.split('#').next().unwrap_or("");
            if path.is_empty() || path.contains(':') {
                continue;
            }
            if !exists(&join(folder, path)) {
                let line = source::line_of(&file.text, at);
                complaints.push(format!("{}:{line}: `{target}` leads nowhere", file.path));
            }
        }
    }
    complaints
}

fn join(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[test]
fn the_code_map_lists_the_modules() {
    let sources = source::rust_files();
    let architecture = source::read("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    assert_none(&check_map(&architecture, &layers::modules(&sources)));
}

#[test]
fn links_lead_somewhere() {
    let root = source::root();
    assert_none(&check_links(&source::files(), |path| root.join(path).exists()));
}

#[test]
fn a_missing_and_a_stale_row_of_the_map_are_found() {
    let map = "## Code map\n| `core/src/wal` | x |\n| `core/src/ids.rs` | x |\n| `core/src/lib.rs` | x |\n## Next\n| `core/src/zzz` |";
    assert_none(&check_map(map, &BTreeSet::from(["wal", "ids"])));
    assert_eq!(check_map(map, &BTreeSet::from(["wal", "pager"])).len(), 2);
}

#[test]
fn a_dead_link_is_found() {
    let file = |text: &str| [File { path: "docs/a.md".to_owned(), text: text.to_owned() }];
    let exists = |path: &str| path == "README.md" || path == "docs/b.md";
    assert_none(&check_links(
        &file("[r](../README.md) [b](b.md#part) [h](#here) [w](https://x.y/z)"),
        exists,
    ));
    assert_eq!(check_links(&file("[c](c.md)"), exists), ["docs/a.md:1: `c.md` leads nowhere"]);
}
