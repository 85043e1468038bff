//! What a table is probably meant for: which column is the target, and whether it is a class or a value.
//!
//! In: a table. Out: a [`TargetGuess`] with its reason, for runs that do not say it.

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

use super::layout;
use super::options::TableOptions;
use super::records::Record;
use super::source::Source;
#[cfg(feature = "parquet")]
use crate::RawColumn;
use crate::error::Result;
use crate::{Task, reading};

/// Whole numbers are classes if there are no more different ones than this, ...
const MOST_CLASSES: usize = 100;

/// ... and, if there are more than this, ...
const FEW_CLASSES: usize = 10;

/// ... so many rows for each of them.
const ROWS_OF_CLASS: usize = 5;

/// Rows that are looked at, ...
const LOOKED_AT: usize = 100_000;

/// ... but of wide tables no more than so many bytes, so that looking takes little of the time of reading.
const MOST_BYTES: usize = 8 << 20;

/// Rows with text that are looked at.
const TEXTS: usize = 1000;

/// Text is no class if so large a share of the rows have a text of their own, ...
const NAMES_SHARE: f64 = 0.95;

/// ... and there are more rows than this.
const FEW_TEXTS: usize = 20;

/// What the target of a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGuess {
    /// The name of the column.
    pub name: String,
    /// What to name it as: none if readers find it by themselves.
    pub label_column: Option<String>,
    /// Classes or values.
    pub task: Task,
    /// Why, in a few words.
    pub why: String,
    /// Whether they could be learned the other way as well: whole numbers.
    pub is_either: bool,
}

/// Looks at the target in the table at `path`; none for a pipe, which could not be read again.
///
/// A target of text is a class, numbers with fractions are values, and so are many different whole numbers. If no column
/// is named and the target would be another one than the last, but holds values or names of the rows, the last one is.
///
/// # Errors
/// Those of [`super::read_table`], as far as the first rows show them.
pub fn guess_target(path: &Path, options: &TableOptions) -> Result<Option<TargetGuess>> {
    if reading::is_special(path) {
        return Ok(None);
    }
    let mut source = Source::of_file(path, options)?;
    let head = source.head();
    let left_out = head.dropped(options)?;
    // A name that says so makes a target of whatever the column holds.
    let is_asked = options.label_column.is_some() || head.usual_target(&left_out)?.is_some();
    let targets = match options.label_column {
        Some(wanted) => head.targets_called(wanted, true, &left_out)?,
        None => vec![head.guess_label(&left_out, None)?],
    };
    let &[at] = &targets[..] else {
        return Ok(Some(TargetGuess {
            name: targets.iter().map(|&at| head.name(at)).collect::<Vec<_>>().join(", "),
            label_column: None,
            task: Task::Regression,
            why: "several columns".to_owned(),
            is_either: false,
        }));
    };
    let last = head.others(&left_out).last().copied().filter(|_| !is_asked);
    let names = [Some(at), last].map(|at| at.map(|at| head.name(at)).unwrap_or_default());
    let is_unique = head.named(&[], |other| other == names[1]).len() == 1;
    let looked_at = [&[at][..], last.filter(|&last| last != at).as_slice()].concat();
    let kinds = kinds_of(&mut source, &looked_at, options)?;
    let [name, last_name] = names;
    Ok(Some(match (&kinds[..], last) {
        ([Kind { is_doubtful: true, .. }, last_kind], Some(last)) => TargetGuess {
            label_column: Some(if is_unique { last_name.clone() } else { last.to_string() }),
            name: last_name,
            task: last_kind.task,
            why: format!("the last column, {}", last_kind.why),
            is_either: last_kind.is_either,
        },
        _ => {
            let Kind { task, why, is_either, .. } = kinds[0].clone();
            TargetGuess { name, label_column: None, task, why, is_either }
        }
    }))
}

/// Whether the samples of the table at `path` are images as far as the names and the number of its columns tell; false for a
/// pipe, which could not be read again.
///
/// # Errors
/// Those of [`super::read_table`], as far as the first rows show them.
pub fn may_hold_images(path: &Path, options: &TableOptions) -> Result<bool> {
    if reading::is_special(path) {
        return Ok(false);
    }
    let mut source = Source::of_file(path, options)?;
    let (layout, _) = layout::of_samples_with_targets(source.head(), options)?;
    Ok(layout.may_be_pixels)
}

/// What a column holds.
#[derive(Clone)]
struct Kind {
    /// Classes or values.
    task: Task,
    /// Why, in a few words.
    why: String,
    /// Whether another column is more likely the target, if this one was not asked for.
    is_doubtful: bool,
    /// As in [`TargetGuess`].
    is_either: bool,
}

impl Kind {
    fn values(why: impl Into<String>, is_either: bool) -> Kind {
        Kind { task: Task::Regression, why: why.into(), is_doubtful: true, is_either }
    }

    fn classes(why: impl Into<String>, is_doubtful: bool, is_either: bool) -> Kind {
        Kind { task: Task::Classification, why: why.into(), is_doubtful, is_either }
    }
}

/// Whether each of these columns holds classes or values, and why.
fn kinds_of<R: Read>(
    source: &mut Source<R>,
    columns: &[usize],
    options: &TableOptions,
) -> Result<Vec<Kind>> {
    let gaps = options.gaps();
    match source {
        Source::Text(table) => {
            let mut looks: Vec<Look> = columns.iter().map(|_| Look::default()).collect();
            let (mut row, mut bytes, mut decimals) = (Record::default(), 0, table.decimals);
            while bytes < MOST_BYTES
                && looks.iter().any(|look| !look.is_over)
                && table.next(&mut row)?
            {
                bytes += row.size();
                for (look, &at) in looks.iter_mut().zip(columns).filter(|(look, _)| !look.is_over) {
                    let field = row.field(at).trim_ascii();
                    if !gaps.contain(field) {
                        look.see(decimals.try_number(field), field);
                    }
                }
            }
            Ok(looks.iter().map(Look::kind).collect())
        }
        #[cfg(feature = "parquet")]
        Source::Stored(table) => {
            let kind = |&at: &usize| {
                let (column, mut look) = (table.column(at)?, Look::default());
                for row in (0..column.len()).filter(|&row| !column.is_gap(row)) {
                    match &column {
                        _ if look.is_over => break,
                        RawColumn::Numbers(values) => look.see(Some(values[row]), b""),
                        RawColumn::Times(values) => look.see(None, &values[row].to_le_bytes()),
                        RawColumn::Text { codes, values, .. } => {
                            let text = values[codes[row] as usize].as_bytes();
                            if !gaps.contain(text) {
                                look.see(None, text);
                            }
                        }
                    }
                }
                Ok(look.kind())
            };
            columns.iter().map(kind).collect()
        }
    }
}

/// A look at the values of a column.
#[derive(Default)]
struct Look {
    rows: usize,
    numbers: HashSet<u64>,
    texts: HashSet<Vec<u8>>,
    has_fractions: bool,
    /// Whether nothing more will change the judgement.
    is_over: bool,
}

impl Look {
    /// Adds a value: a number, or text.
    fn see(&mut self, number: Option<f64>, text: &[u8]) {
        self.rows += 1;
        match number {
            None if self.rows < TEXTS => {
                self.texts.insert(text.to_vec());
            }
            None => self.is_over = true,
            Some(_) if !self.texts.is_empty() => {
                self.texts.insert(text.to_vec());
            }
            Some(number) => {
                self.has_fractions |= number.fract() != 0.0;
                self.numbers.insert(number.to_bits());
            }
        }
        self.is_over |=
            self.has_fractions || self.numbers.len() > MOST_CLASSES || self.rows >= LOOKED_AT;
    }

    fn kind(&self) -> Kind {
        let Look { rows, numbers, texts, .. } = self;
        if self.has_fractions && texts.is_empty() {
            return Kind::values("numbers with fractions", false);
        }
        if !texts.is_empty() {
            let are_names = *rows > FEW_TEXTS && texts.len() as f64 >= NAMES_SHARE * *rows as f64;
            return Kind::classes("text", are_names, false);
        }
        let different = numbers.len();
        let is_value = different > MOST_CLASSES
            || (different > FEW_CLASSES && different * ROWS_OF_CLASS > *rows);
        match is_value {
            true if different > MOST_CLASSES => {
                Kind::values(format!("more than {MOST_CLASSES} different numbers"), true)
            }
            true => Kind::values(format!("{different} different numbers in {rows} rows"), true),
            false => Kind::classes(format!("{different} different whole numbers"), false, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(text: &str, label_column: Option<&str>) -> TargetGuess {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, text).unwrap();
        let options = TableOptions { label_column, ..TableOptions::default() };
        guess_target(&path, &options).unwrap().unwrap()
    }

    #[test]
    fn the_target_says_what_is_learned() {
        let rows = |row: &dyn Fn(usize) -> String| (0..300).map(row).collect::<String>();
        let of = |text: &str| {
            let guess = guess(text, None);
            (guess.name, guess.label_column, guess.task)
        };
        let named = |name: &str| name.to_owned();
        // Text, and few whole numbers.
        let text = "x,y\n".to_owned() + &rows(&|at| format!("{at}.5,{}\n", ["a", "b"][at % 2]));
        assert_eq!(of(&text), (named("y"), None, Task::Classification));
        let text = "a,k\n".to_owned() + &rows(&|at| format!("{},{at}.25\n", at % 3));
        assert_eq!(of(&text), (named("a"), None, Task::Classification));
        // The first column holds no classes, so it is the last.
        let text = "a,price\n".to_owned() + &rows(&|at| format!("{at}.5,{}\n", at * at));
        assert_eq!(of(&text), (named("price"), Some(named("price")), Task::Regression));
        let text = "id,kind\n".to_owned() + &rows(&|at| format!("{at},{}\n", at % 4));
        assert_eq!(of(&text), (named("kind"), Some(named("kind")), Task::Classification));
        // The only text holds names.
        let text = "name,cost\n".to_owned() + &rows(&|at| format!("n{at},{at}\n"));
        assert_eq!(of(&text), (named("cost"), Some(named("cost")), Task::Regression));
        // Several columns of text: the last column, whatever it holds.
        let text = "p,q,cost\n".to_owned() + &rows(&|at| format!("u,v,{at}\n"));
        assert_eq!(of(&text), (named("cost"), None, Task::Regression));
        // A usual name, wherever the column is.
        let text = "a,Y,b\n".to_owned() + &rows(&|at| format!("{at},{at}.5,{}\n", at % 4));
        assert_eq!(of(&text), (named("Y"), None, Task::Regression));
        let chosen = guess("a,b,c\n1,2.5,3\n", Some("b"));
        assert_eq!((chosen.task, chosen.name), (Task::Regression, named("b")));
        assert_eq!(guess("a,b,c\n1,2,3\n", Some("b,c")).task, Task::Regression);
        // Only whole numbers can be classes or values.
        let is_either = |text| guess(text, None).is_either;
        assert!(is_either("a,b\n0.5,1\n0.5,2\n") && is_either("a,y\n0.5,1\n"));
        assert!(!is_either("a,y\n1,1.5\n") && !is_either("a,y\n1,u\n"));
    }
}
