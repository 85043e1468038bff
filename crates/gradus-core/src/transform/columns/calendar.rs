//! Points in time and their parts in the Gregorian calendar: seconds since 1970-01-01 00:00 in, parts out.

use serde::{Deserialize, Serialize};

const SECONDS_OF_DAY: i64 = 86_400;

/// Days of a year, in the mean of the leap years.
const DAYS_OF_YEAR: f64 = 365.25;

/// A part of a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePart {
    /// The year.
    Year,
    /// The month, 1 to 12.
    Month,
    /// The day of the week: 0 for Monday to 6 for Sunday.
    Weekday,
    /// The sine of `2 pi d / 365.25` with `d` days since the first of January.
    DaySine,
    /// The cosine of the same angle.
    DayCosine,
    /// Days since 1970-01-01, with the time of day as a fraction.
    Elapsed,
    /// Hours since midnight, with minutes as a fraction.
    Hour,
}

impl TimePart {
    /// All of them, in the order of encoded rows.
    pub const ALL: [TimePart; 7] = [
        TimePart::Year,
        TimePart::Month,
        TimePart::Weekday,
        TimePart::DaySine,
        TimePart::DayCosine,
        TimePart::Elapsed,
        TimePart::Hour,
    ];

    /// A few words.
    pub fn name(self) -> &'static str {
        match self {
            TimePart::Year => "year",
            TimePart::Month => "month",
            TimePart::Weekday => "day of week",
            TimePart::DaySine => "day of year (sine)",
            TimePart::DayCosine => "day of year (cosine)",
            TimePart::Elapsed => "elapsed days",
            TimePart::Hour => "hour",
        }
    }

    /// Whether it is between -1 and 1 as it is and is not scaled.
    pub fn is_flag(self) -> bool {
        matches!(self, TimePart::DaySine | TimePart::DayCosine)
    }

    /// This part of a point in time.
    pub fn of(self, seconds: i64) -> f64 {
        let days = seconds.div_euclid(SECONDS_OF_DAY);
        let in_day = seconds.rem_euclid(SECONDS_OF_DAY) as f64;
        let angle = || {
            let (year, _, _) = date_of(days);
            let since = days - days_of(year, 1, 1);
            std::f64::consts::TAU * since as f64 / DAYS_OF_YEAR
        };
        match self {
            TimePart::Year => date_of(days).0 as f64,
            TimePart::Month => f64::from(date_of(days).1),
            // The first of January 1970 was a Thursday.
            TimePart::Weekday => (days + 3).rem_euclid(7) as f64,
            TimePart::DaySine => angle().sin(),
            TimePart::DayCosine => angle().cos(),
            TimePart::Elapsed => days as f64 + in_day / SECONDS_OF_DAY as f64,
            TimePart::Hour => in_day / 3600.0,
        }
    }
}

/// Seconds since 1970-01-01 00:00 of a date and a time of day in seconds; none if there is no such date.
pub fn seconds_of(year: i64, month: u32, day: u32, in_day: i64) -> Option<i64> {
    let is_known = (1..=9999).contains(&year) && (1..=12).contains(&month);
    if !is_known || !(1..=days_of_month(year, month)).contains(&day) {
        return None;
    }
    Some(days_of(year, month, day) * SECONDS_OF_DAY + in_day)
}

/// A point in time as `2024-05-01 12:30:05`, without the time of day at midnight.
pub fn time_text(seconds: i64) -> String {
    let (year, month, day) = date_of(seconds.div_euclid(SECONDS_OF_DAY));
    let in_day = seconds.rem_euclid(SECONDS_OF_DAY);
    let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
    match in_day {
        0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
    }
}

fn days_of_month(year: i64, month: u32) -> u32 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of an era of 400 years, after which the calendar repeats itself.
const ERA: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const BEFORE_1970: i64 = 719_468;

/// Days from 1970-01-01 to a date. Years are counted from March, so that a leap day is the last of its year.
fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let since_march = i64::from((month + 9) % 12);
    let of_year = (153 * since_march + 2) / 5 + i64::from(day) - 1;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - BEFORE_1970
}

/// Year, month and day of a number of days since 1970-01-01.
fn date_of(days: i64) -> (i64, u32, u32) {
    // Times that no calendar has stay away from the ends of the type.
    let days = days.clamp(-1 << 40, 1 << 40) + BEFORE_1970;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let since_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * since_march + 2) / 5 + 1) as u32;
    let month = ((since_march + 2) % 12 + 1) as u32;
    (era * 400 + year + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // Days counted with Python's datetime.
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2013, 2, 3), 15_739),
            ((1900, 3, 1), -25_508),
            ((2100, 12, 31), 47_846),
            ((1, 1, 1), -719_162),
            ((9999, 12, 31), 2_932_896),
        ] {
            let (year, month, day) = date;
            assert_eq!(seconds_of(year, month, day, 0), Some(days * SECONDS_OF_DAY), "{date:?}");
            assert_eq!(date_of(days), date);
        }
        for (year, month, day) in [(2001, 2, 29), (1900, 2, 29), (2000, 13, 1), (2000, 4, 31)] {
            assert_eq!(seconds_of(year, month, day, 0), None);
        }
        assert!((-800_000..800_000).all(|at| {
            let (year, month, day) = date_of(at);
            days_of(year, month, day) == at
        }));
    }

    #[test]
    fn parts_of_a_time() {
        let time = seconds_of(2013, 2, 3, 11 * 3600 + 1800).unwrap();
        let parts = TimePart::ALL.map(|part| part.of(time));
        // A Sunday; 33 days after the first of January.
        let angle = std::f64::consts::TAU * 33.0 / 365.25;
        let elapsed = 15_739.0 + 11.5 / 24.0;
        assert_eq!(time_text(time), "2013-02-03 11:30:00");
        assert_eq!(time_text(-1), "1969-12-31 23:59:59");
        assert_eq!(time_text(86_400), "1970-01-02");
        assert_eq!(parts, [2013.0, 2.0, 6.0, angle.sin(), angle.cos(), elapsed, 11.5]);
    }
}
