//! The files of the repository, and Rust text with comments, literals and test items blanked out.
//!
//! Blanking keeps every byte's position, so that a line number found in the blanked text is the line number
//! in the file. The scanner knows just enough of the language: nested comments, raw strings, the difference
//! between a character and a lifetime, and where the item after a `#[cfg(test)]` ends.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Folders that hold what tools made or fetched.
const SKIPPED: [&str; 6] = ["target", "node_modules", "__pycache__", "build", "dist", "prebuilds"];

/// Text files by the end of their name.
const TEXT: [&str; 20] = [
    ".rs", ".md", ".toml", ".py", ".pyi", ".js", ".mjs", ".cjs", ".ts", ".c", ".h", ".hpp", ".sql", ".slt",
    ".sh", ".json", ".yml", ".yaml", "Makefile", ".ci/run",
];

/// Words that start an item which ends with its braces or a semicolon.
const ITEMS: [&str; 13] = [
    "mod",
    "fn",
    "impl",
    "struct",
    "enum",
    "union",
    "trait",
    "const",
    "static",
    "type",
    "unsafe",
    "extern",
    "macro_rules",
];

/// A text file of the repository.
pub(crate) struct File {
    /// Relative to the root, with `/` between folders.
    pub(crate) path: String,
    /// Everything in it.
    pub(crate) text: String,
}

/// A Rust file.
pub(crate) struct Rust {
    /// Relative to the root.
    pub(crate) path: String,
    /// Everything in it.
    pub(crate) text: String,
    /// Comments and the insides of literals blanked.
    pub(crate) code: String,
    /// `code` with test items blanked too; all blank in a test file.
    pub(crate) shipped: String,
    /// The bytes of `text` that are test items; all of it in a test file.
    tests: Vec<Range<usize>>,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_path_buf()
}

/// Every text file of the repository.
pub(crate) fn files() -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every Rust file of the repository.
pub(crate) fn rust_files() -> Vec<Rust> {
    rust(&files())
}

/// The Rust files among `files`; a module declared under `#[cfg(test)]` is a test file.
pub(crate) fn rust(files: &[File]) -> Vec<Rust> {
    let mut parsed: Vec<Rust> =
        files.iter().filter(|f| f.path.ends_with(".rs")).map(|f| Rust::new(&f.path, &f.text)).collect();
    let test_modules: Vec<String> = parsed.iter().flat_map(declared_test_modules).collect();
    for source in &mut parsed {
        if test_modules.iter().any(|stem| source.is_below(stem)) {
            source.make_test();
        }
    }
    parsed
}

/// The text of one file of the repository, if it is there.
pub(crate) fn read(path: &str) -> Option<String> {
    read_path(&root().join(path))
}

/// Fails unless a generated document says what it should; with `UPDATE_DOCS` set (`make docs`) rewrites it.
#[expect(clippy::disallowed_methods, reason = "the repository's own files, not a database's")]
pub(crate) fn assert_current(path: &str, is: &str, should_be: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(path), should_be).expect("a writable repository");
    } else {
        assert!(is == should_be, "{path} is not current: run `make docs`");
    }
}

#[expect(clippy::disallowed_methods, reason = "the repository's own files, not a database's")]
fn read_path(path: &Path) -> Option<String> {
    fs::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok())
}

#[expect(clippy::disallowed_methods, reason = "the repository's own files, not a database's")]
fn walk(root: &Path, folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a readable repository").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && (!name.starts_with('.') || name == ".ci") {
                walk(root, &path, found);
            }
            continue;
        }
        let relative = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        if TEXT.iter().any(|end| relative.ends_with(end))
            && let Some(text) = read_path(&path)
        {
            found.push(File { path: relative, text });
        }
    }
}

impl Rust {
    /// Scans `text`; a file named for tests, or in a folder of them, is all test.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_literals(text);
        let tests = test_items(&code);
        let shipped = blank(&code, &tests);
        let mut source = Self { path: path.to_owned(), text: text.to_owned(), code, shipped, tests };
        let in_tests = path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "fuzz"));
        if in_tests {
            source.make_test();
        }
        source
    }

    fn make_test(&mut self) {
        self.tests.clear();
        self.tests.push(0..self.text.len());
        self.shipped = blank(&self.code, &self.tests);
    }

    fn is_below(&self, stem: &str) -> bool {
        self.path.strip_prefix(stem).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Whether nothing of the file is part of the product.
    pub(crate) fn is_test(&self) -> bool {
        self.tests.first().is_some_and(|all| all.len() == self.text.len())
    }

    /// Whether the byte at `position` belongs to a test.
    pub(crate) fn in_test(&self, position: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&position))
    }

    /// How many lines are not taken up by test items.
    pub(crate) fn shipped_lines(&self) -> usize {
        let test_lines: usize = self.tests.iter().map(|range| self.text[range.clone()].lines().count()).sum();
        self.text.lines().count().saturating_sub(test_lines)
    }

    /// `path:line` of a byte.
    pub(crate) fn at(&self, position: usize) -> String {
        format!("{}:{}", self.path, line_of(&self.text, position))
    }
}

/// The 1-based line of a byte.
pub(crate) fn line_of(text: &str, position: usize) -> usize {
    1 + text.as_bytes()[..position].iter().filter(|&&b| b == b'\n').count()
}

/// Where `word` stands in `text` with no identifier character on either side.
pub(crate) fn find_word<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = at.checked_sub(1).is_none_or(|i| !is_ident(bytes[i]));
        let after = bytes.get(at + word.len()).is_none_or(|&b| !is_ident(b));
        before && after
    })
}

/// Whether a byte can stand in an identifier.
pub(crate) fn is_ident(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// The identifier that starts `text`, possibly empty.
pub(crate) fn leading_ident(text: &str) -> &str {
    let end = text.bytes().position(|b| !is_ident(b)).unwrap_or(text.len());
    &text[..end]
}

/// The end of the bracket that opens at `open`, one past its partner.
pub(crate) fn matching(code: &str, open: usize) -> usize {
    let mut depth = 0usize;
    for (i, b) in code.bytes().enumerate().skip(open) {
        match b {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return i + 1;
        }
    }
    code.len()
}

fn blank(text: &str, ranges: &[Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in ranges {
        for b in &mut bytes[range.clone()] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
    }
    String::from_utf8(bytes).expect("whole characters were blanked")
}

fn blank_comments_and_literals(text: &str) -> String {
    let ranges: Vec<Range<usize>> = comments_and_literals(text).into_iter().map(|(_, range)| range).collect();
    blank(text, &ranges)
}

/// Rust text with the insides of strings and characters blanked, comments kept.
pub(crate) fn blank_literals(text: &str) -> String {
    let spans = comments_and_literals(text).into_iter();
    let literals: Vec<Range<usize>> =
        spans.filter(|(span, _)| *span == Span::Literal).map(|(_, range)| range).collect();
    blank(text, &literals)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Span {
    Comment,
    Literal,
}

fn comments_and_literals(text: &str) -> Vec<(Span, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut spans = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let end = match bytes[i] {
            b'/' if bytes.get(i + 1) == Some(&b'/') => text[i..].find('\n').map_or(text.len(), |n| i + n),
            b'/' if bytes.get(i + 1) == Some(&b'*') => block_comment_end(bytes, i),
            b'r' if i == 0 || !is_ident(bytes[i - 1]) || is_prefixed_raw(bytes, i) => {
                match raw_string_end(text, i) {
                    Some(end) => end,
                    None => {
                        i += 1;
                        continue;
                    }
                }
            }
            b'"' => string_end(bytes, i),
            b'\'' => match char_end(text, i) {
                Some(end) => end,
                None => {
                    i += 1;
                    continue;
                }
            },
            _ => {
                i += 1;
                continue;
            }
        };
        let span = if bytes[i] == b'/' { Span::Comment } else { Span::Literal };
        spans.push((span, i..end));
        i = end;
    }
    spans
}

/// `br"` and `cr"`: the letter before the `r` is itself the start of a word.
fn is_prefixed_raw(bytes: &[u8], r: usize) -> bool {
    matches!(bytes[r - 1], b'b' | b'c') && (r == 1 || !is_ident(bytes[r - 2]))
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    let mut i = start;
    while i < bytes.len() {
        match &bytes[i..bytes.len().min(i + 2)] {
            b"/*" => {
                depth += 1;
                i += 2;
            }
            b"*/" => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(text: &str, r: usize) -> Option<usize> {
    let rest = &text[r + 1..];
    let hashes = rest.bytes().take_while(|&b| b == b'#').count();
    let body = rest[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - body.len();
    Some(body.find(&close).map_or(text.len(), |n| start + n + close.len()))
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The end of a character literal, or `None` for a lifetime.
fn char_end(text: &str, start: usize) -> Option<usize> {
    let mut chars = text[start + 1..].char_indices();
    match chars.next()? {
        (_, '\\') => {
            chars.next()?;
            text[start + 3..].find('\'').map(|n| start + 3 + n + 1)
        }
        _ => match chars.next()? {
            (n, '\'') => Some(start + 1 + n + 1),
            _ => None,
        },
    }
}

/// The byte ranges of items under `#[cfg(test)]` or `#[cfg(all(test, ...))]`, attribute included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        let condition = code[start..].trim_start_matches("#[cfg(");
        let condition = condition.strip_prefix("all(").unwrap_or(condition);
        if leading_ident(condition) == "test" && items.last().is_none_or(|last| last.end <= start) {
            items.push(start..item_end(code, start));
        }
    }
    items
}

fn item_end(code: &str, attribute: usize) -> usize {
    let mut i = attribute;
    while code[i..].starts_with('#') {
        i = matching(code, i + 1);
        i += code[i..].len() - code[i..].trim_start().len();
    }
    let mut words = code[i..].split_whitespace().filter(|word| !word.starts_with("pub"));
    let keyword = leading_ident(words.next().unwrap_or(""));
    let is_item = ITEMS.contains(&keyword) || code[i..].starts_with('{');
    let bytes = code.as_bytes();
    while i < bytes.len() {
        match bytes[i] {
            b'{' if is_item => return matching(code, i),
            b'{' | b'(' | b'[' => i = matching(code, i),
            b';' => return i + 1,
            b',' if !is_item && keyword != "use" => return i + 1,
            b'}' | b')' | b']' => return i,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// Modules that `source` declares under `#[cfg(test)]`, as paths without `.rs`.
fn declared_test_modules(source: &Rust) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
    let folder = match file {
        "mod.rs" | "lib.rs" | "main.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    };
    let declared = source.tests.iter().filter_map(|range| {
        let item = source.code[range.clone()].strip_suffix(';')?;
        let (_, name) = item.rsplit_once("mod ")?;
        Some(format!("{folder}/{}", name.trim()))
    });
    declared.collect()
}

#[test]
fn comments_strings_and_characters_are_blanked() {
    let check = |text: &str, expected: &str| {
        assert_eq!(blank_comments_and_literals(text).trim_end(), expected, "{text}");
    };
    check("a // crate::b", "a");
    check("a /* x /* y */ z */ b", "a                   b");
    check(r#"f("crate::x \" y") + 1"#, "f(               ) + 1");
    check(r###"f(r#"a "quoted" b"#, br"c") + 1"###, "f(                 , b    ) + 1");
    check(
        "fn f<'a>(x: &'a u8, c: char) { c == 'x' || c == '\\'' }",
        "fn f<'a>(x: &'a u8, c: char) { c ==     || c ==      }",
    );
    check("let \u{e9} = '\u{e9}';", "let \u{e9} =     ;");
    assert_eq!(blank_literals("f(\"//\") // \"why\""), "f(    ) // \"why\"");
}

#[test]
fn test_items_end_where_the_item_ends() {
    let check = |code: &str, left: &str| {
        let shipped = Rust::new("core/src/a.rs", code).shipped;
        assert_eq!(shipped.split_whitespace().collect::<Vec<_>>().join(" "), left, "{code}");
    };
    check("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { } }\nfn c() {}", "fn a() {} fn c() {}");
    check("#[cfg(test)]\nmod tests;\nfn c() {}", "fn c() {}");
    check("#[cfg(test)]\n#[path = \"x.rs\"]\npub(crate) mod x;\nfn c() {}", "fn c() {}");
    check("#[cfg(test)]\nuse a::{b, c};\nuse d;", "use d;");
    check("struct S {\n#[cfg(test)]\npub hits: u64,\nn: u8 }", "struct S { n: u8 }");
    check("#[cfg(all(test, unix))] fn f<A, B>(x: [u8; 3]) -> A { g(x) } fn c() {}", "fn c() {}");
    check("#[cfg(not(test))] fn kept() {}", "#[cfg(not(test))] fn kept() {}");
}

#[test]
fn modules_declared_for_tests_are_test_files() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let parsed = rust(&[
        file("core/src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod model;\n"),
        file("core/src/a/b.rs", "fn b() {}"),
        file("core/src/a/model.rs", "fn model() {}"),
        file("core/src/a/tests.rs", "fn t() {}"),
    ]);
    let tests: Vec<&str> = parsed.iter().filter(|s| s.is_test()).map(|s| s.path.as_str()).collect();
    assert_eq!(tests, ["core/src/a/model.rs", "core/src/a/tests.rs"]);
    assert_eq!(parsed[0].shipped_lines(), 1);
}
