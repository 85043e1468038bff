//! Folders of shards: what is packed is read again, and every fault is found and names its file.

use std::fs;
use std::path::Path;

use gradus::data::digits::{Part, generate};
use gradus::data::distort::{Distorter, Distortion, Scratch};
use gradus::data::shards::{
    Order, PackOptions, Pieces, ShardOptions, ShardWriter, Shards, is_shards, pack,
};
use gradus::data::{Columns, Dataset, Inputs, Subset, Sums, Targets, Values, npy};
use gradus::network::Kernels;

const INDEX: &str = "index.json";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn bytes(samples: usize) -> Dataset {
    let inputs = Inputs::Bytes((0..samples * 6).map(|at| (at * 7 % 251) as u8).collect());
    let labels = (0..samples).map(|at| (at % 3) as u32).collect();
    Dataset::new(inputs, labels, vec![2, 3], names(&["a", "b", "c"])).unwrap()
}

/// Data of every type and with every kind of targets.
fn sets() -> Vec<Dataset> {
    let floats = |count: usize| -> Vec<f32> { (0..count).map(|at| (at as f32).sin()).collect() };
    let values = Targets::Values { values: floats(40), names: names(&["h", "w"]) };
    let labels = (0..40).map(|at| u8::from(at % 3 == 0)).collect();
    let labels = Targets::Labels { values: labels, names: names(&["x", "y"]) };
    let many: Vec<String> = (0..300).map(|class| class.to_string()).collect();
    let classes = Targets::Classes { labels: (0..20).map(|at| at * 15).collect(), names: many };
    let table = Dataset::with_targets(Inputs::Floats(floats(80)), values, vec![4]).unwrap();
    let columns = names(&["a", "b", "c", "d"]);
    let table = table.with_columns(Columns::of_features(columns)).unwrap();
    let seconds = (0..20).map(|at| 1.7e9 + f64::from(at)).collect();
    vec![
        bytes(20),
        table,
        Dataset::with_targets(Inputs::Floats(floats(120)), labels, vec![2, 3]).unwrap(),
        Dataset::with_targets(Inputs::Doubles(seconds), classes, vec![1]).unwrap(),
    ]
}

/// Packs a set in parts of `part` samples.
fn written(path: &Path, data: &Dataset, part: usize, shard_rows: usize) -> Shards {
    let options = ShardOptions { shard_rows: Some(shard_rows), ..ShardOptions::default() };
    let mut writer = ShardWriter::create(path, options).unwrap();
    let every: Vec<usize> = (0..data.len()).collect();
    every.chunks(part).for_each(|part| writer.push(&data.subset(part)).unwrap());
    writer.finish().unwrap();
    Shards::open(path).unwrap()
}

#[test]
fn what_is_packed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for (number, data) in sets().into_iter().enumerate() {
        for (part, rows) in [(20, 20), (3, 7), (20, 1), (1, 100)] {
            let path = folder.path().join(format!("{number}-{part}-{rows}"));
            let shards = written(&path, &data, part, rows);
            assert!(is_shards(&path));
            assert_eq!((shards.samples(), shards.count()), (20, 20_usize.div_ceil(rows)));
            assert_eq!(shards.load().unwrap(), data);
            assert_eq!(shards.targets().unwrap(), data.targets);
            assert_eq!(shards.digest(), Subset::from(&data).digest());
            assert_eq!(shards.sums(), &Sums::of(&data));
            assert_eq!(shards.output_names(), data.targets.names());
            for range in [0..1, 6..8, 3..20, 19..20] {
                let rows: Vec<usize> = range.clone().collect();
                assert_eq!(shards.read(range).unwrap(), data.subset(&rows));
            }
        }
    }
}

#[test]
fn classes_are_counted_and_files_are_those_of_numpy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let shards = written(&path, &bytes(8), 8, 5);
    assert_eq!(shards.class_counts(), [3, 3, 2]);
    let Inputs::Bytes(values) = bytes(8).inputs else { panic!() };
    let first = npy::parse_npy(&fs::read(path.join("shard-00000.npy")).unwrap()).unwrap();
    assert_eq!((first.shape, first.values), (vec![5, 2, 3], Values::U8(values[..30].to_vec())));
    let last = fs::read(path.join("shard-00001.targets.npy")).unwrap();
    let last = npy::parse_npy(&last).unwrap();
    assert_eq!((last.shape, last.values), (vec![3], Values::U8(vec![2, 0, 1])));
}

/// Spoils a folder of shards and gives the error of opening and verifying it.
fn fault(spoil: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    written(&path, &bytes(20), 20, 7);
    spoil(&path);
    assert!(is_shards(&path));
    let checked = Shards::open(&path).and_then(|shards| shards.verify(&mut |_| {}));
    let loaded = Shards::open(&path).and_then(|shards| shards.load());
    let error = checked.unwrap_err().to_string();
    assert_eq!(loaded.unwrap_err().to_string(), error);
    error
}

#[test]
fn every_fault_names_its_shard() {
    let file = |number: usize, path: &Path| path.join(format!("shard-0000{number}.npy"));
    let has = |error: String, words: [&str; 2]| {
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let missing = fault(|path| fs::remove_file(file(1, path)).unwrap());
    has(missing, ["shard-00001.npy", "missing"]);
    let truncated = fault(|path| {
        let content = fs::read(file(1, path)).unwrap();
        fs::write(file(1, path), &content[..content.len() - 1]).unwrap();
    });
    has(truncated, ["shard-00001.npy", "truncated"]);
    let damaged = fault(|path| {
        let mut content = fs::read(file(2, path)).unwrap();
        *content.last_mut().unwrap() ^= 1;
        fs::write(file(2, path), content).unwrap();
    });
    has(damaged, ["shard-00002.npy", "damaged, or was swapped"]);
    let swapped = fault(|path| {
        let [a, b] = [0, 1].map(|number| fs::read(file(number, path)).unwrap());
        fs::write(file(0, path), b).unwrap();
        fs::write(file(1, path), a).unwrap();
    });
    has(swapped, ["shard-00000.npy", "swapped"]);
    let shorter = fault(|path| {
        fs::copy(file(2, path), file(0, path)).unwrap();
    });
    has(shorter, ["shard-00000.npy", "belongs to other data"]);
    let floats = fault(|path| {
        let header = npy::header("<f4", &[7, 2, 3]);
        fs::write(file(0, path), [header, vec![0; 168]].concat()).unwrap();
    });
    has(floats, ["shard-00000.npy", "belongs to other data"]);
    let of_targets = fault(|path| fs::remove_file(path.join("shard-00002.targets.npy")).unwrap());
    has(of_targets, ["shard-00002.targets.npy", "missing"]);
    has(fault(|path| fs::remove_file(path.join(INDEX)).unwrap()), ["index.json", "cannot read"]);
    let edit = |from: &'static str, to: &'static str| {
        move |path: &Path| {
            let text = fs::read_to_string(path.join(INDEX)).unwrap();
            assert!(text.contains(from));
            fs::write(path.join(INDEX), text.replace(from, to)).unwrap();
        }
    };
    has(fault(edit("\"gradus_shards\": 1", "\"gradus_shards\": 2")), ["index.json", "raw columns"]);
    let version = fault(edit("\"gradus_shards\": 1", "\"gradus_shards\": 3"));
    has(version, ["index.json", "version 3"]);
    has(fault(edit("\"samples\": 20", "\"samples\": 21")), ["index.json", "do not make 21"]);
    has(fault(edit("shard-00001.npy", "../secret")), ["index.json", "not the name of a file"]);
    has(fault(edit("\"uint8\"", "\"uint9\"")), ["index.json", "damaged"]);
    has(fault(edit("\"samples\": 7", "\"samples\": -7")), ["index.json", "damaged"]);
}

#[test]
fn a_shard_that_shrinks_while_it_is_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let shards = written(&path, &bytes(20), 20, 7);
    let file = path.join("shard-00001.npy");
    let content = fs::read(&file).unwrap();
    fs::write(&file, &content[..content.len() / 2]).unwrap();
    assert!(shards.read(0..7).is_ok());
    let error = shards.read(0..8).unwrap_err().to_string();
    assert!(error.contains("shard-00001.npy") && error.contains("changed"), "{error}");
}

#[test]
fn what_cannot_be_packed_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let create = || ShardWriter::create(&path, ShardOptions::default()).unwrap();
    assert!(create().finish().unwrap_err().to_string().contains("no samples to pack"));
    let weighted = bytes(2).with_sample_weights(vec![1.0, 2.0]).unwrap();
    assert!(create().push(&weighted).unwrap_err().to_string().contains("sample weights"));
    let mut writer = create();
    writer.push(&bytes(2)).unwrap();
    let error = writer.push(&sets()[2]).unwrap_err().to_string();
    assert!(error.contains("samples of one form"), "{error}");
    drop(writer);
    let none = ShardOptions { shard_rows: Some(0), ..ShardOptions::default() };
    assert!(ShardWriter::create(&path, none).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    written(&path, &bytes(2), 2, 2);
    let error = ShardWriter::create(&path, ShardOptions::default()).unwrap_err().to_string();
    assert!(error.contains("exists already"), "{error}");
}

/// Samples whose first values are their numbers.
fn numbered(samples: usize, features: usize) -> Dataset {
    let mut values = vec![0.0; samples * features];
    values.chunks_mut(features).enumerate().for_each(|(at, row)| row[0] = at as f32);
    let labels = (0..samples).map(|at| (at % 7) as u32).collect();
    let classes = (0..7).map(|class| class.to_string()).collect();
    Dataset::new(Inputs::Floats(values), labels, vec![features], classes).unwrap()
}

/// Packs samples in an order, and gives their numbers in the shards, after checking that all have kept their classes.
fn packed(data: &Dataset, order: Order) -> Vec<usize> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let options = PackOptions { order, shard_rows: Some(data.len() / 3 + 1) };
    let Pieces { samples, pieces } = Pieces::of_dataset(data);
    pack(&path, samples, pieces, &options, &mut |_| true).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let shards = Shards::open(&path).unwrap();
    let found = shards.load().unwrap();
    assert_eq!(shards.count(), 3);
    let Inputs::Floats(values) = &found.inputs else { panic!() };
    let numbers: Vec<usize> = values.chunks(data.features()).map(|row| row[0] as usize).collect();
    assert!(numbers.iter().zip(found.labels()).all(|(at, &label)| at % 7 == label as usize));
    numbers
}

#[test]
fn a_shuffle_keeps_all_samples_and_the_seed_decides() {
    // Of 2 MB each, so that there are two buckets.
    for (samples, features) in [(1000, 3), (40, 1 << 19)] {
        let data = numbered(samples, features);
        let first = packed(&data, Order::Shuffled(1));
        let mut sorted = first.clone();
        sorted.sort();
        assert!(sorted.into_iter().eq(0..samples));
        assert!(first.iter().enumerate().filter(|&(at, &number)| at == number).count() < 10);
        assert_eq!(packed(&data, Order::Shuffled(1)), first);
        assert_ne!(packed(&data, Order::Shuffled(2)), first);
    }
}

/// Each sample must be at each place about equally often: 50 times of 200, and the square root of 200 * 1/4 * 3/4 is 6.
#[test]
fn every_order_is_equally_probable() {
    let data = numbered(4, 1);
    let mut counts = [[0_i32; 4]; 4];
    for seed in 0..200 {
        let order = packed_small(&data, seed);
        order.into_iter().enumerate().for_each(|(place, number)| counts[number][place] += 1);
    }
    assert!(counts.as_flattened().iter().all(|count| (count - 50).abs() < 25), "{counts:?}");
}

fn packed_small(data: &Dataset, seed: u64) -> Vec<usize> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let options = PackOptions { order: Order::Shuffled(seed), shard_rows: None };
    let Pieces { samples, pieces } = Pieces::of_dataset(data);
    pack(&path, samples, pieces, &options, &mut |_| true).unwrap();
    let Inputs::Floats(values) = Shards::open(&path).unwrap().inputs(0..4).unwrap() else {
        panic!()
    };
    values.into_iter().map(|value| value as usize).collect()
}

#[test]
fn samples_are_sorted_or_stay_in_their_order() {
    let data = numbered(100, 2);
    assert!(packed(&data, Order::Source).into_iter().eq(0..100));
    let sorted = packed(&data, Order::Sorted);
    let mut expected: Vec<usize> = (0..100).collect();
    expected.sort_by_key(|at| at % 7);
    assert_eq!(sorted, expected);
}

#[test]
fn a_stopped_or_failed_packing_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shards");
    let data = numbered(100, 2);
    let options = PackOptions::default();
    let Pieces { samples, pieces } = Pieces::of_dataset(&data);
    let error = pack(&path, samples, pieces, &options, &mut |_| false).unwrap_err().to_string();
    assert!(error.contains("stopped"), "{error}");
    let Pieces { pieces, .. } = Pieces::of_dataset(&data);
    let error = pack(&path, 101, pieces, &options, &mut |_| true).unwrap_err().to_string();
    assert!(error.contains("100 samples were read, but 101"), "{error}");
    let broken = [Ok(data.clone()), Err(gradus::Error::argument("broken"))];
    assert!(pack(&path, 200, broken, &options, &mut |_| true).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn drawn_digits_are_those_that_are_built_in() {
    let all = generate(20_500, 5, Part::Train).unwrap();
    let drawn = Pieces::of_digits(20_500, 5);
    assert_eq!(drawn.samples, 20_500);
    let mut first = 0;
    for piece in drawn.pieces {
        let piece = piece.unwrap();
        let rows: Vec<usize> = (first..first + piece.len()).collect();
        assert_eq!(piece, all.subset(&rows));
        first += piece.len();
    }
    assert_eq!(first, 20_500);
}

#[test]
fn distorted_images_depend_on_the_seed_and_their_number() {
    let images = generate(50, 0, Part::Train).unwrap();
    let kernels = Kernels::detect().unwrap();
    let distorter = Distorter::for_data(Distortion::STANDARD, &images, kernels).unwrap();
    let make = |seed, samples| {
        let pieces = Pieces::of_distorted(&images, &distorter, seed, samples).unwrap().pieces;
        let parts: Vec<Dataset> = pieces.collect::<Result<_, _>>().unwrap();
        assert_eq!(parts.len(), 1);
        parts.into_iter().next().unwrap()
    };
    let (few, many) = (make(1, 70), make(1, 120));
    assert_eq!(few, many.subset(&(0..70).collect::<Vec<_>>()));
    assert_ne!(few.inputs, make(2, 70).inputs);
    assert_eq!(many.labels()[50..100], images.labels()[..]);
    // Image 3 in its second version, as training distorts it in epoch 1.
    let (Inputs::Bytes(made), Inputs::Bytes(original)) = (&many.inputs, &images.inputs) else {
        panic!()
    };
    let (mut out, mut scratch) = (vec![0; 784], Scratch::default());
    distorter.distort(1, 1, 3, &original[3 * 784..][..784], &mut out, &mut scratch);
    assert_eq!(made[53 * 784..][..784], out);
}

#[test]
fn arrays_and_their_labels_are_packed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = |name: &str, descr: &str, shape: &[usize], bytes: &[u8]| {
        fs::write(at(name), [npy::header(descr, shape), bytes.to_vec()].concat()).unwrap();
    };
    let pixels: Vec<u8> = (0..5 * 64).map(|at| (at % 256) as u8).collect();
    file("x.npy", "|u1", &[5, 64], &pixels);
    file("y.npy", "|u1", &[5], &[1, 0, 2, 1, 1]);
    file("short.npy", "|u1", &[4], &[1, 0, 2, 1]);
    let targets: Vec<u8> = (0..5).flat_map(|at| (at as f32).to_le_bytes()).collect();
    file("t.npy", "<f4", &[5, 1], &targets);
    let all = |labels: &str, values| -> Result<Dataset, gradus::Error> {
        let mut pieces = Pieces::of_array(&at("x.npy"), &at(labels), values)?;
        assert_eq!(pieces.samples, 5);
        pieces.pieces.next().unwrap()
    };
    let data = all("y.npy", false).unwrap();
    assert_eq!(data.inputs, Inputs::Bytes(pixels));
    assert_eq!((&data.sample_shape[..], data.labels()), (&[8, 8][..], &[1, 0, 2, 1, 1][..]));
    let targets = all("t.npy", true).unwrap().targets;
    let expected = Targets::Values { values: vec![0.0, 1.0, 2.0, 3.0, 4.0], names: names(&["y"]) };
    assert_eq!(targets, expected);
    let error = all("short.npy", false).unwrap_err().to_string();
    assert!(error.contains("holds 5 samples") && error.contains("labels for 4"), "{error}");
}
