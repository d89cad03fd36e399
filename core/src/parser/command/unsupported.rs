//! Statements that PostgreSQL has and this engine has not: known by their first words.

use super::super::cursor::Cursor;
use crate::error::Error;

/// Statements whose first word says it all.
const STATEMENTS: &[&str] = &[
    "alter", "call", "close", "cluster", "comment", "declare", "do", "fetch", "grant", "import", "listen",
    "load", "lock", "merge", "move", "notify", "reassign", "refresh", "reindex", "revoke", "security",
    "unlisten",
];

/// What CREATE, ALTER and DROP may be about.
const OBJECTS: &[&[&str]] = &[
    &["access", "method"],
    &["aggregate"],
    &["cast"],
    &["collation"],
    &["conversion"],
    &["database"],
    &["default", "privileges"],
    &["domain"],
    &["event", "trigger"],
    &["extension"],
    &["foreign", "data", "wrapper"],
    &["foreign", "table"],
    &["function"],
    &["group"],
    &["index"],
    &["language"],
    &["large", "object"],
    &["materialized", "view"],
    &["operator", "class"],
    &["operator", "family"],
    &["operator"],
    &["owned"],
    &["policy"],
    &["procedure"],
    &["publication"],
    &["role"],
    &["routine"],
    &["rule"],
    &["schema"],
    &["sequence"],
    &["server"],
    &["statistics"],
    &["subscription"],
    &["system"],
    &["table"],
    &["tablespace"],
    &["text", "search"],
    &["transform"],
    &["trigger"],
    &["type"],
    &["user", "mapping"],
    &["user"],
    &["view"],
];

/// Words that may stand between CREATE and the object.
const CREATE_MODIFIERS: &[&[&str]] = &[
    &["or", "replace"],
    &["global"],
    &["local"],
    &["temporary"],
    &["temp"],
    &["unlogged"],
    &["recursive"],
    &["trusted"],
    &["constraint"],
    &["unique"],
];

/// The refusal of a statement, or a syntax error if PostgreSQL does not know it either.
pub(super) fn refuse(cursor: &Cursor<'_>) -> Error {
    let mut ahead = cursor.clone();
    let Some(token) = ahead.peek() else {
        return ahead.error();
    };
    let first = cursor.source.token_text(token).to_ascii_uppercase();
    ahead.at += 1;
    let on_objects = matches!(first.as_str(), "CREATE" | "ALTER" | "DROP");
    if on_objects {
        let mut words = vec![first.clone()];
        while first == "CREATE"
            && let Some(modifier) = CREATE_MODIFIERS.iter().find(|modifier| ahead.accept_words(modifier))
        {
            words.push(modifier.join(" ").to_ascii_uppercase());
        }
        return match OBJECTS.iter().find(|object| ahead.are_words(object)) {
            Some(object) => {
                words.push(object.join(" ").to_ascii_uppercase());
                cursor.not_supported(words.join(" "))
            }
            None => ahead.error(),
        };
    }
    match STATEMENTS.iter().any(|word| cursor.is_word(word)) {
        true => cursor.not_supported(first),
        false => cursor.error(),
    }
}
