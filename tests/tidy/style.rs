//! The look of Rust files: length, characters, leftovers, attributes, unsafe code, module documents.

use crate::assert_none;
use crate::source::{self, Rust, find_word, is_ident, matching};

/// Lines of a file, tests not counted.
const MAX_LINES: usize = 600;

/// Lines of documentation that open a folder's `mod.rs`.
const MIN_MODULE_DOC: usize = 8;

/// Macros of unfinished work.
const LEFTOVERS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// The files that may hold unsafe code; CONTRIBUTING.md says what it takes to join them.
const UNSAFE: [&str; 11] = [
    "core/src/pager/arena.rs",
    "core/src/pager/directory.rs",
    "core/src/pager/guard.rs",
    "core/src/pager/word.rs",
    "core/src/types/vector/buffer.rs",
    "core/src/types/vector/flat.rs",
    "core/src/types/vector/heap.rs",
    "core/src/types/vector/str16.rs",
    "core/src/executor/row_store.rs",
    "core/src/vfs/fork.rs",
    "bindings/c/src/",
];

fn each(sources: &[Rust], complain: impl Fn(&Rust, &mut Vec<String>)) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        complain(source, &mut complaints);
    }
    complaints
}

fn length(sources: &[Rust]) -> Vec<String> {
    each(sources, |source, out| {
        let lines = source.shipped_lines();
        if !source.is_test() && lines > MAX_LINES {
            out.push(format!("{}: {lines} lines without tests, {MAX_LINES} allowed", source.path));
        }
    })
}

fn ascii(sources: &[Rust]) -> Vec<String> {
    each(sources, |source, out| {
        let odd = source.text.char_indices().find(|&(at, c)| !c.is_ascii() && !source.in_test(at));
        if let Some((at, c)) = odd {
            out.push(format!("{}: `{c}` outside a test; write it as an escape", source.at(at)));
        }
    })
}

fn leftovers(sources: &[Rust]) -> Vec<String> {
    each(sources, |source, out| {
        for word in LEFTOVERS {
            let starts = |at: usize| at == 0 || !is_ident(source.code.as_bytes()[at - 1]);
            for (at, _) in source.code.match_indices(word).filter(|&(at, _)| starts(at)) {
                out.push(format!("{}: `{word}`", source.at(at)));
            }
        }
    })
}

/// A lint is switched off for an item and a stated reason only, and what is unused goes.
fn lints(sources: &[Rust]) -> Vec<String> {
    each(sources, |source, out| {
        for (at, list) in attributes(&source.code, "allow").chain(attributes(&source.code, "expect")) {
            let mut parts = list.split(',').map(str::trim);
            if let Some(lint) = parts.clone().find(|l| *l == "dead_code" || l.starts_with("unused")) {
                out.push(format!("{}: `{lint}` is switched off: remove what is unused", source.at(at)));
            } else if !parts.any(|part| part.starts_with("reason")) {
                out.push(format!("{}: `{list}` is switched off without a reason", source.at(at)));
            } else if source.code[at..].starts_with("#![") && source.path.ends_with("lib.rs") {
                out.push(format!("{}: `{list}` is switched off for a whole crate", source.at(at)));
            }
        }
    })
}

/// The arguments of `name(...)` inside attributes, `cfg_attr` included.
fn attributes<'a>(code: &'a str, name: &'a str) -> std::vec::IntoIter<(usize, &'a str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("#[").chain(code.match_indices("#![")) {
        let open = start + code[start..].find('[').expect("matched with it");
        let attribute = &code[open..matching(code, open)];
        for at in find_word(attribute, name) {
            let rest = &attribute[at + name.len()..];
            if rest.starts_with('(') {
                found.push((start, rest[1..matching(rest, 0)].trim_end_matches(')').trim()));
            }
        }
    }
    found.into_iter()
}

fn unsafe_code(sources: &[Rust]) -> Vec<String> {
    each(sources, |source, out| {
        let listed = UNSAFE.iter().any(|place| source.path.starts_with(place));
        let mut uses = find_word(&source.shipped, "unsafe");
        match uses.next() {
            Some(at) if !listed => out.push(format!("{}: unsafe code outside its files", source.at(at))),
            None if UNSAFE.contains(&source.path.as_str()) => {
                out.push(format!("{}: holds no unsafe code, take it off the list", source.path));
            }
            _ => {}
        }
    })
}

fn module_docs(sources: &[Rust]) -> Vec<String> {
    each(sources, |source, out| {
        let lines = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        let is_folder = source.path.ends_with("/mod.rs") && !source.is_test();
        if is_folder && lines < MIN_MODULE_DOC {
            let path = &source.path;
            out.push(format!("{path}: opens with {lines} lines of `//!`, {MIN_MODULE_DOC} needed"));
        } else if lines == 0 && !source.is_test() && source.path.contains("src/") {
            out.push(format!("{}: does not say what it is", source.path));
        }
    })
}

#[test]
fn files_are_short() {
    assert_none(&length(&source::rust_files()));
}

#[test]
fn sources_are_ascii() {
    assert_none(&ascii(&source::rust_files()));
}

#[test]
fn nothing_is_left_over() {
    assert_none(&leftovers(&source::rust_files()));
}

#[test]
fn lints_are_not_switched_off() {
    assert_none(&lints(&source::rust_files()));
}

#[test]
fn unsafe_code_stays_in_its_files() {
    assert_none(&unsafe_code(&source::rust_files()));
}

#[test]
fn modules_say_what_they_are() {
    assert_none(&module_docs(&source::rust_files()));
}

#[cfg(test)]
mod samples {
    use super::{UNSAFE, ascii, attributes, leftovers, length, lints, module_docs, unsafe_code};
    use crate::source::Rust;

    fn sample(path: &str, text: &str) -> [Rust; 1] {
        [Rust::new(path, text)]
    }

    #[test]
    fn a_long_file_is_refused_but_not_for_its_tests() {
        let long = "fn f() {}\n".repeat(601);
        assert_eq!(length(&sample("core/src/a.rs", &long)).len(), 1);
        let tail = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "fn f() {}\n".repeat(600));
        assert!(length(&sample("core/src/a.rs", &tail)).is_empty());
        assert!(length(&sample("core/src/a/tests.rs", &long)).is_empty());
    }

    #[test]
    fn a_character_beyond_ascii_is_refused_outside_tests() {
        assert_eq!(ascii(&sample("core/src/a.rs", "// \u{2026}")).len(), 1);
        assert_eq!(ascii(&sample("core/src/a.rs", "const A: &str = \"\u{e9}\";")).len(), 1);
        assert!(
            ascii(&sample("core/src/a.rs", "#[cfg(test)] mod tests { const A: &str = \"\u{e9}\"; }"))
                .is_empty()
        );
    }

    #[test]
    fn unfinished_work_is_refused() {
        assert_eq!(leftovers(&sample("core/src/a.rs", "fn f() { todo!() }")).len(), 1);
        assert_eq!(leftovers(&sample("core/src/a.rs", "fn f() { std::dbg!(1); unimplemented!() }")).len(), 2);
        assert!(leftovers(&sample("core/src/a.rs", "// todo!()\nfn my_todo() {}")).is_empty());
    }

    #[test]
    fn a_silenced_lint_is_refused() {
        let refused = [
            "#[allow(dead_code)] fn f() {}",
            "#![allow(unused_imports)]",
            "#[cfg_attr(unix, allow(clippy::all))] fn f() {}",
            "#![expect(clippy::all, reason = \"why\")]",
            "#[expect(dead_code, reason = \"soon\")] fn f() {}",
            "#[expect(clippy::unwrap_used)] fn f() {}",
        ];
        for text in refused {
            assert_eq!(lints(&sample("core/src/lib.rs", text)).len(), 1, "{text}");
        }
        let fine =
            "#[expect(clippy::unwrap_used, reason = \"allow(dead_code)\")] fn f() { x.expect(\"held\") }";
        assert!(lints(&sample("core/src/a.rs", fine)).is_empty());
        assert!(attributes("#[expect(a(b), c)]", "expect").eq([(0, "a(b), c")]));
    }

    #[test]
    fn unsafe_code_is_refused_outside_the_list_and_a_stale_entry_too() {
        let text = "fn f() { unsafe { g() } }";
        assert_eq!(unsafe_code(&sample("core/src/a.rs", text)).len(), 1);
        assert!(unsafe_code(&sample(UNSAFE[0], text)).is_empty());
        assert_eq!(unsafe_code(&sample(UNSAFE[0], "#![expect(unsafe_code)]")).len(), 1);
    }

    #[test]
    fn a_folder_without_an_opening_document_is_refused() {
        let text = "//! line\n".repeat(7);
        assert_eq!(module_docs(&sample("core/src/a/mod.rs", &text)).len(), 1);
        assert!(module_docs(&sample("core/src/a/mod.rs", &format!("{text}//! line\n"))).is_empty());
        assert_eq!(module_docs(&sample("core/src/a/b.rs", "fn f() {}")).len(), 1);
    }
}
