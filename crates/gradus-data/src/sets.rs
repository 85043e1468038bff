//! The table of named sets: the sources of their files, their checksums and their class names. Nothing is
//! read here.

use super::bytes::{Digest, hex};

/// A file on the mirrors.
#[derive(Debug)]
pub(crate) struct RemoteFile {
    /// Name on the mirrors and in the cache.
    pub(crate) name: &'static str,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// SHA-256 of the file as it is downloaded.
    pub(crate) sha256: &'static str,
    /// SHA-256 of the decompressed file, if known. It identifies copies that were compressed again.
    pub(crate) content_sha256: Option<&'static str>,
}

/// A named data set.
#[derive(Debug)]
pub(crate) struct NamedSet {
    /// The name that users give.
    pub(crate) name: &'static str,
    /// Its folder in the cache and elsewhere; all parts of EMNIST share one.
    pub(crate) folder: &'static str,
    /// Its folder in torchvision's layout, which has the files in `FOLDER/raw`.
    pub(crate) torchvision: &'static str,
    /// Folders on the network, in the order in which they are tried.
    pub(crate) mirrors: &'static [&'static str],
    /// The files to download.
    pub(crate) downloads: &'static [RemoteFile],
    /// Training images, training labels, test images, test labels; each may end in `.gz`.
    pub(crate) parts: [&'static str; 4],
    /// The numbers of training and test images, if they are the same in every edition.
    pub(crate) samples: Option<[usize; 2]>,
    /// Class names.
    pub(crate) classes: Classes,
    /// The label of the first class.
    pub(crate) first_label: u32,
    /// Whether the images are transposed.
    pub(crate) transposed: bool,
}

/// Class names: one letter each, or words.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Classes {
    Letters(&'static str),
    Words(&'static [&'static str]),
}

impl Classes {
    /// One name for each class.
    pub(crate) fn names(self) -> Vec<String> {
        match self {
            Classes::Letters(letters) => letters.chars().map(String::from).collect(),
            Classes::Words(words) => words.iter().map(|&word| word.to_owned()).collect(),
        }
    }
}

/// SHA-256 of Keras's `mnist.npz`.
pub(crate) const KERAS_MNIST_SHA256: &str =
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1";

/// The built-in set, which needs no files.
pub(crate) const BUILT_IN: &str = "digits";

/// The set of that name; capitals and `_` for `-` do not matter.
pub(crate) fn find(name: &str) -> Option<&'static NamedSet> {
    let name = name.to_lowercase().replace('_', "-");
    SETS.iter().find(|set| set.name == name)
}

/// The names that [`load`](super::load) knows.
pub fn set_names() -> Vec<&'static str> {
    SETS.iter().map(|set| set.name).chain([BUILT_IN]).collect()
}

/// The set and the file whose download has that SHA-256.
pub(crate) fn by_download(digest: &Digest) -> Option<(&'static NamedSet, &'static RemoteFile)> {
    let digest = hex(digest);
    files().find(|(_, file)| file.sha256 == digest)
}

/// The set and the file whose decompressed content has that SHA-256.
pub(crate) fn by_content(digest: &Digest) -> Option<(&'static NamedSet, &'static RemoteFile)> {
    let digest = hex(digest);
    files().find(|(_, file)| file.content_sha256 == Some(digest.as_str()))
}

/// Whether a file of that size may be one of the table's downloads.
pub(crate) fn is_download_size(bytes: u64) -> bool {
    files().any(|(_, file)| file.bytes == bytes)
}

fn files() -> impl Iterator<Item = (&'static NamedSet, &'static RemoteFile)> {
    SETS.iter().flat_map(|set| set.downloads.iter().map(move |file| (set, file)))
}

const fn file(name: &'static str, bytes: u64, sha256: &'static str) -> RemoteFile {
    RemoteFile { name, bytes, sha256, content_sha256: None }
}

const fn known(
    name: &'static str,
    bytes: u64,
    sha256: &'static str,
    content_sha256: &'static str,
) -> RemoteFile {
    RemoteFile { name, bytes, sha256, content_sha256: Some(content_sha256) }
}

const MNIST_PARTS: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

const DIGITS: Classes = Classes::Letters("0123456789");

const EMNIST_ZIP: &[RemoteFile] = &[file(
    "gzip.zip",
    561_753_746,
    "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
)];

const fn emnist(
    name: &'static str,
    parts: [&'static str; 4],
    classes: &'static str,
    first_label: u32,
) -> NamedSet {
    NamedSet {
        name,
        folder: "emnist",
        torchvision: "EMNIST",
        mirrors: &["https://biometrics.nist.gov/cs_links/EMNIST/"],
        downloads: EMNIST_ZIP,
        parts,
        samples: None,
        classes: Classes::Letters(classes),
        first_label,
        transposed: true,
    }
}

/// The four files of a part of EMNIST.
macro_rules! emnist_parts {
    ($name:literal) => {
        [
            concat!("emnist-", $name, "-train-images-idx3-ubyte"),
            concat!("emnist-", $name, "-train-labels-idx1-ubyte"),
            concat!("emnist-", $name, "-test-images-idx3-ubyte"),
            concat!("emnist-", $name, "-test-labels-idx1-ubyte"),
        ]
    };
}

/// Capital and small letters as separate classes.
const ALL_LETTERS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Small letters that look like their capitals share a class with them.
const MERGED_LETTERS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt";

/// All named sets except the built-in digits.
pub(crate) static SETS: [NamedSet; 10] = [
    NamedSet {
        name: "mnist",
        folder: "mnist",
        torchvision: "MNIST",
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://raw.githubusercontent.com/fgnt/mnist/master/",
        ],
        downloads: &[
            known(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            known(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            known(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            known(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ],
        parts: MNIST_PARTS,
        samples: Some([60_000, 10_000]),
        classes: DIGITS,
        first_label: 0,
        transposed: false,
    },
    NamedSet {
        name: "fashion-mnist",
        folder: "fashion-mnist",
        torchvision: "FashionMNIST",
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ],
        downloads: &[
            file(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ],
        parts: MNIST_PARTS,
        samples: Some([60_000, 10_000]),
        classes: Classes::Words(&[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ]),
        first_label: 0,
        transposed: false,
    },
    NamedSet {
        name: "kmnist",
        folder: "kmnist",
        torchvision: "KMNIST",
        mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        downloads: &[
            file(
                "train-images-idx3-ubyte.gz",
                18_165_135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                29_497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                3_041_136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                5_120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ],
        parts: MNIST_PARTS,
        samples: Some([60_000, 10_000]),
        classes: Classes::Words(&["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]),
        first_label: 0,
        transposed: false,
    },
    NamedSet {
        name: "qmnist",
        folder: "qmnist",
        torchvision: "QMNIST",
        mirrors: &["https://raw.githubusercontent.com/facebookresearch/qmnist/master/"],
        downloads: &[
            file(
                "qmnist-train-images-idx3-ubyte.gz",
                9_704_059,
                "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d",
            ),
            file(
                "qmnist-train-labels-idx2-int.gz",
                463_024,
                "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
            ),
            file(
                "qmnist-test-images-idx3-ubyte.gz",
                9_742_279,
                "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375",
            ),
            file(
                "qmnist-test-labels-idx2-int.gz",
                526_800,
                "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06",
            ),
        ],
        parts: [
            "qmnist-train-images-idx3-ubyte",
            "qmnist-train-labels-idx2-int",
            "qmnist-test-images-idx3-ubyte",
            "qmnist-test-labels-idx2-int",
        ],
        samples: Some([60_000, 60_000]),
        classes: DIGITS,
        first_label: 0,
        transposed: false,
    },
    emnist("emnist-byclass", emnist_parts!("byclass"), ALL_LETTERS, 0),
    emnist("emnist-bymerge", emnist_parts!("bymerge"), MERGED_LETTERS, 0),
    emnist("emnist-balanced", emnist_parts!("balanced"), MERGED_LETTERS, 0),
    emnist("emnist-letters", emnist_parts!("letters"), "abcdefghijklmnopqrstuvwxyz", 1),
    emnist("emnist-digits", emnist_parts!("digits"), "0123456789", 0),
    emnist("emnist-mnist", emnist_parts!("mnist"), "0123456789", 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        for set in &SETS {
            assert!(set.mirrors.iter().all(|mirror| mirror.ends_with('/')), "{}", set.name);
            for (part, file) in set.parts.iter().zip(set.downloads) {
                assert!(set.folder == "emnist" || file.name == format!("{part}.gz"));
            }
            for file in set.downloads {
                for digest in [Some(file.sha256), file.content_sha256].into_iter().flatten() {
                    assert!(
                        digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit())
                    );
                    assert_eq!(digest, digest.to_lowercase());
                }
            }
        }
    }

    #[test]
    fn class_counts() {
        let classes = |name| find(name).unwrap().classes.names().len();
        assert_eq!(classes("mnist"), 10);
        assert_eq!(classes("Fashion_MNIST"), 10);
        assert_eq!(classes("kmnist"), 10);
        assert_eq!(classes("emnist-byclass"), 62);
        assert_eq!(classes("emnist-bymerge"), 47);
        assert_eq!(classes("emnist-balanced"), 47);
        assert_eq!(classes("emnist-letters"), 26);
        assert!(find("mnits").is_none());
        assert_eq!(set_names().len(), 11);
    }
}
