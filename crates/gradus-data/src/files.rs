//! Detects the format of a path: a file or folder in, the parts of a data set out, read by the right reader.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_core::files::magic::Magic;

use super::assemble::fit_part;
use super::bytes;
use super::csv::TableOptions;
use super::idx_files::{self, IdxFiles};
use super::listing::{Listing, file_name, some_names};
use super::parts::{self, Part, Parts};
use super::pattern::files_matching;
use super::shards::{self, Shards};
use super::{Dataset, Inputs, Task, csv, emnist, images, npz};
use crate::error::{Error, ErrorKind, Result};
use crate::reading;

/// How to read tables and images.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReadOptions<'a> {
    /// How a table is read, and whether targets are values instead of classes.
    pub(crate) table: TableOptions<'a>,
    /// Height and width to which images are scaled.
    pub(crate) image_size: Option<(usize, usize)>,
    /// Whether images in colour that are arrays stay so.
    pub(crate) colour: bool,
    /// Whether the inputs of shards stay in their files.
    pub(crate) streamed: bool,
}

/// The error for regression targets from a set that has classes.
pub(crate) fn no_values(what: &str) -> Error {
    Error::argument(format!(
        "{what}: its samples have classes, no values to learn; values are read from columns of a \
         .csv or the y_train of an .npz"
    ))
}

/// Reads the data at `path`; adds to `warnings`, one line each.
pub(crate) fn read_path(
    path: &Path,
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    if let Some(files) = files_matching(path)? {
        return read_pieces(&files, options, warnings);
    }
    match fs::metadata(path) {
        Ok(data) if data.is_dir() => read_folder(path, options, warnings),
        Ok(_) => read_file(path, options, warnings),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Reads the files of one table.
fn read_pieces(
    files: &[PathBuf],
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    let (data, of_the_tables) = csv::read_tables(files, &options.table)?;
    warnings.extend(of_the_tables);
    Ok(Parts::only(data))
}

fn read_file(path: &Path, options: ReadOptions, warnings: &mut Vec<String>) -> Result<Parts> {
    let table = |warnings: &mut Vec<String>| {
        let (mut data, of_the_table) = csv::read_table(path, &options.table)?;
        warnings.extend(of_the_table);
        warnings.extend(emnist::turn_table_upright(path, &mut data));
        Ok(Parts::only(data))
    };
    if reading::is_special(path) {
        // A look at its first bytes would take them away from the reader.
        return table(warnings);
    }
    let mut start = [0; 16];
    let mut file = reading::open(path)?;
    let count =
        bytes::read_up_to(&mut file, &mut start).map_err(|error| Error::io("read", path, error))?;
    let start = &start[..count];
    let has_no_label = |what: &str| {
        Error::data(
            path,
            format!(
                "{what} has no labels; expected a folder of IDX files, an .npz with x_train and \
                 y_train, a .csv, or a folder with one sub-folder of images per class"
            ),
        )
    };
    match Magic::of(start) {
        Magic::Zip | Magic::Gzip if csv::is_packed_table(&file) => table(warnings),
        Magic::Zip => {
            let TableOptions { values, doubles, .. } = options.table;
            let colour = options.colour;
            npz::read_parts(path, npz::NpzOptions { values, doubles, colour }, warnings)
        }
        Magic::Gzip | Magic::Idx if options.table.values => {
            Err(no_values(&path.display().to_string()))
        }
        Magic::Gzip | Magic::Idx => idx_files::read_single(path, warnings),
        Magic::Npy => Err(has_no_label("a single .npy array")),
        it if it.is_image() => Err(has_no_label("a single image")),
        _ => table(warnings),
    }
}

/// What a folder holds, as far as readers are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// IDX files.
    Idx,
    /// Tables: one for each part, or one in several files.
    Tables,
    /// Images in folders that are their classes.
    Images,
    /// Shards.
    Shards,
    /// Something else, or it cannot be read.
    Unknown,
}

/// The kind of a folder. Its files are not read.
pub fn folder_kind(path: &Path) -> FolderKind {
    if shards::is_shards(path) {
        return FolderKind::Shards;
    }
    match Content::of(path) {
        Ok(Content::Idx(_)) => FolderKind::Idx,
        Ok(Content::Tables(_) | Content::Pieces(_)) => FolderKind::Tables,
        Ok(Content::Within(inner)) => folder_kind(&inner),
        Ok(Content::Folders(parts)) => folder_kind(&parts.train),
        Ok(Content::Classes) => FolderKind::Images,
        Ok(Content::Unknown(_)) | Err(_) => FolderKind::Unknown,
    }
}

/// The table to learn from at a path: the file itself, the training part of a folder of tables, or the first file of several
/// that are one table.
pub fn training_table(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    if let Some(files) = files_matching(path).ok()? {
        return files.into_iter().next();
    }
    match Content::of(path).ok()? {
        Content::Tables(parts) => Some(parts.train),
        Content::Pieces(files) => files.into_iter().next(),
        Content::Within(inner) => training_table(&inner),
        Content::Folders(parts) => training_table(&parts.train),
        Content::Idx(_) | Content::Classes | Content::Unknown(_) => None,
    }
}

/// The content of a folder, by the names in it.
enum Content {
    Idx(IdxFiles),
    /// One folder for each part.
    Folders(Parts<PathBuf>),
    /// One table for each part.
    Tables(Parts<PathBuf>),
    /// One table in several files, sorted by name.
    Pieces(Vec<PathBuf>),
    /// Everything is in this folder.
    Within(PathBuf),
    /// One sub-folder of images for each class.
    Classes,
    Unknown(Listing),
}

impl Content {
    fn of(path: &Path) -> Result<Content> {
        let listing = Listing::of(path)?;
        let in_folder = |error: Error| error.context(path.display());
        let idx = IdxFiles::of(path, &listing)?;
        if !idx.is_empty() {
            return Ok(Content::Idx(idx));
        }
        for raw in ["raw", "MNIST/raw"].map(|raw| path.join(raw)) {
            if raw.is_dir() && !IdxFiles::of(&raw, &Listing::of(&raw)?)?.is_empty() {
                return Ok(Content::Within(raw));
            }
        }
        let whole = |name: &str| Some(name.to_owned());
        if let Some(parts) = parts::find(&listing.folders, whole).map_err(in_folder)? {
            return Ok(Content::Folders(parts));
        }
        if let Some(parts) = parts::find(&listing.files, table_stem).map_err(in_folder)? {
            return Ok(Content::Tables(parts));
        }
        match &listing.folders[..] {
            // An archive that was unpacked into a folder of its name, or a training part alone.
            [only] if is_around_data(only) => Ok(Content::Within(only.clone())),
            [] => Ok(match pieces_of(&listing) {
                files if files.len() > 1 => Content::Pieces(files),
                _ => Content::Unknown(listing),
            }),
            _ => Ok(Content::Classes),
        }
    }
}

/// Whether a folder is no class itself: it holds no images, but data in some form below.
fn is_around_data(folder: &Path) -> bool {
    let Ok(listing) = Listing::of(folder) else { return false };
    match Content::of(folder) {
        Ok(Content::Unknown(_)) => false,
        _ => !listing.files.iter().any(|path| images::is_read_image(path)),
    }
}

/// The tables in a folder without parts. Text files may say something about them.
fn pieces_of(listing: &Listing) -> Vec<PathBuf> {
    let is_table = |path: &&PathBuf| is_named_table(&file_name(path));
    listing.files.iter().filter(is_table).cloned().collect()
}

/// Whether a name is one of tables only.
fn is_named_table(name: &str) -> bool {
    table_stem(name).is_some() && !name.to_lowercase().ends_with(".txt")
}

/// The name of a table without its ending.
fn table_stem(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let unpacked = [".gz", ".zip"].iter().find_map(|ending| name.strip_suffix(ending));
    let name = unpacked.unwrap_or(&name);
    let endings = [".csv", ".tsv", ".txt", ".data", ".parquet", ".arrow", ".feather"];
    let stem = endings.iter().find_map(|it| name.strip_suffix(it));
    stem.map(str::to_owned)
}

/// Reads a folder of shards, with targets of the kind that is wanted: into memory, or only what is needed to read them later.
fn read_shards(path: &Path, values: bool, streamed: bool) -> Result<Dataset> {
    let shards = Shards::open(path)?;
    match (values, shards.task()) {
        (true, Task::Classification) => Err(no_values(&path.display().to_string())),
        (false, task @ (Task::Regression | Task::MultiLabel)) => Err(Error::argument(format!(
            "{}: its samples have {}, no classes; choose a `loss` for {}",
            path.display(),
            task.outputs(),
            task.name()
        ))),
        _ if streamed => Dataset::streamed(shards),
        _ => shards.load(),
    }
}

fn read_folder(path: &Path, options: ReadOptions, warnings: &mut Vec<String>) -> Result<Parts> {
    if shards::is_shards(path) {
        return read_shards(path, options.table.values, options.streamed).map(Parts::only);
    }
    let content = Content::of(path)?;
    if options.table.values && matches!(content, Content::Idx(_) | Content::Classes) {
        return Err(no_values(&path.display().to_string()));
    }
    match content {
        Content::Idx(files) => files.read(path, warnings),
        Content::Within(inner) => read_folder(&inner, options, warnings),
        Content::Folders(parts) => {
            let others = others(&Listing::of(path)?.folders, &parts, |_| true);
            warnings.extend(others.map(|line| format!("{}: {line}", path.display())));
            read_parts(path, parts, options, warnings)
        }
        Content::Tables(parts) => {
            let others = others(&Listing::of(path)?.files, &parts, is_named_table);
            warnings.extend(others.map(|line| format!("{}: {line}", path.display())));
            read_parts(path, parts, options, warnings)
        }
        Content::Pieces(files) => read_pieces(&files, options, warnings),
        Content::Classes => {
            images::load_with_warnings(path, options.image_size, warnings).map(Parts::only)
        }
        Content::Unknown(listing) => {
            let files =
                match some_names(&listing.files.iter().map(|it| file_name(it)).collect::<Vec<_>>())
                {
                    names if names.is_empty() => "no files".to_owned(),
                    names => names,
                };
            Err(Error::data(
                path,
                format!(
                    "expected IDX files (train-images-idx3-ubyte ...), tables called train.csv and \
                     test.csv or several of equal columns, or one sub-folder of images per class; the folder \
                     holds {files}; for a single file give its path"
                ),
            ))
        }
    }
}

/// A line about files or folders that could be data, but belong to no part.
fn others(
    all: &[PathBuf],
    parts: &Parts<PathBuf>,
    is_data: impl Fn(&str) -> bool,
) -> Option<String> {
    let used = [Some(&parts.train), parts.validation.as_ref(), parts.test.as_ref()];
    let names = all.iter().filter(|path| !used.contains(&Some(path))).map(|path| file_name(path));
    let names: Vec<_> = names.filter(|name| is_data(name)).collect();
    (!names.is_empty())
        .then(|| format!("read the parts by their names and passed over: {}", some_names(&names)))
}

/// Reads the parts in files or folders of their own. One without classes or targets is passed over with a
/// warning: it is meant to be predicted.
fn read_parts(
    path: &Path,
    parts: Parts<PathBuf>,
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    let Parts { train, validation, test } = parts;
    let train = read_path(&train, options, warnings)?.train;
    let mut read = |part: Part, place: Option<PathBuf>| {
        let Some(place) = place else { return Ok(None) };
        let passed_over = |why: &str| {
            format!(
                "{} has no {} part: {} was passed over, since {why}",
                path.display(),
                part.name(),
                file_name(&place)
            )
        };
        if has_only_images(&place) {
            warnings
                .push(passed_over("its images are in no folders, which would be their classes"));
            return Ok(None);
        }
        let is_table = place.is_file();
        match read_matching(&place, part, &train, options, warnings) {
            Ok(data) => Ok(Some(data)),
            // The only argument about a table here is its target.
            Err(error) if is_table && error.kind() == ErrorKind::InvalidArgument => {
                warnings.push(passed_over(&error.to_string()));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    };
    let validation = read(Part::Validation, validation)?;
    let test = read(Part::Test, test)?;
    Ok(Parts { train, validation, test })
}

/// Whether a folder holds images and no folders.
fn has_only_images(path: &Path) -> bool {
    let Ok(Listing { files, folders }) = Listing::of(path) else { return false };
    folders.is_empty() && files.iter().any(|path| images::is_read_image(path))
}

/// Reads the data at `path` to test or validate a model that is trained on `train`: images are scaled to
/// its size, classes have its order, tables its columns, and values its type. Of several parts `wanted` is taken
/// if there is one.
///
/// # Errors
/// As [`read_path`], and `InvalidData` if the samples do not fit those of `train` or are of a class that it
/// lacks.
pub(crate) fn read_matching(
    path: &Path,
    wanted: Part,
    train: &Dataset,
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Dataset> {
    let mut reading = options;
    reading.image_size = size_of(train).or(options.image_size);
    reading.table.doubles |= matches!(train.inputs, Inputs::Doubles(_));
    reading.colour |= train.sample_shape.len() == 3;
    let types = match &train.inputs {
        Inputs::Table(table) => Some(table.types()),
        _ => None,
    };
    if let Some(columns) = &train.columns {
        // Of a table like the training data, which may have its columns in another order.
        reading.table =
            TableOptions { label_column: None, drop: &[], columns: Some(columns), ..reading.table };
        let names = &[];
        reading.table = TableOptions {
            categorical: names,
            numeric: names,
            dates: names,
            types: types.as_deref(),
            ..reading.table
        };
    }
    let data = read_path(path, reading, warnings)?.for_measuring(wanted);
    fit_part(train, data).map_err(|error| error.context(path.display()))
}

/// Height and width of the images of `data`.
pub(crate) fn size_of(data: &Dataset) -> Option<(usize, usize)> {
    match data.sample_shape[..] {
        [height, width] => Some((height, width)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip, idx_file, npy_file, zip_file};
    use tempfile::{TempDir, tempdir};

    fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
        let folder = tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn images(count: u32) -> Vec<u8> {
        idx_file(8, &[count, 2, 2], &vec![count as u8; 4 * count as usize])
    }

    fn labels(values: &[u8]) -> Vec<u8> {
        idx_file(8, &[values.len() as u32], values)
    }

    fn read(path: &Path) -> Result<Parts> {
        read_path(path, ReadOptions::default(), &mut Vec::new())
    }

    fn message(path: &Path) -> String {
        read(path).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_of_idx_files_plain_or_gzip_also_below_raw() {
        let files = |prefix: &str| {
            let name = |name: &str| format!("{prefix}{name}");
            [
                (name("train-images-idx3-ubyte"), images(2)),
                (name("train-images-idx3-ubyte.gz"), gzip(&images(2))), // its twin
                (name("train-labels.idx1-ubyte"), labels(&[1, 0])),
                (name("t10k-images-idx3-ubyte.gz"), gzip(&images(1))),
                (name("t10k-labels-idx1-ubyte"), labels(&[1])),
                (name("readme.txt"), b"text".to_vec()),
            ]
        };
        for prefix in ["", "raw/", "MNIST/raw/"] {
            let files = files(prefix);
            let files: Vec<_> = files.iter().map(|(name, it)| (&name[..], it.clone())).collect();
            let folder = folder(&files);
            let Parts { train, test, .. } = read(folder.path()).unwrap();
            assert_eq!(train.inputs, Inputs::Bytes(vec![2; 8]));
            assert_eq!((train.labels(), train.class_names().len()), (&[1, 0][..], 2));
            assert_eq!(test.unwrap().labels(), [1]);
        }
    }

    #[test]
    fn idx_files_without_parts_or_with_one() {
        for name in ["train-", "t10k-", "my-"] {
            let [x, y] = [format!("{name}images-idx3-ubyte"), format!("{name}labels-idx2-int")];
            let columns: Vec<u8> = (0..16_i32).flat_map(i32::to_be_bytes).collect();
            let folder = folder(&[(&x, images(2)), (&y, idx_file(0x0c, &[2, 8], &columns))]);
            let data = read(folder.path()).unwrap();
            assert_eq!((data.train.labels(), data.test), (&[0, 8][..], None));
        }
    }

    #[test]
    fn images_by_class_with_and_without_parts() {
        let image = |side: usize, grey: u8| {
            let image = images::GreyImage::new(side, side, vec![grey; side * side]).unwrap();
            images::encode_png(&image)
        };
        let plain = folder(&[("cat/1.png", image(3, 9)), ("dog/1.png", image(3, 7))]);
        let data = read(plain.path()).unwrap();
        assert_eq!(data.train.class_names(), ["cat", "dog"]);
        assert_eq!((data.validation, data.test), (None, None));
        // The test images take the size of the training images; classes are matched by name.
        let parts = folder(&[
            ("train/cat/1.png", image(3, 9)),
            ("train/dog/1.png", image(3, 7)),
            ("test/dog/1.png", image(5, 7)),
        ]);
        let test = read(parts.path()).unwrap().test.unwrap();
        assert_eq!((test.labels(), &test.sample_shape[..]), (&[1][..], &[3, 3][..]));
        let options = ReadOptions { image_size: Some((2, 4)), ..ReadOptions::default() };
        let Parts { train, test, .. } = read_path(parts.path(), options, &mut Vec::new()).unwrap();
        assert_eq!((train.sample_shape, test.unwrap().sample_shape), (vec![2, 4], vec![2, 4]));
    }

    #[test]
    fn validation_parts_of_every_kind_are_found() {
        let image =
            |grey: u8| images::encode_png(&images::GreyImage::new(2, 2, vec![grey; 4]).unwrap());
        let table = |size: u8| format!("animal,size\nape,{size}\nbee,{size}\n").into_bytes();
        let idx = |count: u8| [images(count.into()), labels(&vec![0; count.into()])];
        for [train, validation, test] in [
            ["train", "val", "test"],
            ["training", "validation", "testing"],
            ["Train", "Valid", "Test"],
            ["training_set", "dev_set", "test_set"],
            ["a_train", "a_val", "a_test"],
        ] {
            let of_images: Vec<_> = [(train, 3), (validation, 2), (test, 1)]
                .into_iter()
                .flat_map(|(part, count)| {
                    let names = (0..count).map(move |at| format!("{part}/cat/{at}.png"));
                    names.chain([format!("{part}/dog/0.png")])
                })
                .map(|name| (name, image(7)))
                .collect();
            let tables = [train, validation, test].map(|part| (format!("{part}.csv"), table(1)));
            let in_folders = [(train, 3), (validation, 2), (test, 1)].map(|(part, count)| {
                let [x, y] = idx(count);
                let name = |what: &str| format!("{part}/{what}-ubyte");
                [(name("images-idx3"), x), (name("labels-idx1"), y)]
            });
            let beside = [(train, 3), (validation, 2), (test, 1)].map(|(part, count)| {
                let [x, y] = idx(count);
                [(format!("{part}-images-idx3-ubyte"), x), (format!("{part}-labels-idx1-ubyte"), y)]
            });
            type Files = Vec<(String, Vec<u8>)>;
            let sets: [(Files, [usize; 3]); 4] = [
                (of_images, [4, 3, 2]),
                (tables.to_vec(), [2, 2, 2]),
                (in_folders.concat(), [3, 2, 1]),
                (beside.concat(), [3, 2, 1]),
            ];
            for (files, counts) in sets {
                let files: Vec<_> =
                    files.iter().map(|(name, it)| (&name[..], it.clone())).collect();
                let folder = folder(&files);
                let Parts { train, validation, test } = read(folder.path()).unwrap();
                let found = [&train, &validation.unwrap(), &test.unwrap()].map(Dataset::len);
                assert_eq!(found, counts, "{}", files[0].0);
            }
        }
    }

    #[test]
    fn a_part_without_classes_is_passed_over() {
        let image = images::encode_png(&images::GreyImage::new(1, 1, vec![7]).unwrap());
        let files = ["train/cat/1.png", "train/dog/1.png", "test/1.png", "other/1.png"];
        let folder = folder(&files.map(|name| (name, image.clone())));
        let mut warnings = Vec::new();
        let parts = read_path(folder.path(), ReadOptions::default(), &mut warnings).unwrap();
        assert_eq!((parts.train.len(), parts.validation, parts.test), (2, None, None));
        assert!(warnings[0].contains("passed over: other"), "{warnings:?}");
        assert!(warnings[1].contains("has no test part: test was passed over"), "{warnings:?}");
    }

    #[test]
    fn folders_around_data_are_opened() {
        let (x, y) = (images(2), labels(&[1, 0]));
        let around = |prefix: &str, names: [&str; 2]| {
            let names = names.map(|name| format!("{prefix}{name}"));
            let files = [(&names[0][..], x.clone()), (&names[1][..], y.clone())];
            read(folder(&files).path()).unwrap().train
        };
        for (prefix, names) in [
            ("", ["train-images-idx3-ubyte/train-images-idx3-ubyte", "train-labels-idx1-ubyte"]),
            ("", ["train-images-idx3-ubyte/train-images.idx3-ubyte", "train-labels.idx1-ubyte"]),
            ("archive/", ["train-images.idx3-ubyte", "train-labels.idx1-ubyte"]),
            ("archive/mnist/raw/", ["train-images.idx3-ubyte", "train-labels.idx1-ubyte"]),
            ("train/", ["images-idx3-ubyte", "labels-idx1-ubyte"]),
        ] {
            assert_eq!(around(prefix, names).labels(), [1, 0], "{prefix}{names:?}");
        }
        let both = folder(&[
            ("train-images-idx3-ubyte/train-images-idx3-ubyte", x.clone()),
            ("train-images.idx3-ubyte", x.clone()),
            ("train-labels-idx1-ubyte/train-labels-idx1-ubyte", y.clone()),
            ("train-labels.idx1-ubyte", y.clone()),
        ]);
        assert_eq!(read(both.path()).unwrap().train.len(), 2);
        let file = "train-images-idx3-ubyte/train-images-idx3-ubyte";
        assert_eq!(read(&both.path().join(file)).unwrap().train.len(), 2);
        assert_eq!(folder_kind(both.path()), FolderKind::Idx);
    }

    #[test]
    fn emnist_s_files_are_upright_and_named_as_the_named_set() {
        let mut pixels = vec![0; 2 * 784];
        pixels[28] = 255; // row 1, column 0 of the first image in the file
        let x = idx_file(8, &[2, 28, 28], &pixels);
        let files = |name: &str, first: u8| {
            let name = |what: &str| format!("{name}-{what}-ubyte");
            [(name("images-idx3"), x.clone()), (name("labels-idx1"), labels(&[first, first + 1]))]
        };
        let open = |files: &[(String, Vec<u8>)]| {
            let files: Vec<_> = files.iter().map(|(name, it)| (&name[..], it.clone())).collect();
            folder(&files)
        };
        let is_upright = |data: &Dataset| match &data.inputs {
            Inputs::Bytes(pixels) => (pixels[1], pixels[28]) == (255, 0),
            _ => panic!("images are bytes"),
        };
        let both = [files("emnist-letters-train", 25), files("emnist-letters-test", 1)].concat();
        let both = open(&both);
        let mut warnings = Vec::new();
        let parts = read_path(both.path(), ReadOptions::default(), &mut warnings).unwrap();
        let (train, test) = (parts.train, parts.test.unwrap());
        assert!(is_upright(&train) && is_upright(&test));
        assert_eq!((train.labels(), test.labels()), (&[24, 25][..], &[0, 1][..]));
        assert_eq!((train.class_names().len(), &train.class_names()[25][..]), (26, "z"));
        assert!(warnings[0].contains("turned upright, and the 26 classes are called a to z"));
        let file = both.path().join("emnist-letters-test-images-idx3-ubyte");
        let single = read(&file).unwrap().train;
        assert!(is_upright(&single) && single.class_names().len() == 26);
        // Another set of the family, with its mapping or without.
        let mut own = files("emnist-own-train", 7).to_vec();
        let numbered = read(open(&own).path()).unwrap().train;
        assert!(is_upright(&numbered) && numbered.class_names().len() == 9);
        own.push(("emnist-own-mapping.txt".into(), b"7 65 97\n8 66 98\n".to_vec()));
        let named = read(open(&own).path()).unwrap().train;
        assert_eq!(
            (named.class_names(), named.labels()),
            (&["a".into(), "b".into()][..], &[0, 1][..])
        );
        // Ordinary files stay as they are.
        let plain = read(open(&files("train", 0)).path()).unwrap().train;
        assert!(!is_upright(&plain));
        let mixed = [files("emnist-letters-train", 1), files("t10k", 1)].concat();
        assert!(message(open(&mixed).path()).contains("some of the files are EMNIST's"));
        let wrong = files("emnist-letters-train", 26);
        assert!(
            message(open(&wrong).path()).contains("label 27 is out of range: expected 1 to 26")
        );
    }

    #[test]
    fn what_does_not_fit_in_a_folder_is_named() {
        let one = folder(&[("train-images-idx3-ubyte", images(2))]);
        assert!(message(one.path()).contains("the training labels are missing"));
        let two = folder(&[("a-images-idx3-ubyte", images(2)), ("b-images-idx3-ubyte", images(2))]);
        assert!(message(two.path()).contains("both a-images-idx3-ubyte and b-images-idx3-ubyte"));
        let other = folder(&[("notes.txt", vec![])]);
        assert!(message(other.path()).contains("the folder holds notes.txt"));
        let counts = folder(&[
            ("train-images-idx3-ubyte", images(3)),
            ("train-labels-idx1-ubyte", labels(&[0, 1])),
        ]);
        assert!(message(counts.path()).contains("3 samples but 2 labels"));
    }

    #[test]
    fn a_single_file_of_images_finds_its_labels() {
        let folder = folder(&[
            ("t10k-images-idx3-ubyte.gz", gzip(&images(2))),
            ("t10k-labels-idx1-ubyte", labels(&[0, 1])),
            ("lonely-images-idx3-ubyte", images(1)),
        ]);
        let at = |name: &str| folder.path().join(name);
        assert_eq!(read(&at("t10k-images-idx3-ubyte.gz")).unwrap().train.labels(), [0, 1]);
        assert!(message(&at("lonely-images-idx3-ubyte")).contains("lonely-labels-idx1-ubyte"));
        assert!(message(&at("t10k-labels-idx1-ubyte")).contains("no labels next to this file"));
    }

    #[test]
    fn a_file_is_read_by_what_it_is_not_by_its_name() {
        let npz = zip_file(
            &[
                ("x_train.npy", &npy_file("|u1", "(1, 2)", &[3, 4])),
                ("y_train.npy", &npy_file("|u1", "(1,)", &[0])),
            ],
            true,
        );
        let folder = folder(&[
            ("archive.data", npz),
            ("table.data", b"label,a\ncat,1\ndog,2\n".to_vec()),
            ("array.npy", npy_file("|u1", "(1,)", &[0])),
            ("image.png", b"\x89PNG\r\n\x1a\n".to_vec()),
            ("page.gz", b"<html>error</html>".to_vec()),
            ("page2.gz", gzip(b"<html>error</html>")),
        ]);
        let at = |name: &str| folder.path().join(name);
        assert_eq!(read(&at("archive.data")).unwrap().train.inputs, Inputs::Bytes(vec![3, 4]));
        assert_eq!(read(&at("table.data")).unwrap().train.class_names(), ["cat", "dog"]);
        assert!(message(&at("array.npy")).contains("a single .npy array has no labels"));
        assert!(message(&at("image.png")).contains("a single image has no labels"));
        assert!(message(&at("page.gz")).contains("HTML page"));
        assert!(message(&at("page2.gz")).contains("HTML page"));
        assert!(message(&at("nothing")).contains("nothing"));
    }
}
