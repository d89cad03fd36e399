//! What a call comes to, as a number.

/// What a function came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub enum Status {
    /// Done.
    RustdbOk = 0,
    /// The database refused: the error's SQLSTATE says why.
    RustdbError = 1,
    /// A call that breaks the rules of this header: a null handle, a value of no row.
    RustdbMisuse = 2,
    /// No parameter or column has that number.
    RustdbRange = 3,
    /// The handle has children that are in use; nothing was freed.
    RustdbBusy = 4,
    /// A fault of the library. The connection accepts no further calls but `rustdb_disconnect`.
    RustdbInternal = 5,
    /// `rustdb_step`: there is a row.
    RustdbRow = 100,
    /// `rustdb_step`: there are no more rows.
    RustdbDone = 101,
}
