//! The engine used from outside, through its public interface: one binary, because each costs a link.

mod crash;
mod error;
mod parity;
mod sessions;
mod sql;
