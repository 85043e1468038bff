//! Data of every kind read piece by piece are the data read at once.

#[path = "../src/testing.rs"]
#[allow(dead_code)]
mod testing;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use gradus_data::{Dataset, Found, FoundPieces, Inputs, LoadOptions, find, find_pieces};
use testing::{gzip, idx_file, npy_file, zip_file};

/// Options for the data at a path.
fn options(path: &Path) -> LoadOptions {
    LoadOptions { data: Some(path.to_owned()), ..LoadOptions::default() }
}

/// Checks that the pieces are what is read at once, and returns that and the number of pieces.
fn check(options: &LoadOptions) -> (Dataset, usize) {
    // A piece of text is as long as all threads read at a time.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    threads.install(|| check_here(options))
}

fn check_here(options: &LoadOptions) -> (Dataset, usize) {
    let Found { train, warnings: expected, .. } = find(options, &mut |_| {}).unwrap();
    let FoundPieces { pieces, like, warnings, .. } = find_pieces(options).unwrap().unwrap();
    assert_eq!((pieces.samples, warnings), (train.len(), expected));
    assert_eq!(like.columns, train.columns);
    let (mut done, mut count) = (0, 0);
    for piece in pieces.pieces {
        let piece = piece.unwrap();
        let rows: Vec<usize> = (done..done + piece.len()).collect();
        let part = train.subset(&rows);
        assert_eq!(piece.targets, part.targets);
        assert_eq!((&piece.sample_shape, &piece.columns), (&part.sample_shape, &part.columns));
        match (&piece.inputs, &part.inputs) {
            (Inputs::Table(found), Inputs::Table(expected)) => {
                for (found, expected) in found.columns().iter().zip(expected.columns()) {
                    assert!((0..rows.len()).all(|row| found.cell(row) == expected.cell(row)));
                }
            }
            (found, expected) => {
                assert_eq!(found.rows().kind(), expected.rows().kind());
                assert!(found == expected, "{:?} from sample {done} on", options.data);
            }
        }
        done += piece.len();
        count += 1;
    }
    assert_eq!(done, train.len());
    (train, count)
}

/// A number that looks drawn.
fn drawn(at: usize) -> usize {
    (at.wrapping_mul(2_654_435_761) >> 7) % 1000
}

#[test]
fn tables_of_numbers() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("table.csv");
    // More than a round of blocks has; classes appear late, and a number that needs double precision comes last.
    let rows = 300_000;
    let mut text = "a;b;\"the;kind\"\n".to_owned();
    for at in 0..rows {
        let kind =
            if at > 250_000 && at % 7 == 0 { "aunt" } else { ["uncle", "12", "x y"][at % 3] };
        text += &format!("{},{};{};\"{kind}\"\n", drawn(at), at % 10, drawn(at + 1));
    }
    fs::write(&path, &text).unwrap();
    let (data, count) = check(&options(&path));
    assert!(count > 1 && data.class_names() == ["12", "aunt", "uncle", "x y"]);
    assert!(matches!(data.inputs, Inputs::Floats(_)));
    // The same, compressed, as regression, and with numbers that single precision would blur.
    let packed = folder.path().join("table.csv.gz");
    fs::write(&packed, gzip(text.replace("a;b", "a;target").as_bytes())).unwrap();
    let values = LoadOptions { values: true, drop: vec!["2".into()], ..options(&packed) };
    assert!(check(&values).1 > 1);
    text += "1700000000,5;3;x y\n1700000001,5;3;x y\n";
    for at in 0..100 {
        text += &format!("17000000{:02},5;4;x y\n", at);
    }
    fs::write(&path, &text).unwrap();
    check(&options(&path));
    // Whole numbers in the columns of pixels, of which one is above 1 only at the end.
    let mut pixels = "label,".to_owned()
        + &(0..64).map(|at| format!("pixel{at}")).collect::<Vec<_>>().join(",")
        + "\n";
    for at in 0..60_000 {
        let level = if at == 59_990 { "200" } else { "0" };
        pixels += &format!("{},{level}{}\n", at % 3, ",1".repeat(63));
    }
    fs::write(&path, &pixels).unwrap();
    let (data, count) = check(&options(&path));
    assert!(count > 1 && matches!(data.inputs, Inputs::Bytes(_)) && data.sample_shape == [8, 8]);
    // An index column, and rows without a target, which are left out.
    let rows = 800_000;
    let of = |line: &dyn Fn(usize) -> String| (0..rows).map(line).collect::<String>();
    let counted = of(&|at| format!("{at},{},{}\n", drawn(at), ["p", "q"][at % 2]));
    fs::write(&path, format!(",v,label\n{counted}")).unwrap();
    let (data, count) = check(&options(&path));
    assert_eq!((data.features(), data.len()), (1, rows));
    assert!(count > 1);
    let label = |at: usize| if at % 1000 == 3 { "" } else { ["p", "q"][at % 2] };
    let counted = of(&|at| format!("{at},{},{}\n", drawn(at), label(at)));
    fs::write(&path, format!(",v,label\n{counted}")).unwrap();
    let (data, _) = check(&options(&path));
    assert_eq!((data.features(), data.len()), (1, rows - 800));
    let some = of(&|at| format!("{},{},{}\n", drawn(at), drawn(at + 5), label(at)));
    fs::write(&path, format!("u,v,label\n{some}")).unwrap();
    let (data, count) = check(&options(&path));
    assert_eq!((data.features(), data.len()), (2, rows - 800));
    assert!(count > 1);
}

#[test]
fn tables_in_several_files_and_with_types() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    fs::write(at.join("part-1.csv"), "a,b,label\n1,2.5,x\n3,4,y\n").unwrap();
    fs::write(at.join("part-2.csv"), "b,label,a\n7,z,8\n9,x,\"1,000\"\n").unwrap();
    check(&options(at));
    check(&options(&at.join("part-*.csv")));
    fs::write(at.join("part-3.csv"), "b,label\n7,z\n").unwrap();
    let error = find_pieces(&options(at)).err().unwrap().to_string();
    assert!(error.contains("part-3.csv") && error.contains("\"a\" is missing"), "{error}");
}

#[test]
fn tables_of_mixed_columns() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("table.csv");
    let mut text = "day,code,price,name,label\n".to_owned();
    for at in 0..200_000 {
        // Which comes first in a date, and that codes are text, shows only late.
        let day = if at == 190_000 { "23/01/2024" } else { "03/04/2024" };
        let code = if at > 150_000 { "A7" } else { "7" };
        let price = if at % 5 == 0 { "NA".to_owned() } else { format!("{}.5", drawn(at)) };
        text += &format!("{day},{code},{price},n{},{}\n", at / 3, ["p", "q"][at % 2]);
    }
    fs::write(&path, &text).unwrap();
    let (data, count) = check(&options(&path));
    let Inputs::Table(_) = &data.inputs else { panic!("{:?}", data.inputs.rows().kind()) };
    assert!(count > 1);
}

/// An archive of samples of this type and shape, and labels from 1 to 4.
fn archive(path: &Path, descr: &str, shape: &[usize], values: &[u8]) {
    let labels: Vec<u8> = (0..shape[0] as i64).flat_map(|at| (at % 4 + 1).to_le_bytes()).collect();
    let labels = npy_file("<i8", &format!("({},)", shape[0]), &labels);
    let samples =
        npy_file(descr, &format!("{shape:?}").replace('[', "(").replace(']', ")"), values);
    let entries: [(&str, &[u8]); 2] = [("x_train.npy", &samples), ("y_train.npy", &labels)];
    fs::write(path, zip_file(&entries, true)).unwrap();
}

#[test]
fn arrays() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.npz");
    let images: Vec<u8> = (0..3000 * 2000).map(|at| (drawn(at) % 256) as u8).collect();
    archive(&path, "|u1", &[3000, 40, 50], &images);
    let (data, count) = check(&options(&path));
    assert!(count > 1 && data.sample_shape == [40, 50]);
    // Shares of white, fractions, doubles that single precision would blur, and one grey level at the end.
    for (value, columns) in [
        (&(|at| (drawn(at) % 200) as f64 / 255.0) as &dyn Fn(usize) -> f64, 1600),
        (&|at| drawn(at) as f64 / 7.0, 1600),
        (&|at| 1.7e9 + drawn(at) as f64 / 7.0, 500),
        (&|at| if at == 1_400_000 { 200.0 } else { 1.0 }, 900),
    ] {
        let (shape, count) = ([3000, columns], 3000 * columns);
        let doubles: Vec<u8> = (0..count).flat_map(|at| value(at).to_le_bytes()).collect();
        archive(&path, "<f8", &shape, &doubles);
        assert!(check(&options(&path)).1 > 1);
        let floats: Vec<u8> = (0..count).flat_map(|at| (value(at) as f32).to_le_bytes()).collect();
        archive(&path, "<f4", &shape, &floats);
        assert!(check(&options(&path)).1 > 1);
        let whole: Vec<u8> = (0..count).flat_map(|at| (value(at) as i32).to_le_bytes()).collect();
        archive(&path, "<i4", &shape, &whole);
        assert!(check(&options(&path)).1 > 1);
    }
    archive(&path, "|u1", &[3000, 20, 20, 3], &images[..3000 * 1200]);
    let (data, _) = check(&options(&path));
    assert_eq!(data.sample_shape, [20, 20]);
    // A damaged archive is an error, not fewer samples.
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0x55;
    fs::write(&path, bytes).unwrap();
    let (data, mut errors) = (options(&path), Vec::new());
    match find_pieces(&data) {
        Err(error) => errors.push(error),
        Ok(found) => errors.extend(found.unwrap().pieces.pieces.find_map(Result::err)),
    }
    assert!(errors[0].to_string().contains("data.npz"), "{errors:?}");
}

#[test]
fn idx_files() {
    let folder = TempDir::new().unwrap();
    let at = folder.path();
    let pixels: Vec<u8> = (0..9000 * 784).map(|at| (drawn(at) % 256) as u8).collect();
    let images = idx_file(8, &[9000, 28, 28], &pixels);
    let labels: Vec<u8> = (0..9000).map(|at| (at % 9) as u8).collect();
    let file = at.join("train-images-idx3-ubyte.gz");
    fs::write(&file, gzip(&images)).unwrap();
    fs::write(at.join("train-labels-idx1-ubyte"), idx_file(8, &[9000], &labels)).unwrap();
    assert!(check(&options(at)).1 > 1);
    assert!(check(&options(&file)).1 > 1);
    fs::write(&file, gzip(&images[..images.len() - 1])).unwrap();
    let data = options(at);
    let pieces = find_pieces(&data).unwrap().unwrap().pieces.pieces;
    let error = pieces.filter_map(Result::err).next().unwrap().to_string();
    assert!(error.contains("truncated") && error.contains("train-images"), "{error}");
}

#[test]
#[cfg(feature = "images")]
fn folders_of_images() {
    let folder = TempDir::new().unwrap();
    for (number, class) in ["cat", "dog"].iter().enumerate() {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        for at in 0..30 {
            let levels = vec![(at * 3 + number) as u8; 300 * 400];
            let image = gradus_data::images::GreyImage::new(300, 400, levels).unwrap();
            let png = gradus_data::images::encode_png(&image);
            fs::write(folder.path().join(class).join(format!("{at}.png")), png).unwrap();
        }
    }
    assert!(check(&options(folder.path())).1 > 1);
}

#[test]
fn what_is_read_at_once_is_not_in_pieces() {
    let folder = TempDir::new().unwrap();
    assert!(find_pieces(&LoadOptions::default()).unwrap().is_none());
    assert!(find_pieces(&options(Path::new("digits"))).unwrap().is_none());
    assert!(find_pieces(&options(&folder.path().join("nothing.csv"))).unwrap().is_none());
}
