//! SET, SHOW, RESET, and transactions that take them back.

use super::{ask, one, talk};

#[test]
fn settings_are_set_and_shown() {
    talk(
        &one(),
        &[
            ("SHOW statement_timeout", "0"),
            ("SET statement_timeout = '90s'", "SET"),
            ("SHOW STATEMENT_TIMEOUT", "90s"),
            ("SELECT current_setting('statement_timeout')", "90s"),
            ("RESET statement_timeout", "RESET"),
            ("SHOW statement_timeout", "0"),
            ("SET application_name TO 'x'", "SET"),
            ("SET TIME ZONE '+02:00'", "SET"),
            ("SELECT timestamptz '2024-01-01 00:00:00+00'", "2024-01-01 02:00:00+02"),
            ("SET TIME ZONE DEFAULT", "SET"),
            ("SELECT timestamptz '2024-01-01 00:00:00+00'", "2024-01-01 00:00:00+00"),
            ("SHOW application_name", "x"),
            ("RESET ALL", "RESET"),
            ("SHOW application_name", ""),
            ("SET nonsense = 1", "42704: unrecognized configuration parameter \"nonsense\""),
            ("SHOW nonsense", "42704: unrecognized configuration parameter \"nonsense\""),
            ("SET memory_limit = '100MB'", "SET"),
            ("SHOW memory_limit", "100MB"),
        ],
    );
}

#[test]
fn a_transaction_takes_its_settings_back() {
    talk(
        &one(),
        &[
            ("BEGIN", "BEGIN"),
            ("SET lock_timeout = '1s'", "SET"),
            ("SET LOCAL statement_timeout = '1h'", "SET"),
            ("SHOW statement_timeout", "1h"),
            ("COMMIT", "COMMIT"),
            ("SHOW lock_timeout", "1s"),
            ("SHOW statement_timeout", "0"),
            ("BEGIN", "BEGIN"),
            ("SET lock_timeout = '2s'", "SET"),
            ("SAVEPOINT s", "SAVEPOINT"),
            ("SET lock_timeout = '3s'", "SET"),
            ("SET LOCAL lock_timeout = '4s'", "SET"),
            ("SHOW lock_timeout", "4s"),
            ("ROLLBACK TO s", "ROLLBACK"),
            ("SHOW lock_timeout", "2s"),
            ("SET lock_timeout = '5s'", "SET"),
            ("SET LOCAL lock_timeout = '6s'", "SET"),
            ("COMMIT", "COMMIT"),
            ("SHOW lock_timeout", "5s"),
            ("BEGIN", "BEGIN"),
            ("SET lock_timeout = '7s'", "SET"),
            ("SELECT 1/0", "22012: division by zero"),
            ("ROLLBACK", "ROLLBACK"),
            ("SHOW lock_timeout", "5s"),
        ],
    );
}

#[test]
fn discard_all_leaves_a_session_as_new() {
    let client = one();
    talk(
        &client,
        &[
            ("SET lock_timeout = '1s'", "SET"),
            ("PREPARE p AS SELECT 1", "PREPARE"),
            ("DISCARD ALL", "DISCARD ALL"),
            ("SHOW lock_timeout", "0"),
            ("EXECUTE p", "26000: prepared statement \"p\" does not exist"),
        ],
    );
    let all = ask(&client, "SHOW ALL");
    assert!(all.contains("DateStyle|ISO, MDY|"), "{all}");
}
