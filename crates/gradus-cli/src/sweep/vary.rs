//! What `--vary` says: an option of `train` and its values, a list or a range, and draws from them.

use rand::Rng;

/// An option of `train` that differs from run to run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vary {
    /// The option's name, without dashes.
    pub(crate) option: String,
    values: Values,
    /// As it was typed.
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    List(Vec<String>),
    Range(Range),
}

/// Numbers from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Range {
    low: f64,
    high: f64,
    /// Uniform in the logarithm.
    log: bool,
    /// Whole numbers, both ends among them.
    int: bool,
}

impl Vary {
    /// Reads `OPTION=VALUES`.
    pub(crate) fn parse(text: &str) -> Result<Vary, String> {
        let (option, values) = text
            .split_once('=')
            .filter(|(option, values)| !option.is_empty() && !values.is_empty())
            .ok_or("expected OPTION=VALUES, such as hidden=128/256,128 or dropout=0..0.5")?;
        let values = match values.contains("..") {
            true => Values::Range(Range::parse(values)?),
            false => {
                let list: Vec<String> = values.split('/').map(str::to_owned).collect();
                if list.iter().any(String::is_empty) {
                    return Err("expected a value on either side of each /".into());
                }
                Values::List(list)
            }
        };
        Ok(Vary { option: option.to_owned(), values, text: text.to_owned() })
    }

    /// The values, where they can be counted.
    pub(crate) fn list(&self) -> Option<&[String]> {
        match &self.values {
            Values::List(list) => Some(list),
            Values::Range(_) => None,
        }
    }

    /// One of the values at random, as text for the command line.
    pub(crate) fn draw(&self, stream: &mut impl Rng) -> String {
        // 53 bits: a number from 0 to below 1.
        let share = (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        match &self.values {
            Values::List(list) => list[(share * list.len() as f64) as usize].clone(),
            Values::Range(range) => range.at(share),
        }
    }
}

impl Range {
    fn parse(text: &str) -> Result<Range, String> {
        let mut parts = text.split(':');
        let ends = parts.next().and_then(|ends| ends.split_once(".."));
        let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
        let ends = ends.and_then(|(low, high)| Some((number(low)?, number(high)?)));
        let (low, high) = ends.ok_or(
            "expected one range A..B of numbers, such as 0..0.5, 0.001..0.03:log or 1..8:int",
        )?;
        let mut range = Range { low, high, log: false, int: false };
        for part in parts {
            match part {
                "log" => range.log = true,
                "int" => range.int = true,
                _ => return Err(format!("expected :log or :int behind a range, not :{part}")),
            }
        }
        if low >= high {
            return Err(format!("expected the smaller number first: {low} is not below {high}"));
        }
        if range.log && low <= 0.0 {
            return Err(format!("{low} has no logarithm: start above 0, or leave :log out"));
        }
        if range.int && (low.fract() != 0.0 || high.fract() != 0.0) {
            return Err("expected whole numbers as the ends of a range with :int".into());
        }
        Ok(range)
    }

    /// The value below which this share of the range lies.
    fn at(self, share: f64) -> String {
        let Range { low, high, log, int } = self;
        // Whole numbers: each gets the interval up to the next.
        let end = if int { high + 1.0 } else { high };
        let value = match log {
            true => (low.ln() + share * (end.ln() - low.ln())).exp(),
            false => low + share * (end - low),
        };
        let value = match (int, log) {
            (true, _) => value.floor(),
            (false, true) => rounded(format!("{value:.3e}"), value),
            (false, false) => {
                let decimals = (3.0 - (high - low).log10()).ceil().clamp(0.0, 17.0) as usize;
                rounded(format!("{value:.decimals$}"), value)
            }
        };
        // Rounding may have led out of the range.
        let value = value.clamp(low, high);
        match value.abs() {
            size if size == 0.0 || (1e-4..1e15).contains(&size) => value.to_string(),
            _ => format!("{value:e}"),
        }
    }
}

/// The number that `text` shows, which is `value` with fewer digits.
fn rounded(text: String, value: f64) -> f64 {
    text.parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus::random::{Purpose, numbered_stream};

    fn draws(text: &str, count: u64) -> Vec<String> {
        let vary = Vary::parse(text).unwrap();
        let draw = |run| vary.draw(&mut numbered_stream(3, Purpose::Sweep, run));
        (0..count).map(draw).collect()
    }

    fn numbers(text: &str, count: u64) -> Vec<f64> {
        draws(text, count).iter().map(|value| value.parse().unwrap()).collect()
    }

    #[test]
    fn lists_and_ranges_are_told_apart() {
        let vary = Vary::parse("schedule=step:10:0.5/cosine").unwrap();
        assert_eq!(vary.option, "schedule");
        assert_eq!(vary.list().unwrap(), ["step:10:0.5", "cosine"]);
        assert_eq!(Vary::parse("hidden=256,128").unwrap().list().unwrap(), ["256,128"]);
        let range = |low, high, log, int| Values::Range(Range { low, high, log, int });
        for (text, expected) in [
            ("x=0..0.5", range(0.0, 0.5, false, false)),
            ("x=1e-4..1e-2:log", range(1e-4, 1e-2, true, false)),
            ("x=-2..3:int", range(-2.0, 3.0, false, true)),
            ("x=16..512:int:log", range(16.0, 512.0, true, true)),
        ] {
            let vary = Vary::parse(text).unwrap();
            assert_eq!(vary.values, expected, "{text}");
            assert_eq!(vary.list(), None);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (text, words) in [
            ("dropout", "OPTION=VALUES"),
            ("=1/2", "OPTION=VALUES"),
            ("dropout=", "OPTION=VALUES"),
            ("dropout=0.1//0.2", "either side"),
            ("dropout=0.1/", "either side"),
            ("dropout=0..0.2/0.5", "one range"),
            ("dropout=0..", "one range"),
            ("dropout=0..inf", "one range"),
            ("dropout=a..b", "one range"),
            ("dropout=0.5..0", "smaller number first"),
            ("dropout=0..1:cubic", ":cubic"),
            ("learning-rate=0..1:log", "no logarithm"),
            ("epochs=1.5..3:int", "whole numbers"),
        ] {
            let error = Vary::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn draws_fill_the_range_as_they_should() {
        let uniform = numbers("x=2..4", 400);
        assert!(uniform.iter().all(|value| (2.0..=4.0).contains(value)));
        let below = uniform.iter().filter(|&&value| value < 2.5).count();
        assert!((70..130).contains(&below), "{below} of 400 in a quarter");
        let log = numbers("x=1e-5..1e-1:log", 400);
        assert!(log.iter().all(|value| (1e-5..=1e-1).contains(value)));
        let below = log.iter().filter(|&&value| value < 1e-4).count();
        assert!((70..130).contains(&below), "{below} of 400 in one of four decades");
        let mut whole = draws("x=-1..2:int", 100);
        whole.sort();
        whole.dedup();
        assert_eq!(whole, ["-1", "0", "1", "2"]);
        let both = numbers("x=1..1000:int:log", 400);
        let below = both.iter().filter(|&&value| value < 32.0).count();
        assert!((160..240).contains(&below), "{below} of 400 below the geometric mean");
        let mut list = draws("x=a/b/c", 60);
        list.sort();
        list.dedup();
        assert_eq!(list, ["a", "b", "c"]);
    }

    #[test]
    fn drawn_numbers_are_short_and_never_leave_the_range() {
        for text in draws("x=0.99..0.99999", 200) {
            assert!(text.len() <= 9, "{text}");
            assert!((0.99..=0.99999).contains(&text.parse::<f64>().unwrap()), "{text}");
        }
        for text in draws("x=1e-6..1e-5:log", 50) {
            assert!(text.ends_with("e-6") || text.ends_with("e-5"), "{text}");
        }
        let range = Range { low: 0.0, high: 1.0, log: false, int: false };
        assert_eq!([range.at(0.0), range.at(1.0 / 3.0)], ["0", "0.333"]);
    }
}
