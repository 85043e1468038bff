//! The NumPy notebook, cell by cell, on plain slices: MNIST, 784-128-10, ReLU, softmax, full-batch
//! gradient descent. Only the loading is the library's; all that learns stands on this page.
//!
//! ```sh
//! cargo run --release --example 01_mnist_scratch [EPOCHS] [START.npz]
//! ```
//!
//! EPOCHS is 20 unless given (the notebook has 200): accuracy 0.7948, at 0.4 s an epoch on one core of
//! a Zen 4 processor. START.npz holds the arrays `w1, b1, w2, b2` to start from. Without MNIST on this
//! machine the built-in digits take its place.
//!
//! Matrices are slices, row after row. The notebook has its samples in columns; here they are rows,
//! so that its `w1.T @ x` is `x @ w1`, and what it does for all samples at once is a loop over them.

use gradus::data::{Inputs, LoadOptions, load};
use gradus::model_file::npz;
use gradus::network::Activation;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

const INPUTS: usize = 784;
const HIDDEN: usize = 128;
const CLASSES: usize = 10;
const LEARNING_RATE: f32 = 0.001;

/// w1 784 x 128, b1 128, w2 128 x 10, b2 10: the parameters, or the gradient of each.
pub type Arrays = [Vec<f32>; 4];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let epochs = arguments.first().map_or(Ok(20), |text| text.parse())?;
    // Cell 1: the data. An image is a row of 784 bytes, a label a number from 0 to 9.
    let data = load(&LoadOptions { download: false, ..LoadOptions::default() }, &mut |_| {})?.train;
    let Inputs::Bytes(x) = &data.inputs else { return Err("pixels must be bytes".into()) };
    // Cell 2: where to start from.
    let start = match arguments.get(1) {
        None => random_start(0),
        Some(file) => read_start(file.as_ref(), "")?,
    };
    // Cell 3: 20 or 200 steps downhill.
    train(x, data.labels(), start, epochs, |epoch, correct| {
        let accuracy = correct as f64 / data.len() as f64;
        println!("Epoch {epoch}: Accuracy = {accuracy:.4}");
    });
    Ok(())
}

/// w ~ N(0, 0.01^2), b = 0.
fn random_start(seed: u64) -> Arrays {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut random = |count| {
        let normal = StandardNormal.sample_iter(&mut rng);
        normal.take(count).map(|w: f32| w * 0.01).collect()
    };
    [random(INPUTS * HIDDEN), vec![0.0; HIDDEN], random(HIDDEN * CLASSES), vec![0.0; CLASSES]]
}

/// The arrays of an .npz file, their names after `prefix`.
pub fn read_start(file: &std::path::Path, prefix: &str) -> gradus::Result<Arrays> {
    let network = npz::read_network(file, prefix, &[Activation::Relu])?;
    let (w, b) = (|i| network.weight(i).to_vec(), |i| network.bias(i).to_vec());
    Ok([w(0), b(0), w(1), b(1)])
}

/// Full-batch gradient descent; `report` hears each epoch's number of right predictions, counted
/// before the update. Returns the parameters.
pub fn train(
    x: &[u8],
    y: &[u32],
    start: Arrays,
    epochs: usize,
    mut report: impl FnMut(usize, usize),
) -> Arrays {
    let mut parameters = start;
    for epoch in 0..epochs {
        let [w1, b1, w2, b2] = &parameters;
        let mut gradients = parameters.each_ref().map(|array| vec![0.0; array.len()]);
        let [dw1, db1, dw2, db2] = &mut gradients;
        let mut correct = 0;
        for (x, &y) in x.chunks(INPUTS).zip(y) {
            // Forward. z1 = x w1 + b1: most pixels are 0 and add nothing. a1 = max(0, z1)
            let mut a1 = b1.clone();
            for (p, &pixel) in x.iter().enumerate().filter(|(_, pixel)| **pixel > 0) {
                add(&mut a1, pixel.into(), &w1[p * HIDDEN..][..HIDDEN]);
            }
            a1.iter_mut().for_each(|z| *z = z.max(0.0));
            // z2 = a1 w2 + b2
            let mut z2 = b2.clone();
            for (j, &a) in a1.iter().enumerate() {
                add(&mut z2, a, &w2[j * CLASSES..][..CLASSES]);
            }
            // a2 = softmax(z2), the largest taken off so that no exponential overflows
            let predicted = (1..CLASSES).fold(0, |best, c| if z2[c] > z2[best] { c } else { best });
            let e: Vec<f32> = z2.iter().map(|z| (z - z2[predicted]).exp()).collect();
            let sum: f32 = e.iter().sum();
            correct += usize::from(predicted == y as usize);

            // Backward. dz2 = a2 - onehot, db2 = dz2
            let mut dz2: Vec<f32> = e.iter().map(|e| e / sum).collect();
            dz2[y as usize] -= 1.0;
            add(db2, 1.0, &dz2);
            // dw2 = a1^T dz2, dz1 = (dz2 w2^T) * (z1 > 0)
            let mut dz1 = vec![0.0; HIDDEN];
            for (j, &a) in a1.iter().enumerate().filter(|(_, a)| **a > 0.0) {
                add(&mut dw2[j * CLASSES..][..CLASSES], a, &dz2);
                dz1[j] = w2[j * CLASSES..][..CLASSES].iter().zip(&dz2).map(|(w, d)| w * d).sum();
            }
            // dw1 = x^T dz1, db1 = dz1
            add(db1, 1.0, &dz1);
            for (p, &pixel) in x.iter().enumerate().filter(|(_, pixel)| **pixel > 0) {
                add(&mut dw1[p * HIDDEN..][..HIDDEN], pixel.into(), &dz1);
            }
        }
        report(epoch, correct);
        // Update: the gradients are sums over the m samples so far, and shall be their mean.
        for (parameter, gradient) in parameters.iter_mut().zip(&gradients) {
            add(parameter, -LEARNING_RATE / y.len() as f32, gradient);
        }
    }
    parameters
}

/// y += a x
fn add(y: &mut [f32], a: f32, x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}
