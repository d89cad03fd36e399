//! Errors as a client sees them.

use rustdb::Error;
use rustdb::error::{DataError, Retry, StorageError, TransactionError};

#[test]
fn an_error_carries_code_retry_class_and_notes() {
    let error = Error::from(DataError::UniqueViolation { constraint: "t_pkey".to_owned() })
        .with_detail("Key (id)=(1) already exists.")
        .at(14)
        .at(3);
    assert_eq!(error.sqlstate().0, "23505");
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(error.to_string(), "duplicate key value violates unique constraint \"t_pkey\"");
    assert_eq!(error.detail(), Some("Key (id)=(1) already exists."));
    assert_eq!(error.position(), Some(14), "the inner position is the more exact one");
}

#[test]
fn a_violation_names_what_was_violated() {
    let fields = |kind: DataError| {
        let error = Error::from(kind);
        [error.constraint(), error.table(), error.column()].map(|field| field.map(str::to_owned))
    };
    let name = |name: &str| Some(name.to_owned());
    let unique = DataError::UniqueViolation { constraint: "t_pkey".to_owned() };
    assert_eq!(fields(unique), [name("t_pkey"), None, None]);
    let check = DataError::CheckViolation { relation: "t".to_owned(), constraint: "t_a_check".to_owned() };
    assert_eq!(fields(check), [name("t_a_check"), name("t"), None]);
    let null = DataError::NotNullViolation { column: "a".to_owned(), relation: "t".to_owned() };
    assert_eq!(fields(null), [None, name("t"), name("a")]);
    assert_eq!(fields(DataError::NegativeLimit), [None, None, None]);
}

#[test]
fn retry_classes_tell_conflicts_from_lost_syncs() {
    let retry = |error: Error| (error.sqlstate().0, error.retry());
    assert_eq!(retry(TransactionError::Deadlock.into()), ("40P01", Retry::Transaction));
    assert_eq!(retry(StorageError::Poisoned.into()), ("58030", Retry::Reopen));
    assert_eq!(retry(StorageError::OutcomeUnknown.into()), ("08007", Retry::OutcomeUnknown));
}
