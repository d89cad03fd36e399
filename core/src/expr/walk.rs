//! Walking and rewriting expression trees, and what one asks about a whole tree.

use super::{Expr, Volatility};
use crate::error::{Result, StatementError};
use std::collections::BTreeSet;

/// The deepest tree that is built; recursion over expressions is bounded by it.
pub const MAX_DEPTH: usize = 256;

impl Expr {
    /// Calls `visit` on each operand, from left to right.
    pub fn for_each_child<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        match self {
            Self::Column { .. }
            | Self::OuterColumn { .. }
            | Self::Parameter { .. }
            | Self::Constant { .. } => {}
            Self::Cast { operand, .. } | Self::Not(operand) | Self::Is { operand, .. } => visit(operand),
            Self::Compare { left, right, .. } => [left, right].into_iter().for_each(|e| visit(e)),
            Self::NullIf { value, equals } => [value, equals].into_iter().for_each(|e| visit(e)),
            Self::Call { arguments, .. }
            | Self::Coalesce { arguments, .. }
            | Self::Extremum { arguments, .. }
            | Self::And(arguments)
            | Self::Or(arguments) => arguments.iter().for_each(visit),
            Self::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    visit(condition);
                    visit(result);
                }
                otherwise.iter().for_each(|e| visit(e));
            }
            Self::InList { operand, list, .. } => {
                visit(operand);
                list.iter().for_each(visit);
            }
            Self::Like { operand, pattern, escape, .. } => {
                [operand, pattern].into_iter().chain(escape).for_each(|e| visit(e));
            }
        }
    }

    /// Calls `visit` on each operand, from left to right, to be replaced in place.
    pub fn for_each_child_mut(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        match self {
            Self::Column { .. }
            | Self::OuterColumn { .. }
            | Self::Parameter { .. }
            | Self::Constant { .. } => {}
            Self::Cast { operand, .. } | Self::Not(operand) | Self::Is { operand, .. } => visit(operand),
            Self::Compare { left, right, .. } => [left, right].into_iter().for_each(|e| visit(e)),
            Self::NullIf { value, equals } => [value, equals].into_iter().for_each(|e| visit(e)),
            Self::Call { arguments, .. }
            | Self::Coalesce { arguments, .. }
            | Self::Extremum { arguments, .. }
            | Self::And(arguments)
            | Self::Or(arguments) => arguments.iter_mut().for_each(visit),
            Self::Case { branches, otherwise, .. } => {
                for (condition, result) in branches {
                    visit(condition);
                    visit(result);
                }
                otherwise.iter_mut().for_each(|e| visit(e));
            }
            Self::InList { operand, list, .. } => {
                visit(operand);
                list.iter_mut().for_each(visit);
            }
            Self::Like { operand, pattern, escape, .. } => {
                [operand, pattern].into_iter().chain(escape).for_each(|e| visit(e));
            }
        }
    }

    /// Calls `visit` on every node, operands before what they are operands of, to be replaced in place.
    pub fn rewrite(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        self.for_each_child_mut(&mut |child| child.rewrite(visit));
        visit(self);
    }

    /// The tree with every node replaced by what `change` makes of it, operands before what they are operands of.
    #[must_use]
    pub fn transform(mut self, change: &mut dyn FnMut(Self) -> Self) -> Self {
        self.rewrite(&mut |node| {
            let old = std::mem::replace(node, Self::And(Vec::new()));
            *node = change(old);
        });
        self
    }

    /// Whether `test` holds for some node.
    pub fn any<'a>(&'a self, test: &mut dyn FnMut(&'a Self) -> bool) -> bool {
        if test(self) {
            return true;
        }
        let mut found = false;
        self.for_each_child(&mut |child| found = found || child.any(test));
        found
    }

    /// The columns of the input that it reads.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut columns = BTreeSet::new();
        self.any(&mut |node| {
            if let Self::Column { index, .. } = node {
                columns.insert(*index);
            }
            false
        });
        columns
    }

    /// Replaces the index of every input column.
    pub fn remap_columns(&mut self, map: &mut dyn FnMut(usize) -> usize) {
        self.rewrite(&mut |node| {
            if let Self::Column { index, .. } = node {
                *index = map(*index);
            }
        });
    }

    /// Whether it reads a column of a query around it.
    pub fn has_outer_columns(&self) -> bool {
        self.any(&mut |node| matches!(node, Self::OuterColumn { .. }))
    }

    /// Whether it has one value during a statement: it reads no column and calls nothing volatile.
    pub fn is_constant(&self) -> bool {
        !self.any(&mut |node| matches!(node, Self::Column { .. } | Self::OuterColumn { .. }))
            && self.volatility() != Volatility::Volatile
    }

    /// What the result depends on besides columns and parameters: the most changeable of its functions. Casts
    /// between text and times depend on the session's zone.
    pub fn volatility(&self) -> Volatility {
        let mut most = match self {
            Self::Call { function, .. } => function.volatility,
            Self::Cast { operand, to, .. } => super::build::cast_volatility(&operand.data_type(), to),
            _ => Volatility::Immutable,
        };
        self.for_each_child(&mut |child| most = most.max(child.volatility()));
        most
    }

    /// Nodes on the longest way down, this one included.
    pub fn depth(&self) -> usize {
        let mut deepest = 0;
        self.for_each_child(&mut |child| deepest = deepest.max(child.depth()));
        deepest + 1
    }

    /// Refuses a tree that is too deep to be walked by recursion.
    ///
    /// # Errors
    /// 54001 over [`MAX_DEPTH`].
    pub fn check_depth(&self) -> Result<()> {
        if self.depth() > MAX_DEPTH {
            return Err(StatementError::TooDeep.into());
        }
        Ok(())
    }

    /// The terms of a condition that must all be true: those of an AND, or itself.
    pub fn split_conjunction(self) -> Vec<Self> {
        match self {
            Self::And(terms) => terms.into_iter().flat_map(Self::split_conjunction).collect(),
            other => vec![other],
        }
    }
}
