//! The values of the options of each run: `--vary` in, all combinations of lists or random samples out.

use anyhow::Result;
use gradus::Error;
use gradus::random::{Purpose, numbered_stream};
use rand::Rng;

use crate::args::{Range, SweepArgs, Values, Vary};

/// Maximum number of runs: all are planned before the first one starts.
const MOST_RUNS: usize = 10_000;

/// The values of the varied options for each run.
///
/// # Errors
/// `InvalidArgument` for a range without a number of runs, and for too many runs.
pub(super) fn draws(args: &SweepArgs) -> Result<Vec<Vec<String>>> {
    let count = match args.runs {
        Some(runs) => runs,
        None => {
            let lengths = args.vary.iter().map(|vary| {
                vary.list().map(<[String]>::len).ok_or_else(|| {
                    Error::argument(format!(
                        "--vary {}: cannot enumerate a range; add --runs N to sample N runs, or \
                         give a list such as 0.1/0.2/0.3",
                        vary.text
                    ))
                })
            });
            let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
            lengths.into_iter().fold(1, usize::saturating_mul)
        }
    };
    if count > MOST_RUNS {
        return Err(Error::argument(format!(
            "{count} runs are more than the maximum of {MOST_RUNS}: sample some of them with --runs"
        ))
        .into());
    }
    Ok(match args.runs {
        Some(runs) => (0..runs).map(|run| draw(&args.vary, args.seed.unwrap_or(0), run)).collect(),
        None => grid(&args.vary),
    })
}

/// The values of run number `run`, which do not depend on the other runs.
fn draw(vary: &[Vary], seed: u64, run: usize) -> Vec<String> {
    let mut stream = numbered_stream(seed, Purpose::Sweep, run as u64);
    vary.iter().map(|vary| draw_value(vary, &mut stream)).collect()
}

/// All combinations of the lists; the last list varies fastest.
fn grid(vary: &[Vary]) -> Vec<Vec<String>> {
    vary.iter().filter_map(Vary::list).fold(vec![Vec::new()], |runs, list| {
        let longer =
            |run: &Vec<String>, value: &String| [&run[..], std::slice::from_ref(value)].concat();
        runs.iter().flat_map(|run| list.iter().map(move |value| longer(run, value))).collect()
    })
}

/// A random value, as text for the command line.
fn draw_value(vary: &Vary, stream: &mut impl Rng) -> String {
    // 53 bits, the precision of f64: a number in [0, 1).
    let share = (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    match &vary.values {
        Values::List(list) => list[(share * list.len() as f64) as usize].clone(),
        Values::Range(range) => number_at(*range, share),
    }
}

/// The value at this fraction of the range.
fn number_at(range: Range, share: f64) -> String {
    let Range { low, high, log, int } = range;
    // Each whole number represents the interval up to the next one.
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
    // Rounding may have left the range.
    let value = value.clamp(low, high);
    match value.abs() {
        size if size == 0.0 || (1e-4..1e15).contains(&size) => value.to_string(),
        _ => format!("{value:e}"),
    }
}

/// The number in `text`, which is `value` with fewer digits.
fn rounded(text: String, value: f64) -> f64 {
    text.parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(text: &str, count: u64) -> Vec<String> {
        let vary = Vary::parse(text).unwrap();
        let draw = |run| draw_value(&vary, &mut numbered_stream(3, Purpose::Sweep, run));
        (0..count).map(draw).collect()
    }

    fn numbers(text: &str, count: u64) -> Vec<f64> {
        draws(text, count).iter().map(|value| value.parse().unwrap()).collect()
    }

    #[test]
    fn draws_have_the_right_distribution() {
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
    fn drawn_numbers_are_short_and_within_the_range() {
        for text in draws("x=0.99..0.99999", 200) {
            assert!(text.len() <= 9, "{text}");
            assert!((0.99..=0.99999).contains(&text.parse::<f64>().unwrap()), "{text}");
        }
        for text in draws("x=1e-6..1e-5:log", 50) {
            assert!(text.ends_with("e-6") || text.ends_with("e-5"), "{text}");
        }
        let range = Range { low: 0.0, high: 1.0, log: false, int: false };
        assert_eq!([number_at(range, 0.0), number_at(range, 1.0 / 3.0)], ["0", "0.333"]);
    }
}
