//! Settings of a session, each defined once: its name, what it may be, its default and what it does.
//!
//! Names, values, units and messages are PostgreSQL's where it has the setting. Values are kept parsed; SHOW prints them
//! in the largest unit that divides them.
//!
//! 1. A setting is one line of the table below: parsing, SHOW, SHOW ALL and the documents read it from there.
//! 2. A value that is kept is valid; what a setting cannot be never replaces what it is.
//! 3. Whoever acts on a setting asks for it by its [`Setting`], never by its name.

mod value;

use crate::error::{Result, StatementError};
use std::time::Duration;

pub use value::{Kind, Unit, Value};

/// A setting.
#[derive(Debug)]
pub struct Definition {
    /// Its name as SHOW ALL prints it; looked up without regard to case.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is when nobody set it, as SET would take it.
    pub default: &'static str,
    /// What it does, in a line.
    pub description: &'static str,
}

macro_rules! settings {
    ($($id:ident $name:literal $kind:expr, $default:literal, $description:literal;)*) => {
        /// The settings by name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[expect(missing_docs, reason = "the definitions tell")]
        pub enum Setting { $($id),* }

        /// All settings, in the order of their names.
        pub const DEFINITIONS: &[Definition] =
            &[$(Definition { name: $name, kind: $kind, default: $default, description: $description }),*];

        impl Setting {
            const ALL: &[Self] = &[$(Self::$id),*];
        }
    };
}

settings! {
    ApplicationName "application_name" Kind::Text, "", "The name of the program that uses the session.";
    ClientEncoding "client_encoding" Kind::Only(&["utf8", "unicode"], "UTF8"), "UTF8", "The encoding of text.";
    ClientMinMessages "client_min_messages"
        Kind::Choice(&["debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning", "error"]),
        "notice", "The least severe messages that the client gets.";
    DateStyle "DateStyle" Kind::Only(&["iso", "iso, mdy", "mdy", "iso,mdy"], "ISO, MDY"), "ISO, MDY",
        "The form of dates and times.";
    DefaultIsolation "default_transaction_isolation"
        Kind::Choice(&["serializable", "repeatable read", "read committed", "read uncommitted"]), "read committed",
        "The isolation level of new transactions.";
    DefaultReadOnly "default_transaction_read_only" Kind::Boolean, "off", "New transactions change nothing.";
    ExtraFloatDigits "extra_float_digits" Kind::Integer(-15, 3, Unit::None), "1", "Digits of floating-point numbers; 1 and more are exact.";
    IntervalStyle "IntervalStyle" Kind::Only(&["postgres"], "postgres"), "postgres", "The form of intervals.";
    LockTimeout "lock_timeout" Kind::Integer(0, i32::MAX as i64, Unit::Milliseconds), "0",
        "The longest wait for a lock; 0 waits for ever.";
    MemoryLimit "memory_limit" Kind::Integer(1024, i32::MAX as i64, Unit::Kilobytes), "0",
        "Memory of the whole database, for all sessions; SHOW tells the limit in force.";
    SearchPath "search_path" Kind::Only(&["public", "\"$user\", public", "$user, public", "pg_catalog, public"], "\"$user\", public"),
        "\"$user\", public", "The schemas that unqualified names are looked up in.";
    ServerEncoding "server_encoding" Kind::Fixed, "UTF8", "The encoding of stored text.";
    ServerVersion "server_version" Kind::Fixed, "15.0 (RustDB)", "The version of PostgreSQL whose behaviour is followed.";
    ServerVersionNumber "server_version_num" Kind::Fixed, "150000", "The same as a number.";
    StandardStrings "standard_conforming_strings" Kind::Only(&["on", "true", "1", "yes"], "on"), "on",
        "Backslashes in plain string literals stand for themselves.";
    StatementTimeout "statement_timeout" Kind::Integer(0, i32::MAX as i64, Unit::Milliseconds), "0",
        "The longest time a statement may run; 0 for any time.";
    SynchronousCommit "synchronous_commit" Kind::Choice(&["on", "off", "local", "remote_write", "remote_apply"]), "on",
        "off: COMMIT does not wait until the commit is on disk.";
    TimeZone "TimeZone" Kind::Zone, "UTC", "The session's zone: UTC or a fixed offset.";
}

/// The values of a session's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Vec<Value>,
}

impl Default for Settings {
    fn default() -> Self {
        let value = |definition: &Definition| match definition.kind {
            Kind::Fixed => Value::Text(definition.default.into()),
            _ if definition.default == "0" => Value::Integer(0),
            kind => kind.parse(definition.name, definition.default).expect("defaults are valid"),
        };
        Self { values: DEFINITIONS.iter().map(value).collect() }
    }
}

impl Setting {
    /// The setting of a name.
    ///
    /// # Errors
    /// 42704 if there is none.
    pub fn find(name: &str) -> Result<Self> {
        let found = DEFINITIONS.iter().position(|definition| definition.name.eq_ignore_ascii_case(name));
        found
            .map(|index| Self::ALL[index])
            .ok_or_else(|| StatementError::UnknownSetting { name: name.to_owned() }.into())
    }

    /// What it is.
    pub fn definition(self) -> &'static Definition {
        &DEFINITIONS[self as usize]
    }
}

impl Settings {
    /// Its value.
    pub fn get(&self, setting: Setting) -> &Value {
        &self.values[setting as usize]
    }

    /// Its value as SHOW prints it.
    pub fn show(&self, setting: Setting) -> String {
        setting.definition().kind.show(self.get(setting))
    }

    /// Gives it a value; the former one is returned.
    ///
    /// # Errors
    /// 22023 for a value it cannot have, 55P02 if it cannot be changed.
    pub fn set(&mut self, setting: Setting, text: &str) -> Result<Value> {
        let definition = setting.definition();
        let value = definition.kind.parse(definition.name, text)?;
        Ok(self.replace(setting, value))
    }

    /// Gives it its default; the former value is returned.
    ///
    /// # Errors
    /// 55P02 if it cannot be changed.
    pub fn reset(&mut self, setting: Setting) -> Result<Value> {
        if matches!(setting.definition().kind, Kind::Fixed) {
            return Err(StatementError::FixedSetting { name: setting.definition().name.to_owned() }.into());
        }
        let default = Self::default().get(setting).clone();
        Ok(self.replace(setting, default))
    }

    /// Puts a value back.
    pub fn replace(&mut self, setting: Setting, value: Value) -> Value {
        std::mem::replace(&mut self.values[setting as usize], value)
    }

    /// Whether it is on.
    pub fn is_on(&self, setting: Setting) -> bool {
        matches!(self.get(setting), Value::Boolean(true))
    }

    /// A number of milliseconds; `None` for 0.
    pub fn duration(&self, setting: Setting) -> Option<Duration> {
        match self.get(setting) {
            Value::Integer(millis) => {
                u64::try_from(*millis).ok().filter(|&m| m > 0).map(Duration::from_millis)
            }
            Value::Boolean(_) | Value::Text(_) | Value::Zone(..) => None,
        }
    }

    /// A word or text; empty for others.
    pub fn text(&self, setting: Setting) -> &str {
        match self.get(setting) {
            Value::Text(text) | Value::Zone(text, _) => text,
            Value::Boolean(_) | Value::Integer(_) => "",
        }
    }

    /// The session's zone, in seconds east of UTC.
    pub fn zone_seconds(&self) -> i32 {
        match self.get(Setting::TimeZone) {
            Value::Zone(_, seconds) => *seconds,
            Value::Boolean(_) | Value::Integer(_) | Value::Text(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
