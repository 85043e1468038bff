//! Dates and times in the fields of a table: text in, seconds since 1970 out.

use gradus_core::samples::DateOrder;
use gradus_core::transform::columns::seconds_of;

/// Why a field has no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTime {
    /// It is none.
    Other,
    /// Day and month are written with `/` or `-`, the year behind them, and it is not known which one comes first.
    Unordered,
}

/// The time that a field holds: `2024-05-01`, `2024/05/01` or `01.05.2024`, alone or followed by a space or `T` and a
/// time of day such as `12:30` or `12:30:05.25`, which may end in `Z` or an offset such as `+02:00`. Fractions of seconds
/// are cut off. Of `05/01/2024` and `05-01-2024`, `order` says what comes first.
pub(super) fn parse_time(field: &[u8], order: Option<DateOrder>) -> Result<i64, NoTime> {
    let time = || {
        let (date, rest) = split(field)?;
        let (year, month, day) = match parse_date(date)? {
            Date::Known(year, month, day) => (year, month, day),
            Date::Either(first, second, year) => match order {
                None => return Some(Err(NoTime::Unordered)),
                Some(DateOrder::DayFirst) => (year, second, first),
                Some(DateOrder::MonthFirst) => (year, first, second),
            },
        };
        let (in_day, offset) = match rest {
            Some(rest) => parse_time_of_day(rest)?,
            None => (0, 0),
        };
        Some(Ok(seconds_of(year, month, day, in_day)? - offset))
    };
    time().unwrap_or(Err(NoTime::Other))
}

/// Which of day and month comes first, if the field shows it: the other one is above 12.
pub(super) fn order_of(field: &[u8]) -> Option<DateOrder> {
    match parse_date(split(field)?.0)? {
        Date::Either(13.., ..13, _) => Some(DateOrder::DayFirst),
        Date::Either(..13, 13.., _) => Some(DateOrder::MonthFirst),
        _ => None,
    }
}

/// The date and the time of day in a field that may be long enough to have them.
fn split(field: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let field = field.trim_ascii();
    // Shorter than any date, longer than any time.
    if !(8..=40).contains(&field.len()) || !field[0].is_ascii_digit() {
        return None;
    }
    let end = field.iter().position(|byte| matches!(byte, b' ' | b'T')).unwrap_or(field.len());
    Some((&field[..end], field.get(end + 1..)))
}

enum Date {
    /// Year, month and day.
    Known(i64, u32, u32),
    /// Day and month, in this order or the other, and the year.
    Either(u32, u32, i64),
}

/// A date: the year first, or the day first with points, or day and month in either order.
fn parse_date(text: &[u8]) -> Option<Date> {
    let separator = *text.iter().find(|byte| !byte.is_ascii_digit())?;
    let mut parts = text.split(|&byte| byte == separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let year = |text| digits(text, 4).map(i64::from);
    match (separator, first.len(), third.len()) {
        (b'-' | b'/' | b'.', 4, 1..=2) => {
            Some(Date::Known(year(first)?, digits(second, 2)?, digits(third, 2)?))
        }
        (b'.', 1..=2, 4) => Some(Date::Known(year(third)?, digits(second, 2)?, digits(first, 2)?)),
        (b'-' | b'/', 1..=2, 4) => {
            Some(Date::Either(digits(first, 2)?, digits(second, 2)?, year(third)?))
        }
        _ => None,
    }
}

/// Seconds since midnight, and the seconds by which the clock is ahead.
fn parse_time_of_day(text: &[u8]) -> Option<(i64, i64)> {
    let zone = text.iter().position(|byte| matches!(byte, b'Z' | b'+' | b'-'));
    let (clock, zone) = text.split_at(zone.unwrap_or(text.len()));
    let offset = match zone {
        [] | b"Z" => 0,
        [sign, rest @ ..] => {
            let (hours, minutes) = match rest {
                [a, b, b':', minutes @ ..] | [a, b, minutes @ ..] => ([*a, *b], minutes),
                _ => return None,
            };
            let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2)? };
            let seconds = i64::from(3600 * digits(&hours, 2)? + 60 * minutes);
            if *sign == b'-' { -seconds } else { seconds }
        }
    };
    let mut parts = clock.trim_ascii().split(|&byte| byte == b':');
    let (hours, minutes) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = match parts.next() {
        None => 0,
        Some(text) => {
            let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
            let is_fraction = text[point..].iter().skip(1).all(u8::is_ascii_digit);
            digits(&text[..point], 2).filter(|_| is_fraction)?
        }
    };
    let is_time = hours < 24 && minutes < 60 && seconds < 60 && parts.next().is_none();
    is_time.then(|| (i64::from(3600 * hours + 60 * minutes + seconds), offset))
}

/// A number of at most so many digits and nothing else.
fn digits(text: &[u8], most: usize) -> Option<u32> {
    let is_number = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.iter().fold(0, |number, digit| 10 * number + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_recognized() {
        let day = 19_844 * 86_400;
        let noon = day + 12 * 3600;
        for (text, seconds) in [
            ("2024-05-01", day),
            ("2024/5/1", day),
            ("01.05.2024", day),
            ("1.5.2024 12:00", noon),
            ("2024-05-01 12:00:07", noon + 7),
            ("2024-05-01T12:00:07.125Z", noon + 7),
            ("2024-05-01T12:00:00+02:00", noon - 7200),
            ("2024-05-01T12:00:00-0130", noon + 5400),
            (" 2024-05-01 ", day),
        ] {
            assert_eq!(parse_time(text.as_bytes(), None), Ok(seconds), "{text}");
        }
        for text in [
            "20240501",
            "2024-13-01",
            "2023-02-29",
            "2024-05",
            "1.5.24",
            "2024-05-01 25:00",
            "2024-05-01 12",
            "2024-05-01 12:00:00 and more",
            "2024-05-01T12:00+x",
            "192.168.0.1",
            "1.2.3",
            "12:30:00",
            "",
        ] {
            assert_eq!(parse_time(text.as_bytes(), None), Err(NoTime::Other), "{text}");
        }
    }

    #[test]
    fn day_and_month_may_come_in_either_order() {
        let day = 19_844 * 86_400;
        let (first, then) = (DateOrder::DayFirst, DateOrder::MonthFirst);
        for text in ["05/01/2024", "5-1-2024", "05/01/2024 00:00"] {
            let text = text.as_bytes();
            assert_eq!(parse_time(text, None), Err(NoTime::Unordered));
            assert_eq!(parse_time(text, Some(then)), Ok(day));
            assert_eq!(parse_time(text, Some(first)), Ok(day - 117 * 86_400));
            assert_eq!(order_of(text), None);
        }
        assert_eq!(order_of(b"13/01/2024"), Some(first));
        assert_eq!(order_of(b"01/13/2024"), Some(then));
        assert_eq!(order_of(b"13/13/2024"), None);
        assert_eq!(parse_time(b"13/01/2024", Some(then)), Err(NoTime::Other));
    }
}
