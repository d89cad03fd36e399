//! The workspace: every crate is a member, under the common lints, and every dependency has its reason.

use crate::assert_none;
use crate::source::{self, File};

/// Crates that are workspaces of their own, because their tools demand it.
const OUTSIDE: [&str; 1] = ["fuzz"];

fn check(files: &[File]) -> Vec<String> {
    let manifest = |path: &str| files.iter().find(|f| f.path == path).map(|f| f.text.as_str());
    let Some(root) = manifest("Cargo.toml") else { return vec!["no Cargo.toml".to_owned()] };
    let members = members(root);
    let mut complaints = Vec::new();
    for file in files {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        if OUTSIDE.contains(&folder) {
            continue;
        }
        if !members.iter().any(|member| covers(member, folder)) {
            complaints.push(format!("{}: not a member of the workspace", file.path));
        }
        if section(&file.text, "[lints]").all(|line| line != "workspace = true") {
            complaints.push(format!("{}: not under the workspace's lints", file.path));
        }
    }
    for member in members.iter().filter(|member| !member.ends_with('*')) {
        if manifest(&format!("{member}/Cargo.toml")).is_none() {
            complaints.push(format!("Cargo.toml: member `{member}` is not there"));
        }
    }
    complaints.extend(unexplained(root));
    complaints
}

fn members(root: &str) -> Vec<&str> {
    let list =
        root.split_once("members = [").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(l, _)| l);
    list.split(',').map(|m| m.trim().trim_matches('"')).filter(|m| !m.is_empty()).collect()
}

fn covers(member: &str, folder: &str) -> bool {
    match member.strip_suffix("/*") {
        Some(parent) => folder.strip_prefix(parent).is_some_and(|rest| rest.rfind('/') == Some(0)),
        None => member == folder,
    }
}

/// The lines of one section of a manifest.
fn section<'a>(manifest: &'a str, header: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = manifest.lines().map(str::trim).skip_while(move |line| *line != header);
    lines.skip(1).take_while(|line| !line.starts_with('['))
}

/// Dependencies without a comment above them that says why they are there.
fn unexplained(root: &str) -> Vec<String> {
    let mut above = "";
    let mut complaints = Vec::new();
    for line in section(root, "[workspace.dependencies]") {
        let foreign = line.contains(" = ") && !line.starts_with('#') && !line.contains("path = ");
        if foreign && !above.starts_with('#') && !above.contains(" = ") {
            complaints.push(format!("Cargo.toml: no reason given above `{line}`"));
        }
        above = line;
    }
    complaints
}

#[test]
fn crates_are_members_under_the_common_lints() {
    assert_none(&check(&source::files()));
}

#[test]
fn a_stray_crate_and_an_unexplained_dependency_are_found() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let root =
        "[workspace]\nmembers = [\"core\", \"bindings/*\"]\n[workspace.dependencies]\n# Why.\na = \"1\"\n";
    let good = "[package]\n[lints]\nworkspace = true\n";
    let with = |root: &str, more: &[(&str, &str)]| {
        let mut files = vec![file("Cargo.toml", root), file("core/Cargo.toml", good)];
        files.extend(more.iter().map(|(path, text)| file(path, text)));
        check(&files).len()
    };
    assert_eq!(with(root, &[("bindings/c/Cargo.toml", good), ("fuzz/Cargo.toml", "")]), 0);
    assert_eq!(with(root, &[("stray/Cargo.toml", good)]), 1);
    assert_eq!(with(root, &[("bindings/c/deep/Cargo.toml", good)]), 1);
    assert_eq!(with(root, &[("bindings/c/Cargo.toml", "[package]")]), 1);
    assert_eq!(with(&format!("{root}\nb = \"2\"\n"), &[]), 1);
    assert_eq!(with(&root.replace("\"core\"", "\"core\", \"gone\""), &[]), 1);
}
