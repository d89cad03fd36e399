//! Where a database is: paths, URLs, and memory.

use super::OpenOptions;
use crate::config::{Kind, Unit, Value};
use crate::error::{Result, StatementError};
use std::path::PathBuf;

/// A place of a database.
pub(super) enum Location {
    /// A file.
    File(PathBuf),
    /// Memory, perhaps shared by name.
    Memory(Option<String>),
}

/// A location and the options it comes to.
///
/// # Errors
/// 22023 for options that are unknown or cannot be.
pub(super) fn parse(location: &str, options: &OpenOptions) -> Result<(Location, OpenOptions)> {
    let mut options = options.clone();
    let Some(rest) = location.strip_prefix("rustdb:") else {
        let memory = location == ":memory:";
        let place = if memory { Location::Memory(None) } else { Location::File(location.into()) };
        return Ok((place, options));
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut options, name, &decode(value))?;
    }
    let place = place.strip_prefix("//").unwrap_or(place);
    let place = match place.strip_prefix(":memory:") {
        Some("") => Location::Memory(None),
        Some(name) => Location::Memory(Some(decode(name))),
        None => Location::File(decode(place).into()),
    };
    Ok((place, options))
}

fn invalid(name: &str, value: &str) -> crate::Error {
    StatementError::InvalidSetting { name: name.to_owned(), value: value.to_owned() }.into()
}

/// Sets one option.
///
/// # Errors
/// 22023 for a value that it cannot have.
pub(super) fn set(options: &mut OpenOptions, name: &str, value: &str) -> Result<()> {
    let number = || value.parse::<u32>().map_err(|_| invalid(name, value));
    match name {
        "memory_limit" | "cache" => {
            let kilobytes = Kind::Integer(1024, i64::MAX >> 10, Unit::Kilobytes).parse(name, value)?;
            let Value::Integer(kilobytes) = kilobytes else { return Err(invalid(name, value)) };
            options.memory_limit = u64::try_from(kilobytes).ok().map(|kilobytes| kilobytes << 10);
        }
        "threads" => options.threads = Some(number()?.max(1) as usize),
        "page_size" => options.page_size = Some(number()?),
        "mode" if value == "rw" => {}
        "mode" => {
            let feature = format!("mode \"{value}\"");
            return Err(StatementError::NotSupported { feature }.into());
        }
        _ => options.settings.push((name.to_owned(), value.to_owned())),
    }
    Ok(())
}

/// `%20` and its like.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()).filter(|_| byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_paths_urls_and_memory() {
        let place = |location: &str| match parse(location, &OpenOptions::default()).unwrap().0 {
            Location::File(path) => path.display().to_string(),
            Location::Memory(name) => format!("memory {}", name.unwrap_or_default()),
        };
        assert_eq!(place("a b.db"), "a b.db");
        assert_eq!(place(":memory:"), "memory ");
        assert_eq!(place("rustdb::memory:x"), "memory x");
        assert_eq!(place("rustdb:a%20b.db?threads=2"), "a b.db");
        assert_eq!(place("rustdb:///abs/app.db"), "/abs/app.db");
        let options = parse("rustdb:a?memory_limit=256MB&threads=3", &OpenOptions::default()).unwrap().1;
        assert_eq!((options.memory_limit, options.threads), (Some(256 << 20), Some(3)));
        assert!(parse("rustdb:a?threads=x", &OpenOptions::default()).is_err());
        let mut options = OpenOptions::default();
        options.set("page_size", "32768").unwrap();
        options.set("lock_timeout", "5s").unwrap();
        assert_eq!(options.page_size, Some(32768));
        options.set("page_size", "1000").unwrap();
        let refused = crate::Database::open_with("/nowhere/x.db", &options);
        assert_eq!(refused.err().map(|error| error.sqlstate().0), Some("22023"));
        assert_eq!(options.settings, [("lock_timeout".to_owned(), "5s".to_owned())]);
    }
}
