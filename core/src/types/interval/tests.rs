use super::*;

fn i(text: &str) -> Interval {
    text.parse().unwrap()
}

#[test]
fn reads_and_prints_as_postgres() {
    for (text, expected) in [
        ("1 year 2 mons 3 days 04:05:06.789", "1 year 2 mons 3 days 04:05:06.789"),
        ("1-2", "1 year 2 mons"),
        ("-1-2", "-1 years -2 mons"),
        ("1-2 3", "1 year 2 mons 00:00:03"),
        ("3 4:05:06", "3 days 04:05:06"),
        ("1 -2:03", "1 day -02:03:00"),
        ("1 day ago", "-1 days"),
        ("-1-2 ago", "1 year 2 mons"),
        ("4 2 hours", "4 days 02:00:00"),
        (".5 days", "12:00:00"),
        ("-1 day +2:03", "-1 days +02:03:00"),
        ("-1 year -2 days 3:00", "-1 years -2 days +03:00:00"),
        ("-1 mon 1 day 1:00", "-1 mons +1 day 01:00:00"),
        ("1.5 months", "1 mon 15 days"),
        ("0.1 mon", "3 days"),
        ("1.5 years", "1 year 6 mons"),
        ("1.23 years", "1 year 3 mons"),
        ("1 year 2.5 mons", "1 year 2 mons 15 days"),
        ("0.5 century", "50 years"),
        ("1.5 days", "1 day 12:00:00"),
        ("-1.5 days", "-1 days -12:00:00"),
        ("1.5 weeks", "10 days 12:00:00"),
        ("2 weeks", "14 days"),
        ("@ 1 minute", "00:01:00"),
        ("90", "00:01:30"),
        ("1.5", "00:00:01.5"),
        ("1 mil", "1000 years"),
        ("1 decade", "10 years"),
        ("0", "00:00:00"),
        ("-0:00:01", "-00:00:01"),
        ("100:00:00", "100:00:00"),
        ("1 mon -1 day", "1 mon -1 days"),
        ("1.2345678 seconds", "00:00:01.234568"),
        ("5 ms", "00:00:00.005"),
        ("7 us", "00:00:00.000007"),
        ("10:20.5", "00:10:20.5"),
        ("1h30m", "01:30:00"),
        ("2147483647 mons", "178956970 years 7 mons"),
        ("-2147483648 days", "-2147483648 days"),
        ("2562047788:00:54.775807", "2562047788:00:54.775807"),
        ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
        ("P-1Y-2M3DT-4H", "-1 years -2 mons +3 days -04:00:00"),
        ("P1.5M", "1 mon 15 days"),
        ("P1Y1W", "1 year 7 days"),
        ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
        ("PT1.5S", "00:00:01.5"),
        ("PT10:20:30.5", "10:20:30.5"),
        ("P20010203T040506", "2001 years 2 mons 3 days 04:05:06"),
        ("PT040506", "04:05:06"),
        ("P1", "1 year"),
        ("PT", "00:00:00"),
    ] {
        let read = text.parse::<Interval>();
        assert_eq!(read.map(|i| i.to_string()).map_err(|e| e.to_string()), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn refuses_with_postgres_errors() {
    for (text, state, message) in [
        ("x", "22007", "invalid input syntax for type interval: \"x\""),
        ("1 foo", "22007", "invalid input syntax for type interval: \"1 foo\""),
        ("", "22007", "invalid input syntax for type interval: \"\""),
        ("1 day -", "22007", "invalid input syntax for type interval: \"1 day -\""),
        ("1 day 1 day", "22007", "invalid input syntax for type interval: \"1 day 1 day\""),
        ("1:2:3 4:5:6", "22007", "invalid input syntax for type interval: \"1:2:3 4:5:6\""),
        ("infinity", "22007", "invalid input syntax for type interval: \"infinity\""),
        ("-.5 days", "22007", "invalid input syntax for type interval: \"-.5 days\""),
        ("100 ago", "22007", "invalid input syntax for type interval: \"100 ago\""),
        ("5 quarters", "22007", "invalid input syntax for type interval: \"5 quarters\""),
        ("P", "22007", "invalid input syntax for type interval: \"P\""),
        ("P1H", "22007", "invalid input syntax for type interval: \"P1H\""),
        ("1 day 25:00:61", "22015", "interval field value out of range: \"1 day 25:00:61\""),
        ("999999999999 years", "22015", "interval field value out of range: \"999999999999 years\""),
        ("2147483648 days", "22015", "interval field value out of range: \"2147483648 days\""),
        ("100000000000 hours", "22015", "interval field value out of range: \"100000000000 hours\""),
        ("178956970 years 8 mons", "22008", "interval out of range"),
    ] {
        let error = text.parse::<Interval>().unwrap_err();
        assert_eq!((error.sqlstate().0, error.to_string().as_str()), (state, message));
    }
}

#[test]
fn fields_say_what_a_number_counts_and_what_is_cut() {
    for (text, field, expected) in [
        ("3", IntervalField::Month, "3 mons"),
        ("1.7", IntervalField::Day, "1 day"),
        ("1 day 2:03:04", IntervalField::Hour, "1 day 02:00:00"),
        ("1 day 2:03:04", IntervalField::Minute, "1 day 02:03:00"),
        ("10", IntervalField::Year, "10 years"),
        ("1-2", IntervalField::Month, "1 year 2 mons"),
        ("1 year 3 mon 4 days", IntervalField::Month, "1 year 3 mons"),
        ("1 year 3 mon 4 days", IntervalField::Year, "1 year"),
        ("2", IntervalField::Hour, "02:00:00"),
    ] {
        assert_eq!(Interval::parse_with_field(text, field).unwrap().to_string(), expected);
    }
}

#[test]
fn arithmetic_cascades_down() {
    let long = i("1 mon 2 days 03:04:05.678901");
    for (result, expected) in [
        (i("1 day").multiply(1.5), "1 day 12:00:00"),
        (i("1 mon").multiply(1.5), "1 mon 15 days"),
        (i("3 days").multiply(0.333), "23:58:33.6"),
        (long.multiply(2.5), "2 mons 20 days 07:40:14.197252"),
        (long.multiply(-0.3), "-9 days -15:19:13.70367"),
        (long.divide(3.7), "8 days 16:23:48.552525"),
        (i("1 mon").divide(4.0), "7 days 12:00:00"),
        (i("1 year 1 day").divide(7.0), "1 mon 21 days 13:42:51.391543"),
        (i("40 days 30:00").divide(1.1), "36 days 36:00:00"),
        (i("1 day").negate(), "-1 days"),
        (i("1 mon").add(&i("2 days")), "1 mon 2 days"),
        (i("1 mon").subtract(&i("2 days")), "1 mon -2 days"),
        (i("27 hours").justify_hours(), "1 day 03:00:00"),
        (i("1 day -25 hours").justify_hours(), "-01:00:00"),
        (i("-1 day 25 hours").justify_hours(), "01:00:00"),
        (i("35 days").justify_days(), "1 mon 5 days"),
        (i("-1 mon 35 days").justify_days(), "5 days"),
        (i("1 mon -1 hour").justify(), "29 days 23:00:00"),
        (i("-1 mon 1 hour").justify(), "-29 days -23:00:00"),
        (i("1 year 40 days -26 hours").justify(), "1 year 1 mon 8 days 22:00:00"),
        (i("2147483647 days 24 hours").justify(), "5965232 years 4 mons 8 days"),
    ] {
        assert_eq!(result.unwrap().to_string(), expected);
    }
    assert_eq!(i("1 day").divide(0.0).unwrap_err().sqlstate().0, "22012");
    assert_eq!(i("2000000000 days").multiply(2.0).unwrap_err().to_string(), "interval out of range");
    assert_eq!(i("1 day").multiply(f64::NAN).unwrap_err().sqlstate().0, "22008");
    assert_eq!(Interval::new(i32::MIN, 0, 0).negate().unwrap_err().sqlstate().0, "22008");
}

#[test]
fn months_compare_as_thirty_days() {
    assert_eq!(i("1 mon").compare(&i("30 days")), Ordering::Equal);
    assert_eq!(i("1 day").compare(&i("24 hours")), Ordering::Equal);
    assert_eq!(i("-1 mon").compare(&i("29 days")), Ordering::Less);
}
