//! The exported page for drawing digits, with the model inside: a classifier in, one self-contained
//! HTML text out. The page's parts are in web/: mnist_form.js and photo.js bring an image into MNIST's form,
//! network.js computes, draw.js is the view, digit.js connects them. The first two mirror the
//! library; web/tests/test_mirrors.py holds them equal.

use std::borrow::Cow;

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gradus::classifier::{Classifier, Model};
use gradus::data::images::MNIST_SIDE;
use gradus::transform::robust::CLIP;
use serde_json::{Value, json};

use crate::run::describe::architecture;
use crate::run::output::percent_fine;
use crate::run::page_file;

const FRAME: &str = include_str!("../../web/digit.html");
const STYLE: &str = include_str!("../../web/style.css");

/// The Draw view, which the page of `serve` has too.
pub(crate) const DRAW: &str = include_str!("../../web/draw.html");

/// A single script, so that the policy can allow it by its hash and forbid all others.
const SCRIPT: &str = concat!(
    include_str!("../../web/visible.js"),
    include_str!("../../web/format.js"),
    include_str!("../../web/network.js"),
    include_str!("../../web/photo.js"),
    include_str!("../../web/mnist_form.js"),
    include_str!("../../web/draw.js"),
    include_str!("../../web/digit.js")
);

/// SHA-256 of the script element's text. A test computes it anew.
const SCRIPT_HASH: &str = "sha256-JKyANI+KWbDZOoCqm71j+nKHLUkYf8ni9xC3waoQFmY=";

/// The page that contains this model.
///
/// # Errors
/// If the model was not trained on images in the form of MNIST's.
pub(crate) fn digit_page(model: &Classifier<&Model>) -> Result<String> {
    check(model)?;
    let accuracy = model.provenance.test_accuracy();
    let accuracy = accuracy.map_or(String::new(), |accuracy| {
        format!("; {} on its test images", percent_fine(accuracy))
    });
    let about = format!("The network: {}{accuracy}.", architecture(&model.network));
    // The model comes last, because its class names could contain one of the other placeholders.
    Ok(FRAME
        .replace("{generator}", &page_file::generator())
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{about}", &about)
        .replace("{script_hash}", SCRIPT_HASH)
        .replace("{style}", STYLE)
        .replace("{draw}", DRAW)
        .replace("{script}", SCRIPT)
        .replace("{model}", &description(model).to_string().replace('<', "\\u003c")))
}

/// Applies the rule by which `predict` converts images to the form of MNIST's.
fn check(model: &Model) -> Result<()> {
    if model.members() > 1 {
        return Err(anyhow!(
            "the page computes one network, but the model is a bag of {}: train without --members, or use gradus serve",
            model.members()
        ));
    }
    if model.network.has_strengths() {
        return Err(anyhow!(
            "the page computes plain activations, but those of this model have strengths: train with \
             --parametric=false"
        ));
    }
    let in_form = model.image_size() == Some((MNIST_SIDE, MNIST_SIDE))
        && model.inputs.mnist_form != Some(false)
        && model.inputs.divisor().is_ok();
    match in_form {
        true => Ok(()),
        false => Err(anyhow!(
            "the page converts drawings to the form of MNIST's images, but the model was not trained on such \
             images: expected a model for 28 x 28 bytes in that form"
        )),
    }
}

/// The data of network.js: names and sizes, and all numbers as little-endian float32 in base64.
fn description(model: &Model) -> Value {
    let network = &model.network;
    let linears = network.linears();
    let sizes: Vec<usize> = std::iter::once(network.inputs())
        .chain(linears.iter().map(|linear| linear.outputs))
        .collect();
    let activations: Vec<Cow<str>> = (0..linears.len())
        .map(|index| match index + 1 < linears.len() {
            true => network.activation_after(index).name(),
            false => "identity".into(),
        })
        .collect();
    // The page computes with grey levels from 0 to 255.
    let transform = model.transform.in_units_of(model.inputs.divisor().unwrap_or(1.0));
    let (means, stds) = transform.means_and_stds();
    let for_each = |values: &[f32]| values.repeat(network.inputs() / values.len());
    let (means, stds) = (for_each(means), for_each(stds));
    let numbers = [&means, &stds, network.parameters()];
    let bytes: Vec<u8> =
        numbers.iter().flat_map(|part| part.iter()).flat_map(|value| value.to_le_bytes()).collect();
    json!({
        "classes": model.names(),
        "sizes": sizes,
        "activations": activations,
        "clip": transform.is_clipped().then_some(CLIP),
        "data": STANDARD.encode(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_hash_is_that_of_the_script() {
        let hash = STANDARD.encode(Sha256::digest(format!("\n{SCRIPT}")));
        assert_eq!(SCRIPT_HASH, format!("sha256-{hash}"));
        assert!(!SCRIPT.contains("</script"));
    }
}
