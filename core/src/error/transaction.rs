//! Errors of locks, conflicts and transaction state.

use super::Retry;
use crate::sqlstate::SqlState;

/// What can go wrong between concurrent transactions.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// REPEATABLE READ or SERIALIZABLE met a newer version.
    #[error("could not serialize access due to concurrent {cause}")]
    Serialization {
        /// `update` or `delete`.
        cause: &'static str,
    },
    /// A cycle of waits; this transaction was chosen to end it.
    #[error("deadlock detected")]
    Deadlock,
    /// `lock_timeout` passed.
    #[error("canceling statement due to lock timeout")]
    LockTimeout,
    /// `NOWAIT` met a lock.
    #[error("could not obtain lock on {what}")]
    LockNotAvailable {
        /// The row or relation.
        what: String,
    },
    /// The user or `statement_timeout` stopped the statement.
    #[error("canceling statement due to {cause}")]
    Canceled {
        /// `user request` or `statement timeout`.
        cause: &'static str,
    },
    /// An earlier statement of the block failed.
    #[error("current transaction is aborted, commands ignored until end of transaction block")]
    InFailedTransaction,
    /// BEGIN inside a block, or a statement that may not run in one.
    #[error("{statement} cannot run inside a transaction block")]
    ActiveTransaction {
        /// The statement's name.
        statement: &'static str,
    },
    /// The statement needs a block.
    #[error("{statement} can only be used in transaction blocks")]
    NoActiveTransaction {
        /// The statement's name.
        statement: &'static str,
    },
    /// A level chosen when the transaction has read already.
    #[error("{what} must be called before any query")]
    LateModes {
        /// The statement.
        what: &'static str,
    },
    /// A transaction that only reads made to write when it has read already.
    #[error("transaction read-write mode must be set before any query")]
    LateReadWrite,
    /// ROLLBACK TO or RELEASE of an unknown savepoint.
    #[error("savepoint \"{name}\" does not exist")]
    NoSuchSavepoint {
        /// The savepoint.
        name: String,
    },
    /// A write in a read-only transaction or database.
    #[error("cannot execute {statement} in a read-only transaction")]
    ReadOnly {
        /// The statement's name.
        statement: &'static str,
    },
    /// All status slots are taken.
    #[error("too many open transactions (limit {limit})")]
    TooManyTransactions {
        /// The number of slots.
        limit: u32,
    },
}

impl TransactionError {
    pub(super) fn sqlstate(&self) -> SqlState {
        match self {
            Self::Serialization { .. } => SqlState::SERIALIZATION_FAILURE,
            Self::Deadlock => SqlState::DEADLOCK_DETECTED,
            Self::LockTimeout | Self::LockNotAvailable { .. } => SqlState::LOCK_NOT_AVAILABLE,
            Self::Canceled { .. } => SqlState::QUERY_CANCELED,
            Self::InFailedTransaction => SqlState::IN_FAILED_SQL_TRANSACTION,
            Self::ActiveTransaction { .. } | Self::LateModes { .. } | Self::LateReadWrite => {
                SqlState::ACTIVE_SQL_TRANSACTION
            }
            Self::NoActiveTransaction { .. } => SqlState::NO_ACTIVE_SQL_TRANSACTION,
            Self::NoSuchSavepoint { .. } => SqlState::INVALID_SAVEPOINT_SPECIFICATION,
            Self::ReadOnly { .. } => SqlState::READ_ONLY_SQL_TRANSACTION,
            Self::TooManyTransactions { .. } => SqlState::TOO_MANY_CONNECTIONS,
        }
    }

    pub(super) fn retry(&self) -> Retry {
        match self {
            Self::Serialization { .. } | Self::Deadlock => Retry::Transaction,
            Self::LockTimeout
            | Self::LockNotAvailable { .. }
            | Self::Canceled { .. }
            | Self::InFailedTransaction
            | Self::ActiveTransaction { .. }
            | Self::NoActiveTransaction { .. }
            | Self::NoSuchSavepoint { .. }
            | Self::LateModes { .. }
            | Self::LateReadWrite
            | Self::ReadOnly { .. }
            | Self::TooManyTransactions { .. } => Retry::Never,
        }
    }
}
