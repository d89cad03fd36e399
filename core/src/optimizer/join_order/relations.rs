//! Sets of the relations of one tree of joins.

use std::ops::{BitOr, BitOrAssign, Sub};

/// Relations of one tree, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RelationSet(u64);

impl RelationSet {
    pub(super) const EMPTY: Self = Self(0);
    /// How many relations there can be.
    pub(super) const CAPACITY: usize = 64;

    /// The set of one relation.
    ///
    /// # Panics
    /// If the number is not below [`CAPACITY`](Self::CAPACITY).
    pub(super) fn of(relation: usize) -> Self {
        assert!(relation < Self::CAPACITY);
        Self(1 << relation)
    }

    /// The relations up to this one.
    pub(super) fn up_to(relation: usize) -> Self {
        Self(u64::MAX >> (Self::CAPACITY - 1 - relation))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(super) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(super) fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The relation with the lowest number.
    pub(super) fn first(self) -> Option<usize> {
        (!self.is_empty()).then(|| self.0.trailing_zeros() as usize)
    }

    /// From the lowest number to the highest.
    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..Self::CAPACITY).filter(move |bit| self.0 >> bit & 1 == 1)
    }

    /// All subsets but the empty one, each after its own subsets.
    pub(super) fn subsets(self) -> impl Iterator<Item = Self> {
        let next = move |subset: &Self| {
            let next = subset.0.wrapping_sub(self.0) & self.0;
            (next != 0).then_some(Self(next))
        };
        std::iter::successors(next(&Self::EMPTY), next)
    }
}

impl BitOr for RelationSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for RelationSet {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Sub for RelationSet {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<RelationSet> for RelationSet {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        sets.into_iter().fold(Self::EMPTY, BitOr::bitor)
    }
}
