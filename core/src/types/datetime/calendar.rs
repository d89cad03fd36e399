//! The proleptic Gregorian calendar, and the fields of dates and times.

use crate::types::MICROS_PER_DAY;

/// Days from the Julian epoch (4714-11-24 BC) to 2000-01-01.
pub(in crate::types) const EPOCH_JULIAN: i32 = 2_451_545;
/// Days from 1970-01-01 to 2000-01-01.
pub const UNIX_EPOCH_DAYS: i32 = 10_957;
const MICROS_PER_SECOND: i64 = 1_000_000;

/// A day by year, month and day. The year before 1 is 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CivilDate {
    /// The year; 0 is 1 BC.
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
}

/// A time of day by its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CivilTime {
    /// 0 to 24.
    pub hour: i32,
    /// 0 to 59.
    pub minute: i32,
    /// 0 to 60.
    pub second: i32,
    /// 0 to 1,000,000.
    pub micros: i32,
}

/// Whether February has 29 days.
pub fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month, 1 to 12.
pub fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 => 28 + i32::from(is_leap_year(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl CivilDate {
    /// Days since 2000-01-01, whether or not the month has that many; `None` if they do not fit.
    pub fn to_days(self) -> Option<i32> {
        i32::try_from(self.to_wide_days()).ok()
    }

    /// Days since 2000-01-01 of any year.
    pub(in crate::types) fn to_wide_days(self) -> i64 {
        let months = i64::from(self.year) * 12 + i64::from(self.month) - 1;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        // Years that begin in March end with their leap day.
        let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
        let of_year = (153 * m + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        // 2000-03-01 begins the sixth era.
        days - 5 * 146_097 + 60
    }

    /// The day so many days after 2000-01-01.
    pub fn from_days(days: i32) -> Self {
        let days = i64::from(days) + 5 * 146_097 - 60;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let m = (5 * of_year + 2) / 153;
        let (month, carry) = if m < 10 { (m + 3, 0) } else { (m - 9, 1) };
        let day = of_year - (153 * m + 2) / 5 + 1;
        // An i32 of days is less than six million years.
        Self { year: (era * 400 + year_of_era + carry) as i32, month: month as i32, day: day as i32 }
    }

    /// 1 on January 1.
    pub fn day_of_year(self) -> i32 {
        (1..self.month).map(|month| days_in_month(self.year, month)).sum::<i32>() + self.day
    }
}

impl CivilTime {
    /// Microseconds since midnight.
    pub fn to_micros(self) -> i64 {
        let seconds = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60 + i64::from(self.second);
        seconds * MICROS_PER_SECOND + i64::from(self.micros)
    }

    /// The time so many microseconds after midnight; not negative.
    pub fn from_micros(micros: i64) -> Self {
        let seconds = micros / MICROS_PER_SECOND;
        // A time of day is at most 24 hours.
        Self {
            hour: (seconds / 3600) as i32,
            minute: (seconds / 60 % 60) as i32,
            second: (seconds % 60) as i32,
            micros: (micros % MICROS_PER_SECOND) as i32,
        }
    }
}

/// A timestamp's day and microseconds of the day.
pub fn split_timestamp(timestamp: i64) -> (i32, i64) {
    // i64 microseconds are less than 2^31 days.
    (timestamp.div_euclid(MICROS_PER_DAY) as i32, timestamp.rem_euclid(MICROS_PER_DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree() {
        let date = |year, month, day| CivilDate { year, month, day };
        for (expected, days) in [
            (date(2000, 1, 1), 0),
            (date(1970, 1, 1), -UNIX_EPOCH_DAYS),
            (date(2000, 2, 29), 59),
            (date(2001, 3, 1), 425),
            (date(-4713, 11, 24), -EPOCH_JULIAN),
            (date(5_874_897, 12, 31), 2_145_031_948),
        ] {
            assert_eq!(CivilDate::from_days(days), expected);
            assert_eq!(expected.to_days(), Some(days));
        }
        for days in (i32::MIN..=i32::MAX).step_by(104_729) {
            assert_eq!(CivilDate::from_days(days).to_days(), Some(days));
        }
        assert_eq!(date(2001, 14, 1).to_days(), date(2002, 2, 1).to_days());
        assert_eq!(date(i32::MAX, 1, 1).to_days(), None);
        assert_eq!((date(2000, 12, 31).day_of_year(), date(2001, 3, 1).day_of_year()), (366, 60));
    }

    #[test]
    fn timestamps_split_before_the_epoch() {
        assert_eq!(split_timestamp(-1), (-1, MICROS_PER_DAY - 1));
        let time = CivilTime { hour: 23, minute: 59, second: 59, micros: 999_999 };
        assert_eq!(CivilTime::from_micros(MICROS_PER_DAY - 1), time);
        assert_eq!(time.to_micros(), MICROS_PER_DAY - 1);
    }
}
