//! The model that the page uses: images or rows of a table in, predictions and explanations out.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Result, anyhow};
use gradus::classifier::{Explanation, Model, Predictor, ValueRange};
use gradus::data::Task;
use gradus::data::images::parse_grey;
use gradus::metrics::most_probable;
use serde::Serialize;
use serde_json::{Value, json};

use super::form::{self, Row, RowPrediction};
use crate::args::ForeignArgs;
use crate::run::describe::{architecture, hidden_of};
use crate::run::escape::is_unprintable;
use crate::run::model::load_from;
use crate::run::output::warn;
use crate::run::samples::{image_pixels, image_size};

/// Maximum number of models in the list.
const MOST_LISTED: usize = 200;

/// A model that serves predictions: a classifier, or one of the columns of a table.
pub(crate) struct Served {
    /// Assigned by the shared state, different for every model.
    pub(super) id: usize,
    name: String,
    /// The run that produced it; none for a file.
    run: Option<usize>,
    pub(super) model: Model,
    predictor: Mutex<Predictor>,
}

impl Served {
    /// # Errors
    /// If it neither tells classes apart nor takes rows of a table.
    pub(super) fn new(model: Model, name: String, run: Option<usize>) -> Result<Served> {
        if model.task() != Task::Classification
            && let Err(why) = form::check(&model)
        {
            let task = model.task().name();
            return Err(anyhow!(
                "{name}: this is a {task} model, and {why}; the page is for classifiers and tables"
            ));
        }
        // Rows of tables are floats or raw columns.
        let bytes = form::check(&model).is_err() && model.inputs.values != ValueRange::Unit;
        let predictor = Mutex::new(model.predictor(bytes)?);
        Ok(Served { id: 0, name, run, model, predictor })
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// Those of reading it, and if it is not a plain file or is a regression model.
    pub(crate) fn open(path: &Path) -> Result<Served> {
        Served::open_as(path, &ForeignArgs::default())
    }

    /// Reads a model file, with what the options say about it.
    ///
    /// # Errors
    /// As [`Served::open`].
    pub(crate) fn open_as(path: &Path, args: &ForeignArgs) -> Result<Served> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        // Opening a pipe waits for someone who writes to it, perhaps for ever.
        let kind = path.metadata().map(|it| it.file_type());
        if kind.is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
            return Err(anyhow!("{name}: this is a pipe, a socket or a device; expected a file"));
        }
        let model = load_from(path, args)?.model;
        model.inputs.image_warning().iter().for_each(|why| warn(format_args!("{name}: {why}")));
        Served::new(model, name, None)
    }

    /// The model as JSON for the page.
    pub(super) fn describe(&self) -> Value {
        let Model { network, outputs, provenance, .. } = &self.model;
        let hidden = hidden_of(network).into_iter().enumerate().map(|(index, units)| {
            json!({"units": units, "activation": network.activation_after(index).name()})
        });
        json!({
            "id": self.id,
            "name": self.name,
            "run": self.run,
            "task": self.model.task().name(),
            "classes": outputs.names,
            "shape": self.model.image_shape(),
            "architecture": architecture(network),
            "hidden": hidden.collect::<Vec<_>>(),
            "data": provenance.data,
            "test_accuracy": provenance.test_accuracy(),
            "no_images": image_size(&self.model).err().map(|why| why.to_string()),
            "form": form::check(&self.model).is_ok().then(|| form::fields(&self.model)),
        })
    }

    /// The prediction for an image file and its explanation; with `units` also the activations of the hidden
    /// units.
    ///
    /// Between the stages of the work, `go_on` may end it.
    ///
    /// # Errors
    /// If the image cannot be read, or the model does not take images; those of `go_on`.
    pub(super) fn answer(
        &self,
        file: &[u8],
        units: bool,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<Answer> {
        let model = &self.model;
        image_size(model)?;
        let image = parse_grey(file)?;
        go_on()?;
        let pixels = match image_pixels(&image, model, false) {
            Ok(pixels) => pixels,
            // A blank drawing is not an error.
            Err(why) => return Ok(Answer::Nothing { empty: why.to_string() }),
        };
        drop(image);
        go_on()?;
        self.predict(pixels, units)
    }

    /// The prediction for a row of a table, and what each column adds to it.
    ///
    /// # Errors
    /// If a value cannot be read, or the model does not take rows of tables.
    pub(super) fn answer_row(&self, row: &Row) -> Result<RowPrediction> {
        let mut predictor = self.predictor.lock().unwrap_or_else(PoisonError::into_inner);
        form::predict(&self.model, &mut predictor, row)
    }

    /// The prediction for an image in the form in which the model saw its training images.
    fn predict(&self, pixels: Vec<u8>, units: bool) -> Result<Answer> {
        let inputs = self.model.inputs.image(pixels.clone())?;
        let probabilities = {
            let mut predictor = self.predictor.lock().unwrap_or_else(PoisonError::into_inner);
            predictor.predict(inputs.rows())?.to_vec()
        };
        let label = most_probable(&probabilities);
        let Explanation { units: activities, contributions } =
            self.model.classifier()?.explain(inputs.rows(), label)?;
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

/// The names of the models in a folder, sorted: of plain files, and of links to plain files in the folder.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let is_model = path_of(folder, &name).is_ok_and(|path| path.is_file());
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
    let elsewhere = path.is_symlink()
        && match (path.canonicalize(), folder.canonicalize()) {
            (Ok(target), Ok(folder)) => target.parent() != Some(&folder),
            // A dangling link may lead outside.
            _ => true,
        };
    match elsewhere {
        true => Err(anyhow!("{name:?}: this is a link to a file outside the folder")),
        false => Ok(path),
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    const ENDING: &str = ".safetensors";
    let plain = |letter: char| {
        !is_hidden(letter) && !['/', '\\', ':', '*', '?', '"', '<', '>', '|'].contains(&letter)
    };
    if !name.ends_with(ENDING) || name.len() == ENDING.len() {
        return Err("expected a file name that ends in .safetensors");
    }
    if name.starts_with('.') || name.len() > 120 || !name.chars().all(plain) {
        return Err(
            "expected a plain file name without folders and invisible characters, of at most 120 letters",
        );
    }
    Ok(())
}

/// Whether a character could make a name look like another one: what a terminal acts on, and what takes no space.
/// Joiners are part of the spelling of some scripts.
fn is_hidden(letter: char) -> bool {
    let without_space = matches!(letter,
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    is_unprintable(letter) || without_space
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
            "a\u{202e}b.safetensors",
            "a\u{2066}b.safetensors",
            "\u{200e}a.safetensors",
            "a.safetensors\u{200f}.safetensors",
            "a\u{61c}.safetensors",
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
        assert!(files(folder.path()).is_empty() && newest(folder.path()).is_none());
        // Inside it they may.
        std::fs::write(folder.path().join("y.safetensors"), "y").unwrap();
        let inside = folder.path().join("z.safetensors");
        std::os::unix::fs::symlink("y.safetensors", &inside).unwrap();
        assert_eq!(files(folder.path()), ["y.safetensors", "z.safetensors"]);
    }
}
