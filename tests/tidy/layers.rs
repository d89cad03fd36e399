//! The order of the engine's modules: each imports only from rows above its own.
//!
//! The order is the table of the code map in ARCHITECTURE.md, where a module that exists is a link (`make docs`
//! sets the links). Paths are read from the sources as text: `crate::m`, `$crate::m`, `use crate::{a, b::c}`, and `super::` chains long
//! enough to reach the root. A name that the root re-exports counts as its module.

use crate::source::{Rust, is_ident, leading_ident, matching};
use crate::{assert_none, source};
use std::collections::HashMap;
use std::ops::Range;

const DOCUMENT: &str = "ARCHITECTURE.md";

const CODE_MAP: &str = "## Code map";

/// Files that are no module of the library: its root, and programs.
const ROOTS: [&str; 3] = ["lib", "main", "bin"];

/// The rows of the code map, each with its modules.
struct Map<'a>(Vec<Vec<&'a str>>);

impl<'a> Map<'a> {
    /// Reads lines of the form `` | 0 | [`a`](core/src/a.rs) `b` | ... | ``.
    fn parse(architecture: &'a str) -> Self {
        let section = architecture.split_once(CODE_MAP).map_or("", |(_, rest)| rest);
        let section = section.split_once("\n## ").map_or(section, |(own, _)| own);
        let rows = section.lines().filter_map(cells);
        Self(rows.map(|(_, names, _)| names.split('`').skip(1).step_by(2).collect()).collect())
    }

    fn row(&self, module: &str) -> Option<usize> {
        self.0.iter().position(|row| row.contains(&module))
    }
}

/// Rank, modules and the rest of a line of the table.
fn cells(line: &str) -> Option<(&str, &str, &str)> {
    let (rank, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    rank.parse::<usize>().ok()?;
    let (names, rest) = rest.split_once(" | ")?;
    Some((rank, names, rest))
}

/// The document with a link on every module of the table that exists, and on no other.
fn relink(architecture: &str, sources: &[Rust]) -> String {
    let path_of = |module: &str| {
        let file = format!("core/src/{module}.rs");
        let folder = format!("core/src/{module}");
        if sources.iter().any(|s| s.path == file) { Some(file) } else { folder_of(&folder, sources) }
    };
    let lines = architecture.split_inclusive('\n').map(|line| {
        let Some((rank, names, rest)) = cells(line) else { return line.to_owned() };
        let linked = names.split('`').skip(1).step_by(2).map(|module| match path_of(module) {
            Some(path) => format!("[`{module}`]({path})"),
            None => format!("`{module}`"),
        });
        format!("| {rank} | {} | {rest}", linked.collect::<Vec<_>>().join(" "))
    });
    lines.collect()
}

fn folder_of(folder: &str, sources: &[Rust]) -> Option<String> {
    let inside = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    sources.iter().any(|s| inside(&s.path)).then(|| folder.to_owned())
}

/// `core/src/wal/frame.rs` is `["wal", "frame"]`; the root and programs are `None`.
fn module_of(path: &str) -> Option<Vec<&str>> {
    let inside = path.strip_prefix("core/src/")?.strip_suffix(".rs")?;
    let parts: Vec<&str> = inside.strip_suffix("/mod").unwrap_or(inside).split('/').collect();
    (!ROOTS.contains(&parts[0])).then_some(parts)
}

fn check(sources: &[Rust], map: &Map<'_>) -> Vec<String> {
    let exports = reexports(sources);
    let mut complaints = Vec::new();
    for source in sources {
        let Some(path) = module_of(&source.path) else { continue };
        let Some(own) = map.row(path[0]) else {
            complaints.push(format!("{}: module `{}` is not in the code map", source.path, path[0]));
            continue;
        };
        for (at, name) in root_paths(&source.shipped, path.len()) {
            let place = source.at(at);
            let target = exports.get(name).copied().unwrap_or(name);
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

/// The names that `lib.rs` re-exports, with the module each comes from.
fn reexports(sources: &[Rust]) -> HashMap<&str, &str> {
    let root = sources.iter().find(|s| s.path == "core/src/lib.rs").map_or("", |s| s.shipped.as_str());
    let mut names = HashMap::new();
    for (at, text) in root.match_indices("pub use ") {
        let path = root[at + text.len()..].split(';').next().unwrap_or("");
        let module = leading_ident(path);
        for member in path[module.len()..].split([',', '{', '}']) {
            let last = member.rsplit([':', ' ']).find(|word| !word.is_empty()).unwrap_or("");
            names.insert(leading_ident(last), module);
        }
    }
    names
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
    let architecture = source::read(DOCUMENT).expect("the document of the layers");
    assert_none(&check(&source::rust_files(), &Map::parse(&architecture)));
}

#[test]
fn the_code_map_links_the_modules_that_exist() {
    let architecture = source::read(DOCUMENT).expect("the document of the layers");
    source::assert_current(DOCUMENT, &architecture, &relink(&architecture, &source::rust_files()));
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
    assert_eq!(sample().0, [vec!["ids", "sync"], vec!["codec", "vfs"], vec!["wal"], vec!["pager"]]);
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
        assert_eq!(check(&[Rust::new("core/src/wal/mod.rs", text)], &sample()).len(), 1, "{text}");
    }
    let nested = Rust::new("core/src/wal/frame.rs", "use super::super::pager::Pager;");
    assert_eq!(check(&[nested], &sample()).len(), 1);
}

#[test]
fn a_name_of_the_root_counts_as_its_module() {
    let root = "pub mod ids;\npub use ids::{PageId, Lsn as Position};\npub use pager::guard::ReadGuard;";
    let with = |text: &str| {
        check(&[Rust::new("core/src/lib.rs", root), Rust::new("core/src/wal/mod.rs", text)], &sample()).len()
    };
    assert_eq!(with("use crate::{PageId, Position};"), 0);
    assert_eq!(with("use crate::ReadGuard;"), 1);
    assert_eq!(with("use crate::Lsn;"), 1);
}

#[test]
fn a_neighbour_of_the_same_row_is_refused() {
    assert_eq!(check(&[Rust::new("core/src/vfs/mod.rs", "use crate::codec::crc;")], &sample()).len(), 1);
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
        assert_none(&check(&[Rust::new(path, text)], &sample()));
    }
}

#[test]
fn a_module_outside_the_map_is_refused() {
    assert_eq!(check(&[Rust::new("core/src/utils.rs", "")], &sample()).len(), 1);
}

#[test]
fn links_follow_the_modules() {
    let sources =
        ["core/src/ids.rs", "core/src/wal/mod.rs", "core/src/wal2/mod.rs"].map(|path| Rust::new(path, ""));
    let before = "text\n| 0 | `ids` [`sync`](core/src/sync) | x | y |\n| 1 | `wal` | x |";
    let after = "text\n| 0 | [`ids`](core/src/ids.rs) `sync` | x | y |\n| 1 | [`wal`](core/src/wal) | x |";
    assert_eq!(relink(before, &sources), after);
    assert_eq!(relink(after, &sources), after);
}
