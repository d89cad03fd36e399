//! Links between documents lead somewhere.

use crate::assert_none;
use crate::source::{self, File};

/// Relative links of Markdown files that lead to no file.
fn check(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|f| f.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (at, _) in file.text.match_indices("](") {
            let target = file.text[at + 2..].split([')', ' ']).next().unwrap_or("");
            let path = target.split('#').next().unwrap_or("");
            if !path.is_empty() && !path.contains(':') && !exists(&join(folder, path)) {
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
fn links_lead_somewhere() {
    let root = source::root();
    assert_none(&check(&source::files(), |path| root.join(path).exists()));
}

#[test]
fn a_dead_link_is_found() {
    let file = |text: &str| [File { path: "docs/a.md".to_owned(), text: text.to_owned() }];
    let exists = |path: &str| path == "README.md" || path == "docs/b.md";
    assert_none(&check(&file("[r](../README.md) [b](b.md#part) [h](#here) [w](https://x.y/z)"), exists));
    assert_eq!(check(&file("[c](c.md)"), exists), ["docs/a.md:1: `c.md` leads nowhere"]);
}
