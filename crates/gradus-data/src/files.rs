//! Detects the format of a path: a file or folder in, one or two data sets out, read by the right reader.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_core::files::magic::Magic;

use super::array::Array;
use super::assemble::numbered_parts;
use super::bytes;
use super::csv::TableOptions;
use super::idx::read_idx;
use super::named::first_column;
use super::{Dataset, csv, images, invalid, npz};
use crate::error::{Error, Result};
use crate::reading;
/// A training part and, if the path has one, a test part.
pub(crate) type Parts = (Dataset, Option<Dataset>);

/// How to read tables and images.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReadOptions<'a> {
    /// How a table is read, and whether targets are values instead of classes.
    pub(crate) table: TableOptions<'a>,
    /// Height and width to which images are scaled.
    pub(crate) image_size: Option<(usize, usize)>,
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
    match fs::metadata(path) {
        Ok(data) if data.is_dir() && options.table.values => {
            Err(no_values(&path.display().to_string()))
        }
        Ok(data) if data.is_dir() => read_folder(path, options, warnings),
        Ok(_) => read_file(path, options, warnings),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

fn read_file(path: &Path, options: ReadOptions, warnings: &mut Vec<String>) -> Result<Parts> {
    let mut table = || {
        let (data, of_the_table) = csv::read_table(path, &options.table)?;
        warnings.extend(of_the_table);
        Ok((data, None))
    };
    if reading::is_special(path) {
        // A look at its first bytes would take them away from the reader.
        return table();
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
        Magic::Zip | Magic::Gzip if csv::is_packed_table(&file) => table(),
        Magic::Zip => npz::read_parts(path, options.table.values, options.table.doubles),
        Magic::Gzip | Magic::Idx if options.table.values => {
            Err(no_values(&path.display().to_string()))
        }
        Magic::Gzip | Magic::Idx => read_single_idx(path),
        Magic::Npy => Err(has_no_label("a single .npy array")),
        it if it.is_image() => Err(has_no_label("a single image")),
        _ => table(),
    }
}

fn read_folder(path: &Path, options: ReadOptions, warnings: &mut Vec<String>) -> Result<Parts> {
    let listing = Listing::of(path)?;
    let slots = Slots::of(path, &listing.files)?;
    if !slots.is_empty() {
        return slots.read(path);
    }
    for raw in ["raw", "MNIST/raw"] {
        let raw = path.join(raw);
        if raw.is_dir() && !Slots::of(&raw, &Listing::of(&raw)?.files)?.is_empty() {
            return read_folder(&raw, options, warnings);
        }
    }
    let (train, test) = (path.join("train"), path.join("test"));
    if train.is_dir() && test.is_dir() {
        let train = images::load_with_warnings(&train, options.image_size, warnings)?;
        let size = size_of(&train).or(options.image_size);
        let test = images::load_with_warnings(&test, size, warnings)?;
        let test = super::assemble::fit_test_part(&train, test)
            .map_err(|error| error.context(path.join("test").display()))?;
        return Ok((train, Some(test)));
    }
    if listing.folders == 0 {
        let names: Vec<_> = listing.files.iter().take(5).map(|path| file_name(path)).collect();
        return Err(Error::data(
            path,
            format!(
                "expected IDX files (train-images-idx3-ubyte ...) or one sub-folder of images per \
                 class; the folder holds {}",
                if names.is_empty() { "no files".to_owned() } else { names.join(", ") }
            ),
        ));
    }
    images::load_with_warnings(path, options.image_size, warnings).map(|data| (data, None))
}

/// Height and width of the images of `data`.
pub(crate) fn size_of(data: &Dataset) -> Option<(usize, usize)> {
    match data.sample_shape[..] {
        [height, width] => Some((height, width)),
        _ => None,
    }
}

struct Listing {
    /// Files, sorted by name.
    files: Vec<PathBuf>,
    folders: usize,
}

impl Listing {
    fn of(folder: &Path) -> Result<Self> {
        let mut listing = Listing { files: Vec::new(), folders: 0 };
        for entry in fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))? {
            let path = entry.map_err(|error| Error::io("read", folder, error))?.path();
            if file_name(&path).starts_with('.') {
                continue;
            }
            match path.is_dir() {
                true => listing.folders += 1,
                false => listing.files.push(path),
            }
        }
        listing.files.sort();
        Ok(listing)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The IDX files of a folder: `[part][images or labels]`, part 0 training, 1 test, 2 neither.
struct Slots([[Option<PathBuf>; 2]; 3]);

impl Slots {
    /// Sorts the IDX files in by their names.
    fn of(folder: &Path, files: &[PathBuf]) -> Result<Self> {
        let mut slots = Slots(Default::default());
        for path in files {
            let Some((part, kind)) = role(&file_name(path)) else { continue };
            let slot = &mut slots.0[part][kind];
            match slot {
                None => *slot = Some(path.clone()),
                // Sorted by name, a plain file comes before its gzip twin and is faster to read.
                Some(first) if is_twin(first, path) => {}
                Some(first) => {
                    return Err(Error::data(
                        folder,
                        format!(
                            "both {} and {} could be meant: keep one set in a folder, or choose a \
                             named set (emnist-digits ...)",
                            file_name(first),
                            file_name(path)
                        ),
                    ));
                }
            }
        }
        Ok(slots)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().flatten().all(Option::is_none)
    }

    /// Reads the files of `folder`.
    fn read(self, folder: &Path) -> Result<Parts> {
        let in_folder = |error: Error| error.context(folder.display());
        let mut pairs = Vec::new();
        for (part, slots) in ["training ", "test ", ""].into_iter().zip(self.0) {
            match slots {
                [Some(images), Some(labels)] => pairs.push((images, labels)),
                [None, None] => {}
                [Some(images), None] => return Err(in_folder(lonely(part, "labels", &images))),
                [None, Some(labels)] => return Err(in_folder(lonely(part, "images", &labels))),
            }
        }
        let mut pairs = pairs.into_iter();
        match (pairs.next(), pairs.next()) {
            (Some(train), None) => {
                numbered_parts(read_pair(&train)?, None, false).map_err(in_folder)
            }
            (Some(train), Some(test)) => {
                let (train, test) = rayon::join(|| read_pair(&train), || read_pair(&test));
                numbered_parts(train?, Some(test?), false).map_err(in_folder)
            }
            (None, _) => Err(in_folder(invalid("there are no IDX files"))),
        }
    }
}

fn lonely(part: &str, missing: &str, present: &Path) -> Error {
    Error::not_found(format!(
        "the {part}{missing} are missing: there is only {}",
        file_name(present)
    ))
}

fn is_twin(plain: &Path, zipped: &Path) -> bool {
    file_name(zipped) == format!("{}.gz", file_name(plain))
}

/// The role of an IDX file, from its name.
fn role(name: &str) -> Option<(usize, usize)> {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if !(name.contains("idx") || name.ends_with("ubyte")) {
        return None;
    }
    let part = match name {
        _ if name.contains("train") => 0,
        _ if name.contains("t10k") || name.contains("test") => 1,
        _ => 2,
    };
    let kind = ["image", "label"].iter().position(|kind| name.contains(kind))?;
    Some((part, kind))
}

fn read_pair((images, labels): &(PathBuf, PathBuf)) -> Result<(Array, Array)> {
    let (images, labels) = rayon::join(|| read_idx(images), || read_idx(labels));
    Ok((images?, first_column(labels?)))
}

/// A single file of images: its labels are in a file next to it with the matching name.
fn read_single_idx(path: &Path) -> Result<Parts> {
    let name = file_name(path);
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let labels = stem.replace("images", "labels").replace("image", "label");
    let names = [labels.replace("idx3", "idx1"), labels.replace("idx3-ubyte", "idx2-int"), labels];
    let candidates = names.iter().filter(|labels| *labels != stem);
    let found = candidates
        .flat_map(|labels| [labels.clone(), format!("{labels}.gz")])
        .map(|labels| path.with_file_name(labels))
        .find(|labels| labels.is_file());
    // What is no IDX file at all is named before labels are missed.
    let images = read_idx(path)?;
    let Some(labels) = found else {
        return Err(Error::data(
            path,
            format!(
                "there are no labels next to this file: expected {} for images, or give the folder",
                names[0]
            ),
        ));
    };
    let pair = (images, first_column(read_idx(&labels)?));
    numbered_parts(pair, None, false).map_err(|error| error.context(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inputs;
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
            let (train, test) = read(folder.path()).unwrap();
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
            let (data, test) = read(folder.path()).unwrap();
            assert_eq!((data.labels(), test), (&[0, 8][..], None));
        }
    }

    #[test]
    fn images_by_class_with_and_without_parts() {
        let image = |side: usize, grey: u8| {
            let image = images::GreyImage::new(side, side, vec![grey; side * side]).unwrap();
            images::encode_png(&image)
        };
        let plain = folder(&[("cat/1.png", image(3, 9)), ("dog/1.png", image(3, 7))]);
        let (data, test) = read(plain.path()).unwrap();
        assert_eq!(data.class_names(), ["cat", "dog"]);
        assert_eq!(test, None);
        // The test images take the size of the training images; classes are matched by name.
        let parts = folder(&[
            ("train/cat/1.png", image(3, 9)),
            ("train/dog/1.png", image(3, 7)),
            ("test/dog/1.png", image(5, 7)),
        ]);
        let (_, test) = read(parts.path()).unwrap();
        let test = test.unwrap();
        assert_eq!((test.labels(), &test.sample_shape[..]), (&[1][..], &[3, 3][..]));
        let options = ReadOptions { image_size: Some((2, 4)), ..ReadOptions::default() };
        let (train, test) = read_path(parts.path(), options, &mut Vec::new()).unwrap();
        assert_eq!((train.sample_shape, test.unwrap().sample_shape), (vec![2, 4], vec![2, 4]));
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
        assert_eq!(read(&at("t10k-images-idx3-ubyte.gz")).unwrap().0.labels(), [0, 1]);
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
        assert_eq!(read(&at("archive.data")).unwrap().0.inputs, Inputs::Bytes(vec![3, 4]));
        assert_eq!(read(&at("table.data")).unwrap().0.class_names(), ["cat", "dog"]);
        assert!(message(&at("array.npy")).contains("a single .npy array has no labels"));
        assert!(message(&at("image.png")).contains("a single image has no labels"));
        assert!(message(&at("page.gz")).contains("HTML page"));
        assert!(message(&at("page2.gz")).contains("HTML page"));
        assert!(message(&at("nothing")).contains("nothing"));
    }
}
