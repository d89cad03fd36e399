//! Data types and values: what SQL calls them, how they lie in memory, how they are read, printed and cast.
//!
//! A value has two faces. Its [`DataType`] is SQL's: name, modifiers, meaning. Its [`PhysicalType`] is one of ten
//! shapes that vectors, rows and keys know:
//!
//! ```text
//!   boolean                          Bool      1 byte
//!   smallint                         I16       2
//!   integer  date                    I32       4
//!   bigint  time  timestamp[tz]      I64       8     numeric(p<=18,s)
//!   numeric(p>18,s)  numeric         I128     16
//!   real                             F32       4
//!   double precision                 F64       8
//!   interval                         Interval 16
//!   uuid                             Uuid     16
//!   text  varchar  char  bytea       Bytes    16     a string header, long bytes elsewhere
//! ```
//!
//! [`Value`] owns one value, [`Scalar`] borrows one in its physical shape, [`vector`] holds many.
//!
//! Invariants:
//! 1. `timestamp` and `date` count from 2000-01-01; the extremes of their integers are the infinities.
//! 2. `numeric(p,s)` has the digits only, at the type's scale; `numeric` carries the scale of each value.
//! 3. `character(n)` values have no trailing blanks inside the engine, so that they compare, hash and sort as
//!    `text` does.
//! 4. Text is UTF-8 and its order is that of its bytes (collation `C`).

pub mod bytes;
mod cast;
mod data_type;
pub mod datetime;
mod decimal;
pub mod float;
mod interval;
mod physical;
mod text;
mod value;
pub mod vector;

/// The longest string, in bytes: of text and of bytea, stored or on the way.
pub const MAX_STRING: usize = 64 << 20;

/// The greatest length of varchar(n) and char(n), in characters.
pub const MAX_CHARACTERS: u32 = 10_485_760;

pub use cast::{CastContext, cast_context, fit_string};
pub use data_type::{DataType, TypeCategory};
pub use datetime::TimeContext;
pub use decimal::Decimal;
pub use interval::{Interval, IntervalField, MICROS_PER_DAY};
pub use physical::{PhysicalType, Scalar};
pub use text::write_text;
pub use value::{Value, compare_floats};
pub use vector::{CHUNK_BYTES, Chunk, FlatVector, Selection, Str16, VECTOR_SIZE, Vector};
