//! Newtype ids, so that a page number can never be passed where a row id is meant.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A logical page: stable for the page's life, mapped to a place in the file by the page map. 48 bits.
    PageId(u64)
);
id!(
    /// A page-sized place in the database file: byte offset = number x page size. 48 bits.
    PhysicalPage(u64)
);
id!(
    /// A table, index or other catalog object; unique for the life of the database.
    ObjectId(u32)
);
id!(
    /// A row of one table, stable for the row's life. For tables keyed by an integer it is the key with
    /// the sign bit flipped, so that ids order as keys do.
    RowId(u64)
);
id!(
    /// A cut (checkpoint) of the database; grows by one with each.
    Epoch(u64)
);
id!(
    /// A position in the log, in bytes since the database was created.
    Lsn(u64)
);
id!(
    /// A commit's place in the order of commits. 0 is older than every commit.
    Timestamp(u64)
);
id!(
    /// A transaction that may write: low 16 bits are its status slot, the rest the slot's generation.
    TransactionId(u64)
);
