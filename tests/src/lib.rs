//! The cross-cutting suites of RustDB live beside this crate's manifest; the library itself is empty.
