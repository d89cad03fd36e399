//! Stack for what recurses over a statement's tree.
//!
//! How deep a tree is, is bounded where it is made: by the parser for what nests, by the binder for what chains. How
//! much stack the caller's thread has left is not: programs run statements on threads of any size. Whoever walks a tree
//! says how many nodes it has, and goes on with a stack of its own when the thread's could be too small.

/// What walking a tree may take whatever its size: expressions nest in the nodes of a plan.
const BASE: usize = if cfg!(debug_assertions) { 6 << 20 } else { 1 << 20 };

/// What one more node below the last may take.
const PER_NODE: usize = if cfg!(debug_assertions) { 64 << 10 } else { 8 << 10 };

/// Trees of more nodes are wide, not deep.
const MAX_LEVELS: usize = 4096;

/// What a step of a walk that asks at every step may take, and what it gets when there is less.
const STEP: usize = 32 << 10;
const MANY_STEPS: usize = 1 << 20;

/// Runs `walk` with enough stack for a tree of so many nodes.
pub(crate) fn with_room<T>(nodes: usize, walk: impl FnOnce() -> T) -> T {
    let room = BASE + nodes.min(MAX_LEVELS) * PER_NODE;
    stacker::maybe_grow(room, room, walk)
}

/// Runs one step of a walk over a tree whose size is not known; its parts ask again.
pub(crate) fn with_little<T>(step: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(STEP, MANY_STEPS, step)
}
