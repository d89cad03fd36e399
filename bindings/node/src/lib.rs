//! RustDB for Node.js: the native half of the package in `node/`. Only translation lives here; queues, the shapes of
//! rows, transactions and everything else that JavaScript can say as well is JavaScript, in `node/lib`.
//!
//! - A [`Session`](session::Session) is one database connection with a thread of its own. A promise of it is settled
//!   by that thread, so that a statement that waits for a lock holds up neither the event loop nor other sessions, as
//!   it would in libuv's pool of four.
//! - Each operation comes twice, as a promise and, with a name in `Sync`, on the caller's thread.
//! - The engine's errors are not thrown but returned, as a [`Failure`](failure::Failure), which JavaScript makes the
//!   exception of, so that it carries all fields and the caller's stack. A panic becomes one too (XX000).

pub mod failure;
mod parameters;
pub mod rows;
pub mod session;
mod shared;
mod worker;
