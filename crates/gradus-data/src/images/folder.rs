//! A folder with one sub-folder of images for each class, as a data set.
//!
//! In: `ROOT/CLASS/*.png|jpg|...`. Out: a [`Dataset`] of grey bytes, classes and files in
//! sorted order, and a warning that counts the images in formats that are not supported.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::super::{Dataset, Inputs};
use super::{check_size, read_grey, read_size, to_size};
use crate::error::{Error, Result};
use crate::reading;

/// Approximate bytes of scaled images in one round of parallel reading.
const ROUND_BYTES: usize = 64 << 20;
/// Extensions of the formats that [`read_grey`] supports.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "jfif", "webp", "bmp", "tif", "tiff"];
/// Extensions of images in other formats.
const OTHER_ENDINGS: [&str; 14] = [
    "arw", "avif", "cr2", "dng", "gif", "heic", "heif", "ico", "jp2", "jxl", "nef", "psd", "svg",
    "tga",
];
/// The most bytes that a set may take.
const MAX_SET_BYTES: usize = 64 << 30;

/// Reads a folder with one sub-folder of images for each class.
///
/// Classes are named after their folders and sorted: by value if all names are numbers, else by
/// name. Images are files that end in .png, .jpg, .jpeg, .jfif, .webp, .bmp, .tif or .tiff. They are
/// read with [`read_grey`] and scaled (the aspect is not kept) to `size`, `(height, width)`. Without a
/// `size`, they are scaled to the most frequent size; of equally frequent ones, to the first in sorted
/// order. Hidden files and folders, files with other endings, and folders inside a class are
/// skipped.
///
/// # Errors
/// `NotFound` if the folder is missing; `InvalidData` if there is no class, a class has no image, or
/// an image cannot be read (the message names it); `InvalidArgument` if a side of `size` is 0 or
/// above [`super::MAX_SIDE`].
pub fn load_folder(path: &Path, size: Option<(usize, usize)>) -> Result<Dataset> {
    load_with_warnings(path, size, &mut Vec::new())
}

/// Like [`load_folder`]; a warning about images in formats that are not supported is added to `warnings`.
pub(crate) fn load_with_warnings(
    path: &Path,
    size: Option<(usize, usize)>,
    warnings: &mut Vec<String>,
) -> Result<Dataset> {
    if let Some((height, width)) = size {
        check_size(height, width)?;
    }
    let classes = find_classes(path)?;
    let mut files = Vec::new();
    let mut labels = Vec::new();
    let mut class_names = Vec::new();
    let mut skipped = Skipped::default();
    for (label, class) in classes.iter().enumerate() {
        let found = find_images(class, &mut skipped)?;
        labels.extend(std::iter::repeat_n(label as u32, found.len()));
        files.extend(found);
        class_names.push(name(class));
    }
    let skipped = skipped.warnings().into_iter();
    warnings.extend(skipped.map(|warning| format!("{}: {warning}", path.display())));
    let (height, width) = match size {
        Some(size) => size,
        None => most_common_size(&files)?,
    };
    let pixels = read_all(path, &files, height, width)?;
    Dataset::new(Inputs::Bytes(pixels), labels, vec![height, width], class_names)
        .map_err(|error| error.context(path.display()))
}

/// How many files are not read.
#[derive(Default)]
struct Skipped {
    /// Images in other formats, by their endings.
    formats: BTreeMap<&'static str, usize>,
    /// Pipes, sockets and devices.
    special: usize,
}

impl Skipped {
    fn add(&mut self, other: Skipped) {
        for (ending, count) in other.formats {
            *self.formats.entry(ending).or_default() += count;
        }
        self.special += other.special;
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let total: usize = self.formats.values().sum();
        if total > 0 {
            let counts: Vec<String> =
                self.formats.iter().map(|(ending, count)| format!("{count} .{ending}")).collect();
            let images = if total == 1 { "image" } else { "images" };
            warnings.push(format!(
                "skipped {total} {images} in formats that are not supported ({}); convert to PNG or \
                 JPEG",
                counts.join(", ")
            ));
        }
        match self.special {
            0 => {}
            1 => warnings.push("skipped 1 pipe, socket or device, which is no file".to_owned()),
            count => {
                warnings
                    .push(format!("skipped {count} pipes, sockets or devices, which are no files"));
            }
        }
        warnings
    }
}

/// The direct content of a folder, without hidden entries.
#[derive(Default)]
struct Entries {
    folders: Vec<PathBuf>,
    images: Vec<PathBuf>,
    skipped: Skipped,
}

/// The visible sub-folders of `root` in the classes' order.
fn find_classes(root: &Path) -> Result<Vec<PathBuf>> {
    let Entries { folders, images, .. } = entries(root)?;
    if folders.is_empty() {
        let found = match images.len() {
            0 => "neither folders nor images".to_string(),
            count => format!("{count} images but no folders"),
        };
        return Err(Error::data(
            root,
            format!("found {found}; expected one sub-folder of images for each class"),
        ));
    }
    Ok(sorted_classes(folders))
}

fn sorted_classes(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let numbers: Option<Vec<u64>> =
        folders.iter().map(|folder| name(folder).parse().ok()).collect();
    match numbers {
        // "7" and "07" are two classes, which are sorted by name.
        Some(_) => {
            folders.sort_by_cached_key(|folder| (name(folder).parse::<u64>().ok(), name(folder)))
        }
        None => folders.sort(),
    }
    folders
}

/// The images of one class, sorted by name.
fn find_images(class: &Path, skipped: &mut Skipped) -> Result<Vec<PathBuf>> {
    let Entries { folders, mut images, skipped: others } = entries(class)?;
    if images.is_empty() {
        let hint = match others.warnings().join("; ") {
            warnings if !warnings.is_empty() => warnings,
            _ if folders.is_empty() => "add images or remove the folder".into(),
            _ => "it contains folders: are these the classes?".into(),
        };
        return Err(Error::data(class, format!("no image in this class; {hint}")));
    }
    skipped.add(others);
    images.sort();
    Ok(images)
}

fn entries(folder: &Path) -> Result<Entries> {
    let refused = |source| Error::io("read folder", folder, source);
    let mut found = Entries::default();
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        if name(&path).starts_with('.') {
            continue;
        }
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() {
            found.folders.push(path);
        } else if reading::is_special(&path) {
            found.skipped.special += 1;
        } else if ENDINGS.contains(&ending.as_str()) {
            found.images.push(path);
        } else if let Some(known) = OTHER_ENDINGS.iter().find(|&&known| known == ending) {
            *found.skipped.formats.entry(known).or_default() += 1;
        }
    }
    Ok(found)
}

/// The last part of a path, for messages and class names.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The size that most images have; the first in order wins a tie.
fn most_common_size(files: &[PathBuf]) -> Result<(usize, usize)> {
    let sizes: Vec<(usize, usize)> =
        first_error(files.par_iter().map(|file| read_size(file)).collect())?;
    let mut counts = HashMap::new();
    for size in &sizes {
        *counts.entry(size).or_insert(0usize) += 1;
    }
    let most = counts.values().copied().max().unwrap_or(0);
    let winner = sizes.iter().find(|size| counts[size] == most);
    // Every class has an image, so there is a first one.
    Ok(winner.copied().unwrap_or((1, 1)))
}

/// All values or the first error in order, so that the message does not depend on the threads.
fn first_error<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}

/// `files.len() x height x width` bytes.
fn read_all(root: &Path, files: &[PathBuf], height: usize, width: usize) -> Result<Vec<u8>> {
    let one = height * width;
    if one.saturating_mul(files.len()) > MAX_SET_BYTES {
        return Err(Error::data(
            root,
            format!(
                "{} images of {height} x {width} pixels take more than 64 GiB; give a \
                 smaller size, such as 28 x 28",
                files.len()
            ),
        ));
    }
    // Memory grows with the images that were actually read, not with the sizes in their headers.
    let mut pixels = Vec::new();
    for round in files.chunks((ROUND_BYTES / one).max(1)) {
        let read = |file: &PathBuf| to_size(&read_grey(file)?, height, width);
        for image in first_error(round.par_iter().map(read).collect())? {
            pixels.extend_from_slice(image.pixels());
        }
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::super::{GreyImage, encode_png};
    use super::*;
    use crate::error::ErrorKind;

    /// Writes a plain PNG of one shade at `root/place`.
    fn image(root: &Path, place: &str, (height, width): (usize, usize), shade: u8) {
        let path = root.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image = GreyImage::new(height, width, vec![shade; height * width]).unwrap();
        std::fs::write(path, encode_png(&image)).unwrap();
    }

    /// The first byte of each sample.
    fn shades(set: &Dataset) -> Vec<u8> {
        match &set.inputs {
            Inputs::Bytes(bytes) => bytes.iter().copied().step_by(set.features()).collect(),
            _ => panic!("images are bytes"),
        }
    }

    #[test]
    fn classes_and_files_come_in_order() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        image(root, "10/a.png", (2, 3), 100);
        image(root, "9/b.PNG", (2, 3), 92);
        image(root, "9/a.jpeg", (2, 3), 91);
        image(root, "9/.hidden.png", (2, 3), 1);
        image(root, ".cache/a.png", (2, 3), 2);
        std::fs::write(root.join("9/notes.txt"), "not an image").unwrap();
        std::fs::write(root.join("README.md"), "nor is this").unwrap();
        let set = load_folder(root, None).unwrap();
        assert_eq!(set.class_names(), ["9", "10"]);
        assert_eq!(set.labels(), [0, 0, 1]);
        assert_eq!(shades(&set), [91, 92, 100]);
        assert_eq!(set.sample_shape, [2, 3]);
    }

    #[test]
    fn names_that_are_not_all_numbers_sort_as_text() {
        let folders = |names: &[&str]| sorted_classes(names.iter().map(PathBuf::from).collect());
        assert_eq!(folders(&["cat", "10", "9"]), ["10", "9", "cat"].map(PathBuf::from));
        assert_eq!(folders(&["10", "07", "7"]), ["07", "7", "10"].map(PathBuf::from));
    }

    #[test]
    fn the_most_common_size_is_found_and_a_given_one_obeyed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        image(root, "cat/1.png", (9, 9), 10);
        image(root, "cat/2.png", (4, 5), 20);
        image(root, "dog/1.png", (4, 5), 30);
        let set = load_folder(root, None).unwrap();
        assert_eq!(set.sample_shape, [4, 5]);
        assert_eq!(shades(&set), [10, 20, 30]);
        let set = load_folder(root, Some((7, 2))).unwrap();
        assert_eq!(set.sample_shape, [7, 2]);
        assert_eq!(set.features(), 14);
        image(root, "dog/2.png", (9, 9), 40);
        assert_eq!(load_folder(root, None).unwrap().sample_shape, [9, 9], "the first wins a tie");
        let error = load_folder(root, Some((0, 2))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn other_endings_are_read_or_counted() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (at, ending) in ENDINGS.iter().enumerate() {
            image(root, &format!("cat/{at}.{ending}"), (2, 2), at as u8);
        }
        image(root, "dog/a.png", (2, 2), 50);
        for other in ["cat/a.HEIC", "cat/b.gif", "dog/c.heic", "dog/notes.txt"] {
            std::fs::write(root.join(other), "other").unwrap();
        }
        let mut warnings = Vec::new();
        let set = load_with_warnings(root, None, &mut warnings).unwrap();
        assert_eq!(shades(&set), [0, 1, 2, 3, 4, 5, 6, 7, 50]);
        let expected = "skipped 3 images in formats that are not supported (1 .gif, 2 .heic)";
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{warnings:?}");
        std::fs::create_dir(root.join("emu")).unwrap();
        std::fs::write(root.join("emu/a.heic"), "other").unwrap();
        let error = load_folder(root, None).unwrap_err().to_string();
        assert!(error.contains("emu: no image in this class; skipped 1 image in"), "{error}");
    }

    #[test]
    fn errors_name_the_place() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let message = |path: &Path| load_folder(path, None).unwrap_err().to_string();
        assert_eq!(load_folder(&root.join("none"), None).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(message(root).contains("found neither folders nor images"));
        image(root, "loose.png", (2, 2), 0);
        assert!(message(root).contains("found 1 images but no folders"));
        image(root, "train/cat/a.png", (2, 2), 0);
        assert!(message(root).contains("it contains folders"));
        image(root, "train/dog/a.png", (2, 2), 0);
        std::fs::create_dir(root.join("train/emu")).unwrap();
        assert!(message(&root.join("train")).contains("emu: no image in this class"));
        for bad in ["emu/x.png", "cat/b.png"] {
            std::fs::write(root.join("train").join(bad), "none").unwrap();
        }
        let size = Some((2, 2));
        let error = load_folder(&root.join("train"), size).unwrap_err().to_string();
        assert!(error.contains("b.png: not an image"), "the first in order, not {error}");
    }
}
