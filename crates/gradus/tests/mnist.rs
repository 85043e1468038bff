//! The real MNIST, where `GRADUS_DATA` says that it is at hand.

use std::time::Instant;

use gradus::data::{Dataset, Inputs, LoadOptions, load};

fn pixels(data: &Dataset) -> &[u8] {
    match &data.inputs {
        Inputs::Bytes(pixels) => pixels,
        Inputs::Floats(_) => panic!("MNIST must stay bytes"),
    }
}

#[test]
fn mnist_is_what_it_is_known_to_be() {
    if std::env::var_os("GRADUS_DATA").is_none() {
        eprintln!("skipped: GRADUS_DATA does not say where MNIST is");
        return;
    }
    let options =
        LoadOptions { data: Some("mnist".into()), download: false, ..LoadOptions::default() };
    let start = Instant::now();
    let loaded = load(&options, &mut |_| {}).expect("MNIST under GRADUS_DATA");
    eprintln!("loaded from {} in {:?}", loaded.origin, start.elapsed());
    assert_eq!(loaded.notices, Vec::<String>::new());
    assert_eq!((loaded.train.len(), loaded.test.len()), (60_000, 10_000));
    assert_eq!(loaded.train.sample_shape, [28, 28]);
    assert_eq!(loaded.test.sample_shape, [28, 28]);
    assert_eq!(loaded.train.class_names, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!((loaded.train.labels[0], loaded.test.labels[0]), (5, 7));

    let pixels = pixels(&loaded.train);
    let count = pixels.len() as f64;
    let sum: f64 = pixels.iter().map(|&pixel| f64::from(pixel)).sum();
    let squares: f64 = pixels.iter().map(|&pixel| f64::from(pixel).powi(2)).sum();
    let zeros = pixels.iter().filter(|&&pixel| pixel == 0).count() as f64;
    let (mean, share_of_zeros) = (sum / count, zeros / count);
    let deviation = (squares / count - mean * mean).sqrt();
    assert!((mean - 33.318).abs() < 1e-3, "{mean}");
    assert!((deviation - 78.567).abs() < 1e-3, "{deviation}");
    assert!((share_of_zeros - 0.809).abs() < 5e-4, "{share_of_zeros}");
}
