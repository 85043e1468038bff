//! A folder with one sub-folder of images for each class, as a data set.
//!
//! In: `ROOT/CLASS/*.png|jpg|...`. Out: a [`Dataset`] of grey bytes, classes and files in
//! sorted order, and a warning that counts the images in formats that are not supported.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use gradus_core::files::magic::Magic;
use rayon::prelude::*;

use super::super::listing::{Listing, file_name as name, some_names};
use super::super::{Dataset, Inputs};
use super::{check_size, magic_of, read_grey, read_size, to_size};
use crate::error::{Error, Result};
use crate::reading;

/// Approximate bytes of scaled images in one round of parallel reading.
const ROUND_BYTES: usize = 64 << 20;
/// The usual endings of the formats that [`read_grey`] supports.
const ENDINGS: [(&str, Magic); 9] = [
    ("png", Magic::Png),
    ("jpg", Magic::Jpeg),
    ("jpeg", Magic::Jpeg),
    ("jpe", Magic::Jpeg),
    ("jfif", Magic::Jpeg),
    ("webp", Magic::WebP),
    ("bmp", Magic::Bmp),
    ("tif", Magic::Tiff),
    ("tiff", Magic::Tiff),
];
/// Endings of images in other formats.
const OTHER_ENDINGS: [&str; 14] = [
    "arw", "avif", "cr2", "dng", "gif", "heic", "heif", "ico", "jp2", "jxl", "nef", "psd", "svg",
    "tga",
];
/// The most bytes that a set may take.
const MAX_SET_BYTES: usize = 64 << 30;
/// The most folders inside each other: more are a circle of links.
const MOST_DEPTH: usize = 16;

/// Reads a folder with one sub-folder of images for each class.
///
/// Classes are named after their folders and sorted: by value if all names are numbers, else by
/// name. Which files are images is decided by their content, not by their names. They are
/// read with [`read_grey`] and scaled (the aspect is not kept) to `size`, `(height, width)`. Without a
/// `size`, they are scaled to the most frequent size; of equally frequent ones, to the first in sorted
/// order. Hidden files and folders, what operating systems leave (`Thumbs.db`, `__MACOSX`), files that are
/// no images, and folders inside a class are skipped.
///
/// # Errors
/// `NotFound` if the folder is missing; `InvalidData` if there is no class, a class has no image, or
/// an image cannot be read (the message names it); `InvalidArgument` if a side of `size` is 0 or
/// above [`super::MAX_SIDE`].
pub fn load_folder(path: &Path, size: Option<(usize, usize)>) -> Result<Dataset> {
    load_with_warnings(path, size, &mut Vec::new())
}

/// Like [`load_folder`]; warnings about what was skipped are added to `warnings`.
pub(crate) fn load_with_warnings(
    path: &Path,
    size: Option<(usize, usize)>,
    warnings: &mut Vec<String>,
) -> Result<Dataset> {
    let folder = ImageFolder::open(path, size, warnings)?;
    let pixels = folder.read_all()?;
    folder.samples(0..folder.files.len(), pixels)
}

/// A folder of images that are still to be read.
pub(crate) struct ImageFolder {
    root: PathBuf,
    /// The images, class after class, ...
    files: Vec<PathBuf>,
    /// ... and the class of each.
    labels: Vec<u32>,
    class_names: Vec<String>,
    height: usize,
    width: usize,
}

impl ImageFolder {
    /// Finds the images, and their size if none is given. Warnings about what was skipped are added to `warnings`.
    ///
    /// # Errors
    /// As [`load_folder`].
    pub(crate) fn open(
        path: &Path,
        size: Option<(usize, usize)>,
        warnings: &mut Vec<String>,
    ) -> Result<ImageFolder> {
        if let Some((height, width)) = size {
            check_size(height, width)?;
        }
        let (files, labels, class_names) = images_by_class(path, warnings)?;
        let (height, width) = match size {
            Some(size) => size,
            None => most_common_size(&files)?,
        };
        Ok(ImageFolder { root: path.to_owned(), files, labels, class_names, height, width })
    }

    /// The class of each image.
    pub(crate) fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Bytes of an image.
    pub(crate) fn row_bytes(&self) -> usize {
        self.height * self.width
    }

    /// Some of the images.
    ///
    /// # Errors
    /// As [`load_folder`].
    pub(crate) fn read(&self, images: std::ops::Range<usize>) -> Result<Dataset> {
        let pixels = self.pixels(&self.files[images.clone()])?;
        self.samples(images, pixels)
    }

    fn samples(&self, images: std::ops::Range<usize>, pixels: Vec<u8>) -> Result<Dataset> {
        let (labels, shape) = (self.labels[images].to_vec(), vec![self.height, self.width]);
        Dataset::new(Inputs::Bytes(pixels), labels, shape, self.class_names.clone())
            .map_err(|error| error.context(self.root.display()))
    }

    /// The pixels of all images.
    fn read_all(&self) -> Result<Vec<u8>> {
        let ImageFolder { root, files, height, width, .. } = self;
        if self.row_bytes().saturating_mul(files.len()) > MAX_SET_BYTES {
            return Err(Error::data(
                root,
                format!(
                    "{} images of {height} x {width} pixels take more than 64 GiB; give a smaller size, such as 28 x 28",
                    files.len()
                ),
            ));
        }
        // Memory grows with the images that were actually read, not with the sizes in their headers.
        let mut pixels = Vec::new();
        for round in files.chunks((ROUND_BYTES / self.row_bytes()).max(1)) {
            pixels.append(&mut self.pixels(round)?);
        }
        Ok(pixels)
    }

    /// The pixels of these images, which are read side by side.
    fn pixels(&self, files: &[PathBuf]) -> Result<Vec<u8>> {
        let read = |file: &PathBuf| to_size(&read_grey(file)?, self.height, self.width);
        let mut pixels = Vec::new();
        for image in first_error(files.par_iter().map(read).collect())? {
            pixels.extend_from_slice(image.pixels());
        }
        Ok(pixels)
    }
}

/// The images of each class, the class of each, and the names of the classes.
fn images_by_class(
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<(Vec<PathBuf>, Vec<u32>, Vec<String>)> {
    let mut remarks = Remarks::default();
    let classes = find_classes(path, &mut remarks)?;
    let mut files = Vec::new();
    let mut labels = Vec::new();
    let mut class_names = Vec::new();
    for (label, class) in classes.iter().enumerate() {
        let found = find_images(class, &mut remarks)?;
        labels.extend(std::iter::repeat_n(label as u32, found.len()));
        files.extend(found);
        class_names.push(name(class));
    }
    warnings.extend(remarks.warnings(path));
    Ok((files, labels, class_names))
}

/// All images in a folder and in the folders below it, by their content, as paths relative to it in sorted
/// order; and warnings about what was skipped.
///
/// # Errors
/// If a folder cannot be read.
pub fn images_below(root: &Path) -> Result<(Vec<PathBuf>, Vec<String>)> {
    let (mut found, mut remarks) = (Vec::new(), Remarks::default());
    let mut seen = HashSet::new();
    collect(root, 0, &mut seen, &mut found, &mut remarks)?;
    let relative = |path: PathBuf| path.strip_prefix(root).map(Path::to_owned).unwrap_or(path);
    let mut found: Vec<PathBuf> = found.into_iter().map(relative).collect();
    found.sort();
    Ok((found, remarks.warnings(root)))
}

fn collect(
    folder: &Path,
    depth: usize,
    seen: &mut HashSet<PathBuf>,
    found: &mut Vec<PathBuf>,
    remarks: &mut Remarks,
) -> Result<()> {
    // A link to a folder above would never end.
    if depth > MOST_DEPTH || folder.canonicalize().is_ok_and(|path| !seen.insert(path)) {
        return Ok(());
    }
    let Listing { files, folders } = Listing::of(folder)?;
    found.extend(images_among(files, remarks));
    folders.iter().try_for_each(|folder| collect(folder, depth + 1, seen, found, remarks))
}

/// What the user ought to know about the files of a folder.
#[derive(Default)]
struct Remarks {
    /// Files that are no images of a supported format.
    skipped: Vec<PathBuf>,
    /// Folders inside classes.
    folders: Vec<PathBuf>,
    /// Images next to the folders of the classes.
    loose: Vec<PathBuf>,
    /// Images with the ending of another format.
    misnamed: Vec<PathBuf>,
    /// Pipes, sockets and devices.
    special: usize,
}

impl Remarks {
    /// The remarks about a folder, each with its path in front.
    fn warnings(&self, root: &Path) -> Vec<String> {
        self.lines(root).into_iter().map(|line| format!("{}: {line}", root.display())).collect()
    }

    /// The same without the path; files are named relative to it.
    fn lines(&self, root: &Path) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut say = |paths: &[PathBuf], one: &str, more: &str| {
            let what = if paths.len() == 1 {
                format!("1 {one}")
            } else {
                format!("{} {more}", paths.len())
            };
            if !paths.is_empty() {
                let relative = |path: &PathBuf| path.strip_prefix(root).unwrap_or(path).to_owned();
                let names = some_names(&paths.iter().map(relative).collect::<Vec<_>>());
                warnings.push(what.replace("ENDINGS", &endings(paths)).replace("NAMES", &names));
            }
        };
        say(
            &self.skipped,
            "file that is no image in a supported format (PNG, JPEG, WebP, BMP, TIFF) was skipped: NAMES",
            "files that are no images in a supported format (PNG, JPEG, WebP, BMP, TIFF) were skipped: NAMES",
        );
        say(
            &self.misnamed,
            "image has the ending of another format (ENDINGS) and was read as what it is: NAMES",
            "images have the ending of another format (ENDINGS) and were read as what they are: NAMES",
        );
        say(
            &self.loose,
            "image is in no folder, which would be its class, and was skipped: NAMES",
            "images are in no folder, which would be their class, and were skipped: NAMES",
        );
        say(
            &self.folders,
            "folder inside a class was skipped: NAMES",
            "folders inside classes were skipped: NAMES",
        );
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

/// The endings of files, each once.
fn endings(paths: &[PathBuf]) -> String {
    let ending = |path: &PathBuf| {
        path.extension().map_or("none".to_owned(), |it| format!(".{}", it.to_string_lossy()))
    };
    let endings: BTreeSet<String> = paths.iter().map(ending).collect();
    endings.into_iter().collect::<Vec<_>>().join(", ")
}

/// The images among files, by their content.
fn images_among(files: Vec<PathBuf>, remarks: &mut Remarks) -> Vec<PathBuf> {
    let (special, files): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|path| reading::is_special(path));
    remarks.special += special.len();
    let formats: Vec<_> = files.par_iter().map(|file| magic_of(file)).collect();
    let mut images = Vec::new();
    for (file, format) in files.into_iter().zip(formats) {
        let ending = file.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let usual = ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, format)| *format);
        let is_other = || OTHER_ENDINGS.contains(&ending.as_str());
        match format {
            Ok(found) if found.is_read_image() => {
                if usual.map_or_else(is_other, |format| format != found) {
                    remarks.misnamed.push(file.clone());
                }
                images.push(file);
            }
            // Why it cannot be read is an error where it is read as an image.
            Err(_) if usual.is_some() => images.push(file),
            _ => remarks.skipped.push(file),
        }
    }
    images
}

/// The visible sub-folders of `root` in the classes' order.
fn find_classes(root: &Path, remarks: &mut Remarks) -> Result<Vec<PathBuf>> {
    let Listing { files, folders } = Listing::of(root)?;
    // Other files next to classes, such as a licence, are nobody's samples.
    let images = images_among(files, &mut Remarks::default());
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
    remarks.loose.extend(images);
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
fn find_images(class: &Path, remarks: &mut Remarks) -> Result<Vec<PathBuf>> {
    let Listing { files, folders } = Listing::of(class)?;
    let mut others = Remarks::default();
    let images = images_among(files, &mut others);
    if images.is_empty() {
        let hint = match others.lines(class) {
            warnings if !warnings.is_empty() => warnings.join("; "),
            _ if folders.is_empty() => "add images or remove the folder".into(),
            _ => "it contains folders: are these the classes?".into(),
        };
        return Err(Error::data(class, format!("no image in this class; {hint}")));
    }
    remarks.folders.extend(folders);
    remarks.skipped.extend(others.skipped);
    remarks.misnamed.extend(others.misnamed);
    remarks.special += others.special;
    Ok(images)
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
    fn images_are_told_by_their_content_and_others_counted() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        // All of these are PNG.
        for (at, ending) in ["png", "jpg", "webp", "heic", "gif", "PNG", "7"].iter().enumerate() {
            image(root, &format!("cat/{at}.{ending}"), (2, 2), at as u8);
        }
        image(root, "cat/7", (2, 2), 7);
        image(root, "dog/a.png", (2, 2), 50);
        for other in ["cat/a.HEIC", "cat/b.png", "cat/empty.png", "dog/c.heic", "dog/notes.txt"] {
            let content = if other.contains("empty") { "" } else { "other" };
            std::fs::write(root.join(other), content).unwrap();
        }
        let mut warnings = Vec::new();
        let set = load_with_warnings(root, None, &mut warnings).unwrap();
        assert_eq!(shades(&set), [0, 1, 2, 3, 4, 5, 6, 7, 50]);
        let expected = "5 files that are no images in a supported format (PNG, JPEG, WebP, BMP, TIFF) were \
                        skipped: cat/a.HEIC, cat/b.png, cat/empty.png and 2 more";
        assert!(warnings.len() == 2 && warnings[0].ends_with(expected), "{warnings:?}");
        let expected = "4 images have the ending of another format (.gif, .heic, .jpg, .webp) and were read as what they are: cat/1.jpg,";
        assert!(warnings[1].contains(expected), "{warnings:?}");
        std::fs::create_dir(root.join("emu")).unwrap();
        std::fs::write(root.join("emu/a.heic"), "other").unwrap();
        let error = load_folder(root, None).unwrap_err().to_string();
        assert!(
            error.contains("emu: no image in this class;") && error.contains("a.heic"),
            "{error}"
        );
    }

    #[test]
    fn clutter_is_no_class_and_misplaced_images_are_told() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for place in ["cat/a.png", "dog/a.png", "__MACOSX/cat/a.png", ".ipynb_checkpoints/a.png"] {
            image(root, place, (2, 2), 1);
        }
        image(root, "cat/@eaDir/a.png", (2, 2), 1);
        for clutter in ["Thumbs.db", "cat/Thumbs.db", "cat/desktop.ini", "dog/._a.png", "notes.txt"]
        {
            std::fs::write(root.join(clutter), "").unwrap();
        }
        let mut warnings = Vec::new();
        let set = load_with_warnings(root, None, &mut warnings).unwrap();
        assert_eq!((set.class_names(), set.len()), (&["cat".into(), "dog".into()][..], 2));
        assert_eq!(warnings, [""; 0]);
        image(root, "loose.png", (2, 2), 1);
        image(root, "cat/old/b.png", (2, 2), 1);
        load_with_warnings(root, None, &mut warnings).unwrap();
        assert!(
            warnings[0].contains("1 image is in no folder") && warnings[0].contains("loose.png")
        );
        assert!(
            warnings[1].contains("1 folder inside a class was skipped: cat/old"),
            "{warnings:?}"
        );
    }

    #[test]
    fn images_below_a_folder_come_relative_to_it() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for place in ["b.png", "a.jpg", "cat/2.png", "cat/deep/1.png", ".hidden/a.png"] {
            image(root, place, (2, 2), 1);
        }
        std::fs::write(root.join("notes.txt"), "text").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("cat/circle")).unwrap();
        let (found, warnings) = images_below(root).unwrap();
        let expected = ["a.jpg", "b.png", "cat/2.png", "cat/deep/1.png"].map(PathBuf::from);
        assert_eq!(found, expected);
        // `a.jpg` is a PNG.
        assert!(warnings.len() == 2 && warnings[0].ends_with("skipped: notes.txt"), "{warnings:?}");
        assert_eq!(images_below(&root.join("none")).unwrap_err().kind(), ErrorKind::NotFound);
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
            std::fs::write(root.join("train").join(bad), b"\x89PNG\r\n\x1a\n").unwrap();
        }
        let size = Some((2, 2));
        let error = load_folder(&root.join("train"), size).unwrap_err().to_string();
        assert!(error.contains("b.png: the image is damaged"), "the first in order, not {error}");
    }
}
