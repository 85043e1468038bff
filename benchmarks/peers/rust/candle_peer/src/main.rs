//! candle on the CPU: the notebook's training, and mini-batches with Adam.

use anyhow::Result;
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Optimizer, ParamsAdamW, SGD};
use common::{LEARNING_RATE, Layer, Options, Orders, Work, report};
// Named in Cargo.toml for its feature only.
use gemm as _;

struct Network(Vec<(Var, Var)>);

impl Network {
    fn new(layers: &[Layer]) -> Result<Network> {
        let variables = |layer: &Layer| {
            let shape = (layer.inputs, layer.outputs);
            let weight = Tensor::from_slice(&layer.weight, shape, &Device::Cpu)?;
            let bias = Tensor::from_slice(&layer.bias, layer.outputs, &Device::Cpu)?;
            Ok((Var::from_tensor(&weight)?, Var::from_tensor(&bias)?))
        };
        Ok(Network(layers.iter().map(variables).collect::<Result<_>>()?))
    }

    fn variables(&self) -> Vec<Var> {
        self.0.iter().flat_map(|(weight, bias)| [weight.clone(), bias.clone()]).collect()
    }

    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (i, (weight, bias)) in self.0.iter().enumerate() {
            x = x.matmul(weight)?.broadcast_add(bias)?;
            if i + 1 < self.0.len() {
                x = x.relu()?;
            }
        }
        Ok(x)
    }
}

fn data(options: &Options, part: &str) -> Result<(Tensor, Tensor)> {
    let (images, labels) = options.part(part)?;
    let count = labels.len();
    let labels = labels.into_iter().map(u32::from).collect();
    Ok((
        Tensor::from_vec(images, (count, options.layers[0]), &Device::Cpu)?,
        Tensor::from_vec::<_, u32>(labels, count, &Device::Cpu)?,
    ))
}

fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f64> {
    let right = logits.argmax(1)?.eq(labels)?.to_dtype(DType::F32)?;
    Ok(f64::from(right.mean_all()?.to_scalar::<f32>()?))
}

fn main() -> Result<()> {
    let options = Options::from_command_line()?;
    let network = Network::new(&options.start()?)?;
    let (x, y) = data(&options, "train")?;
    let mut reached = None;
    let seconds = match options.work {
        Work::Notebook => {
            let mut optimizer = SGD::new(network.variables(), LEARNING_RATE)?;
            options.timed_epochs(|| {
                let logits = network.logits(&x)?;
                optimizer.backward_step(&cross_entropy(&logits, &y)?)?;
                reached = Some(accuracy(&logits, &y)?);
                Ok(())
            })?
        }
        Work::Minibatch => {
            let rates = ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..Default::default() };
            let mut optimizer = AdamW::new(network.variables(), rates)?;
            let mut orders = Orders::new(options.seed);
            options.timed_epochs(|| {
                for rows in orders.next(y.elem_count()).chunks(options.batch) {
                    let rows = Tensor::new(rows, &Device::Cpu)?;
                    let logits = network.logits(&x.index_select(&rows, 0)?)?;
                    let loss = cross_entropy(&logits, &y.index_select(&rows, 0)?)?;
                    optimizer.backward_step(&loss)?;
                }
                Ok(())
            })?
        }
    };
    let (x_test, y_test) = data(&options, "test")?;
    let tested = accuracy(&network.logits(&x_test)?, &y_test)?;
    report(&seconds, reached, tested, "candle 0.11.1");
    Ok(())
}
