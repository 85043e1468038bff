//! The whole network against PyTorch's numbers (golden/make_golden.py made the files), and every
//! gradient against central differences.

mod common;

use common::golden::{Golden, assert_close};
use common::{Pass, tiles_of};
use gradus::engine::cpu::linear::InputScale;
use gradus::engine::cpu::{Executor, Input};
use gradus::loss::{LabelTargets, Loss};
use gradus::network::{Activation, Network};
use gradus::optimizer::muon::{Orthogonalizer, momentum_step};
use gradus::optimizer::{Optimizer, Step};
use gradus::schedule::{Plateau, PlateauState, Run, Schedule};
use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::{Thread, ThreadGroup, Workers};

/// A pass whose gradients are in the order of the network's parameters.
fn pass(kernels: Kernels, network: &Network, input: Input, labels: &[u32], threads: usize) -> Pass {
    let executor = Executor::new(kernels, network, matches!(input, Input::Tiles(..)));
    let pass = common::pass(&executor, input, labels, threads, None);
    assert_eq!(pass.logits.len(), labels.len() * network.outputs());
    let mut gradients = vec![0.0; network.parameters().len()];
    executor.plan.parameters.read(&pass.gradients, &mut gradients);
    Pass { gradients, ..pass }
}

/// Compares a pass with `prefix/logits`, `loss`, `grad_w1`, ...
fn check_pass(golden: &Golden, prefix: &str, network: &Network, pass: &Pass) {
    assert_close(&pass.logits, &golden.floats(&format!("{prefix}/logits")), 1e-5, "logits");
    assert_close(&[pass.loss], &[golden.number(&format!("{prefix}/loss"))], 1e-5, "loss");
    for (index, linear) in network.linears().iter().enumerate() {
        for (letter, range) in [("w", linear.weight()), ("b", linear.bias())] {
            let key = format!("{prefix}/grad_{letter}{}", index + 1);
            assert_close(&pass.gradients[range], &golden.floats(&key), 1e-5, &key);
        }
    }
}

#[test]
fn networks_with_each_activation_match_pytorch() {
    let golden = Golden::open("network.npz");
    for activation in Activation::ALL {
        let prefix = format!("{}/", activation.name());
        let network = golden.network(&prefix, &[20, 17, 9, 5], activation);
        let x = golden.floats(&format!("{prefix}x"));
        let labels = golden.labels(&format!("{prefix}labels"));
        for kernels in Kernels::available() {
            for threads in 1..=3 {
                let input = Input::Dense(MatRef::new(&x, 13, 20));
                let pass = pass(kernels, &network, input, &labels, threads);
                check_pass(&golden, &activation.name(), &network, &pass);
            }
        }
    }
}

#[test]
fn byte_inputs_with_each_normalisation_match_pytorch_in_both_ways() {
    let golden = Golden::open("network.npz");
    let network = golden.network("bytes/", &[36, 70, 10], Activation::Relu);
    let x: Vec<u8> = golden.array::<u8>("bytes/x").into_iter().collect();
    let labels = golden.labels("bytes/labels");
    let tiles = tiles_of(&x, 36);
    let standard = (golden.number("bytes/mean"), golden.number("bytes/std"));
    for (name, (mean, deviation)) in
        [("none", (0.0, 1.0)), ("unit", (0.0, 255.0)), ("standard", standard)]
    {
        let scale = InputScale::new(mean, deviation);
        let dense: Vec<f32> = x.iter().map(|&byte| (f32::from(byte) - mean) / deviation).collect();
        for kernels in Kernels::available() {
            for threads in 1..=2 {
                for input in
                    [Input::Tiles(&tiles, scale), Input::Dense(MatRef::new(&dense, 150, 36))]
                {
                    let pass = pass(kernels, &network, input, &labels, threads);
                    check_pass(&golden, &format!("bytes_{name}"), &network, &pass);
                }
            }
        }
    }
}

/// The sparse and the dense way compute the same, for awkward numbers of samples and units and for
/// images that are all zeros or all ink, on every instruction set and with several workers.
#[test]
fn both_ways_agree_for_awkward_shapes() {
    let scale = InputScale::new(33.0, 79.0);
    let image = |sample: usize, pixel: usize| match sample % 4 {
        0 => 0,
        1 => 255,
        _ => {
            ((sample * 31 + pixel * 17) % 256 * usize::from((sample + pixel).is_multiple_of(5)))
                as u8
        }
    };
    for (samples, features, hidden) in [
        (1, 784, vec![128]),
        (1, 1, vec![1]),
        (3, 113, vec![10]),
        (129, 225, vec![129]),
        (260, 50, vec![]),
        (33, 120, vec![65, 1, 17]),
    ] {
        let x: Vec<u8> =
            (0..samples * features).map(|i| image(i / features, i % features)).collect();
        let dense: Vec<f32> = x.iter().map(|&byte| scale.input(byte.into())).collect();
        let labels: Vec<u32> = (0..samples as u32).map(|i| i % 10).collect();
        let tiles = tiles_of(&x, features);
        let mut network = Network::dense(features, &hidden, &[Activation::Tanh], 10).unwrap();
        network.initialize(gradus::network::Init::Glorot, 2);
        let input = Input::Dense(MatRef::new(&dense, samples, features));
        let expected = pass(Kernels::detect().unwrap(), &network, input, &labels, 1);
        for kernels in Kernels::available() {
            for threads in 1..=2 {
                let sparse = Input::Tiles(&tiles, scale);
                let found = pass(kernels, &network, sparse, &labels, threads);
                assert_close(&found.logits, &expected.logits, 2e-5, "logits");
                assert_close(&found.gradients, &expected.gradients, 2e-5, "gradients");
            }
        }
    }
}

/// Gradients of every parameter against central differences of the loss (docs/maths.md M13), for
/// no, one and two hidden layers, with the same activation and with different ones, dense and sparse.
#[test]
fn gradients_match_central_differences() {
    let golden = Golden::open("network.npz");
    let x: Vec<u8> = golden.array::<u8>("bytes/x").into_iter().collect();
    let x: Vec<u8> = x[..40 * 36].to_vec();
    let labels = &golden.labels("bytes/labels")[..40];
    let tiles = tiles_of(&x, 36);
    let scale = InputScale::new(20.0, 80.0);
    let dense: Vec<f32> = x.iter().map(|&byte| scale.input(byte.into())).collect();
    let kernels = Kernels::detect().unwrap();
    for hidden in [vec![], vec![18], vec![11, 7]] {
        let mixed = &[Activation::Gelu, Activation::Tanh][..hidden.len()];
        for activations in
            [&[Activation::Tanh][..], &[Activation::Gelu], &[Activation::Sigmoid], mixed]
        {
            let mut network = Network::dense(36, &hidden, activations, 10).unwrap();
            network.initialize(gradus::network::Init::Glorot, 5);
            for input in [Input::Tiles(&tiles, scale), Input::Dense(MatRef::new(&dense, 40, 36))] {
                let gradients = pass(kernels, &network, input, labels, 2).gradients;
                let step = 1.0 / 128.0;
                for at in (0..gradients.len()).step_by(3) {
                    let mut loss_at = |offset: f32| {
                        let kept = network.parameters()[at];
                        network.parameters_mut()[at] = kept + offset;
                        let loss = pass(kernels, &network, input, labels, 1).loss;
                        network.parameters_mut()[at] = kept;
                        loss
                    };
                    let expected = (loss_at(step) - loss_at(-step)) / (2.0 * step);
                    let error = (gradients[at] - expected).abs();
                    assert!(
                        error < 1e-4 + 1e-3 * expected.abs(),
                        "{hidden:?} {activations:?} parameter {at}: {} {expected}",
                        gradients[at]
                    );
                }
            }
        }
    }
}

#[test]
fn losses_of_all_kinds_of_targets_match_pytorch() {
    let golden = Golden::open("targets.npz");
    let (labels, others) = (golden.labels("labels"), golden.labels("others"));
    let (shares, weights) = (golden.floats("shares"), golden.floats("weights"));
    let by_class = golden.floats("class_weights");
    let of_labels: Vec<f32> = labels.iter().map(|&label| by_class[label as usize]).collect();
    let plain = LabelTargets::of(&labels);
    let mixed = LabelTargets { mixed: Some((&others, &shares)), ..plain };
    for (name, targets) in [
        ("plain", plain),
        ("smoothed", LabelTargets { smoothing: 0.1, ..plain }),
        ("mixed", mixed),
        ("mixed_smoothed", LabelTargets { smoothing: 0.1, ..mixed }),
        ("class_weights", LabelTargets { weights: Some(&of_labels), ..plain }),
        ("all", LabelTargets { smoothing: 0.1, weights: Some(&weights), ..mixed }),
    ] {
        for kernels in Kernels::available() {
            let (mut grad, mut losses) = (golden.floats("logits"), [0.0; 12]);
            let view = MatMut::new(&mut grad, 12, 7);
            Loss::softmax_cross_entropy(kernels, view, targets, 12.0, &mut losses);
            assert_close(&losses, &golden.floats(&format!("{name}/losses")), 1e-6, name);
            assert_close(&grad, &golden.floats(&format!("{name}/grad")), 1e-6, name);
        }
    }
}

#[test]
fn ten_steps_of_each_optimizer_match_their_reference() {
    let golden = Golden::open("optimizers.npz");
    let (x, labels) = (golden.floats("x"), golden.labels("labels"));
    let sgd =
        |momentum, nesterov, weight_decay| Optimizer::Sgd { momentum, nesterov, weight_decay };
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
    let rmsprop = |decay, momentum, epsilon, weight_decay| Optimizer::RmsProp {
        decay,
        momentum,
        epsilon,
        weight_decay,
    };
    let lion = |beta1, beta2, weight_decay| Optimizer::Lion { beta1, beta2, weight_decay };
    for (name, optimizer, rate) in [
        ("sgd", sgd(0.0, false, 0.0), 0.1),
        ("sgd_momentum", sgd(0.9, false, 0.0), 0.1),
        ("sgd_nesterov", sgd(0.9, true, 0.0), 0.1),
        ("sgd_decay", sgd(0.0, false, 0.01), 0.1),
        ("adam", Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 }, 0.01),
        ("adam_decay", Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.01 }, 0.01),
        ("adamw", Optimizer::AdamW { beta1, beta2, epsilon, weight_decay: 0.05 }, 0.01),
        ("rmsprop", rmsprop(0.99, 0.0, 1e-8, 0.0), 0.01),
        ("rmsprop_momentum", rmsprop(0.9, 0.9, 1e-6, 0.01), 0.003),
        ("lion", lion(0.9, 0.99, 0.0), 0.003),
        ("lion_decay", lion(0.8, 0.95, 0.5), 0.003),
    ] {
        for kernels in Kernels::available() {
            let mut network = golden.network("", &[12, 16, 4], Activation::Relu);
            let count = network.parameters().len();
            let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
            let mut losses = Vec::new();
            for step in 1..=10 {
                let input = Input::Dense(MatRef::new(&x, 32, 12));
                let Pass { loss, gradients, .. } = pass(kernels, &network, input, &labels, 1);
                losses.push(loss);
                for linear in network.linears().to_vec() {
                    for (range, decays) in [(linear.weight(), true), (linear.bias(), false)] {
                        optimizer.step(
                            kernels,
                            Step::plain(step, rate, decays),
                            &mut network.parameters_mut()[range.clone()],
                            &gradients[range.clone()],
                            &mut first[range.clone()],
                            &mut second[range],
                        );
                    }
                }
            }
            assert_close(&losses, &golden.floats(&format!("{name}/losses")), 1e-5, name);
            for index in 0..2 {
                let key = |letter: &str| golden.floats(&format!("{name}/{letter}{}", index + 1));
                assert_close(network.weight(index), &key("w"), 1e-5, name);
                assert_close(network.bias(index), &key("b"), 1e-5, name);
            }
        }
    }
}

/// Makes `values` orthogonal, as one of the threads of a group.
fn make_orthogonal(
    kernels: Kernels,
    orthogonalizer: &Orthogonalizer,
    thread: &Thread,
    values: MatRef,
) {
    orthogonalizer.orthogonalize(kernels, thread, |rows, mut matrix| {
        for (i, row) in rows.enumerate() {
            matrix.row_mut(i).copy_from_slice(values.row(row));
        }
    });
}

#[test]
fn matrices_made_orthogonal_match_pytorch() {
    let golden = Golden::open("muon.npz");
    for case in ["wide", "tall", "square", "row"] {
        let x = golden.array::<f32>(&format!("{case}/x"));
        let (rows, columns) = (x.shape()[0], x.shape()[1]);
        let x: Vec<f32> = x.into_iter().collect();
        for kernels in Kernels::available() {
            for threads in 1..=3 {
                let orthogonalizer = Orthogonalizer::new(rows, columns, threads);
                let group = ThreadGroup::new(threads);
                Workers::new(threads).unwrap().run(|index| {
                    let values = MatRef::new(&x, rows, columns);
                    make_orthogonal(kernels, &orthogonalizer, &group.thread(index), values);
                });
                let found = orthogonalizer.result();
                let expected = golden.floats(&format!("{case}/o"));
                assert_close(found.view().without_gaps(), &expected, 1e-4, case);
            }
        }
    }
}

/// The first weight by Muon; the second, which is the last, and the biases by AdamW.
#[test]
fn ten_steps_of_muon_match_pytorch() {
    let golden = Golden::open("optimizers.npz");
    let (x, labels) = (golden.floats("x"), golden.labels("labels"));
    for (name, momentum, nesterov, beta2, weight_decay) in
        [("muon", 0.95, true, 0.999, 0.1), ("muon_plain", 0.9, false, 0.95, 0.0)]
    {
        let (beta1, epsilon) = (0.9, 1e-8);
        let optimizer = Optimizer::Muon { momentum, nesterov, beta1, beta2, epsilon, weight_decay };
        for kernels in Kernels::available() {
            let mut network = golden.network("", &[12, 16, 4], Activation::Relu);
            let (orthogonalizer, group) = (Orthogonalizer::new(12, 16, 1), ThreadGroup::new(1));
            let count = network.parameters().len();
            let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
            let mut losses = Vec::new();
            for step in 1..=10 {
                let input = Input::Dense(MatRef::new(&x, 32, 12));
                let Pass { loss, mut gradients, .. } = pass(kernels, &network, input, &labels, 1);
                losses.push(loss);
                let (hidden, last) = (network.linears()[0], network.linears()[1]);
                let weight = hidden.weight();
                let (direction, mean) =
                    (&mut gradients[weight.clone()], &mut first[weight.clone()]);
                momentum_step(kernels, momentum, nesterov, direction, mean);
                let direction = MatRef::new(direction, 12, 16);
                make_orthogonal(kernels, &orthogonalizer, &group.thread(0), direction);
                let matrix = MatMut::new(&mut network.parameters_mut()[weight], 12, 16);
                orthogonalizer.apply(kernels, (0.01, weight_decay), (0..12, 0..16), matrix);
                for (range, decays) in
                    [(hidden.bias(), false), (last.weight(), true), (last.bias(), false)]
                {
                    optimizer.step(
                        kernels,
                        Step::plain(step, 0.01, decays),
                        &mut network.parameters_mut()[range.clone()],
                        &gradients[range.clone()],
                        &mut first[range.clone()],
                        &mut second[range],
                    );
                }
            }
            assert_close(&losses, &golden.floats(&format!("{name}/losses")), 1e-4, name);
            for index in 0..2 {
                let key = |letter: &str| golden.floats(&format!("{name}/{letter}{}", index + 1));
                assert_close(network.weight(index), &key("w"), 1e-4, name);
                assert_close(network.bias(index), &key("b"), 1e-4, name);
            }
        }
    }
}

#[test]
fn schedules_match_pytorch() {
    let golden = Golden::open("schedules.npz");
    let step = Schedule::Step { epochs: 7, factor: 0.5 };
    for (name, schedule, steps, warm_up) in [
        ("step", step, 30, 0),
        ("cosine", Schedule::Cosine, 40, 0),
        ("one_cycle", Schedule::OneCycle, 50, 0),
        ("warm_up", Schedule::Constant, 30, 10),
        ("warm_up_cosine", Schedule::Cosine, 40, 10),
    ] {
        let run = Run { steps, steps_per_epoch: 1, warm_up, samples: 1, seen: 0 };
        let rates: Vec<f32> = (0..steps).map(|at| schedule.at(0.1, at, &run)).collect();
        let expected = golden.floats(name);
        assert_eq!(rates.len(), expected.len());
        for (at, (found, expected)) in rates.iter().zip(&expected).enumerate() {
            let error = (found - expected).abs();
            assert!(error <= 1e-6 * expected + 1e-9, "{name} at {at}: {found} {expected}");
        }
    }
}

#[test]
fn reductions_on_a_plateau_match_pytorch() {
    let golden = Golden::open("schedules.npz");
    let plateau = Plateau { patience: 3, factor: 0.5 };
    for (name, larger_is_better) in [("plateau/min", false), ("plateau/max", true)] {
        let mut state = PlateauState::default();
        let expected = golden.floats(name);
        for (epoch, value) in golden.floats("plateau/values").into_iter().enumerate() {
            state.observe(&plateau, value.into(), larger_is_better);
            let rate = Schedule::Plateau(plateau).at(
                0.1 * state.factor,
                epoch as u64,
                &Run { steps: 60, steps_per_epoch: 1, warm_up: 0, samples: 1, seen: 0 },
            );
            assert!((rate / expected[epoch] - 1.0).abs() < 1e-6, "{name} after {epoch}: {rate}");
        }
    }
}

/// The step of docs/maths.md M12, worked by hand: two inputs, two ReLU units, two classes (with one
/// output the softmax would be 1 whatever happens), two samples, SGD with a learning rate of 0.1.
///
/// ```text
/// X = [1 2; 2 -1]   W1 = [0.5 -0.5; 0.25 0.5]   b1 = 0   W2 = [1 -1; 0.5 1]   b2 = [0 0.25]
/// Z1 = X W1 + b1    = [1 0.5; 0.75 -1.5]        1*0.5 + 2*0.25 = 1, ...
/// A1 = max(0, Z1)   = [1 0.5; 0.75 0]           the second unit is off for the second sample
/// Z2 = A1 W2 + b2   = [1.25 -0.25; 0.75 -0.5]
/// P  = softmax rows = [0.817574 0.182426; 0.777300 0.222700]      1 / (1 + e^-1.5) = 0.817574
/// loss = -(log 0.817574 + log 0.222700) / 2     = 0.851671        labels 0 and 1
/// G2 = (P - Y) / 2  = [-0.091213 0.091213; 0.388650 -0.388650]
/// gW2 = A1^T G2     = [0.200275 -0.200275; -0.045606 0.045606]    gb2 = [0.297437 -0.297437]
/// G1 = G2 W2^T, 0 where a unit is off           = [-0.182426 0.045606; 0.777300 0]
/// gW1 = X^T G1      = [1.372174 0.045606; -1.142151 0.091213]     gb1 = [0.594874 0.045606]
/// ```
#[test]
fn one_step_worked_by_hand() {
    let mut network = Network::dense(2, &[2], &[Activation::Relu], 2).unwrap();
    let start = [0.5, -0.5, 0.25, 0.5, 0.0, 0.0, 1.0, -1.0, 0.5, 1.0, 0.0, 0.25];
    network.parameters_mut().copy_from_slice(&start);
    let (x, labels) = ([1.0, 2.0, 2.0, -1.0], [0, 1]);
    let input = Input::Dense(MatRef::new(&x, 2, 2));
    let kernels = Kernels::detect().unwrap();
    let first = pass(kernels, &network, input, &labels, 1);
    assert_close(&first.logits, &[1.25, -0.25, 0.75, -0.5], 1e-6, "logits");
    assert_close(&[first.loss], &[0.851671], 1e-6, "loss");
    let gradients = [
        1.372174, 0.045606, -1.142151, 0.091213, 0.594874, 0.045606, // W1, b1
        0.200275, -0.200275, -0.045606, 0.045606, 0.297437, -0.297437, // W2, b2
    ];
    assert_close(&first.gradients, &gradients, 1e-6, "gradients");
    let parameters = network.parameters_mut();
    Optimizer::SGD.step(
        kernels,
        Step::plain(1, 0.1, true),
        parameters,
        &first.gradients,
        &mut [],
        &mut [],
    );
    let updated = [
        0.362783, -0.504561, 0.364215, 0.490879, -0.059487, -0.004561, // W1, b1
        0.979973, -0.979973, 0.504561, 0.995439, -0.029744, 0.279744, // W2, b2
    ];
    assert_close(network.parameters(), &updated, 1e-6, "parameters");
    let second = pass(kernels, &network, input, &labels, 1);
    assert_close(&[second.loss], &[0.524557], 1e-6, "loss after the step");
}
