//! A table of any size, some rows at a time: files in, samples in pieces of a few megabytes out.
//!
//! What a column holds, which classes there are and whether numbers need double precision is known only when all rows have been
//! seen. So the files are read twice: the first time nothing is kept but what all rows have in common ([`Traits`]), the second
//! time every piece becomes samples of that form. They are those that the table has when it is read at once.

use std::path::{Path, PathBuf};

#[cfg(feature = "parquet")]
use gradus_core::samples::RawColumn;
use gradus_core::samples::{ColumnType, DateOrder, Table as RawTable};

use super::either_mark;
use super::fields::Decimals;
use super::head::{Head, Layout};
use super::options::TableOptions;
use super::rows::{Piece, Plan, ReadRows};
use super::samples::Numbers;
use super::several::{check_columns, joined_kind, misfit_of};
use super::source::{Source, Unpacked};
#[cfg(feature = "parquet")]
use super::stored_rows::{StoredPieces, StoredRows};
#[cfg(feature = "parquet")]
use super::survey::Counting;
use super::survey::Traits;
use super::table::Table;
use super::targets::{ReadTargets, TargetKind};
use super::typed::{ReadColumn, Wanted};
use crate::error::{Result, invalid};
use crate::{Columns, Dataset, Inputs, image_shape};

/// About how many bytes of numbers a piece of a table with types has.
#[cfg(feature = "parquet")]
const PIECE: usize = 8 << 20;

/// A table of which all rows have been seen once.
pub(crate) struct SurveyedTable<'a> {
    options: TableOptions<'a>,
    files: Vec<SurveyedFile>,
    /// What the features must hold.
    wanted: Vec<Wanted>,
    /// What numbers become; none for raw columns.
    numbers: Option<Numbers>,
    classes: Vec<String>,
    /// No samples, but what all of them have in common.
    pub(crate) like: Dataset,
    pub(crate) samples: usize,
}

/// What is needed to read a file again.
struct SurveyedFile {
    path: PathBuf,
    head: Head,
    layout: Layout,
    decimals: Decimals,
    decimal_comma: bool,
    orders: Vec<Option<DateOrder>>,
}

/// What is found out about a file.
struct Look {
    head: Head,
    layout: Layout,
    columns: Columns,
    /// What the features must hold as far as options say it, ...
    wanted: Vec<Wanted>,
    /// ... and what they do hold.
    types: Vec<ColumnType>,
    orders: Vec<Option<DateOrder>>,
    targets: ReadTargets,
    samples: u64,
    decimals: Decimals,
    decimal_comma: bool,
}

/// Reads the files of a table for the first time. The second value is a list of warnings, one line each, with the file that each
/// is about.
///
/// # Errors
/// As [`super::read_tables`].
pub(crate) fn survey<'a>(
    paths: &[PathBuf],
    options: &TableOptions<'a>,
) -> Result<(SurveyedTable<'a>, Vec<String>)> {
    let mut paths = paths.iter();
    let Some(first) = paths.next() else { return Err(invalid("no file of a table")) };
    let (mut traits, mut warnings) = (Vec::new(), Vec::new());
    let mut take_warnings = |path: &Path, head: &mut Head| {
        let found = std::mem::take(&mut head.warnings).into_iter();
        warnings.extend(found.map(|warning| format!("{}: {warning}", path.display())));
    };
    let mut look = look_at(first, None, options, &mut traits)?;
    take_warnings(first, &mut look.head);
    let Look { mut columns, wanted, mut types, mut targets, mut samples, .. } = look;
    let mut orders = look.orders.clone();
    let is_new = look.layout.is_new;
    let file = |path: &PathBuf, head, layout, decimals, decimal_comma, orders| SurveyedFile {
        path: path.clone(),
        head,
        layout,
        decimals,
        decimal_comma,
        orders,
    };
    let Look { head, layout, decimals, decimal_comma, .. } = look;
    let mut files = vec![file(first, head, layout, decimals, decimal_comma, look.orders)];
    for path in paths {
        let before: Vec<bool> = traits.iter().map(|it| it.has_values).collect();
        traits.iter_mut().for_each(|it| it.has_values = false);
        let head = &files[0].head;
        let known = columns.clone();
        let options = options.of_further_file(&known);
        let mut look = look_at(path, Some((first, head)), &options, &mut traits)?;
        take_warnings(path, &mut look.head);
        for (at, (own, other)) in types.iter_mut().zip(&look.types).enumerate() {
            let joined = joined_kind((*own, || !before[at]), (*other, || !traits[at].has_values));
            let place = files[0].layout.features[at];
            *own = joined
                .map_err(|problem| misfit_of(head, place, &problem).context(path.display()))?;
        }
        traits.iter_mut().zip(before).for_each(|(it, before)| it.has_values |= before);
        orders.iter_mut().zip(&look.orders).for_each(|(own, more)| *own = own.or(*more));
        targets.append(look.targets).map_err(|problem| {
            let column = head.column(files[0].layout.targets[0]);
            invalid(format!("{column}: {problem}")).context(path.display())
        })?;
        samples += look.samples;
        let Look { head, layout, decimals, decimal_comma, orders, .. } = look;
        files.push(file(path, head, layout, decimals, decimal_comma, orders));
    }
    if is_new {
        columns = columns.with_date_orders(orders);
    }
    let layout = &files[0].layout;
    let names = layout.targets.iter().map(|&at| files[0].head.name(at)).collect();
    let targets = targets.finish(names);
    let classes = match options.values {
        true => Vec::new(),
        false => targets.names().to_vec(),
    };
    let numbers = numbers_of(&types, &traits, layout.may_be_pixels, options);
    let pin = |(wanted, kind): (Wanted, ColumnType)| Wanted { kind: Some(kind), ..wanted };
    let wanted: Vec<Wanted> = wanted.into_iter().zip(types).map(pin).collect();
    let row = wanted.iter().map(|it| ReadColumn::gap(it.kind)).collect();
    let inputs = inputs_of(row, numbers)?;
    let features = layout.features.len();
    let sample_shape = match &inputs {
        Inputs::Bytes(_) => image_shape(&[features]).unwrap_or(vec![features]),
        _ => vec![features],
    };
    let columns = Some(columns);
    let like = Dataset { inputs, targets, sample_shape, sample_weights: None, columns };
    let like = like.subset(&[]);
    let samples = samples as usize;
    let table = SurveyedTable { options: *options, files, wanted, numbers, classes, like, samples };
    Ok((table, warnings))
}

/// What columns become: numbers if they are numbers without gaps and options do not name their types, else raw columns.
fn numbers_of(
    types: &[ColumnType],
    traits: &[Traits],
    may_be_pixels: bool,
    options: &TableOptions,
) -> Option<Numbers> {
    let mut both = types.iter().zip(traits);
    let are_plain = both.all(|(kind, it)| *kind == ColumnType::Number && !it.has_gaps);
    (are_plain && !options.names_types()).then(|| {
        Numbers::of(
            may_be_pixels,
            || traits.iter().all(|it| it.are_bytes),
            || traits.iter().any(|it| it.exceed_one),
            || options.doubles || traits.iter().any(|it| it.precision.needs_doubles()),
        )
    })
}

fn inputs_of(columns: Vec<ReadColumn>, numbers: Option<Numbers>) -> Result<Inputs> {
    match numbers {
        Some(numbers) => Ok(numbers.rows(&columns)),
        None => Ok(Inputs::Table(RawTable::new(
            columns.into_iter().map(ReadColumn::into_raw).collect(),
        )?)),
    }
}

/// Reads a file for the first time. Its columns must be those of the file `first`, if there is one; `traits` are those of the
/// features so far.
fn look_at(
    path: &Path,
    first: Option<(&PathBuf, &Head)>,
    options: &TableOptions,
    traits: &mut Vec<Traits>,
) -> Result<Look> {
    let before = traits.clone();
    let read = either_mark(options, |options| {
        let mut source = Source::of_file(path, options)?;
        if let Some((first, head)) = first {
            check_columns(first, head, source.head())?;
        }
        // A second attempt begins anew.
        let mut found = before.clone();
        let look = look_through(source, options, &mut found)?;
        Ok((look, found))
    });
    let (look, found) = read.map_err(|error| error.context(path.display()))?;
    *traits = found;
    Ok(look)
}

fn look_through(
    mut source: Source<Unpacked<'static>>,
    options: &TableOptions,
    traits: &mut Vec<Traits>,
) -> Result<Look> {
    let (mut layout, mut columns) = source.layout_with_targets(options)?;
    let mut wanted = source.head().wanted(&layout, options)?;
    traits.resize(wanted.len(), Traits::default());
    let (kind, gaps) = (TargetKind::of(options), options.gaps());
    let leaves_out = options.may_be_raw();
    let (mut head, mut types, mut orders, targets, samples, decimals, counts) = match source {
        Source::Text(mut table) => {
            let head = table.head.clone();
            let plan = Plan {
                head: &head,
                layout: &layout,
                wanted: &wanted,
                targets: kind,
                classes: &[],
                gaps: &gaps,
                leaves_out,
                bytes: layout.may_be_pixels,
                separator: table.separator,
            };
            let mut whole = Piece::new(&plan, table.decimals);
            loop {
                let goes_on = table.read_round(&mut whole)?;
                whole.forget_rows(traits);
                if !goes_on {
                    break;
                }
            }
            let read = whole.finish()?;
            let ReadRows { rows, left_out, decimals, columns, orders, .. } = read;
            let (targets, counts) = (read.targets, read.first_counts);
            table.decimals = decimals;
            table.tell_marks();
            table.head.tell_left_out(left_out, rows)?;
            let types: Vec<_> = columns.iter().map(ReadColumn::kind).collect();
            let samples = rows - left_out;
            let head = std::mem::take(&mut table.head);
            (head, types, orders, targets, samples, decimals, counts)
        }
        #[cfg(feature = "parquet")]
        Source::Stored(mut table) => {
            let mut pieces = table.pieces(&layout, &wanted, kind, PIECE)?;
            let mut targets = ReadTargets::new(kind, &[]);
            let mut found: Vec<RawColumn> = Vec::new();
            let (mut left_out, mut rounded) = (0, Vec::new());
            let mut counting = Counting::default();
            while let Some(piece) = pieces.next(&table.head)? {
                rounded.extend(piece.rounded);
                let mut rows = StoredRows::new(&layout, piece.columns, piece.first);
                if leaves_out {
                    left_out += rows.leave_out(&gaps);
                }
                rows.count_first(&mut counting);
                let more = rows.targets(&table.head, kind, &[])?;
                targets.append(more).map_err(|problem| {
                    let column = table.head.column(layout.targets[0]);
                    invalid(format!("{column}: {problem}"))
                })?;
                targets.forget_rows();
                found.resize(rows.raw().len(), RawColumn::Numbers(Vec::new()));
                for ((raw, found), it) in rows.raw().iter().zip(&mut found).zip(&mut *traits) {
                    it.add_raw(raw, &gaps, found);
                }
            }
            table.check_rows(pieces.rows)?;
            rounded.sort_unstable();
            rounded.dedup();
            rounded.into_iter().for_each(|at| table.head.tell_rounded(at));
            table.head.tell_left_out(left_out as u64, pieces.rows as u64)?;
            let rows = StoredRows::new(&layout, found, 0).features(&table.head, &wanted, &gaps)?;
            let (types, orders): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let types = types.iter().map(ReadColumn::kind).collect();
            let samples = (pieces.rows - left_out) as u64;
            let (decimals, counts) = (Decimals::of(b','), counting.holds());
            (table.head, types, orders, targets, samples, decimals, counts)
        }
    };
    if layout.is_new
        && layout.features.first() == Some(&0)
        && head.leaves_index_out(&mut layout, &mut columns, counts)?
    {
        traits.remove(0);
        types.remove(0);
        orders.remove(0);
        wanted.remove(0);
    }
    let decimal_comma = options.decimal_comma;
    Ok(Look {
        head,
        layout,
        columns,
        wanted,
        types,
        orders,
        targets,
        samples,
        decimals,
        decimal_comma,
    })
}

/// The samples of a table, some rows at a time.
pub(crate) struct TablePieces<'a> {
    table: SurveyedTable<'a>,
    /// The number of the file that is read.
    number: usize,
    open: Option<Open>,
}

/// A file that is being read.
enum Open {
    /// Text, and whether there is more of it.
    Text(Box<Table<Unpacked<'static>>>, bool),
    #[cfg(feature = "parquet")]
    Stored(StoredPieces),
}

impl<'a> SurveyedTable<'a> {
    /// The samples, some rows at a time.
    pub(crate) fn pieces(self) -> TablePieces<'a> {
        TablePieces { table: self, number: 0, open: None }
    }

    /// What the features of a file must hold.
    fn wanted_of(&self, file: &SurveyedFile) -> Vec<Wanted> {
        let dated = |(wanted, order): (&Wanted, &Option<DateOrder>)| Wanted {
            order: order.or(wanted.order),
            ..*wanted
        };
        self.wanted.iter().zip(&file.orders).map(dated).collect()
    }

    fn open(&self, file: &SurveyedFile) -> Result<Open> {
        let options = TableOptions { decimal_comma: file.decimal_comma, ..self.options };
        let columns = self.like.columns.as_ref();
        let options = match columns.filter(|_| !file.layout.is_new) {
            Some(columns) => options.of_further_file(columns),
            None => options,
        };
        Ok(match Source::of_file(&file.path, &options)? {
            Source::Text(table) => Open::Text(table, true),
            #[cfg(feature = "parquet")]
            Source::Stored(table) => {
                let (wanted, kind) = (self.wanted_of(file), TargetKind::of(&self.options));
                Open::Stored(table.pieces(&file.layout, &wanted, kind, PIECE)?)
            }
        })
    }

    /// The next rows of a file; none at its end.
    fn rows_of(
        &self,
        file: &SurveyedFile,
        open: &mut Open,
    ) -> Result<Option<(Vec<ReadColumn>, ReadTargets)>> {
        let (wanted, kind) = (self.wanted_of(file), TargetKind::of(&self.options));
        let (gaps, leaves_out) = (self.options.gaps(), self.options.may_be_raw());
        match open {
            Open::Text(_, false) => Ok(None),
            Open::Text(table, goes_on) => {
                let plan = Plan {
                    head: &file.head,
                    layout: &file.layout,
                    wanted: &wanted,
                    targets: kind,
                    classes: &self.classes,
                    gaps: &gaps,
                    leaves_out,
                    bytes: file.layout.may_be_pixels,
                    separator: table.separator,
                };
                let mut rows = Piece::new(&plan, file.decimals);
                *goes_on = table.read_round(&mut rows)?;
                let ReadRows { columns, targets, .. } = rows.finish()?;
                Ok(Some((columns, targets)))
            }
            #[cfg(feature = "parquet")]
            Open::Stored(pieces) => {
                let Some(piece) = pieces.next(&file.head)? else { return Ok(None) };
                let mut rows = StoredRows::new(&file.layout, piece.columns, piece.first);
                if leaves_out {
                    rows.leave_out(&gaps);
                }
                let targets = rows.targets(&file.head, kind, &self.classes)?;
                let columns = rows.features(&file.head, &wanted, &gaps)?;
                Ok(Some((columns.into_iter().map(|it| it.0).collect(), targets)))
            }
        }
    }

    /// Rows as samples.
    fn samples_of(&self, columns: Vec<ReadColumn>, targets: ReadTargets) -> Result<Dataset> {
        let inputs = inputs_of(columns, self.numbers)?;
        let targets = targets.finish(self.like.targets.names().to_vec());
        if !self.classes.is_empty() && targets.names() != self.classes {
            return Err(invalid("the table was changed while it was read: there are new classes"));
        }
        let data = Dataset::with_targets(inputs, targets, self.like.sample_shape.clone())?;
        Ok(Dataset { columns: self.like.columns.clone(), ..data })
    }
}

impl TablePieces<'_> {
    fn next_piece(&mut self) -> Result<Option<Dataset>> {
        while let Some(file) = self.table.files.get(self.number) {
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(self.table.open(file)?),
            };
            match self.table.rows_of(file, open)? {
                Some((columns, _)) if columns.first().is_none_or(|it| it.len() == 0) => {}
                Some((columns, targets)) => {
                    return self.table.samples_of(columns, targets).map(Some);
                }
                None => {
                    self.open = None;
                    self.number += 1;
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for TablePieces<'_> {
    type Item = Result<Dataset>;

    fn next(&mut self) -> Option<Result<Dataset>> {
        let piece = self.next_piece().transpose();
        let file = self.table.files.get(self.number);
        piece.map(|piece| {
            piece.map_err(|error| match file {
                Some(file) => error.context(file.path.display()),
                None => error,
            })
        })
    }
}
