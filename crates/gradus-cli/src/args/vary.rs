//! The value of `--vary`: an option of `train` and its values, a list or a range.

/// An option of `train` that differs between runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vary {
    /// The name of the option, without dashes.
    pub(crate) option: String,
    pub(crate) values: Values,
    /// As it was typed.
    pub(crate) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    List(Vec<String>),
    Range(Range),
}

/// The numbers from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Uniform in the logarithm.
    pub(crate) log: bool,
    /// Whole numbers, both ends included.
    pub(crate) int: bool,
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
                    return Err("expected a value on both sides of each /".into());
                }
                Values::List(list)
            }
        };
        Ok(Vary { option: option.to_owned(), values, text: text.to_owned() })
    }

    /// The values of a list; none for a range.
    pub(crate) fn list(&self) -> Option<&[String]> {
        match &self.values {
            Values::List(list) => Some(list),
            Values::Range(_) => None,
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
                _ => return Err(format!("expected :log or :int after a range, not :{part}")),
            }
        }
        if low >= high {
            return Err(format!("expected the smaller number first: {low} is not below {high}"));
        }
        if range.log && low <= 0.0 {
            return Err(format!("{low} has no logarithm: start above 0, or leave out :log"));
        }
        if range.int && (low.fract() != 0.0 || high.fract() != 0.0) {
            return Err("expected whole numbers as the ends of a range with :int".into());
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_distinguished() {
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
            ("dropout=0.1//0.2", "both sides"),
            ("dropout=0.1/", "both sides"),
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
}
