//! Trains the default network on MNIST and keeps the model: `cargo run --release --example
//! 02_train_mnist`.

use gradus::data::{LoadOptions, load};
use gradus::network::{Workers, available_cores};
use gradus::training::{TrainConfig, train};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = load(&LoadOptions::default(), &mut |_| {})?;
    let config = TrainConfig { hidden: vec![128], epochs: 5, ..TrainConfig::default() };
    let stop = false.into();
    let trained = train(&config, &data.train, None, None, &stop, &mut |epoch| {
        println!("epoch {}: loss {:.4}", epoch.epoch, epoch.loss);
    })?;
    let classifier = trained.model.into_classifier()?;
    let tested = classifier.evaluate(&data.test, &Workers::new(available_cores())?)?;
    println!("on the test images of {}: accuracy {:.4}", data.name, tested.accuracy);
    gradus::model_file::save(&classifier, "mnist.safetensors".as_ref())?;
    Ok(())
}
