//! Bytes that other modules store: keys whose order is their values' order, and checksums.

pub mod checksum;
pub mod fields;
pub mod key;
pub mod row;
