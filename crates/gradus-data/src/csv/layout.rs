//! Decides which columns of a table are features and which are targets, from the options, the model's
//! columns and the header.

use std::collections::{HashMap, HashSet};

use super::head::{Head, Layout};
use super::options::TableOptions;
use crate::error::{Error, Result};
use crate::{Columns, image_shape, invalid};

/// Common names of a label column, the most reliable first.
const LABEL_NAMES: [&str; 4] = ["label", "class", "target", "y"];

/// The columns of samples with targets, which are labels or values; and what the samples remember of
/// the table.
pub(super) fn of_samples_with_targets(
    table: &mut Head,
    options: &TableOptions,
) -> Result<(Layout, Columns)> {
    let known = options.columns;
    let mut dropped = table.dropped(options)?;
    if known.is_none() {
        table.drop_index(&mut dropped, options);
    }
    let targets = match (options.label_column, known) {
        (Some(wanted), _) => table.targets_called(wanted, options.values, &dropped)?,
        (None, Some(known)) if !known.targets().is_empty() => table.targets_of(known, &dropped)?,
        _ if options.values => vec![table.guess_value(&dropped)?],
        _ => vec![table.guess_label(&dropped, known)?],
    };
    table.check_targets(&targets, &dropped)?;
    let left_out = [&targets[..], &dropped].concat();
    let found = match known {
        Some(known) => table.features_of(known, options, &left_out)?,
        None => table.others(&left_out).into_iter().map(Some).collect(),
    };
    // What a model does not use may be worth showing.
    let unread = (0..found.len()).filter(|&index| found[index].is_none()).collect();
    let features: Vec<usize> = found.into_iter().flatten().collect();
    if features.is_empty() {
        return Err(invalid(format!(
            "the table has {}, and {} of them targets or left out: expected at least one more to \
             learn from",
            columns(table.columns),
            left_out.len()
        )));
    }
    let columns = match known {
        Some(known) => known.clone(),
        None => {
            table.warn_of_twins(&features);
            Columns::new(table.columns, table.header.clone(), targets.clone(), dropped)?
                .with_missing(options.missing.map(<[_]>::to_vec))
        }
    };
    let may_be_pixels = may_be_pixels(features.len(), columns.feature_names());
    let is_new = known.is_none();
    Ok((Layout { features, unread, targets, is_new, may_be_pixels }, columns))
}

/// Features of MNIST, which most tables of images have.
const MNIST: usize = 28 * 28;

/// Whether whole numbers in so many features of these names may be grey levels: as many as an image of MNIST has, or a
/// square number of them whose names say so, such as pixel0, px_3_4 or 1x1. All other tables stay tables.
fn may_be_pixels(features: usize, names: Option<Vec<&str>>) -> bool {
    let of_pixel = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || "_- ".contains(c));
        let has_place = name.ends_with(|c: char| c.is_ascii_digit());
        let is_pair =
            name.split_once('x').is_some_and(|(row, column)| is_number(row) && is_number(column));
        (has_place && ["pixel", "pix", "px"].contains(&stem)) || is_pair
    };
    let named = names.is_some_and(|names| names.into_iter().all(of_pixel));
    features == MNIST || (named && image_shape(&[features]).is_some())
}

/// The columns of samples to predict for a model that takes `features` of them and whose outputs are
/// values of these names, if it predicts values. Targets are left out, whatever they hold.
pub(super) fn of_samples(
    table: &mut Head,
    features: usize,
    outputs: &[String],
    options: &TableOptions,
) -> Result<Layout> {
    let mut left_out = table.dropped(options)?;
    if let Some(wanted) = options.label_column {
        left_out.extend(table.targets_called(wanted, !outputs.is_empty(), &left_out)?);
    }
    let taken = match options.columns {
        Some(known) => {
            let found = (0..).zip(table.features_of(known, options, &left_out)?);
            found.filter_map(|(index, at)| at.filter(|_| options.uses(index))).collect()
        }
        None => {
            let count = table.columns - left_out.len();
            if options.label_column.is_none() && count != features {
                let is_one_more = outputs.is_empty() && count == features + 1;
                left_out.extend(match is_one_more {
                    true => vec![table.guess_label(&left_out, None)?],
                    false => table.all_named(outputs),
                });
            }
            table.others(&left_out)
        }
    };
    let unread = options.unread();
    if taken.len() + unread.len() != features {
        return Err(table.wrong_count(features, &left_out));
    }
    // What samples to predict are is for the model to say.
    let may_be_pixels = image_shape(&[taken.len()]).is_some();
    let targets = Vec::new();
    Ok(Layout { features: taken, unread, targets, is_new: false, may_be_pixels })
}

impl Head {
    /// All columns but these.
    pub(super) fn others(&self, left_out: &[usize]) -> Vec<usize> {
        (0..self.columns).filter(|at| !left_out.contains(at)).collect()
    }

    /// The columns of a name, except those left out.
    pub(super) fn named(&self, left_out: &[usize], matches: impl Fn(&str) -> bool) -> Vec<usize> {
        let names = self.header.iter().flatten().enumerate();
        let found = names.filter(|(at, name)| matches(name) && !left_out.contains(at));
        found.map(|(at, _)| at).collect()
    }

    /// The columns to drop, each once.
    pub(super) fn dropped(&self, options: &TableOptions) -> Result<Vec<usize>> {
        self.positions_of(options.drop, "column to drop")
    }

    /// Drops the index of a pandas frame, which is a column of a Parquet file, unless it is asked for; warns of it.
    fn drop_index(&mut self, dropped: &mut Vec<usize>, options: &TableOptions) {
        let is_index = |name: &str| {
            let level = name.strip_prefix("__index_level_").and_then(|it| it.strip_suffix("__"));
            level.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
        };
        let asked: Vec<&str> = options.label_column.iter().flat_map(|it| it.split(',')).collect();
        for at in self.named(dropped, is_index) {
            let is_asked = |name: &&str| **name == self.name(at) || self.position(name) == Some(at);
            if !asked.iter().any(is_asked) {
                let column = self.column(at);
                self.warnings
                    .push(format!("{column} is the index of a pandas frame: it is left out"));
                dropped.push(at);
            }
        }
        dropped.sort_unstable();
    }

    /// The columns of these names, or at these positions, each once; `what` they are.
    pub(super) fn positions_of(&self, wanted: &[String], what: &str) -> Result<Vec<usize>> {
        let mut places: Vec<usize> = Vec::new();
        for wanted in wanted {
            let named = self.named(&[], |name| name == wanted);
            match (named.is_empty(), self.position(wanted)) {
                (false, _) => places.extend(named),
                (true, Some(at)) => places.push(at),
                (true, None) => return Err(self.no_column(what, wanted)),
            }
        }
        places.sort_unstable();
        places.dedup();
        Ok(places)
    }

    /// The column at a position that is given as text.
    fn position(&self, wanted: &str) -> Option<usize> {
        wanted.parse().ok().filter(|&at: &usize| at < self.columns)
    }

    fn no_column(&self, what: &str, wanted: &str) -> Error {
        let names = self.header.as_ref();
        Error::argument(format!(
            "there is no {what} {wanted:?}: expected {}a position from 0 to {}",
            names.map_or(String::new(), |names| format!("one of {}, or ", list(names))),
            self.columns - 1
        ))
    }

    /// The one target of this name, or at this position.
    fn target_called(&self, wanted: &str, left_out: &[usize]) -> Result<usize> {
        let named = self.named(left_out, |name| name == wanted);
        match (&named[..], self.position(wanted)) {
            ([one], _) => Ok(*one),
            ([], Some(at)) if left_out.contains(&at) => {
                Err(Error::argument(format!("{} is left out and the target", self.column(at))))
            }
            ([], Some(at)) => Ok(at),
            ([], None) => Err(self.no_column("label column", wanted)),
            (twins, _) => Err(self.twins(twins)),
        }
    }

    /// The label column that is asked for, or the columns of values, with commas between them.
    pub(super) fn targets_called(
        &self,
        wanted: &str,
        values: bool,
        left_out: &[usize],
    ) -> Result<Vec<usize>> {
        // A name may contain a comma.
        if !values || !self.named(left_out, |name| name == wanted).is_empty() {
            return Ok(vec![self.target_called(wanted, left_out)?]);
        }
        let parts = wanted.split(',').map(|name| self.target_called(name.trim(), left_out));
        let targets: Vec<usize> = parts.collect::<Result<_>>()?;
        let twice = |&index: &usize| targets[..index].contains(&targets[index]);
        match (0..targets.len()).find(twice) {
            Some(index) => {
                let column = self.column(targets[index]);
                Err(Error::argument(format!("{column} is named twice")))
            }
            None => Ok(targets),
        }
    }

    /// The targets of other data in this table: by name, or by position without names.
    fn targets_of(&self, known: &Columns, left_out: &[usize]) -> Result<Vec<usize>> {
        match (known.names(), &self.header) {
            (Some(names), Some(_)) => {
                let find = |&at: &usize| match self.named(left_out, |name| name == names[at])[..] {
                    [] => Ok(None),
                    [one] => Ok(Some(one)),
                    ref twins => Err(self.twins(twins)),
                };
                let found: Vec<_> = known.targets().iter().map(find).collect::<Result<_>>()?;
                // Under another name, the target is the only column that is not a feature, or one with a common name.
                match (&found[..], known.targets()) {
                    ([None], [at]) => match self.stand_in(known, left_out)? {
                        Some(other) => Ok(vec![other]),
                        None => Err(self.no_column("label column", &names[*at])),
                    },
                    (_, targets) => match found.iter().position(Option::is_none) {
                        Some(lost) => Err(self.no_column("label column", &names[targets[lost]])),
                        None => Ok(found.into_iter().flatten().collect()),
                    },
                }
            }
            _ if self.columns == known.count() => Ok(known.targets().to_vec()),
            _ => Err(invalid(format!(
                "the table has {}, expected {} as in the training data",
                columns(self.columns),
                known.count()
            ))),
        }
    }

    /// The features of other data in this table: by name, or by position without names; none for one that is not used and not
    /// there.
    fn features_of(
        &mut self,
        known: &Columns,
        options: &TableOptions,
        left_out: &[usize],
    ) -> Result<Vec<Option<usize>>> {
        if let (Some(names), Some(wanted), Some(_)) =
            (known.names(), known.feature_names(), &self.header)
        {
            let others =
                known.targets().iter().chain(known.dropped()).map(|&at| names[at].as_str());
            let ignored: HashSet<&str> = others.filter(|name| !wanted.contains(name)).collect();
            return self.features_named(&wanted, options, &ignored, left_out);
        }
        let (features, others) = (known.features(), self.others(left_out));
        let is_whole = self.columns == known.count();
        // Of a table like the one that was learned from, what is left out is known by its position.
        let of_training = match is_whole && features.iter().all(|at| !left_out.contains(at)) {
            true => features.clone(),
            false => others,
        };
        match of_training.len() == features.len() {
            true => Ok(of_training.into_iter().map(Some).collect()),
            false => Err(self.wrong_count(features.len(), left_out)),
        }
    }

    /// The features of these names, of which those that are not used need not be there. Warns of columns that are neither these
    /// nor in `ignored`.
    fn features_named(
        &mut self,
        wanted: &[&str],
        options: &TableOptions,
        ignored: &HashSet<&str>,
        left_out: &[usize],
    ) -> Result<Vec<Option<usize>>> {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, name) in self.header.as_deref().unwrap_or_default().iter().enumerate().rev() {
            if !left_out.contains(&at) {
                places.entry(name).or_default().push(at);
            }
        }
        // Several columns of one name are taken in their order.
        let found: Vec<Option<usize>> =
            wanted.iter().map(|name| places.get_mut(name).and_then(Vec::pop)).collect();
        let missing: Vec<&str> = wanted
            .iter()
            .zip(&found)
            .enumerate()
            .filter(|(index, (_, at))| at.is_none() && options.uses(*index))
            .map(|(_, (name, _))| *name)
            .collect();
        if !missing.is_empty() {
            let header = self.header.as_deref().unwrap_or_default();
            let plural = if missing.len() == 1 { "" } else { "s" };
            return Err(invalid(format!(
                "the table has no column{plural} {}: expected all features of the training data, in \
                 any order; the table has {}",
                list(&missing),
                list(header)
            )));
        }
        let twin =
            wanted.iter().find(|name| places.get(*name).is_some_and(|left| !left.is_empty()));
        if let Some(twin) = twin {
            return Err(self.twins(&self.named(left_out, |name| name == *twin)));
        }
        let rest: Vec<usize> = found.iter().flatten().chain(left_out).copied().collect();
        let strange = self.named(&rest, |name| !ignored.contains(&name));
        if !strange.is_empty() {
            let names: Vec<String> = strange.iter().map(|&at| self.name(at)).collect();
            let (plural, are) = if names.len() == 1 { ("", "is") } else { ("s", "are") };
            self.warnings.push(format!(
                "column{plural} {} {are} ignored: the training data have no such column",
                list(&names)
            ));
        }
        Ok(found)
    }

    /// The error for several columns of one name.
    fn twins(&self, twins: &[usize]) -> Error {
        let positions: Vec<_> = twins.iter().map(usize::to_string).collect();
        Error::argument(format!(
            "columns {} are all named {:?}: which one is meant? Leave the others out with `drop` and \
             their positions",
            positions.join(" and "),
            self.name(twins[0])
        ))
    }

    /// Checks that no other column has the name of a target: it would give the target away.
    fn check_targets(&self, targets: &[usize], dropped: &[usize]) -> Result<()> {
        for &target in targets {
            let name = self.name(target);
            let twins = self.named(dropped, |other| other == name);
            if twins.len() > 1 {
                return Err(self.twins(&twins));
            }
        }
        Ok(())
    }

    fn warn_of_twins(&mut self, features: &[usize]) {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for &at in features.iter().filter(|_| self.header.is_some()) {
            if let Some(first) = seen.insert(self.name(at), at) {
                self.warnings.push(format!(
                    "columns {first} and {at} are both named {:?}: in other tables they are reported apart \
                     by their order",
                    self.name(at)
                ));
                return;
            }
        }
    }

    /// The column that has a common name.
    pub(super) fn usual_target(&self, left_out: &[usize]) -> Result<Option<usize>> {
        for usual in LABEL_NAMES {
            match &self.named(left_out, |name| name.eq_ignore_ascii_case(usual))[..] {
                [] => {}
                [one] => return Ok(Some(*one)),
                twins => return Err(self.twins(twins)),
            }
        }
        Ok(None)
    }

    /// The most likely target of samples with known features: the only other column, or one with a common
    /// name.
    fn stand_in(&self, known: &Columns, left_out: &[usize]) -> Result<Option<usize>> {
        let features = known.feature_names().unwrap_or_default();
        match self.named(left_out, |name| !features.contains(&name))[..] {
            [only] => Ok(Some(only)),
            _ => self.usual_target(left_out),
        }
    }

    /// The column that most likely holds the labels; with a warning where a header leaves it to a guess.
    pub(super) fn guess_label(
        &mut self,
        left_out: &[usize],
        known: Option<&Columns>,
    ) -> Result<usize> {
        let found = match known {
            Some(known) => self.stand_in(known, left_out)?,
            None => self.usual_target(left_out)?,
        };
        if let Some(at) = found {
            return Ok(at);
        }
        let texts = self.texts.iter().copied().filter(|at| !left_out.contains(at));
        match texts.collect::<Vec<_>>()[..] {
            [only] => return Ok(only),
            [] => {}
            _ => return self.last(left_out),
        }
        let first = self.others(left_out).first().copied().unwrap_or(0);
        if self.header.is_some() {
            self.warnings.push(format!(
                "label column: {:?} (the first; name another with `label_column`)",
                self.name(first)
            ));
        }
        Ok(first)
    }

    /// The column that most likely holds the values: one with a common name, else the last.
    fn guess_value(&mut self, left_out: &[usize]) -> Result<usize> {
        match self.usual_target(left_out)? {
            Some(at) => Ok(at),
            None => self.last(left_out),
        }
    }

    /// The last column, as the target, with a warning.
    fn last(&mut self, left_out: &[usize]) -> Result<usize> {
        let last = self.others(left_out).last().copied().unwrap_or(0);
        self.warnings.push(format!(
            "target: {} (the last; name another with `label_column`)",
            self.column(last)
        ));
        Ok(last)
    }

    /// The columns of these names; none if one of them is missing.
    fn all_named(&self, names: &[String]) -> Vec<usize> {
        let places = names.iter().map(|wanted| match self.named(&[], |name| name == wanted)[..] {
            [only] => Some(only),
            _ => None,
        });
        places.collect::<Option<_>>().unwrap_or_default()
    }

    fn wrong_count(&self, features: usize, left_out: &[usize]) -> Error {
        let left_out = match left_out.len() {
            0 => {
                "targets can be left out with `label_column`, other columns with `drop`".to_owned()
            }
            count => format!("{count} of the columns are left out"),
        };
        invalid(format!(
            "the table has {}, but the model takes {features} features; {left_out}",
            columns(self.columns)
        ))
    }
}

fn columns(count: usize) -> String {
    format!("{count} {}", if count == 1 { "column" } else { "columns" })
}

/// Names for a message; only the first and the last if there are many.
fn list<S: AsRef<str>>(names: &[S]) -> String {
    match names {
        [first, .., last] if names.len() > 12 => {
            format!("{} columns {:?} to {:?}", names.len(), first.as_ref(), last.as_ref())
        }
        _ => names.iter().map(|name| format!("{:?}", name.as_ref())).collect::<Vec<_>>().join(", "),
    }
}
