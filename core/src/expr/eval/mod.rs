//! Evaluation of expressions over chunks.
//!
//! [`Evaluator::new`] compiles a list of expressions into a program: nodes in an array, equal subexpressions once,
//! constants folded. Each node has a register, a vector that keeps its memory from chunk to chunk. A run asks the
//! roots for their rows; a node computes its operands first, then itself:
//!
//! ```text
//!   nodes       0 column 5     1 column 6    2 constant 1    3 call - (2,1)    4 call * (0,3)   <- root
//!   registers   (the chunk's)  (the chunk's) constant        flat              flat
//!   stamps      which rows of which chunk a register holds
//! ```
//!
//! Rows and scopes. A run starts with the rows of the chunk that count. `AND`, `OR`, `CASE` and `COALESCE` go on with
//! fewer rows, in an inner *scope*; a register computed in a scope is good in that scope and those inside it. So an
//! equal subexpression is computed once where that is possible, and no row is computed that is not needed.
//!
//! Invariants:
//! 1. A register holds the rows of its stamp's scope; its other rows have any content.
//! 2. The code of a strict function sees no row with a NULL argument, except that loops which cannot fail may run
//!    over all of them.
//! 3. An expression of constants, parameters and stable functions is computed once per chunk, and not at all for no
//!    rows.
//! 4. A function of one dictionary is computed on the dictionary's values if these are fewer than the rows. If one
//!    of them fails, which may be one no row has, it is computed on the rows.

mod call;
mod cast;
mod compare;
mod conditional;
mod in_list;
mod lane;
mod pattern;
mod program;
mod run;
mod select;

pub use call::{Argument, Call, Output, RowSet, Store, binary, ternary, unary};
pub use lane::Lane;
pub use pattern::Pattern;
pub(super) use pattern::reason;
pub use run::{Evaluator, Outputs, evaluate_constant};
