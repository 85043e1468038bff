//! Plots as their readers meet them: well-formed, to scale, safe and bounded.

use gradus::classifier::{
    ColumnImportance, Contributions, Importance, Importances, PartialDependence, Score,
};
use gradus::data::{Cell, Dataset, Inputs};
use gradus::metrics::{Calibration, ConfusionMatrix, SampleResult};
use gradus::network::{Activation, Init, Network};
use gradus::plot::{self, Figure};
use gradus::training::{EpochReport, History};
use roxmltree::{Document, Node};

fn parse(svg: &str) -> Document<'_> {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    assert!(!root.attribute("aria-label").unwrap().is_empty());
    for name in ["title", "desc"] {
        let child = root.children().find(|node| node.has_tag_name((SVG, name)));
        assert!(child.unwrap().text().is_some_and(|text| !text.is_empty()), "{name}");
    }
    // Nothing is loaded from anywhere.
    for node in document.descendants().filter(|node| node.has_tag_name((SVG, "image"))) {
        assert!(node.attribute("href").unwrap().starts_with("data:image/png;base64,"));
    }
    for word in ["NaN", "inf"] {
        assert!(!svg.contains(word), "{word} in a plot");
    }
    document
}

/// The namespace of all elements.
const SVG: &str = "http://www.w3.org/2000/svg";

fn number(node: Node, name: &str) -> f64 {
    let text = node.attribute(name).unwrap_or_else(|| panic!("no {name} in {node:?}"));
    text.parse().unwrap()
}

fn elements<'a>(document: &'a Document, tag: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    document.descendants().filter(move |node| node.tag_name().name() == tag)
}

fn texts<'a>(document: &'a Document) -> Vec<&'a str> {
    elements(document, "text").filter_map(|node| node.text()).collect()
}

/// Points of a path such as `M1 2L3 4`.
fn points(node: Node) -> Vec<(f64, f64)> {
    let path = node.attribute("d").unwrap();
    let pairs = path.split(['M', 'L']).filter(|part| !part.is_empty());
    pairs
        .map(|pair| {
            let (x, y) = pair.split_once(' ').unwrap();
            (x.parse().unwrap(), y.parse().unwrap())
        })
        .collect()
}

fn report(epoch: usize, loss: f64, accuracy: f64, val_loss: Option<f64>) -> EpochReport {
    EpochReport {
        epoch,
        loss,
        accuracy: Some(accuracy),
        val_loss,
        val_accuracy: val_loss.map(|_| accuracy - 0.01),
        val_r2: None,
        learning_rate: 0.01 / (epoch + 1) as f32,
        seconds: 1.0,
    }
}

fn history(epochs: usize) -> History {
    let epoch = |at: usize| {
        let loss = 1.0 / (at + 1) as f64;
        report(at, loss, 1.0 - 0.5 * loss, Some(loss + 0.1))
    };
    History { epochs: (0..epochs).map(epoch).collect() }
}

/// Where a value lies between the ticks of the axis of y, or of x.
fn between_ticks(document: &Document, ticks: [&str; 2], value: f64, horizontal: bool) -> f64 {
    let place = |tick: &str| {
        let at_axis = |node: &Node| {
            let end = node.attribute("text-anchor") == Some("end");
            node.text() == Some(tick) && end != horizontal
        };
        let node = elements(document, "text").find(at_axis).unwrap();
        if horizontal { number(node, "x") } else { number(node, "y") - 4.5 }
    };
    let [first, second] = ticks.map(|tick| tick.replace(',', "").parse::<f64>().unwrap());
    let [from, to] = ticks.map(place);
    from + (value - first) / (second - first) * (to - from)
}

#[test]
fn curves_are_drawn_to_scale() {
    let history = history(5);
    let svg = plot::curves(&history, Figure::Loss);
    let document = parse(&svg);
    let paths: Vec<_> = elements(&document, "path").collect();
    assert_eq!(paths.len(), 2);
    let values: [fn(&EpochReport) -> f64; 2] = [|it| it.loss, |it| it.val_loss.unwrap()];
    for (path, value) in paths.iter().zip(values) {
        let points = points(*path);
        assert_eq!(points.len(), 5);
        for (point, report) in points.iter().zip(&history.epochs) {
            let x = between_ticks(&document, ["1", "3"], report.epoch as f64, true);
            let y = between_ticks(&document, ["0.4", "1.0"], value(report), false);
            assert!((point.0 - x).abs() < 0.02 && (point.1 - y).abs() < 0.02, "{point:?} {x} {y}");
        }
    }
    let texts = texts(&document);
    for text in ["training", "0.2000", "validation", "0.3000", "epoch", "cross-entropy (nats)"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    assert_eq!(elements(&document, "circle").count(), 10);
    let label = document.root_element().attribute("aria-label").unwrap();
    let words = "5 epochs: training 1.0000 to 0.2000, best 0.2000 in epoch 4; validation 1.1000 to";
    assert!(label.contains(words), "{label}");
}

/// All texts are inside the drawing; a letter is about 7.2 wide.
fn texts_fit(document: &Document) {
    let width = number(document.root_element(), "width");
    for node in elements(document, "text").filter(|node| node.attribute("transform").is_none()) {
        let text = node.text().unwrap_or_default();
        let size = 7.2 * text.chars().count() as f64;
        let left = match node.attribute("text-anchor") {
            Some("end") => number(node, "x") - size,
            Some("middle") => number(node, "x") - size / 2.0,
            _ => number(node, "x"),
        };
        assert!(left >= 0.0 && left + size <= width, "{text} at {left}");
    }
}

#[test]
fn losses_of_any_size_have_labels_that_fit_and_differ() {
    for losses in [
        [8.31e10, 8.12e10, 8.06e10],
        [123_456_789.0, 120_000_000.0, 119_000_000.5],
        [40_000.0, 39_000.0, 38_000.0],
        [1e9 + 3.0, 1e9 + 2.0, 1e9],
        [3e-7, 2e-7, 1.5e-7],
    ] {
        let epochs = losses.iter().enumerate().map(|(at, &loss)| EpochReport {
            accuracy: None,
            val_accuracy: None,
            ..report(at, loss, 0.0, Some(loss * 1.001))
        });
        let svg = plot::curves(&History { epochs: epochs.collect() }, Figure::Loss);
        let document = parse(&svg);
        texts_fit(&document);
        let axis = |node: &Node| node.attribute("text-anchor") == Some("end");
        let mut labels: Vec<_> =
            elements(&document, "text").filter(axis).filter_map(|node| node.text()).collect();
        let count = labels.len();
        labels.sort_unstable();
        labels.dedup();
        assert!(count >= 3 && labels.len() == count, "{losses:?}: {labels:?}");
    }
}

#[test]
fn predictions_are_drawn_to_scale_and_bounded() {
    let svg = plot::predictions("price", &[0.0, 100.0, 200.0], &[50.0, 100.0, 150.0]);
    let document = parse(&svg);
    texts_fit(&document);
    let dots: Vec<_> =
        elements(&document, "circle").map(|it| (number(it, "cx"), number(it, "cy"))).collect();
    for (&(x, y), (truth, predicted)) in
        dots.iter().zip([(0.0, 50.0), (100.0, 100.0), (200.0, 150.0)])
    {
        let expected = (
            between_ticks(&document, ["0", "100"], truth, true),
            between_ticks(&document, ["0", "100"], predicted, false),
        );
        assert!(
            (x - expected.0).abs() < 0.02 && (y - expected.1).abs() < 0.02,
            "{x} {y} {expected:?}"
        );
    }
    assert_eq!(dots.len(), 3);
    let many: Vec<f32> = (0..50_000).map(|at| 1e6 + at as f32).collect();
    let svg = plot::predictions("<a very long name & more of the kind>", &many, &many);
    let document = parse(&svg);
    texts_fit(&document);
    assert!(elements(&document, "circle").count() <= 1000);
    for values in [vec![], vec![5.0; 4], vec![f32::NAN, f32::INFINITY, 1.0]] {
        texts_fit(&parse(&plot::predictions("y", &values, &values)));
    }
}

#[test]
fn residuals_are_drawn_to_scale() {
    let svg = plot::residuals("price", &[0.0, 100.0, 200.0], &[50.0, 100.0, 150.0]);
    let document = parse(&svg);
    texts_fit(&document);
    let dots = elements(&document, "circle").map(|it| (number(it, "cx"), number(it, "cy")));
    for ((x, y), (predicted, residual)) in dots.zip([(50.0, -50.0), (100.0, 0.0), (150.0, 50.0)]) {
        let expected = (
            between_ticks(&document, ["50", "100"], predicted, true),
            between_ticks(&document, ["0", "50"], residual, false),
        );
        assert!((x - expected.0).abs() < 0.02 && (y - expected.1).abs() < 0.02, "{x} {y}");
    }
    for values in [vec![], vec![5.0; 4], vec![f32::NAN, f32::INFINITY, 1.0]] {
        texts_fit(&parse(&plot::residuals("y", &values, &values)));
    }
}

fn importances_of(means: &[f64]) -> Importances {
    let importance = |mean: f64| Importance { mean, std: 0.01, repeats: vec![mean; 5] };
    let column =
        |&mean: &f64| ColumnImportance { by_score: [importance(mean / 2.0), importance(mean)] };
    let scores = [(Score::Accuracy, 0.9), (Score::LogLoss, 0.3)];
    Importances { samples: 100, scores, columns: means.iter().map(column).collect() }
}

/// Left end and width of the bars.
fn bars(document: &Document) -> Vec<(f64, f64)> {
    let rects = elements(document, "rect").filter(|it| it.attribute("class") != Some("ground"));
    rects.map(|it| (number(it, "x"), number(it, "width"))).collect()
}

#[test]
fn importances_are_bars_from_the_largest_to_the_smallest() {
    let names = ["age", "<b> & more of a very long name of a column", "c"].map(String::from);
    let svg = plot::importances(&names, &importances_of(&[0.1, 0.4, -0.1]), 1);
    let document = parse(&svg);
    texts_fit(&document);
    let found = bars(&document);
    let zero = between_ticks(&document, ["0", "0.2"], 0.0, true);
    let wide = between_ticks(&document, ["0", "0.2"], 0.4, true) - zero;
    for ((x, width), value) in found.iter().zip([0.4, 0.1, -0.1]) {
        assert!((width - wide * f64::abs(value) / 0.4).abs() < 0.05, "{found:?}");
        let start = if value < 0.0 { x + width } else { *x };
        assert!((start - zero).abs() < 0.05, "{found:?}");
    }
    assert!(texts(&document).contains(&"age") && texts(&document).contains(&"rise of log loss"));
    let many: Vec<f64> = (0..500).map(f64::from).collect();
    let names: Vec<String> = (0..500).map(|at| format!("column {at}")).collect();
    let svg = plot::importances(&names, &importances_of(&many), 0);
    let document = parse(&svg);
    texts_fit(&document);
    assert_eq!(bars(&document).len(), 40);
    texts_fit(&parse(&plot::importances(&[], &importances_of(&[]), 0)));
    texts_fit(&parse(&plot::importances(&["a".into()], &importances_of(&[0.0]), 0)));
}

#[test]
fn contributions_are_bars_to_either_side() {
    let found = Contributions { prediction: 0.8, neutral: 0.3, columns: vec![-0.1, 0.6] };
    let names = ["age = 31", "sex = (missing)"].map(String::from);
    let svg = plot::contributions(&names, &found, ">50K");
    let document = parse(&svg);
    texts_fit(&document);
    let [(right, _), (left, width)] = bars(&document)[..] else { panic!("{svg}") };
    assert!((left + width - right).abs() < 0.05);
    assert!(texts(&document).contains(&"0.8000 in place of 0.3000"));
}

#[test]
fn dependence_is_a_curve_or_a_row_for_each_value() {
    let of = |values: Vec<Cell>, means: &[f64]| PartialDependence {
        column: 0,
        values,
        means: means.iter().flat_map(|&mean| [1.0 - mean, mean]).collect(),
        outputs: 2,
        samples: 1000,
    };
    let numbers = [1.0, 2.0, 4.0].map(Cell::Number).to_vec();
    let svg = plot::dependence("age", &of(numbers, &[0.1, 0.2, 0.5]), 1, ">50K");
    let document = parse(&svg);
    texts_fit(&document);
    let points = points(elements(&document, "path").next().unwrap());
    for (&(x, y), (value, mean)) in points.iter().zip([(1.0, 0.1), (2.0, 0.2), (4.0, 0.5)]) {
        let expected = (
            between_ticks(&document, ["1", "2"], value, true),
            between_ticks(&document, ["0.1", "0.2"], mean, false),
        );
        assert!(
            (x - expected.0).abs() < 0.02 && (y - expected.1).abs() < 0.02,
            "{x} {y} {expected:?}"
        );
    }
    let categories = vec![Cell::Text("<red>".into()), Cell::Text("blue".into()), Cell::Gap];
    let svg = plot::dependence("colour", &of(categories, &[0.1, 0.2, 0.4]), 1, "yes");
    let document = parse(&svg);
    texts_fit(&document);
    assert_eq!(elements(&document, "circle").count(), 3);
    for name in ["<red>", "blue", "(missing)"] {
        assert!(texts(&document).contains(&name));
    }
    let svg = plot::dependence(
        "day",
        &of(vec![Cell::Time(0), Cell::Time(86_400)], &[0.1, 0.1]),
        1,
        "yes",
    );
    assert!(texts(&parse(&svg)).contains(&"1970-01-02"));
    texts_fit(&parse(&plot::dependence("x", &of(vec![Cell::Number(1.0)], &[0.5]), 0, "y")));
}

#[test]
fn a_loss_over_many_powers_of_ten_has_a_logarithmic_axis() {
    let losses = [1.0, 0.1, 0.01, 0.001];
    let epochs = losses.iter().enumerate().map(|(at, &loss)| report(at, loss, 0.5, None));
    let mut history = History { epochs: epochs.collect() };
    let svg = plot::curves(&history, Figure::Loss);
    let document = parse(&svg);
    let points = points(elements(&document, "path").next().unwrap());
    let steps: Vec<f64> = points.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    assert!(steps.iter().all(|step| (step - steps[0]).abs() < 0.05 && *step > 20.0), "{steps:?}");
    assert!(texts(&document).contains(&"cross-entropy (nats), logarithmic scale"));
    // Samples with values have no accuracy, and another loss.
    history.epochs.iter_mut().for_each(|report| report.accuracy = None);
    let svg = plot::curves(&history, Figure::Loss);
    assert!(texts(&parse(&svg)).contains(&"loss, logarithmic scale"));
}

#[test]
fn accuracy_is_in_percent_and_one_figure_has_no_legend() {
    let svg = plot::curves(&history(12), Figure::Accuracy);
    let document = parse(&svg);
    assert!(texts(&document).contains(&"95.83 %") && texts(&document).contains(&"accuracy (%)"));
    let svg = plot::curves(&history(12), Figure::LearningRate);
    let document = parse(&svg);
    assert_eq!(elements(&document, "path").count(), 1);
    assert!(!texts(&document).contains(&"training"));
}

#[test]
fn labels_at_the_ends_do_not_overlap() {
    for gap in [0.0, 1e-6, 0.01, 0.3] {
        let epochs = (0..4).map(|at| report(at, 0.5 - 0.1 * at as f64, 0.5, Some(0.2 + gap)));
        let svg = plot::curves(&History { epochs: epochs.collect() }, Figure::Loss);
        let document = parse(&svg);
        let y = |name: &str| {
            number(elements(&document, "text").find(|it| it.text() == Some(name)).unwrap(), "y")
        };
        let [training, validation] = ["training", "validation"].map(y);
        assert!((training - validation).abs() > 32.0, "{training} {validation}");
        assert!([training, validation].iter().all(|y| (40.0..290.0).contains(y)));
    }
}

#[test]
fn long_runs_short_runs_and_runs_without_numbers_are_drawn() {
    let long = plot::curves(&history(20_000), Figure::Loss);
    assert!(long.len() < 60_000, "{} bytes", long.len());
    parse(&long);
    let mut broken = history(4);
    broken.epochs[1].loss = f64::NAN;
    broken.epochs[2].loss = f64::INFINITY;
    let mut extreme = history(4);
    (extreme.epochs[0].loss, extreme.epochs[1].loss) = (f64::MAX, -f64::MAX);
    extreme.epochs[2].epoch = usize::MAX;
    for history in [history(1), history(2), History::default(), broken, extreme] {
        for figure in Figure::ALL {
            parse(&plot::curves(&history, figure));
        }
    }
}

fn named(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn a_confusion_matrix_shows_its_counts_and_links() {
    let mut matrix = ConfusionMatrix::new(3);
    for (label, predicted, times) in [(0, 0, 8), (0, 2, 2), (1, 1, 5), (2, 2, 11), (2, 1, 1)] {
        (0..times).for_each(|_| matrix.add(label, predicted));
    }
    let names = named(&["<script>alert(1)</script>", "b & \"c\"", "d"]);
    let link =
        |label, predicted| (label != predicted).then(|| format!("#cell-{label}-{predicted}"));
    let svg = plot::confusion_with_links(&matrix, &names, &link);
    assert!(!svg.contains("<script"));
    let document = parse(&svg);
    let texts = texts(&document);
    for text in ["8", "2", "5", "11", "1", "b & \"c\"", "27 samples"] {
        assert!(texts.contains(&text), "{text}: {texts:?}");
    }
    let links: Vec<_> = elements(&document, "a").map(|it| it.attribute("href").unwrap()).collect();
    assert_eq!(links, ["#cell-0-2", "#cell-2-1"]);
    let title = "<script>alert(1)</script> predicted as d: 2 (20.00 %)";
    assert!(elements(&document, "title").any(|node| node.text() == Some(title)));
    // The stronger confusion has the stronger colour.
    let opacity = |link: &str| {
        let cell = elements(&document, "a").find(|it| it.attribute("href") == Some(link)).unwrap();
        number(
            cell.children().find(|node| node.tag_name().name() == "rect").unwrap(),
            "fill-opacity",
        )
    };
    assert!(opacity("#cell-0-2") > opacity("#cell-2-1"));
}

#[test]
fn hundreds_of_classes_stay_bounded() {
    let mut matrix = ConfusionMatrix::new(400);
    (0..400).for_each(|class| (0..400).for_each(|other| matrix.add(class, other)));
    let names: Vec<String> = (0..400).map(|class| format!("a rather long name {class}")).collect();
    let svg = plot::confusion(&matrix, &names);
    assert!(svg.len() < 400_000, "{} bytes", svg.len());
    let document = parse(&svg);
    assert!(texts(&document).contains(&"the 30 of 400 classes with the most mistakes"));
}

#[test]
fn calibration_puts_bins_at_their_places() {
    let result = |right: bool| SampleResult {
        label: 0,
        predicted: u32::from(!right),
        rank: u32::from(!right),
        confidence: 0.75,
        label_probability: 0.5,
        loss: 1.0,
    };
    let results: Vec<_> = (0..10).map(|at| result(at < 4)).collect();
    let svg = plot::calibration(&Calibration::new(&results));
    let document = parse(&svg);
    let dots: Vec<_> = elements(&document, "circle").collect();
    assert_eq!(dots.len(), 1);
    let x = between_ticks(&document, ["20", "80"], 75.0, true);
    let y = between_ticks(&document, ["20", "80"], 40.0, false);
    assert!((number(dots[0], "cx") - x).abs() < 0.02 && (number(dots[0], "cy") - y).abs() < 0.02);
    assert!(texts(&document).contains(&"expected calibration error 35.00 %"));
    // Wilson's interval of 4 of 10 goes from 16.82 to 68.73 %.
    let bar = elements(&document, "line").find(|it| it.attribute("class") == Some("blue")).unwrap();
    for (name, value) in [("y1", 16.82), ("y2", 68.73)] {
        let expected = between_ticks(&document, ["20", "80"], value, false);
        assert!((number(bar, name) - expected).abs() < 0.03, "{name}");
    }
    parse(&plot::calibration(&Calibration::new(&[])));
}

#[test]
fn weights_and_histograms_of_any_network() {
    let mut network = Network::dense(784, &[300, 20], &[Activation::Relu], 10).unwrap();
    network.initialize(Init::He, 1);
    let svg = plot::weights(&network, &[28, 28]).unwrap();
    assert!(svg.len() < 150_000, "{} bytes", svg.len());
    let document = parse(&svg);
    let note = "the 64 of 300 units with the largest weights, the largest first";
    assert!(texts(&document).contains(&note));
    assert_eq!(plot::weights(&network, &[784]), None);
    let svg = plot::weight_histograms(&network);
    let document = parse(&svg);
    let names = ["Layer 1: 784 to 300", "Layer 2: 300 to 20", "Layer 3: 20 to 10"];
    assert!(names.iter().all(|name| texts(&document).contains(name)));
    let deep = Network::dense(2, &[3; 40], &[Activation::Relu], 2).unwrap();
    let svg = plot::weight_histograms(&deep);
    assert!(texts(&parse(&svg)).contains(&"counts, logarithmic scale; the first 12 of 41"));
    // The logarithms of 1 + 999 and 1 + 9 are as 3 to 1.
    let values: Vec<f32> = [1.0; 999].into_iter().chain([2.0; 9]).collect();
    let svg = plot::histograms("a < b", "x", &[("it".into(), &values)]);
    let document = parse(&svg);
    let bars: Vec<f64> = elements(&document, "rect")
        .filter(|it| it.attribute("class") == Some("blue-fill"))
        .map(|it| number(it, "height"))
        .collect();
    assert_eq!(bars.len(), 2);
    assert!((bars[0] / bars[1] - 3.0).abs() < 0.01, "{bars:?}");
}

#[test]
fn sheets_of_samples_are_bounded_and_safe() {
    let names = named(&["<b>"]);
    let pixels = Inputs::Bytes(vec![7; 500 * 4]);
    let data = Dataset::new(pixels, vec![0; 500], vec![2, 2], names).unwrap();
    let shown: Vec<_> = (0..500).map(|at| (at, ["<b>".into(), "0.99".into()])).collect();
    let svg = plot::images("Mistakes", &data, &shown).unwrap();
    let document = parse(&svg);
    assert!(texts(&document).contains(&"the first 120 of 500"));
    assert_eq!(elements(&document, "image").count(), 120);
    assert!(texts(&document).contains(&"<b>"));
}
