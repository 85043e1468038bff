//! burn with its Flex backend: the notebook's training, and mini-batches with Adam.

use anyhow::Result;
use burn::module::Param;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, Relu};
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::TensorData;
use common::{LEARNING_RATE, Layer, Options, Orders, Work, report};

#[derive(Module, Debug)]
struct Network {
    layers: Vec<Linear>,
    activation: Relu,
}

impl Network {
    fn new(layers: Vec<Layer>, device: &Device) -> Network {
        let linear = |layer: Layer| {
            let weight = TensorData::new(layer.weight, [layer.inputs, layer.outputs]);
            let bias = TensorData::new(layer.bias, [layer.outputs]);
            Linear {
                weight: Param::from_data(weight, device),
                bias: Some(Param::from_data(bias, device)),
            }
        };
        Network { layers: layers.into_iter().map(linear).collect(), activation: Relu::new() }
    }

    fn logits(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x);
            if i + 1 < self.layers.len() {
                x = self.activation.forward(x);
            }
        }
        x
    }
}

fn data(options: &Options, part: &str, device: &Device) -> Result<(Tensor<2>, Tensor<1, Int>)> {
    let (images, labels) = options.part(part)?;
    let count = labels.len();
    let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
    let images = TensorData::new(images, [count, options.layers[0]]);
    let labels = TensorData::new(labels, [count]);
    Ok((Tensor::from_data(images, device), Tensor::from_data(labels, device)))
}

fn accuracy(logits: Tensor<2>, labels: Tensor<1, Int>) -> f64 {
    let count = labels.dims()[0];
    let labels = labels.reshape([count, 1]);
    let right = logits.argmax(1).equal(labels).int().sum().into_scalar::<i64>();
    right as f64 / count as f64
}

fn main() -> Result<()> {
    let options = Options::from_command_line()?;
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let mut network = Network::new(options.start()?, &device);
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let (x, y) = data(&options, "train", &device)?;
    let samples = y.dims()[0];
    let mut optimizer = match options.work {
        Work::Notebook => SgdConfig::new().init(),
        Work::Minibatch => AdamConfig::new().with_epsilon(1e-8).init(),
    };
    let mut reached = None;
    let mut orders = Orders::new(options.seed);

    // A step moves the network out and back in: burn's optimizers take it by value.
    let mut update = |network: Network, x: Tensor<2>, y: Tensor<1, Int>| {
        let logits = network.logits(x);
        let gradients = cross_entropy.forward(logits.clone(), y).backward();
        let gradients = GradientsParams::from_grads(gradients, &network);
        (optimizer.step(LEARNING_RATE, network, gradients), logits)
    };
    let seconds = options.timed_epochs(|| {
        match options.work {
            Work::Notebook => {
                let (stepped, logits) = update(network.clone(), x.clone(), y.clone());
                network = stepped;
                reached = Some(accuracy(logits, y.clone()));
            }
            Work::Minibatch => {
                for rows in orders.next(samples).chunks(options.batch) {
                    let rows: Vec<i64> = rows.iter().map(|&row| i64::from(row)).collect();
                    let count = rows.len();
                    let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &device);
                    let (images, labels) =
                        (x.clone().select(0, rows.clone()), y.clone().select(0, rows));
                    network = update(network.clone(), images, labels).0;
                }
            }
        }
        Ok(())
    })?;

    let (x_test, y_test) = data(&options, "test", &device)?;
    let tested = accuracy(network.logits(x_test), y_test);
    report(&seconds, reached, tested, "burn 0.22.1 (flex)");
    Ok(())
}
