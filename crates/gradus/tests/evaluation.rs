//! What an evaluation finds, held against scikit-learn and against predictions one by one.

use gradus::classifier::Classifier;
use gradus::data::{Dataset, Inputs};
use gradus::metrics::{ClassFigures, Evaluation, Mistake};
use gradus::network::{Network, Workers};
use gradus::transform::Transform;

/// A classifier whose logits are its inputs: one layer, the identity matrix, no bias.
fn identity(classes: usize) -> Classifier {
    let mut network = Network::dense(classes, &[], &[], classes).unwrap();
    let ones = network.weight_mut(0).iter_mut().step_by(classes + 1);
    ones.for_each(|weight| *weight = 1.0);
    Classifier::new(network, Transform::IDENTITY, vec![classes], names(classes)).unwrap()
}

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| class.to_string()).collect()
}

fn data<const K: usize>(logits: &[[f32; K]], labels: &[u32]) -> Dataset {
    let inputs = Inputs::Floats(logits.concat());
    Dataset::new(inputs, labels.to_vec(), vec![K], names(K)).unwrap()
}

fn workers(count: usize) -> Workers {
    Workers::new(count).unwrap()
}

/// Made with `numpy.random.default_rng(6)`: normal numbers in steps of an eighth, 1.25 added at the
/// label, class `k` moved by `k / 64` so that no two logits of a row are equal. Class 3 is never
/// true, but sometimes predicted.
const LOGITS: [[f32; 4]; 12] = [
    [2.875, 2.640625, -3.84375, -0.203125],
    [2.75, 2.015625, 1.03125, 2.296875],
    [1.625, 0.890625, 0.28125, -1.578125],
    [0.0, 0.640625, -0.84375, 1.921875],
    [3.25, 2.765625, 0.03125, 2.171875],
    [-1.375, 0.015625, 0.15625, 0.421875],
    [-2.375, -1.359375, 0.53125, -1.203125],
    [1.875, 0.640625, 1.78125, 0.421875],
    [1.375, -0.234375, 2.90625, -0.703125],
    [-0.375, -0.984375, 2.15625, 0.046875],
    [0.0, 3.015625, -0.46875, -0.078125],
    [0.625, 3.890625, -0.21875, 1.046875],
];
const WILSON: [(f64, f64); 3] = [
    (0.31951131254954973, 0.8067396863412435),
    (0.46769466506643426, 0.9110583316059453),
    (0.299993315138392, 0.9032285888942195),
];
const LABELS: [u32; 12] = [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 0, 1];

/// Against scikit-learn 1.9.1 on `p = scipy.special.softmax(LOGITS, axis=1)` in float64, with
/// `labels=[0, 1, 2, 3]` and `zero_division=0`:
///
/// - `log_loss(LABELS, p)`, `accuracy_score`, `top_k_accuracy_score(LABELS, p, k=k)`;
/// - `confusion_matrix`, `precision_recall_fscore_support` with each `average`;
/// - and in NumPy the calibration error:
///   `c = p.max(1); b = np.ceil(c * 15) - 1; right = p.argmax(1) == LABELS;`
///   `sum((b == i).mean() * abs(right[b == i].mean() - c[b == i].mean()) for i in set(b))`.
#[test]
fn all_figures_are_those_of_scikit_learn() {
    let found = identity(4).evaluate(&data(&LOGITS, &LABELS), &workers(2)).unwrap();
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
    };
    close(found.loss, 1.1080703403578573);
    close(found.accuracy, 0.5833333333333334);
    let top = [0.5833333333333334, 0.75, 1.0, 1.0];
    (1..=4).zip(top).for_each(|(k, expected)| close(found.top_k(k), expected));
    assert_eq!(found.ranks, [7, 2, 3, 0]);
    close(found.calibration.expected_error(), 0.37788583772238366);
    let counts: Vec<u64> = found.calibration.bins.iter().map(|bin| bin.count).collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 1, 2, 1, 2, 0, 2, 1, 1, 2, 0]);

    let matrix = [[4, 1, 0, 1], [0, 1, 1, 1], [1, 0, 2, 0], [0, 0, 0, 0]];
    for (label, row) in matrix.iter().enumerate() {
        let counts = [0, 1, 2, 3].map(|predicted| found.confusion.count(label, predicted));
        assert_eq!(counts, *row);
    }
    let figures = |figures: ClassFigures, expected: [f64; 3], support: u64| {
        let ClassFigures { precision, recall, f1, .. } = figures;
        [precision, recall, f1].iter().zip(expected).for_each(|(&at, value)| close(at, value));
        assert_eq!(figures.support, support);
    };
    let third = 1.0 / 3.0;
    figures(found.confusion.class(0), [0.8, 2.0 * third, 0.72727273], 6);
    figures(found.confusion.class(1), [0.5, third, 0.4], 3);
    figures(found.confusion.class(2), [2.0 * third; 3], 3);
    figures(found.confusion.class(3), [0.0; 3], 0);
    let macros = [0.4916666666666667, 0.41666666666666663, 0.4484848484848485];
    figures(found.confusion.macro_average(), macros, 12);
    let weighted = [0.6916666666666668, 0.5833333333333334, 0.6303030303030303];
    figures(found.confusion.weighted_average(), weighted, 12);
    figures(found.confusion.micro_average(), [0.5833333333333334; 3], 12);

    // Wilson's intervals, by SciPy as in metrics/interval.rs: 7 of 12, 9 of 12 and 4 of 6.
    for ((low, high), expected) in [
        (found.accuracy_interval(), WILSON[0]),
        (found.top_k_interval(2), WILSON[1]),
        (found.confusion.recall_interval(0), WILSON[2]),
        (found.confusion.recall_interval(3), (0.0, 1.0)),
    ] {
        close(low, expected.0);
        close(high, expected.1);
    }
}

/// The five wrong rows above, in the order of `p.max(1)`, with their probabilities by SciPy.
#[test]
fn mistakes_are_the_wrong_rows_surest_first() {
    let samples = data(&LOGITS, &LABELS);
    let expected = [
        (10, 0, 1, 0.8888732794481872, 0.04356829393770429),
        (6, 1, 2, 0.7235008931232664, 0.10923229709429934),
        (3, 0, 3, 0.6725134745319902, 0.0984104647760937),
        (7, 2, 0, 0.41061600840009466, 0.3738701301967973),
        (5, 1, 3, 0.3848097931889731, 0.256338585068965),
    ];
    let found = identity(4).mistakes(&samples, &workers(1), 9).unwrap();
    assert_eq!(found.len(), 5);
    for (mistake, expected) in found.iter().zip(expected) {
        let Mistake { index, label, predicted, probability, label_probability } = *mistake;
        assert_eq!((index, label, predicted), (expected.0, expected.1, expected.2));
        let close = |found: f32, expected: f64| (f64::from(found) - expected).abs() < 1e-6;
        assert!(close(probability, expected.3) && close(label_probability, expected.4));
    }
    assert_eq!(identity(4).mistakes(&samples, &workers(2), 2).unwrap(), found[..2]);
}

#[test]
fn of_equal_classes_the_first_ranks_first() {
    let logits = [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 2.0, 2.0]];
    let found = identity(3).evaluate(&data(&logits, &[0, 1, 2, 2]), &workers(1)).unwrap();
    assert_eq!(found.ranks, [1, 2, 1]);
    assert_eq!([1, 2, 3].map(|k| found.top_k(k)), [0.25, 0.75, 1.0]);
    assert_eq!(found.top_k(1), found.accuracy);
    // Both probabilities are 0 in single precision; their order is that of the logits.
    let logits = [[300.0, 0.0, 100.0]];
    let found = identity(3).evaluate(&data(&logits, &[2]), &workers(1)).unwrap();
    assert_eq!((found.ranks, found.loss), (vec![0, 1, 0], 200.0));
}

#[test]
fn results_are_those_of_predict_at_any_number_of_threads() {
    // More samples than go through the network at a time.
    let count = 1_500;
    let logits: Vec<[f32; 4]> = (0..count)
        .map(|i| [i, 3 * i + 1, 7 * i + 2, 5 * i].map(|value| ((value * value) % 97) as f32 / 30.0))
        .collect();
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 4).collect();
    let (model, samples) = (identity(4), data(&logits, &labels));
    let results = model.results(&samples, &workers(2)).unwrap();
    assert_eq!(results, model.results(&samples, &workers(1)).unwrap());
    let predictions = model.predict(&samples.inputs, &workers(2)).unwrap();
    assert_eq!(results.len(), count);
    for (index, result) in results.iter().enumerate() {
        let row = predictions.row(index);
        assert_eq!(
            (result.label, result.confidence),
            (labels[index], row[result.predicted as usize])
        );
        assert_eq!(row[result.label as usize], result.label_probability);
        assert!(row.iter().all(|&probability| probability <= result.confidence));
        assert_eq!(result.rank == 0, result.is_correct());
        assert!((result.loss + result.label_probability.ln()).abs() < 1e-5);
    }
    assert_eq!(model.evaluate(&samples, &workers(2)).unwrap(), Evaluation::new(4, &results));
}

#[test]
fn one_class_is_always_right_and_no_data_give_no_figures() {
    let only = identity(1).evaluate(&data(&[[3.0], [-2.0]], &[0, 0]), &workers(1)).unwrap();
    assert_eq!((only.loss, only.accuracy, only.top_k(1)), (0.0, 1.0, 1.0));
    assert_eq!(only.calibration.expected_error(), 0.0);
    assert_eq!(only.confusion.weighted_average().f1, 1.0);

    let nothing = data(&LOGITS, &LABELS).subset(&[]);
    let found = identity(4).evaluate(&nothing, &workers(2)).unwrap();
    assert_eq!(found, Evaluation::new(4, &[]));
    assert_eq!((found.loss, found.accuracy, found.top_k(4)), (0.0, 0.0, 0.0));
    assert!(identity(4).mistakes(&nothing, &workers(2), 3).unwrap().is_empty());
}
