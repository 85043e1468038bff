//! Trains on numbers in memory, saves the model, loads it again and predicts: what a program needs that
//! contains a small network. `cargo run --release --example 03_save_and_load`.
//!
//! The task: is a point of the square from -1 to 1 inside the circle of radius 0.8?

use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, Inputs, Rows};
use gradus::network::Workers;
use gradus::training::config::BatchSize;
use gradus::training::{TrainConfig, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Samples are rows: 1,600 points of a grid, two features each.
    let side = |i: usize| i as f32 / 20.0 - 0.975;
    let points: Vec<[f32; 2]> = (0..1600).map(|i| [side(i % 40), side(i / 40)]).collect();
    let labels = points.iter().map(|[x, y]| u32::from(x.hypot(*y) < 0.8)).collect();
    let names = ["outside", "inside"].map(String::from).to_vec();
    let data = Dataset::new(Inputs::Floats(points.concat()), labels, vec![2], names)?;

    let config = TrainConfig {
        hidden: vec![32],
        normalization: Normalization::Standard,
        batch_size: BatchSize::Samples(16),
        epochs: 30,
        ..TrainConfig::default()
    };
    let trained = train(&config, &data, None, None, &false.into(), &mut |_| {})?;

    let path = std::env::temp_dir().join("circle.safetensors");
    gradus::model_file::save(&trained.model, &path)?;
    let model = gradus::model_file::load(&path)?;

    // Raw values go in, as in training: the model contains its normalization.
    let unseen = [0.1, -0.2, 0.9, 0.9];
    let predictions = model.predict(Rows::Floats(&unseen), &Workers::new(1)?)?;
    for (sample, point) in unseen.chunks(2).enumerate() {
        let class = predictions.label(sample);
        let probability = predictions.row(sample)[class];
        println!("{point:?} is {} ({probability:.4})", model.class_names()[class]);
    }
    Ok(())
}
