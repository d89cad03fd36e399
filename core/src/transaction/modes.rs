//! Lock modes and which of them exclude each other: PostgreSQL's tables.

/// A set of modes, one bit each.
pub(super) type ModeSet = u8;

/// For each mode the modes that another holder may not have.
pub(super) type Conflicts = &'static [ModeSet];

/// How a table is locked. Each mode is what PostgreSQL's statements of that kind take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum TableLockMode {
    /// SELECT.
    AccessShare,
    /// SELECT FOR UPDATE and its like.
    RowShare,
    /// INSERT, UPDATE, DELETE.
    RowExclusive,
    /// VACUUM, ANALYZE, some ALTER TABLE.
    ShareUpdateExclusive,
    /// CREATE INDEX.
    Share,
    /// CREATE TRIGGER, some ALTER TABLE.
    ShareRowExclusive,
    /// REFRESH MATERIALIZED VIEW CONCURRENTLY.
    Exclusive,
    /// DROP, TRUNCATE, most ALTER TABLE.
    AccessExclusive,
}

impl TableLockMode {
    /// All, weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// The name in `pg_locks`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// Whether it excludes no other weak mode, so that any number of sessions hold them side by side.
    pub(super) fn is_weak(self) -> bool {
        self <= Self::RowExclusive
    }

    /// Whether it excludes some weak mode.
    pub(super) fn is_strong(self) -> bool {
        self >= Self::Share
    }
}

/// How SELECT locks a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum RowLockMode {
    /// FOR KEY SHARE: the key stays; what a foreign key's check takes.
    KeyShare,
    /// FOR SHARE: the row stays.
    Share,
    /// FOR NO KEY UPDATE: what an UPDATE of other columns takes.
    NoKeyUpdate,
    /// FOR UPDATE: what a DELETE, or an UPDATE of a key, takes.
    Update,
}

impl RowLockMode {
    /// All, weakest first.
    pub const ALL: [Self; 4] = [Self::KeyShare, Self::Share, Self::NoKeyUpdate, Self::Update];

    /// The clause of SELECT.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyShare => "For Key Share",
            Self::Share => "For Share",
            Self::NoKeyUpdate => "For No Key Update",
            Self::Update => "For Update",
        }
    }
}

/// By [`TableLockMode`], the first mode in the lowest bit.
pub(super) const TABLE_CONFLICTS: Conflicts =
    &[0b1000_0000, 0b1100_0000, 0b1111_0000, 0b1111_1000, 0b1110_1100, 0b1111_1100, 0b1111_1110, 0b1111_1111];

/// By [`RowLockMode`].
pub(super) const ROW_CONFLICTS: Conflicts = &[0b1000, 0b1100, 0b1110, 0b1111];

/// The only mode of resources that one locker has at a time.
pub(super) const SINGLE_CONFLICTS: Conflicts = &[0b1];

/// The set of one mode.
pub(super) fn set_of(mode: u8) -> ModeSet {
    1 << mode
}

/// Whether who holds `held` gains nothing by taking `mode` as well.
pub(super) fn covers(held: ModeSet, mode: u8, conflicts: Conflicts) -> bool {
    let excludes = conflicts[usize::from(mode)];
    (0..8).zip(conflicts).any(|(stronger, its)| held & set_of(stronger) != 0 && its & excludes == excludes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PostgreSQL's manual, "Conflicting Lock Modes", row by row.
    #[test]
    fn table_modes_conflict_as_in_the_manual() {
        const TABLE: [&str; 8] =
            [".......#", "......##", "....####", "...#####", "..##.###", "..######", ".#######", "########"];
        for (mode, row) in TableLockMode::ALL.into_iter().zip(TABLE) {
            for (other, cell) in TableLockMode::ALL.into_iter().zip(row.chars()) {
                let conflict = TABLE_CONFLICTS[mode as usize] & set_of(other as u8) != 0;
                assert_eq!(conflict, cell == '#', "{mode:?} with {other:?}");
            }
        }
    }

    /// PostgreSQL's manual, "Conflicting Row-Level Locks".
    #[test]
    fn row_modes_conflict_as_in_the_manual() {
        const TABLE: [&str; 4] = ["...#", "..##", ".###", "####"];
        for (mode, row) in RowLockMode::ALL.into_iter().zip(TABLE) {
            for (other, cell) in RowLockMode::ALL.into_iter().zip(row.chars()) {
                let conflict = ROW_CONFLICTS[mode as usize] & set_of(other as u8) != 0;
                assert_eq!(conflict, cell == '#', "{mode:?} with {other:?}");
            }
        }
    }

    #[test]
    fn conflicts_are_symmetric() {
        for conflicts in [TABLE_CONFLICTS, ROW_CONFLICTS, SINGLE_CONFLICTS] {
            for a in 0..conflicts.len() {
                for b in 0..conflicts.len() {
                    let one_way = conflicts[a] & set_of(b as u8) != 0;
                    assert_eq!(one_way, conflicts[b] & set_of(a as u8) != 0);
                }
            }
        }
    }

    #[test]
    fn a_mode_covers_what_excludes_less() {
        let share = set_of(TableLockMode::Share as u8);
        let cases = [
            (TableLockMode::AccessShare, true),
            (TableLockMode::RowShare, true),
            (TableLockMode::Share, true),
            (TableLockMode::RowExclusive, false),
            (TableLockMode::AccessExclusive, false),
        ];
        for (mode, expected) in cases {
            assert_eq!(covers(share, mode as u8, TABLE_CONFLICTS), expected, "{mode:?}");
        }
        assert!(!covers(0, 0, TABLE_CONFLICTS));
    }

    #[test]
    fn weak_modes_exclude_only_strong_ones() {
        for weak in TableLockMode::ALL.into_iter().filter(|mode| mode.is_weak()) {
            for other in TableLockMode::ALL {
                let conflict = TABLE_CONFLICTS[weak as usize] & set_of(other as u8) != 0;
                assert!(!conflict || other.is_strong(), "{weak:?} with {other:?}");
            }
        }
    }
}
