//! Raw columns of a table as rows of doubles: numbers as they are, the codes of texts, the seconds of times, NaN for gaps. All
//! of that are exact. What the codes mean is in a file of its own, `texts.json`.

use std::path::Path;
use std::sync::Arc;

use gradus_core::files::json;
use gradus_core::samples::{TEXT_GAP, TIME_GAP};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bytes::hex;
use crate::error::{Error, Result, invalid};
use crate::interned::Interned;
use crate::{ColumnType, Columns, Inputs, RawColumn, Table, reading};

/// The name of the file of texts in its folder.
pub(super) const TEXTS: &str = "texts.json";

/// The most bytes of texts that are kept while packing, with their places: those of all columns together.
const MOST_BYTES: usize = 256 << 20;

/// About how many bytes a text takes beside its letters.
const OF_A_TEXT: usize = 48;

/// The most bytes of the file of texts: each letter may be written as six.
const LONGEST: u64 = 6 * MOST_BYTES as u64;

/// From this number of seconds on, double precision does not tell all of them apart.
const EXACT: i64 = 1 << 53;

/// What the index says about raw columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIndex {
    /// The type of each feature.
    pub(super) types: Vec<ColumnType>,
    /// The features that the user asked to be categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) chosen: Vec<usize>,
    /// The file of texts: for each feature a list of its texts, which is empty for other types.
    pub(super) texts: String,
    /// Its SHA-256, as 64 hexadecimal digits.
    pub(super) texts_sha256: String,
}

impl RawIndex {
    /// Checks that it is for so many features.
    pub(super) fn check(&self, features: usize) -> std::result::Result<(), String> {
        let of_text =
            |&at: &usize| self.types.get(at).is_some_and(|kind| *kind == ColumnType::Text);
        match self.types.len() == features && self.chosen.iter().all(of_text) {
            true => Ok(()),
            false => Err(format!(
                "{} types of raw columns, of which {:?} are chosen, do not fit {features} features",
                self.types.len(),
                self.chosen
            )),
        }
    }
}

/// The raw columns of shards: their types, and what codes of text mean.
#[derive(Debug)]
pub(super) struct RawForm {
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    kind: ColumnType,
    is_chosen: bool,
    texts: Arc<Vec<String>>,
}

impl RawForm {
    /// Reads the texts that go with an index.
    ///
    /// # Errors
    /// `NotFound` or `Io` if the operating system refuses, `InvalidData` if the file is another one than was packed.
    pub(super) fn read(folder: &Path, index: &RawIndex) -> Result<RawForm> {
        let path = folder.join(&index.texts);
        let bytes = reading::read_at_most(&path, Some(LONGEST))?;
        let found = hex(&Sha256::digest(&bytes).into());
        if found != index.texts_sha256.to_ascii_lowercase() {
            return Err(Error::data(
                &path,
                format!(
                    "the texts of the shards are damaged, or were swapped with another file: their SHA-256 is {found}, but \
                     the index has {}; copy the file again",
                    index.texts_sha256
                ),
            ));
        }
        let texts: Vec<Vec<String>> = json::parse(&bytes).map_err(|error| {
            Error::data(
                &path,
                format!("these are no texts of shards: {error}; pack the data again"),
            )
        })?;
        if texts.len() != index.types.len() {
            let (found, wanted) = (texts.len(), index.types.len());
            return Err(Error::data(
                &path,
                format!(
                    "there are texts of {found} columns, expected {wanted}; pack the data again"
                ),
            ));
        }
        let column = |(at, (&kind, texts)): (usize, (&ColumnType, Vec<String>))| Column {
            kind,
            is_chosen: index.chosen.contains(&at),
            texts: Arc::new(texts),
        };
        let columns = index.types.iter().zip(texts).enumerate().map(column).collect();
        Ok(RawForm { columns })
    }

    /// A table without rows.
    pub(super) fn none(&self) -> Result<Inputs> {
        let gaps = vec![f64::NAN; self.columns.len()];
        Ok(self.decode(&gaps)?.subset(self.columns.len(), &[]))
    }

    /// The raw columns that are stored as these rows.
    ///
    /// # Errors
    /// `InvalidData` for a value that is none of its column.
    pub(super) fn decode(&self, rows: &[f64]) -> Result<Inputs> {
        let width = self.columns.len();
        let column = |(at, column): (usize, &Column)| {
            let values = || rows.iter().skip(at).step_by(width).copied();
            match column.kind {
                ColumnType::Number => RawColumn::Numbers(values().collect()),
                ColumnType::Time => RawColumn::Times(values().map(time_of).collect()),
                ColumnType::Text => RawColumn::Text {
                    codes: values().map(code_of).collect(),
                    values: column.texts.clone(),
                    is_chosen: column.is_chosen,
                },
            }
        };
        Ok(Inputs::Table(Table::new(self.columns.iter().enumerate().map(column).collect())?))
    }
}

/// The seconds that are stored as this value.
fn time_of(value: f64) -> i64 {
    if value.is_nan() { TIME_GAP } else { value as i64 }
}

/// The code that is stored as this value: that of no text for what is none.
fn code_of(value: f64) -> u32 {
    match value {
        value if value.is_nan() => TEXT_GAP,
        value if value == f64::from(value as u32) => value as u32,
        _ => TEXT_GAP - 1,
    }
}

/// Raw columns on their way into shards.
#[derive(Debug)]
pub(super) struct RawWriter {
    columns: Vec<WrittenColumn>,
    /// Names of the columns in messages.
    names: Vec<String>,
    /// Bytes of all texts so far, and the most that they may have.
    bytes: usize,
    most: usize,
    /// What codes mean, once all rows have been seen.
    form: Option<RawForm>,
}

/// Texts of rows, and the code in the file of each that is known.
type KnownTexts = (Arc<Vec<String>>, Vec<Option<u32>>);

#[derive(Debug)]
struct WrittenColumn {
    kind: ColumnType,
    is_chosen: bool,
    texts: Interned,
    /// The texts of the last rows, and their codes: rows that follow each other often share them.
    last: Option<KnownTexts>,
}

impl RawWriter {
    /// For tables like this one, whose columns these are.
    pub(super) fn new(table: &Table, columns: Option<&Columns>) -> RawWriter {
        let column = |raw: &RawColumn| WrittenColumn {
            kind: raw.kind(),
            is_chosen: matches!(raw, RawColumn::Text { is_chosen: true, .. }),
            texts: Interned::default(),
            last: None,
        };
        let known = columns.and_then(Columns::feature_names).unwrap_or_default();
        let name =
            |at: usize| known.get(at).map_or(format!("feature {at}"), |it| format!("'{it}'"));
        RawWriter {
            columns: table.columns().iter().map(column).collect(),
            names: (0..table.columns().len()).map(name).collect(),
            bytes: 0,
            most: MOST_BYTES,
            form: None,
        }
    }

    /// The rows of a table as they are stored.
    ///
    /// # Errors
    /// `InvalidData` for columns of other types, for more texts than can be kept, and for times that doubles cannot hold.
    pub(super) fn encode(&mut self, table: &Table) -> Result<Vec<f64>> {
        let width = self.columns.len();
        if table.columns().len() != width {
            return Err(invalid("rows of another number of columns follow"));
        }
        let mut rows = vec![f64::NAN; table.rows() * width];
        for (at, raw) in table.columns().iter().enumerate() {
            let column = &mut self.columns[at];
            if raw.kind() != column.kind {
                return Err(invalid(format!(
                    "column {} has {}, but had {} before",
                    self.names[at],
                    raw.kind().plural(),
                    column.kind.plural()
                )));
            }
            let places = rows[at..].iter_mut().step_by(width);
            match raw {
                RawColumn::Numbers(values) => {
                    places.zip(values).for_each(|(place, &value)| *place = value);
                }
                RawColumn::Times(values) => {
                    for (place, &value) in places.zip(values).filter(|(_, it)| **it != TIME_GAP) {
                        if value.abs() > EXACT {
                            return Err(invalid(format!(
                                "column {} has a date {value} seconds from 1970, which shards cannot hold",
                                self.names[at]
                            )));
                        }
                        *place = value as f64;
                    }
                }
                RawColumn::Text { codes, values, .. } => {
                    let known = match column.last.take() {
                        Some((texts, known)) if Arc::ptr_eq(&texts, values) => known,
                        _ => vec![None; values.len()],
                    };
                    let (_, known) = column.last.insert((values.clone(), known));
                    for (place, &code) in places.zip(codes).filter(|(_, code)| **code != TEXT_GAP) {
                        let code = code as usize;
                        let own = *known[code].get_or_insert_with(|| {
                            let (own, is_new) = column.texts.code_of(&values[code]);
                            self.bytes += usize::from(is_new) * (values[code].len() + OF_A_TEXT);
                            own
                        });
                        *place = own.into();
                    }
                }
            }
            if self.bytes > self.most {
                return Err(self.too_many());
            }
        }
        Ok(rows)
    }

    /// The error for more texts than can be kept.
    fn too_many(&self) -> Error {
        let counts = self.columns.iter().map(|column| column.texts.values().len());
        let most = counts.clone().enumerate().max_by_key(|(_, count)| *count);
        let (at, count) = most.unwrap_or_default();
        invalid(format!(
            "column {} has {count} different texts so far, and all texts together take more than {} MB of memory: leave the \
             column out with `drop` if it tells rows apart, as identifiers do, or write its texts in fewer ways",
            self.names[at],
            self.most >> 20
        ))
    }

    /// What codes mean. No rows may follow.
    pub(super) fn form(&mut self) -> &RawForm {
        let columns = &mut self.columns;
        self.form.get_or_insert_with(|| {
            let column = |column: &mut WrittenColumn| Column {
                kind: column.kind,
                is_chosen: column.is_chosen,
                texts: Arc::new(std::mem::take(&mut column.texts).into_values()),
            };
            RawForm { columns: columns.iter_mut().map(column).collect() }
        })
    }

    /// The content of the file of texts, and what the index says.
    pub(super) fn finish(mut self) -> Result<(Vec<u8>, RawIndex)> {
        let form = self.form();
        let texts: Vec<&[String]> = form.columns.iter().map(|it| &it.texts[..]).collect();
        let bytes = serde_json::to_vec(&texts).map_err(|error| invalid(error.to_string()))?;
        let chosen = form.columns.iter().enumerate().filter(|(_, column)| column.is_chosen);
        let index = RawIndex {
            types: form.columns.iter().map(|column| column.kind).collect(),
            chosen: chosen.map(|(at, _)| at).collect(),
            texts: TEXTS.to_owned(),
            texts_sha256: hex(&Sha256::digest(&bytes).into()),
        };
        Ok((bytes, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(texts: &[&str], codes: &[u32]) -> Table {
        let values = Arc::new(texts.iter().map(|&it| it.to_owned()).collect());
        let rows = codes.len();
        Table::new(vec![
            RawColumn::Text { codes: codes.to_vec(), values, is_chosen: true },
            RawColumn::Numbers((0..rows).map(|at| at as f64 / 3.0).collect()),
            RawColumn::Times(
                (0..rows as i64).map(|at| if at == 1 { TIME_GAP } else { -at }).collect(),
            ),
        ])
        .unwrap()
    }

    #[test]
    fn rows_become_the_same_raw_columns_again() {
        let first = table(&["b", "unused", "a"], &[2, TEXT_GAP, 0]);
        let second = table(&["c", "a"], &[1, 0]);
        let mut writer = RawWriter::new(&first, None);
        let rows = [writer.encode(&first).unwrap(), writer.encode(&second).unwrap()];
        let Inputs::Table(found) = writer.form().decode(&rows.concat()).unwrap() else { panic!() };
        let shown = |table: &Table| -> Vec<Vec<String>> {
            let row =
                |row| table.columns().iter().map(|it| format!("{:?}", it.value(row))).collect();
            (0..table.rows()).map(row).collect()
        };
        assert_eq!(shown(&found), [shown(&first), shown(&second)].concat());
        let (bytes, index) = writer.finish().unwrap();
        assert_eq!(bytes, br#"[["a","b","c"],[],[]]"#);
        assert_eq!((index.types.len(), &index.chosen[..]), (3, &[0][..]));
        index.check(3).unwrap();
        assert!(index.check(2).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let first = table(&["a", "b"], &[0, 1]);
        let mut writer = RawWriter::new(&first, None);
        writer.most = OF_A_TEXT + 10;
        let error = writer.encode(&first).unwrap_err().to_string();
        assert!(error.contains("column feature 0 has 2 different texts"), "{error}");
        let far = Table::new(vec![RawColumn::Times(vec![i64::MAX])]).unwrap();
        let error = RawWriter::new(&far, None).encode(&far).unwrap_err().to_string();
        assert!(error.contains("which shards cannot hold"), "{error}");
        let mut writer = RawWriter::new(&first, None);
        let numbers = Table::new(vec![RawColumn::Numbers(vec![1.0]); 3]).unwrap();
        let error = writer.encode(&numbers).unwrap_err().to_string();
        assert!(error.contains("column feature 0 has numbers, but had text before"), "{error}");
        // Codes of no text.
        for code in [7.0, 0.5, -1.0, f64::INFINITY] {
            assert!(writer.form().decode(&[code, 0.0, 0.0]).is_err(), "{code}");
        }
    }
}
