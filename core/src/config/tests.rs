use super::*;

fn set(name: &str, text: &str) -> Result<String> {
    let setting = Setting::find(name)?;
    let mut settings = Settings::default();
    settings.set(setting, text)?;
    Ok(settings.show(setting))
}

#[test]
fn values_are_shown_as_postgresql_shows_them() {
    for (name, text, shown) in [
        ("statement_timeout", "10s", "10s"),
        ("statement_timeout", "1500", "1500ms"),
        ("STATEMENT_TIMEOUT", "90 min", "90min"),
        ("lock_timeout", "0", "0"),
        ("memory_limit", "256MB", "256MB"),
        ("memory_limit", "1.5GB", "1536MB"),
        ("synchronous_commit", "false", "off"),
        ("default_transaction_read_only", "yes", "on"),
        ("default_transaction_isolation", "Repeatable Read", "repeatable read"),
        ("timezone", "utc", "UTC"),
        ("timezone", "-3", "<-03>+03"),
        ("timezone", "+05:30", "<+05:30>-05:30"),
        ("application_name", "a b", "a b"),
        ("datestyle", "iso", "ISO, MDY"),
    ] {
        assert_eq!(set(name, text).unwrap(), shown, "{name} {text}");
    }
}

#[test]
fn what_a_setting_cannot_be_is_refused() {
    for (name, text, sqlstate, message) in [
        ("nonsense", "1", "42704", "unrecognized configuration parameter \"nonsense\""),
        ("statement_timeout", "abc", "22023", "invalid value for parameter \"statement_timeout\": \"abc\""),
        (
            "statement_timeout",
            "-5",
            "22023",
            "-5 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)",
        ),
        (
            "default_transaction_read_only",
            "maybe",
            "22023",
            "parameter \"default_transaction_read_only\" requires a Boolean value",
        ),
        ("server_version", "16", "55P02", "parameter \"server_version\" cannot be changed"),
        ("timezone", "Mars/Olympus", "0A000", "time zone \"Mars/Olympus\" is not supported"),
    ] {
        let error = set(name, text).unwrap_err();
        assert_eq!((error.sqlstate().0, error.to_string().as_str()), (sqlstate, message), "{name} {text}");
    }
}

#[test]
fn definitions_are_in_the_order_of_their_names() {
    let names: Vec<String> = DEFINITIONS.iter().map(|d| d.name.to_ascii_lowercase()).collect();
    assert!(names.is_sorted());
    assert!(DEFINITIONS.iter().all(|definition| definition.description.ends_with('.')));
}
