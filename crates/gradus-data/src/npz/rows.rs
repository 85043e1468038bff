//! NPZ, some rows at a time: a path in, the training part's targets out, and its samples row by row.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{LONGEST_HEADER, Npz, of_one_hot, texts_as_values};
use crate::array_rows::ArrayRows;
use crate::assemble::value_names;
use crate::error::{Error, Result, invalid};
use crate::labels::{Classes, Labels};
use crate::npy::{self, Content};
use crate::npz_names::pairs;
use crate::parts::{Part, Parts};
use crate::zip::{Archive, Entry};
use crate::{Targets, reading};

/// The training part of a file, of which the samples are still to be read.
pub(crate) struct NpzRows {
    pub(crate) path: PathBuf,
    entry: Entry,
    pub(crate) targets: Targets,
    /// The other parts of the file.
    pub(crate) others: Vec<Part>,
    /// What the user ought to know, a line each.
    pub(crate) warnings: Vec<String>,
}

impl NpzRows {
    /// Finds the training part of an `.npz` file, and reads its targets. None if the file has to be read at once: if its samples
    /// are there twice, are not rows in their order, or the arrays are known by their shapes alone.
    ///
    /// # Errors
    /// As [`read_npz`].
    pub(crate) fn open(path: &Path, values: bool) -> Result<Option<NpzRows>> {
        let mut npz = Npz::open(path)?;
        let found = npz.training_rows(path, values);
        found.map_err(|error| error.context(path.display()))
    }

    /// The samples, from their first row on.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged.
    pub(crate) fn rows(&self) -> Result<ArrayRows> {
        let mut archive = Archive::open(reading::open(&self.path)?)?;
        let header = npy::row_header(&archive.start(&self.entry, LONGEST_HEADER)?)?;
        let (shape, descr, start, size) = (header.shape, header.descr, header.start, header.size);
        let bytes = shape.iter().try_fold(size, |all, &it| all.checked_mul(it));
        if bytes.and_then(|it| it.checked_add(start)).map(|it| it as u64) != Some(self.entry.size) {
            return Err(invalid("the size of the array is not that which its header promises"));
        }
        let mut reader = archive.into_reader(&self.entry)?;
        let mut header = vec![0; start];
        reader.read_exact(&mut header).map_err(|error| invalid(format!("{error}")))?;
        let are_bytes = descr == "|u1";
        let decode = Box::new(move |bytes| npy::decode(&descr, bytes));
        Ok(ArrayRows::new(shape, size, decode, Box::new(reader), are_bytes))
    }

    /// Where the samples are.
    pub(crate) fn place(&self) -> String {
        let name = self.entry.name.strip_suffix(".npy").unwrap_or(&self.entry.name);
        format!("{}: array {name}", self.path.display())
    }
}

impl Npz<File> {
    fn training_rows(&mut self, path: &Path, values: bool) -> Result<Option<NpzRows>> {
        let arrays = self.describe();
        let (Parts { train: pair, validation, test }, by_shape) = pairs(&arrays)?;
        let [name] = &pair.samples[..] else { return Ok(None) };
        let find = |name: &str| self.archive.find(name);
        let entry = find(&format!("{name}.npy")).or_else(|| find(name));
        let Some(entry) = entry.filter(|_| !by_shape) else { return Ok(None) };
        let header = npy::row_header(&self.archive.start(&entry, LONGEST_HEADER)?);
        if !header.is_ok_and(|it| it.shape.len() > 1) {
            return Ok(None);
        }
        let (name, mut warnings) = (&pair.targets, Vec::new());
        let targets = match (values, self.content(name)?) {
            (true, Content::Numbers(array)) => {
                let names = value_names(&array)?;
                Targets::Values { values: array.values.to_f32(), names }
            }
            (true, Content::Texts(_)) => return Err(texts_as_values(name)),
            (false, content) => {
                let in_array = |error: Error| error.context(format!("array {name}"));
                let labels = Labels::of(content).map_err(in_array)?;
                warnings.extend(labels.doubt().map(|doubt| format!("{name}: {doubt}")));
                warnings.extend(labels.one_hot().map(|classes| of_one_hot(name, classes)));
                let (labels, classes) = Classes::of_training(labels)?;
                Targets::Classes { labels, names: classes.names }
            }
        };
        warnings.iter_mut().for_each(|it| *it = format!("{}: {it}", path.display()));
        let others = [validation.map(|_| Part::Validation), test.map(|_| Part::Test)];
        let others = others.into_iter().flatten().collect();
        Ok(Some(NpzRows { path: path.to_owned(), entry, targets, others, warnings }))
    }
}
