//! The model that the page uses: a classifier and images in, predictions and explanations out.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use gradus::classifier::{Classifier, Explanation, Model, Predictor, ValueRange};
use gradus::data::images::parse_grey;
use gradus::metrics::most_probable;
use gradus::model_file;
use serde::Serialize;
use serde_json::{Value, json};

use crate::run::describe::{architecture, hidden_of};
use crate::run::output::warn;
use crate::run::samples::{image_pixels, image_size};

/// Maximum number of models in the list.
const MOST_LISTED: usize = 200;

/// A classifier that serves predictions.
pub(crate) struct Served {
    /// Assigned by the shared state, different for every model.
    pub(super) id: usize,
    name: String,
    /// The run that produced it; none for a file.
    run: Option<usize>,
    pub(super) model: Classifier,
    predictor: Mutex<Predictor>,
}

impl Served {
    /// # Errors
    /// If it is a regression model.
    pub(super) fn new(model: Model, name: String, run: Option<usize>) -> Result<Served> {
        let Ok(model) = model.into_classifier() else {
            return Err(anyhow!("{name}: this is a regression model; the page is for classifiers"));
        };
        let bytes = model.inputs.values != ValueRange::Unit;
        let predictor = Mutex::new(model.predictor(bytes)?);
        Ok(Served { id: 0, name, run, model, predictor })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// Those of reading it, and if it is a regression model.
    pub(crate) fn open(path: &Path) -> Result<Served> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let model = model_file::load_model(path)?;
        model.inputs.image_warning().iter().for_each(|why| warn(format_args!("{name}: {why}")));
        Served::new(model, name, None)
    }

    /// The model as JSON for the page.
    pub(super) fn describe(&self) -> Value {
        let Model { network, outputs, sample_shape, provenance, .. } = &*self.model;
        let hidden = hidden_of(network).into_iter().enumerate().map(|(index, units)| {
            json!({"units": units, "activation": network.activation_after(index).name()})
        });
        json!({
            "id": self.id,
            "name": self.name,
            "run": self.run,
            "classes": outputs.names,
            "shape": sample_shape,
            "architecture": architecture(network),
            "hidden": hidden.collect::<Vec<_>>(),
            "data": provenance.data,
            "test_accuracy": provenance.test_accuracy(),
            "no_pictures": image_size(&self.model).err().map(|why| why.to_string()),
        })
    }

    /// The prediction for an image file and its explanation; with `units` also the activations of the hidden
    /// units.
    ///
    /// # Errors
    /// If the image cannot be read, or the model does not take images.
    pub(super) fn answer(&self, file: &[u8], units: bool) -> Result<Answer> {
        let model = &self.model;
        image_size(model)?;
        let pixels = match image_pixels(&parse_grey(file)?, model, false) {
            Ok(pixels) => pixels,
            // A blank drawing is not an error.
            Err(why) => return Ok(Answer::Nothing { empty: why.to_string() }),
        };
        let inputs = self.model.inputs.image(pixels.clone())?;
        let probabilities = {
            let mut predictor = self.predictor.lock().unwrap_or_else(PoisonError::into_inner);
            predictor.predict(inputs.rows())?.to_vec()
        };
        let label = most_probable(&probabilities);
        let Explanation { units: activities, contributions } =
            self.model.explain(inputs.rows(), label)?;
        Ok(Answer::Found {
            input: pixels,
            probabilities,
            label,
            why: contributions,
            units: units.then_some(activities),
        })
    }
}

/// The prediction for an image.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// The image is blank.
    Nothing { empty: String },
    Found {
        /// The image's grey levels, in the form in which the model saw its training images.
        input: Vec<u8>,
        probabilities: Vec<f32>,
        label: usize,
        /// [`Explanation::contributions`] for that label.
        why: Vec<f32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        units: Option<Vec<Vec<f32>>>,
    },
}

/// The names of the models in a folder, sorted.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_model = check_name(&name).is_ok() && entry.path().is_file();
        is_model.then_some(name)
    });
    let mut names: Vec<String> = names.take(MOST_LISTED).collect();
    names.sort();
    names
}

/// The model file that was written last.
pub(crate) fn newest(folder: &Path) -> Option<PathBuf> {
    let paths = files(folder).into_iter().map(|name| folder.join(name));
    paths.max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok())
}

/// The path of the file with this name in `folder`. Only plain names are accepted, so that nothing outside the
/// folder is read or written.
///
/// # Errors
/// If the name is not that of a model, or leads outside the folder.
pub(super) fn path_of(folder: &Path, name: &str) -> Result<PathBuf> {
    check_name(name).map_err(|why| anyhow!("{name:?}: {why}"))?;
    let path = folder.join(name);
    let elsewhere = match (path.canonicalize(), folder.canonicalize()) {
        (Ok(target), Ok(folder)) => target.parent() != Some(&folder),
        // The file does not exist; a dangling link may lead outside.
        _ => path.is_symlink(),
    };
    match elsewhere {
        true => Err(anyhow!("{name:?}: this is a link to a file outside the folder")),
        false => Ok(path),
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    const ENDING: &str = ".safetensors";
    let plain = |letter: char| {
        !letter.is_control() && !['/', '\\', ':', '*', '?', '"', '<', '>', '|'].contains(&letter)
    };
    if !name.ends_with(ENDING) || name.len() == ENDING.len() {
        return Err("expected a file name that ends in .safetensors");
    }
    if name.starts_with('.') || name.len() > 120 || !name.chars().all(plain) {
        return Err("expected a plain file name without folders, of at most 120 letters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let path = path_of(folder.path(), "my model-2.safetensors").unwrap();
        assert_eq!(path, folder.path().join("my model-2.safetensors"));
        let long = format!("{}.safetensors", "a".repeat(200));
        for wrong in [
            "",
            ".safetensors",
            "a.onnx",
            "../a.safetensors",
            "a/b.safetensors",
            "/a.safetensors",
            "..\\a.safetensors",
            ".a.safetensors",
            "a\0.safetensors",
            "a\n.safetensors",
            "C:a.safetensors",
            &long,
        ] {
            assert!(path_of(folder.path(), wrong).is_err(), "{wrong:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_do_not_lead_out_of_the_folder() {
        let [folder, outside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let target = outside.path().join("x.safetensors");
        let link = folder.path().join("link.safetensors");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        // Without and with its target.
        assert!(path_of(folder.path(), "link.safetensors").is_err());
        std::fs::write(&target, "x").unwrap();
        assert!(path_of(folder.path(), "link.safetensors").is_err());
    }
}
