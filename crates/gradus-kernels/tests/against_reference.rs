//! Each kernel against the plain loop that defines it, on every instruction set of this machine.

use gradus_kernels::dense::{Transpose, Update};
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::periodic::{LANES, Periodic};
use gradus_kernels::piecewise::{Edges, Piecewise};
use gradus_kernels::quantized::QuantizedMatrix;
use gradus_kernels::random::{GROUP, Stream};
use gradus_kernels::softmax::Targets;
use gradus_kernels::sparse::{PANEL, PANEL_STEP, TILE, Tile};
use gradus_kernels::{Isa, Kernels, reference};
use proptest::prelude::*;

/// Deterministic numbers in -1..1.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * (1.0 + e.abs()), "{what} at {at}: {f} {e}");
    }
}

/// Images with about the given share of non-zero bytes.
fn images(samples: usize, features: usize, share: f32, seed: u64) -> Vec<u8> {
    let (which, value) = (numbers(samples * features, seed), numbers(samples * features, seed + 9));
    let byte =
        |(w, v): (&f32, &f32)| if (w + 1.0) / 2.0 < share { (v * 127.0 + 128.0) as u8 } else { 0 };
    which.iter().zip(&value).map(byte).collect()
}

fn check_sparse(kernels: Kernels, samples: usize, features: usize, width: usize, x: &[u8]) {
    let scale = 1.0 / 255.0;
    let weight = numbers(features * width, 1);
    let (bias, grad_output) = (numbers(width, 2), numbers(samples * width, 3));
    let mut tile = Tile::default();
    tile.fill(kernels, features, x.chunks(features), true);
    assert_eq!(tile.non_zeros(), x.iter().filter(|&&byte| byte != 0).count());
    // The same values as pairs of a feature and a float: the same sums in the same order.
    let rows: Vec<(Vec<u32>, Vec<f32>)> = x
        .chunks(features)
        .map(|row| {
            let there = (0..).zip(row).filter(|(_, byte)| **byte != 0);
            there.map(|(feature, &byte)| (feature, f32::from(byte))).unzip()
        })
        .collect();
    let mut floats = Tile::default();
    let rows = rows.iter().map(|(which, values)| (&which[..], &values[..]));
    floats.fill_pairs(features, rows, true);
    assert_eq!(floats.non_zeros(), tile.non_zeros());

    let (mut found, mut expected) = (vec![9.0; samples * width], vec![0.0; samples * width]);
    kernels.sparse_forward(&tile, scale, &weight, &bias, MatMut::new(&mut found, samples, width));
    reference::sparse_forward(x, scale, &weight, &bias, &mut expected);
    assert_close(&found, &expected, 2e-5, "forward");
    let mut same = vec![9.0; samples * width];
    kernels.sparse_forward(&floats, scale, &weight, &bias, MatMut::new(&mut same, samples, width));
    assert_eq!(same, found);

    for update in [Update::Overwrite, Update::Add] {
        let mut found = numbers(features * width, 5);
        let mut expected = found.clone();
        let grad_view = MatRef::new(&grad_output, samples, width);
        kernels.sparse_gradient(&tile, scale, grad_view, &bias, &mut found, update);
        reference::sparse_gradient(x, scale, &grad_output, &bias, &mut expected, update);
        assert_close(&found, &expected, 2e-5, "gradient");
        let mut same = numbers(features * width, 5);
        kernels.sparse_gradient(&floats, scale, grad_view, &bias, &mut same, update);
        assert_eq!(same, found);
    }
}

#[test]
fn sparse_products_of_awkward_shapes() {
    for kernels in Kernels::available() {
        for width in (PANEL_STEP..=PANEL).step_by(PANEL_STEP) {
            for (samples, features) in
                [(1, 1), (1, 784), (3, 111), (128, 112), (7, 113), (127, 784), (128, 225)]
            {
                check_sparse(
                    kernels,
                    samples,
                    features,
                    width,
                    &images(samples, features, 0.2, 11),
                );
            }
        }
        check_sparse(kernels, 5, 200, 64, &[0; 1000]);
        check_sparse(kernels, 5, 200, 64, &[255; 1000]);
        check_sparse(kernels, TILE, 300, 16, &[255; TILE * 300]);
    }
}

/// AVX-512 with and without VBMI2: the lists of non-zeros are made in another way, and are the same.
#[test]
fn vbmi2_changes_no_bit() {
    let pair = (Kernels::with(Isa::Avx512), Kernels::with(Isa::Avx512Vbmi2));
    let (Some(plain), Some(vbmi2)) = pair else { return };
    for (samples, features) in [(1, 1), (3, 111), (127, 784), (128, 225)] {
        let x = images(samples, features, 0.3, 12);
        let (weight, bias) = (numbers(features * PANEL, 1), numbers(PANEL, 2));
        let grad_output = numbers(samples * PANEL, 3);
        let run = |kernels: Kernels| {
            let mut tile = Tile::default();
            tile.fill(kernels, features, x.chunks(features), true);
            let (mut output, mut grad) = (vec![0.0; samples * PANEL], vec![0.0; features * PANEL]);
            let view = MatMut::new(&mut output, samples, PANEL);
            kernels.sparse_forward(&tile, 0.1, &weight, &bias, view);
            let view = MatRef::new(&grad_output, samples, PANEL);
            kernels.sparse_gradient(&tile, 0.1, view, &bias, &mut grad, Update::Overwrite);
            let mut product = vec![0.0; samples * features];
            let (a, b) =
                (MatRef::new(&output, samples, PANEL), MatRef::new(&grad, features, PANEL));
            let c = MatMut::new(&mut product, samples, features);
            kernels.matmul(Transpose::Second, a, b, c, Update::Overwrite);
            [output, grad, product].concat().into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert!(run(plain) == run(vbmi2), "{samples} x {features}");
    }
}

#[test]
fn dense_products_of_awkward_shapes() {
    Kernels::available().into_iter().for_each(check_dense);
}

fn check_dense(kernels: Kernels) {
    for (m, k, n) in [
        (1, 1, 1),
        (1, 784, 10),
        (128, 128, 129),
        (13, 0, 4),
        (9, 2100, 50),
        (17, 5, 100),
        (5, 300, 1),
        (64, 17, 33),
        (1, 300, 203),
        (3, 2100, 150),
    ] {
        for transpose in [Transpose::Neither, Transpose::First, Transpose::Second] {
            for update in [Update::Overwrite, Update::Add] {
                let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
                let mut found = numbers(m * n, 3);
                let mut expected = found.clone();
                reference::matmul(transpose, (m, k, n), &a, &b, &mut expected, update);
                let a = if transpose == Transpose::First {
                    MatRef::new(&a, k, m)
                } else {
                    MatRef::new(&a, m, k)
                };
                let b = if transpose == Transpose::Second {
                    MatRef::new(&b, n, k)
                } else {
                    MatRef::new(&b, k, n)
                };
                kernels.matmul(transpose, a, b, MatMut::new(&mut found, m, n), update);
                assert_close(&found, &expected, 3e-5, "matmul");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    let (m, k, n) = (9, 1500, 300);
    let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
    // Columns of a wider matrix, as blocks of units are: of many registers, of some, and fewer than one has.
    let parts = [20..297, 0..300, 7..71, 3..40, 0..10, 299..300];
    for (kernels, part) in
        Kernels::available().into_iter().flat_map(|it| parts.clone().map(|part| (it, part)))
    {
        let product = |rows: std::ops::Range<usize>, update| {
            let mut found = numbers(m * part.len(), 3)[rows.start * part.len()..].to_vec();
            let a = MatRef::new(&a, m, k).part_rows(rows.clone());
            let b = MatRef::new(&b, k, n).part_columns(part.clone());
            found.truncate(rows.len() * part.len());
            let c = MatMut::new(&mut found, rows.len(), part.len());
            kernels.matmul(Transpose::Neither, a, b, c, update);
            found.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        for update in [Update::Overwrite, Update::Add] {
            let all = product(0..m, update);
            for count in [1, 2, 3] {
                for first in 0..=m - count {
                    let some = product(first..first + count, update);
                    assert!(some == all[first * part.len()..][..some.len()], "{count} {first}");
                }
            }
        }
    }
}

#[test]
fn dense_products_respect_strides() {
    let (a, b) = (numbers(6 * 9, 1), numbers(9 * 8, 2));
    let mut c = vec![7.0; 6 * 20];
    let part_a = MatRef::new(&a, 6, 9).part_columns(2..7);
    let part_b = MatRef::new(&b, 9, 8).part(1..6, 3..8);
    Kernels::detect().unwrap().matmul(
        Transpose::Neither,
        part_a,
        part_b,
        MatMut::with_stride(&mut c, 6, 5, 20),
        Update::Overwrite,
    );
    for i in 0..6 {
        for j in 0..20 {
            let expected = if j < 5 {
                (0..5).map(|l| a[i * 9 + 2 + l] * b[(1 + l) * 8 + 3 + j]).sum::<f32>()
            } else {
                7.0
            };
            assert!(i == 5 && j >= 5 || (c[i * 20 + j] - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn softmax_of_rows() {
    for kernels in Kernels::available() {
        for classes in [1, 2, 10, 17, 100] {
            let logits = logits(classes);
            let mut found = logits.clone();
            kernels.softmax(MatMut::new(&mut found, 6, classes));
            for (found, row) in found.chunks(classes).zip(logits.chunks(classes)) {
                assert_close(found, &reference::softmax(row), 1e-6, "softmax");
            }
        }
    }
}

/// Six rows, one value far above the others.
fn logits(classes: usize) -> Vec<f32> {
    let mut logits = numbers(6 * classes, 4);
    logits.iter_mut().for_each(|z| *z *= 8.0);
    logits[0] = 500.0;
    logits
}

#[test]
fn cross_entropy_with_all_kinds_of_targets() {
    let (shares, weights) = ([0.0, 1.0, 0.5, 0.9, 0.25, 0.6], [1.0, 0.0, 2.5, 0.1, 1.0, 3.0]);
    for kernels in Kernels::available() {
        for classes in [1, 2, 10, 17, 100] {
            let labels: Vec<u32> = (0..6).map(|i| (i * 7 % classes) as u32).collect();
            let others: Vec<u32> = (0..6).map(|i| (i * 5 % classes) as u32).collect();
            for mixed in [None, Some((&others[..], &shares[..]))] {
                for weights in [None, Some(&weights[..])] {
                    for smoothing in [0.0, 0.1, 1.0] {
                        let targets = Targets { labels: &labels, mixed, weights, smoothing };
                        check_cross_entropy(kernels, classes, targets);
                    }
                }
            }
        }
    }
}

fn check_cross_entropy(kernels: Kernels, classes: usize, targets: Targets) {
    let logits = logits(classes);
    let (mut grad, mut losses) = (logits.clone(), [0.0; 6]);
    let view = MatMut::new(&mut grad, 6, classes);
    let correct = kernels.softmax_cross_entropy(view, targets, 0.25, &mut losses);
    let mut expected_correct = 0;
    for (i, row) in logits.chunks(classes).enumerate() {
        let target = reference::target(&targets, i, classes);
        let weight = targets.weights.map_or(1.0, |weights| weights[i]);
        let (loss, expected) = reference::softmax_cross_entropy(row, &target, weight, 0.25);
        assert_close(&grad[i * classes..][..classes], &expected, 1e-6, "gradient");
        assert_close(&losses[i..i + 1], &[loss], 2e-6, "loss");
        let best = (0..classes).fold(0, |best, c| if row[c] > row[best] { c } else { best });
        expected_correct += usize::from(best == targets.labels[i] as usize);
    }
    assert_eq!(correct, expected_correct);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn sparse_products_of_any_bytes(features in 1usize..260, x in proptest::collection::vec(any::<u8>(), 1..3000), mask in any::<u8>()) {
        let samples = (x.len() / features).min(TILE);
        prop_assume!(samples > 0);
        let x: Vec<u8> = x[..samples * features].iter().map(|byte| byte & mask).collect();
        for kernels in Kernels::available() {
            check_sparse(kernels, samples, features, 32, &x);
        }
    }
}

#[test]
fn random_numbers_are_philox_and_can_be_drawn_from_any_group() {
    // The known answers of the Random123 library.
    let zeros = Stream { key: 0, counter: [0; 3] };
    let words = [0, 16, 32, 48].map(|index| reference::random_bits(zeros, index));
    assert_eq!(words, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);

    let stream = Stream { key: 0x0123_4567_89ab_cdef, counter: [7, u32::MAX, 1] };
    for kernels in Kernels::available() {
        for (start, len) in [(0, 1), (0, 64), (64, 100), (GROUP << 20, 33), (640, 16), (0, 0)] {
            let mut words = vec![0; len];
            kernels.random_bits(stream, start, &mut words);
            let (mut uniform, mut mask) = (vec![0.0; len], vec![0.0; len]);
            kernels.random_uniform(stream, start, &mut uniform);
            kernels.dropout_mask(stream, start, 0.3, &mut mask);
            let mut normal = vec![1.0; len];
            kernels.add_normal(stream, start, 0.5, &mut normal);
            for at in 0..len {
                let index = start + at;
                assert_eq!(words[at], reference::random_bits(stream, index));
                assert_eq!(uniform[at], reference::random_uniform(stream, index));
                assert_eq!(mask[at], reference::dropout_mask(stream, index, 0.3));
                let expected = 1.0 + 0.5 * reference::random_normal(stream, index);
                assert!(
                    (f64::from(normal[at]) - expected).abs() < 2e-6,
                    "{} {expected}",
                    normal[at]
                );
            }
        }
    }
}

#[test]
fn random_numbers_have_the_moments_of_their_distributions() {
    let stream = Stream { key: 5, counter: [1, 2, 3] };
    for kernels in Kernels::available() {
        let mut values = vec![0.0; 1 << 18];
        kernels.add_normal(stream, 0, 1.0, &mut values);
        let moment = |power: i32| {
            values.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / values.len() as f64
        };
        for (power, expected) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            // Five standard errors of each moment.
            let error = [1.0, 2.0, 15.0, 96.0][power as usize - 1] / values.len() as f64;
            assert!((moment(power) - expected).abs() < 5.0 * error.sqrt(), "{power}");
        }
        kernels.dropout_mask(stream, 0, 0.2, &mut values);
        let dropped = values.iter().filter(|&&x| x == 0.0).count() as f64 / values.len() as f64;
        assert!((dropped - 0.2).abs() < 0.005, "{dropped}");
    }
}

#[test]
fn squared_errors_match_the_reference() {
    for kernels in Kernels::available() {
        for (rows, columns, stride) in
            [(1, 1, 1), (3, 1, 4), (64, 7, 7), (5, 33, 40), (2, 300, 301)]
        {
            let start: Vec<f32> = numbers(rows * stride, 4).iter().map(|x| x * 30.0).collect();
            let targets: Vec<f32> = numbers(rows * columns, 5).iter().map(|x| x * 20.0).collect();
            let factors: Vec<f32> = numbers(rows, 6).iter().map(|x| x.abs()).collect();
            for weights in [None, Some(&factors[..])] {
                let (mut grad, mut losses) = (start.clone(), vec![0.0; rows]);
                let view = MatMut::with_stride(&mut grad, rows, columns, stride);
                let wanted = MatRef::new(&targets, rows, columns);
                kernels.squared_error(view, wanted, weights, 0.25, &mut losses);
                for i in 0..rows {
                    let (row, target) = (&start[i * stride..], &targets[i * columns..]);
                    let (row, target) = (&row[..columns], &target[..columns]);
                    let weight = weights.map_or(1.0, |weights| weights[i]);
                    let (loss, expected) = reference::squared_error(row, target, weight, 0.25);
                    assert_close(&grad[i * stride..][..columns], &expected, 1e-6, "gradient");
                    assert_close(&losses[i..i + 1], &[loss], 1e-5, "loss");
                    // What lies between the rows is left alone.
                    let gap = i * stride + columns..(i + 1) * stride;
                    assert_eq!(grad[gap.clone()], start[gap]);
                }
            }
        }
    }
}

#[test]
fn floats_that_were_bytes() {
    for kernels in Kernels::available() {
        for steps in [1.0f32, 255.0] {
            let mut values: Vec<f32> = (0..2500).map(|i| (i * 7 % 256) as f32 / steps).collect();
            let check = |values: &[f32]| {
                let mut bytes = vec![0; values.len()];
                let found = kernels.to_bytes(values, steps, &mut bytes).then_some(bytes);
                assert_eq!(found, reference::to_bytes(values, steps));
                found
            };
            assert!(check(&values).is_some());
            assert!(check(&[]).is_some());
            // As a product, which rounds otherwise.
            values.iter_mut().for_each(|value| *value = (*value * steps) * (1.0 / steps));
            assert!(check(&values).is_some());
            for wrong in [256.0, -1.0, 0.5, 1e-6, 100.001, 1e9, f32::NAN, f32::INFINITY] {
                let before = std::mem::replace(&mut values[1700], wrong / steps);
                assert!(check(&values).is_none(), "{wrong}");
                values[1700] = before;
            }
        }
    }
}

#[test]
fn products_are_added() {
    for kernels in Kernels::available() {
        for count in [0, 1, 7, 16, 33, 100] {
            let (mut found, a, b) = (numbers(count, 1), numbers(count, 2), numbers(count, 3));
            let mut expected = found.clone();
            reference::add_products(&mut expected, &a, &b);
            kernels.add_products(&mut found, &a, &b);
            assert_close(&found, &expected, 1e-6, "sums");
        }
    }
}

#[test]
fn losses_of_outputs_match_the_reference() {
    use gradus_kernels::output_losses::{OutputLoss, OutputTargets};
    let losses = [
        (OutputLoss::Squared, 3.0),
        (OutputLoss::Poisson, 3.0),
        (OutputLoss::Huber, 3.0),
        (OutputLoss::Absolute, 3.0),
        (OutputLoss::Quantile, 3.0),
        (OutputLoss::BinaryCrossEntropy, 12.0),
    ];
    for kernels in Kernels::available() {
        for (loss, size) in losses {
            for (rows, columns, stride) in [(1, 1, 1), (3, 1, 4), (64, 7, 7), (5, 33, 40)] {
                let start: Vec<f32> = numbers(rows * stride, 4).iter().map(|x| x * size).collect();
                let targets: Vec<f32> =
                    numbers(rows * columns, 5).iter().map(|x| x.abs().min(1.0)).collect();
                let factors: Vec<f32> = numbers(rows, 6).iter().map(|x| x.abs()).collect();
                let constants: Vec<f32> = (0..columns).map(|j| 0.1 + 0.02 * j as f32).collect();
                let shares: Vec<f32> = (0..columns).map(|j| 1.0 / (1.0 + j as f32)).collect();
                let halves: Vec<f32> = shares.iter().map(|share| share / 2.0).collect();
                for weights in [None, Some(&factors[..])] {
                    let (mut grad, mut found) = (start.clone(), vec![0.0; rows]);
                    let view = MatMut::with_stride(&mut grad, rows, columns, stride);
                    let against = OutputTargets {
                        targets: MatRef::new(&targets, rows, columns),
                        weights,
                        constants: &constants,
                        loss_factors: &shares,
                        grad_factors: &halves,
                    };
                    kernels.output_losses(loss, view, against, 0.25, &mut found);
                    for i in 0..rows {
                        let (row, target) = (&start[i * stride..], &targets[i * columns..]);
                        let (row, target) = (&row[..columns], &target[..columns]);
                        let weight = weights.map_or(1.0, |weights| weights[i]);
                        let by_output = [&constants[..], &shares, &halves];
                        let (total, expected) =
                            reference::output_losses(loss, row, target, by_output, weight, 0.25);
                        assert_close(&grad[i * stride..][..columns], &expected, 1e-6, "gradient");
                        assert_close(&found[i..i + 1], &[total], 1e-5, "loss");
                        let gap = i * stride + columns..(i + 1) * stride;
                        assert_eq!(grad[gap.clone()], start[gap], "between the rows");
                    }
                }
            }
        }
        let mut values: Vec<f32> = numbers(100, 7).iter().map(|x| x * 30.0).collect();
        let expected: Vec<f32> = values.iter().map(|&x| f64::from(x).exp() as f32).collect();
        kernels.exponential(&mut values);
        for (found, expected) in values.iter().zip(&expected) {
            assert!((found - expected).abs() <= 3e-7 * expected, "{found} {expected}");
        }
    }
}

#[test]
fn periodic_embeddings() {
    for kernels in Kernels::available() {
        for (count, frequencies, outputs) in [
            (0, 16, 3),
            (LANES, 16, 3),
            (5 * LANES, 7, 1),
            (2 * LANES, 1, 16),
            (LANES, 40, 4),
            (LANES, 0, 2),
        ] {
            let values: Vec<f32> = numbers(count, 1).iter().map(|x| 3.0 * x).collect();
            let (frequency, phase) = (numbers(frequencies, 2), numbers(frequencies, 3));
            let (mix, bias) = (numbers(frequencies * outputs, 4), numbers(outputs, 5));
            let parameters =
                Periodic { frequency: &frequency[..], phase: &phase, mix: &mix, bias: &bias };
            let (mut found, mut expected) =
                (vec![9.0; outputs * count], vec![0.0; outputs * count]);
            kernels.periodic(&values, parameters, &mut found);
            reference::periodic(&values, parameters, &mut expected);
            assert_close(&found, &expected, 1e-5, "outputs");
            for (at, &value) in values.iter().enumerate() {
                let mut single = vec![9.0; outputs];
                kernels.periodic_single(value, parameters, &mut single);
                let row: Vec<f32> = found[at..].iter().copied().step_by(count).collect();
                assert_eq!(single, row);
            }

            let grad = numbers(outputs * count, 6);
            let mut found = [frequencies, frequencies, frequencies * outputs, outputs]
                .map(|length| numbers(length, 7));
            let mut expected = found.clone();
            for (parts, optimized) in [(&mut found, true), (&mut expected, false)] {
                let [frequency, phase, mix, bias] = parts;
                let gradients = Periodic { frequency: &mut frequency[..], phase, mix, bias };
                match optimized {
                    true => kernels.periodic_backward(&values, parameters, &grad, gradients),
                    false => reference::periodic_backward(&values, parameters, &grad, gradients),
                }
            }
            for (found, expected) in found.iter().zip(&expected) {
                assert_close(found, expected, 5e-5, "gradients");
            }
        }
    }
}

#[test]
fn piecewise_embeddings() {
    // Many bins, some without width, a single one, none at all; numbers at edges and beyond.
    let even: Vec<f32> = (0..=48).map(|at| at as f32 / 12.0 - 2.0).collect();
    let few = vec![-1.0, -0.25, -0.25 + 1e-3, 2.0, 2.0, 2.0];
    for kernels in Kernels::available() {
        for edges in [even.clone(), few.clone(), vec![-0.5, 1.5], vec![0.5, 0.5, 0.5], vec![0.0; 2]]
        {
            for (count, outputs) in [(0, 3), (LANES, 4), (5 * LANES, 1), (2 * LANES, 16)] {
                let mut values: Vec<f32> = numbers(count, 1).iter().map(|x| 3.0 * x).collect();
                values.iter_mut().zip(&edges).for_each(|(value, edge)| *value = *edge);
                let bins = edges.len() - 1;
                let (rise, slope, offset) =
                    (numbers(bins * outputs, 4), numbers(outputs, 5), numbers(outputs, 6));
                let parameters = Piecewise { rise: &rise[..], slope: &slope, offset: &offset };
                let mut scratch = vec![7.0; Kernels::piecewise_scratch(bins, outputs)];
                let (mut found, mut expected) =
                    (vec![9.0; outputs * count], vec![0.0; outputs * count]);
                let edges = Edges(&edges);
                kernels.piecewise(&values, edges, parameters, &mut scratch, &mut found);
                reference::piecewise(&values, edges, parameters, &mut expected);
                // Next to a narrow bin a line is steep.
                let far = if edges.0.len() == 6 { 1e-3 } else { 2e-5 };
                assert_close(&found, &expected, far, "outputs");

                let grad = numbers(outputs * count, 7);
                let mut found = [bins * outputs, outputs, outputs].map(|length| numbers(length, 8));
                let mut expected = found.clone();
                for (parts, optimized) in [(&mut found, true), (&mut expected, false)] {
                    let [rise, slope, offset] = parts;
                    let gradients = Piecewise { rise: &mut rise[..], slope, offset };
                    match optimized {
                        true => kernels.piecewise_backward(
                            &values,
                            edges,
                            &grad,
                            &mut scratch,
                            gradients,
                        ),
                        false => reference::piecewise_backward(&values, edges, &grad, gradients),
                    }
                }
                for (found, expected) in found.iter().zip(&expected) {
                    assert_close(found, expected, far, "gradients");
                }
            }
        }
    }
}

#[test]
fn strengths_match_the_loops() {
    for kernels in Kernels::available() {
        for count in [1, 7, 16, 100, 257] {
            let [x, f, s, g] = [1, 2, 3, 4].map(|seed| numbers(count, seed));
            let mut found = f.clone();
            kernels.strengthen(&mut found, &x, &s);
            assert_close(&found, &reference::strengthen(&f, &x, &s), 1e-6, "values");
            let (mut past, mut through, mut sums) = (g.clone(), vec![9.0; count], vec![0.5; count]);
            kernels.strengthen_backward((&f, &x), &s, &mut past, &mut through, &mut sums);
            let expected = reference::strengthen_backward(&f, &x, &s, &g);
            let part = |at: usize| expected.iter().map(|it| it[at]).collect::<Vec<_>>();
            sums.iter_mut().for_each(|sum| *sum -= 0.5);
            assert_close(&sums, &part(0), 1e-6, "gradients of the strengths");
            assert_close(&through, &part(1), 1e-6, "through");
            assert_close(&past, &part(2), 1e-6, "past");
        }
    }
}

#[test]
fn quantized_products_match_the_loop_and_keep_their_promise() {
    for (inner, columns) in [(1, 1), (3, 16), (4, 17), (30, 64), (129, 100), (256, 256)] {
        let sample: Vec<f32> = numbers(inner, 1).iter().map(|x| 9.0 * x).collect();
        let (weight, bias) = (numbers(inner * columns, 2), numbers(columns, 3));
        let quantized = QuantizedMatrix::new(MatRef::new(&weight, inner, columns));
        let mut whole = vec![7; QuantizedMatrix::whole_values(inner) + 3];
        let (mut expected, mut exact) = (bias.clone(), bias.clone());
        reference::add_quantized_product(&sample, &weight, &mut expected);
        let shape = (1, inner, columns);
        reference::matmul(Transpose::Neither, shape, &sample, &weight, &mut exact, Update::Add);
        let largest = |values: &mut dyn Iterator<Item = &f32>| {
            values.fold(0.0, |most: f32, value| most.max(value.abs()))
        };
        let mut first: Option<Vec<f32>> = None;
        for kernels in Kernels::available() {
            let mut found = bias.clone();
            kernels.add_quantized_product(&sample, &quantized, &mut whole, &mut found);
            assert_close(&found, &expected, 1e-4, "the loop");
            for (j, (found, exact)) in found.iter().zip(&exact).enumerate() {
                let column = || weight[j..].iter().step_by(columns);
                let sum = |values: &mut dyn Iterator<Item = &f32>| {
                    values.map(|value| value.abs()).sum::<f32>()
                };
                let bound = sum(&mut column()) * largest(&mut sample.iter()) / 32_766.0
                    + sum(&mut sample.iter()) * largest(&mut column()) / 65_534.0;
                assert!((found - exact).abs() <= 1.001 * bound + 1e-6, "{found} {exact} {bound}");
            }
            // Whole numbers have no order of sums, and the sums of these are in one order everywhere.
            assert_eq!(first.get_or_insert(found.clone()), &found, "{kernels:?}");
        }
    }
}

#[test]
fn quantized_products_of_zeros_and_of_what_is_not_finite() {
    let weight = [1.0, 0.0, -3.0, 2.0, 0.0, 1e-3];
    let quantized = QuantizedMatrix::new(MatRef::new(&weight, 2, 3));
    for kernels in Kernels::available() {
        let mut whole = vec![7; QuantizedMatrix::whole_values(2)];
        let mut found = |sample: &[f32]| {
            let mut outputs = [0.5, 1.5, 2.5];
            kernels.add_quantized_product(sample, &quantized, &mut whole, &mut outputs);
            outputs
        };
        assert_eq!(found(&[0.0, 0.0]), [0.5, 1.5, 2.5]);
        assert_eq!(found(&[1e-38, -1e-40]), [0.5, 1.5, 2.5]);
        let [first, second, third] = found(&[1e30, 0.0]);
        assert!(
            (first / 1e30 - 1.0).abs() < 1e-4 && second == 1.5 && (third / 3e30 + 1.0).abs() < 1e-4
        );
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(found(&[0.0, wrong]).iter().all(|output| output.is_nan()), "{wrong}");
        }
    }
}
