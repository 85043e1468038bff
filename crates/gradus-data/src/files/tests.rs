//! Folders and files of every kind, read through [`read_path`].

use super::*;
use crate::folders::{FolderKind, folder_kind};
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
            let files: Vec<_> = files.iter().map(|(name, it)| (&name[..], it.clone())).collect();
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
    assert_eq!((named.class_names(), named.labels()), (&["a".into(), "b".into()][..], &[0, 1][..]));
    // Ordinary files stay as they are.
    let plain = read(open(&files("train", 0)).path()).unwrap().train;
    assert!(!is_upright(&plain));
    let mixed = [files("emnist-letters-train", 1), files("t10k", 1)].concat();
    assert!(message(open(&mixed).path()).contains("some of the files are EMNIST's"));
    let wrong = files("emnist-letters-train", 26);
    assert!(message(open(&wrong).path()).contains("label 27 is out of range: expected 1 to 26"));
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
