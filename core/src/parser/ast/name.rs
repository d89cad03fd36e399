//! Names as a statement gives them: folded, with the place where they stand.

use std::fmt;

/// Characters from the start of the text, from 1; PostgreSQL's convention for error positions.
pub type Position = u32;

/// One name, folded to lower case unless it was quoted and cut to 63 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ident {
    /// The folded name.
    pub name: String,
    /// Where it starts.
    pub position: Position,
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A name that schema and database may qualify: `table`, `schema.table`, `database.schema.table`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectName {
    /// The database, when three parts are given.
    pub database: Option<Ident>,
    /// The schema, when two or three parts are given.
    pub schema: Option<Ident>,
    /// The object itself.
    pub name: Ident,
}

impl ObjectName {
    /// The position of the first part, which is where PostgreSQL points to when the object is missing.
    pub fn position(&self) -> Position {
        self.database.as_ref().or(self.schema.as_ref()).unwrap_or(&self.name).position
    }
}

impl fmt::Display for ObjectName {
    /// The parts with dots between, unquoted, as PostgreSQL's messages show them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for qualifier in [&self.database, &self.schema].into_iter().flatten() {
            write!(f, "{qualifier}.")?;
        }
        f.write_str(&self.name.name)
    }
}
