//! The order of the engine's modules: each imports only from rows above its own.
//!
//! The order is the table of the code map in ARCHITECTURE.md, where a module that exists is a link. Paths are
//! read from the sources as text: `crate::m`, `$crate::m`, `use crate::{a, b::c}`, and `super::` chains long
//! enough to reach the root. A name re-exported by the root hides its layer, so it is not accepted.

use crate::source::{Rust, is_ident, leading_ident, matching};
use crate::{assert_none, source};
use std::collections::BTreeSet;
use std::ops::Range;

const CODE_MAP: &str = "## Code map";

/// Files that are no module of the library: its root, and programs.
const ROOTS: [&str; 3] = ["lib", "main", "bin"];

/// A module named in the code map.
struct Module<'a> {
    name: &'a str,
    row: usize,
    exists: bool,
}

/// The code map, in the order of its rows: `` | 0 | [`a`](core/src/a.rs) `b` | ... | ``.
struct Map<'a>(Vec<Module<'a>>);

impl<'a> Map<'a> {
    fn parse(architecture: &'a str) -> Self {
        let section = architecture.split_once(CODE_MAP).map_or("", |(_, rest)| rest);
        let section = section.split_once("\n## ").map_or(section, |(own, _)| own);
        let mut modules = Vec::new();
        for (row, names) in section.lines().filter_map(row_and_names).enumerate() {
            let mut parts = names.split('`');
            let mut before = parts.next().unwrap_or("");
            while let (Some(name), Some(after)) = (parts.next(), parts.next()) {
                modules.push(Module { name, row, exists: before.ends_with('[') });
                before = after;
            }
        }
        Self(modules)
    }

    fn row(&self, module: &str) -> Option<usize> {
        self.0.iter().find(|m| m.name == module).map(|m| m.row)
    }
}

fn row_and_names(line: &str) -> Option<&str> {
    let (rank, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    rank.parse::<usize>().ok()?;
    rest.split_once(" | ").map(|(names, _)| names)
}

/// `core/src/wal/frame.rs` is `["wal", "frame"]`; the root and programs are `None`.
fn module_of(path: &str) -> Option<Vec<&str>> {
    let inside = path.strip_prefix("core/src/")?.strip_suffix(".rs")?;
    let parts: Vec<&str> = inside.strip_suffix("/mod").unwrap_or(inside).split('/').collect();
    (!ROOTS.contains(&parts[0])).then_some(parts)
}

fn check_paths(sources: &[Rust], map: &Map<'_>) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let Some(path) = module_of(&source.path) else { continue };
        let Some(own) = map.row(path[0]) else {
            complaints.push(format!("{}: module `{}` is not in the code map", source.path, path[0]));
            continue;
        };
        for (at, target) in root_paths(&source.shipped, path.len()) {
            let place = source.at(at);
            match map.row(target) {
                _ if target == path[0] => {}
                None => {
                    complaints.push(format!("{place}: `crate::{target}` names no module of the code map"))
                }
                Some(other) if other >= own => {
                    complaints.push(format!("{place}: `{}` may not import from `{target}`", path[0]));
                }
                Some(_) => {}
            }
        }
    }
    complaints
}

fn check_links(sources: &[Rust], map: &Map<'_>) -> Vec<String> {
    let exist: BTreeSet<&str> =
        sources.iter().filter_map(|s| module_of(&s.path)).map(|path| path[0]).collect();
    let wrong = map.0.iter().filter(|module| module.exists != exist.contains(module.name));
    let say = |module: &Module<'_>| match module.exists {
        true => format!("ARCHITECTURE.md: the code map links `{}`, which is not there", module.name),
        false => format!("ARCHITECTURE.md: the code map must link `{}`, it exists", module.name),
    };
    wrong.map(say).collect()
}

/// The first segment of every path from the crate's root, in code of a file `depth` modules deep.
fn root_paths(code: &str, depth: usize) -> Vec<(usize, &str)> {
    let starts_word = |at: usize| at == 0 || !is_ident(code.as_bytes()[at - 1]);
    let mut found = Vec::new();
    for (at, text) in code.match_indices("crate::").filter(|(at, _)| starts_word(*at)) {
        found.extend(first_segments(code, at + text.len()).into_iter().map(|name| (at, name)));
    }
    let inline = inline_modules(code);
    for (at, text) in code.match_indices("super::").filter(|(at, _)| starts_word(*at)) {
        if code[..at].ends_with(text) {
            continue;
        }
        // `split` yields one empty piece before each `super::` of the chain.
        let ups = code[at..].split(text).take_while(|gap| gap.is_empty()).count();
        let here = depth + inline.iter().filter(|range| range.contains(&at)).count();
        if ups >= here {
            found.extend(first_segments(code, at + ups * text.len()).into_iter().map(|name| (at, name)));
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
    let architecture = source::read("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    assert_none(&check_paths(&source::rust_files(), &Map::parse(&architecture)));
}

#[test]
fn the_code_map_links_exactly_the_modules() {
    let architecture = source::read("ARCHITECTURE.md").expect("ARCHITECTURE.md");
    assert_none(&check_links(&source::rust_files(), &Map::parse(&architecture)));
}

/// A map for the samples below.
#[cfg(test)]
fn sample() -> Map<'static> {
    Map::parse(
        "| 9 | `before` | not in the map |\n## Code map\n| rank | modules | what |\n|---|---|---|\n\
         | 0 | [`ids`](core/src/ids.rs) `sync` | x |\n| 1 | `codec` [`vfs`](core/src/vfs) | `x` |\n\
         | 2 | `wal` | x |\n| 3 | `pager` | x |\n## Next\n| 9 | `after` | not in the map |",
    )
}

#[test]
fn the_map_is_read_row_by_row() {
    let map = sample();
    let read: Vec<(&str, usize, bool)> = map.0.iter().map(|m| (m.name, m.row, m.exists)).collect();
    let expected = [
        ("ids", 0, true),
        ("sync", 0, false),
        ("codec", 1, false),
        ("vfs", 1, true),
        ("wal", 2, false),
        ("pager", 3, false),
    ];
    assert_eq!(read, expected);
}

#[test]
fn an_upward_path_is_found_however_it_is_written() {
    let upward = [
        "use crate::pager::Pager;",
        "use crate::{ids::PageId, pager::{Pager, Guard}};",
        "fn f() { crate::pager::open() }",
        "macro_rules! m { () => { $crate::pager::open() } }",
        "use super::pager::Pager;",
        "mod inner { use super::super::pager::Pager; }",
        "use crate::Pager;",
        "use crate::vfs::Vfs; use crate::wal2::X;",
    ];
    for text in upward {
        assert_eq!(check_paths(&[Rust::new("core/src/wal/mod.rs", text)], &sample()).len(), 1, "{text}");
    }
    let nested = Rust::new("core/src/wal/frame.rs", "use super::super::pager::Pager;");
    assert_eq!(check_paths(&[nested], &sample()).len(), 1);
}

#[test]
fn a_neighbour_of_the_same_row_is_refused() {
    assert_eq!(
        check_paths(&[Rust::new("core/src/vfs/mod.rs", "use crate::codec::crc;")], &sample()).len(),
        1
    );
}

#[test]
fn downward_paths_comments_and_tests_pass() {
    let fine = [
        ("core/src/wal/mod.rs", "use crate::{ids::Lsn, vfs::Vfs};"),
        ("core/src/wal/frame.rs", "use super::Wal; use super::super::vfs::Vfs;"),
        ("core/src/wal/mod.rs", "mod inner { use super::pager; }"),
        ("core/src/wal/mod.rs", "/// See [`crate::pager`].\nfn f() {}"),
        ("core/src/wal/mod.rs", "#[cfg(test)]\nmod tests { use crate::pager::Pager; }"),
        ("core/src/wal/tests.rs", "use crate::pager::Pager;"),
        ("core/src/lib.rs", "pub use crate::pager::Pager;"),
        ("core/src/bin/rustdb.rs", "use crate::shell;"),
    ];
    for (path, text) in fine {
        assert_none(&check_paths(&[Rust::new(path, text)], &sample()));
    }
}

#[test]
fn a_module_outside_the_map_and_a_wrong_link_are_refused() {
    assert_eq!(check_paths(&[Rust::new("core/src/utils.rs", "")], &sample()).len(), 1);
    let sources = |paths: &[&str]| paths.iter().map(|path| Rust::new(path, "")).collect::<Vec<_>>();
    assert_none(&check_links(&sources(&["core/src/ids.rs", "core/src/vfs/os.rs"]), &sample()));
    assert_eq!(check_links(&sources(&["core/src/ids.rs", "core/src/wal/mod.rs"]), &sample()).len(), 2);
}
