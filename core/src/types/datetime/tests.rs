use super::*;

/// 2001-02-16 20:38:40.5 UTC, in a session two and a half hours east.
const CONTEXT: TimeContext = TimeContext { now: 35_671_120_500_000, zone_seconds: 9000 };
const UTC: TimeContext = TimeContext { now: 0, zone_seconds: 0 };

fn printed(write: impl FnOnce(&mut String) -> std::fmt::Result) -> String {
    let mut out = String::new();
    write(&mut out).unwrap();
    out
}

fn date(text: &str) -> Result<String, String> {
    parse_date(text, &CONTEXT).map(|d| printed(|out| write_date(out, d))).map_err(|e| e.to_string())
}

fn time(text: &str) -> Result<String, String> {
    parse_time(text, &CONTEXT).map(|t| printed(|out| write_time(out, t))).map_err(|e| e.to_string())
}

fn timestamp(text: &str) -> Result<String, String> {
    parse_timestamp(text, &CONTEXT).map(|t| printed(|out| write_timestamp(out, t))).map_err(|e| e.to_string())
}

fn timestamptz(text: &str) -> Result<String, String> {
    parse_timestamptz(text, &UTC)
        .map(|t| printed(|out| write_timestamptz(out, t, 0)))
        .map_err(|e| e.to_string())
}

#[test]
fn reads_dates() {
    for (text, expected) in [
        ("2000-01-01", "2000-01-01"),
        ("Jan 5, 2001", "2001-01-05"),
        ("January 8, 1999", "1999-01-08"),
        ("1/8/1999", "1999-01-08"),
        ("19990108", "1999-01-08"),
        ("990108", "1999-01-08"),
        ("1999.008", "1999-01-08"),
        ("1.2.2001", "2001-01-02"),
        ("02-03-01", "2001-02-03"),
        ("02-03-69", "2069-02-03"),
        ("02-03-70", "1970-02-03"),
        ("J2451187", "1999-01-08"),
        ("January 8, 99 BC", "0099-01-08 BC"),
        ("2/3/01 BC", "0001-02-03 BC"),
        ("5 Feb 2001", "2001-02-05"),
        ("Feb-05-2001", "2001-02-05"),
        ("05-Feb-01", "2001-02-05"),
        ("2001-Feb-05", "2001-02-05"),
        ("01feb2001", "2001-02-01"),
        ("y2001m02d03", "2001-02-03"),
        ("2001-02-03-", "2001-02-03"),
        ("  2001-02-03  ", "2001-02-03"),
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
        ("epoch", "1970-01-01"),
        ("5874897-12-31", "5874897-12-31"),
        ("4713-11-24 BC", "4713-11-24 BC"),
        ("4714-11-24 BC", "4714-11-24 BC"),
        ("2001-02-03 04:05:06", "2001-02-03"),
        ("today", "2001-02-16"),
        ("yesterday", "2001-02-15"),
        ("tomorrow", "2001-02-17"),
        ("now", "2001-02-16"),
    ] {
        assert_eq!(date(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn refuses_dates() {
    let field = |text: &str| format!("date/time field value out of range: \"{text}\"");
    let syntax = |text: &str| format!("invalid input syntax for type date: \"{text}\"");
    for text in ["1999-13-01", "13/13/2001", "2001-02-30", "0000-01-01", "99-Jan-08", "99999999999999-01-01"]
    {
        assert_eq!(date(text), Err(field(text)));
    }
    for text in ["foo", "", "2001", "2001-02-03--", "12:34", "2001-01-01 2001-01-01", "é", "1", "J", "10 pm"]
    {
        assert_eq!(date(text), Err(syntax(text)));
    }
    let out_of_range = |text: &str| format!("date out of range: \"{text}\"");
    for text in ["5874898-01-01", "4714-11-23 BC"] {
        assert_eq!(date(text), Err(out_of_range(text)));
    }
    let error = parse_date("13/13/2001", &UTC).unwrap_err();
    let hint = Some("Perhaps you need a different \"datestyle\" setting.");
    assert_eq!((error.sqlstate().0, error.hint()), ("22008", hint));
    assert_eq!(parse_date("2001-02-30", &UTC).unwrap_err().hint(), None);
    assert_eq!(parse_date("foo", &UTC).unwrap_err().sqlstate().0, "22007");
}

#[test]
fn reads_timestamps() {
    for (text, expected) in [
        ("2001-01-01 12:34:56.1234567", "2001-01-01 12:34:56.123457"),
        ("2001-01-01 12:34:56.12", "2001-01-01 12:34:56.12"),
        ("2001-01-01T12:34:56Z", "2001-01-01 12:34:56"),
        ("20010101T123456", "2001-01-01 12:34:56"),
        ("20010203T040506.789", "2001-02-03 04:05:06.789"),
        ("20010203 040506", "2001-02-03 04:05:06"),
        ("2001-01-01 1:2 PM", "2001-01-01 13:02:00"),
        ("2001-01-01 12:02 AM", "2001-01-01 00:02:00"),
        ("2001-01-01 24:00", "2001-01-02 00:00:00"),
        ("2001-01-01 23:59:60", "2001-01-02 00:00:00"),
        ("12:34 Jan 5 2001", "2001-01-05 12:34:00"),
        ("Mon Feb 05 2001 10:00:00 PM", "2001-02-05 22:00:00"),
        ("J2451187.5", "1999-01-08 12:00:00"),
        ("2001-02-03 04:05:06 BC", "2001-02-03 04:05:06 BC"),
        ("4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC"),
        ("294276-12-31 23:59:59.999999", "294276-12-31 23:59:59.999999"),
        ("infinity", "infinity"),
        ("epoch", "1970-01-01 00:00:00"),
        ("now", "2001-02-16 23:08:40.5"),
        ("yesterday 12:00", "2001-02-15 12:00:00"),
        ("today allballs", "2001-02-16 00:00:00"),
    ] {
        assert_eq!(timestamp(text), Ok(expected.to_owned()), "{text}");
    }
    for text in ["12:34 2001-01-01", "12:34 2001.005", "12:34", "2001-01-01 foo", "2001-01-01 t", "now now"] {
        assert_eq!(timestamp(text), Err(format!("invalid input syntax for type timestamp: \"{text}\"")));
    }
    assert_eq!(timestamp("294277-01-01"), Err("timestamp out of range: \"294277-01-01\"".to_owned()));
    let hour = "2001-01-01 25:00";
    assert_eq!(timestamp(hour), Err(format!("date/time field value out of range: \"{hour}\"")));
}

#[test]
fn reads_timestamps_with_zones() {
    for (text, expected) in [
        ("2001-01-01 12:00+02", "2001-01-01 10:00:00+00"),
        ("2001-01-01 12:00-02:30", "2001-01-01 14:30:00+00"),
        ("2001-02-03 04:05:06.5 -0330", "2001-02-03 07:35:06.5+00"),
        ("2001-01-01 12:00 UTC", "2001-01-01 12:00:00+00"),
        ("2001-02-03 04:05:06.5 z", "2001-02-03 04:05:06.5+00"),
        ("2001-02-03t04:05:06+01:02:03", "2001-02-03 03:03:03+00"),
        ("20010203 040506-08", "2001-02-03 12:05:06+00"),
        ("2001-01-01 12:00", "2001-01-01 12:00:00+00"),
        ("-infinity", "-infinity"),
    ] {
        assert_eq!(timestamptz(text), Ok(expected.to_owned()), "{text}");
    }
    let far = "2001-01-01 12:00+16";
    assert_eq!(timestamptz(far), Err(format!("time zone displacement out of range: \"{far}\"")));
    let named = "2001-01-01 12:00 America/Foo";
    assert_eq!(timestamptz(named), Err("time zone \"america/foo\" not recognized".to_owned()));
    assert_eq!(parse_timestamptz(named, &UTC).unwrap_err().sqlstate().0, "22023");
    assert_eq!(parse_timestamptz(far, &UTC).unwrap_err().sqlstate().0, "22009");

    // Without a zone the session's counts, for reading and for printing.
    let local = parse_timestamptz("2001-02-03 04:05:06", &CONTEXT).unwrap();
    assert_eq!(printed(|out| write_timestamptz(out, local, 9000)), "2001-02-03 04:05:06+02:30");
    assert_eq!(printed(|out| write_timestamptz(out, local, -3723)), "2001-02-03 00:33:03-01:02:03");
    let old = parse_timestamptz("1900-01-01 00:00 BC", &CONTEXT).unwrap();
    assert_eq!(printed(|out| write_timestamptz(out, old, 9000)), "1900-01-01 00:00:00+02:30 BC");
    assert_eq!(utc_to_local(local_to_utc(7, &CONTEXT).unwrap(), &CONTEXT).unwrap(), 7);
}

#[test]
fn reads_times() {
    for (text, expected) in [
        ("12:34", "12:34:00"),
        ("12:34:56.789", "12:34:56.789"),
        ("1234", "12:34:00"),
        ("123456", "12:34:56"),
        ("12:34 PM", "12:34:00"),
        ("1:2", "01:02:00"),
        ("24:00", "24:00:00"),
        ("12:34+02", "12:34:00"),
        ("2001-01-01 5:06", "05:06:00"),
        ("T10:11", "10:11:00"),
        ("allballs", "00:00:00"),
        ("040506.789+08", "04:05:06.789"),
        ("040506-08", "04:05:06"),
        ("now", "23:08:40.5"),
    ] {
        assert_eq!(time(text), Ok(expected.to_owned()), "{text}");
    }
    for text in ["abc", "12", "123", "noon", "tues 12:34", "", "2001-01-01", "today", "infinity"] {
        assert_eq!(time(text), Err(format!("invalid input syntax for type time: \"{text}\"")));
    }
    assert_eq!(time("25:00"), Err("date/time field value out of range: \"25:00\"".to_owned()));
}

#[test]
fn adds_intervals() {
    for (start, interval, expected) in [
        ("2001-01-31", "1 month", "2001-02-28 00:00:00"),
        ("2004-02-29", "1 year", "2005-02-28 00:00:00"),
        ("2001-01-01", "-1 day -1 hour", "2000-12-30 23:00:00"),
        ("2001-03-31", "-1 mon", "2001-02-28 00:00:00"),
        ("2001-03-31", "-13 mon", "2000-02-29 00:00:00"),
        ("0001-01-01", "-1 mon", "0001-12-01 00:00:00 BC"),
    ] {
        let sum = add_interval(parse_timestamp(start, &UTC).unwrap(), &interval.parse().unwrap()).unwrap();
        assert_eq!(printed(|out| write_timestamp(out, sum)), expected, "{start} + {interval}");
    }
    let last = parse_timestamp("294276-12-31", &UTC).unwrap();
    let error = add_interval(last, &Interval::new(12, 0, 0)).unwrap_err();
    assert_eq!((error.sqlstate().0, error.to_string().as_str()), ("22008", "timestamp out of range"));
    for huge in [Interval::new(i32::MAX, 0, 0), Interval::new(0, i32::MAX, 0), Interval::new(0, 0, i64::MAX)]
    {
        assert!(add_interval(last, &huge).is_err());
    }
    assert_eq!(subtract_interval(0, &Interval::new(0, 1, 0)).unwrap(), -MICROS_PER_DAY);
    assert_eq!(add_interval(i64::MAX, &Interval::new(1, 0, 0)).unwrap(), i64::MAX);
    let hour = 3_600_000_000;
    assert_eq!(add_to_time(10 * hour, &Interval::new(0, 0, 15 * hour)), hour);
    assert_eq!(add_to_time(10 * hour, &Interval::new(1, 1, -11 * hour)), 23 * hour);
    assert_eq!(add_days(0, 5).unwrap(), 5);
    assert_eq!(add_days(366, i32::MAX).unwrap_err().to_string(), "date out of range");
}

#[test]
fn subtracts_timestamps() {
    let t = |text: &str| parse_timestamp(text, &UTC).unwrap();
    for (a, b, difference, by_calendar) in [
        ("2001-01-03 01:00", "2001-01-01 02:00", "1 day 23:00:00", "1 day 23:00:00"),
        ("2001-04-10", "1957-06-13", "16007 days", "43 years 9 mons 27 days"),
        ("2001-01-01", "2001-03-31", "-89 days", "-2 mons -30 days"),
        ("2001-03-31", "2001-02-28 12:00", "30 days 12:00:00", "1 mon 2 days 12:00:00"),
        ("2004-03-01", "2003-02-28", "367 days", "1 year 1 day"),
        ("2001-03-01", "2001-01-31", "29 days", "1 mon 1 day"),
        ("2001-01-31", "2001-03-01", "-29 days", "-1 mons -1 days"),
    ] {
        assert_eq!(timestamp_difference(t(a), t(b)).unwrap().to_string(), difference, "{a} - {b}");
        assert_eq!(age(t(a), t(b)).unwrap().to_string(), by_calendar, "{a} - {b}");
    }
    let error = timestamp_difference(i64::MAX, 0).unwrap_err();
    assert_eq!(
        (error.sqlstate().0, error.to_string().as_str()),
        ("22008", "cannot subtract infinite timestamps")
    );
    assert_eq!(date_difference(28, 0).unwrap(), 28);
    assert!(date_difference(i32::MAX, 0).is_err());
}

#[test]
fn converts_between_types() {
    assert_eq!(date_to_timestamp(1).unwrap(), MICROS_PER_DAY);
    assert_eq!(date_to_timestamp(i32::MIN).unwrap(), i64::MIN);
    assert_eq!(date_to_timestamp(END_DATE - 1).unwrap_err().to_string(), "date out of range for timestamp");
    assert_eq!((timestamp_to_date(-1), timestamp_to_time(-1)), (-1, Some(MICROS_PER_DAY - 1)));
    assert_eq!((timestamp_to_date(i64::MAX), timestamp_to_time(i64::MAX)), (i32::MAX, None));
}
