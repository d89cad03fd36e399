//! The house style as tests: what a reviewer would otherwise have to look for in every change.
//!
//! Each module holds one family of checks. A check is a function from sources to a list of complaints, so that
//! next to the test that runs it over the repository stand tests that show it failing on small samples.
//! There are no exception lists: a file that needs an exception needs a change.

mod documents;
mod errors;
mod header;
mod layers;
mod settings;
mod source;
mod style;
mod words;
mod workspace;

/// Fails with the whole list, one complaint a line.
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}
