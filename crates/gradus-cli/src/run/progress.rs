//! Progress on standard error: a bar on a terminal; otherwise a line for each download and nothing for
//! epochs.

use std::io::IsTerminal;

use gradus::data::FetchProgress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::run::escape::escaped;
use crate::run::output::say;

/// The downloads of a command, one file after another.
#[derive(Default)]
pub(crate) struct Downloads {
    /// URL of the current file.
    url: String,
    bar: Option<ProgressBar>,
}

impl Downloads {
    /// Shows the downloads that `work` reports, until it returns.
    pub(crate) fn watch<T>(work: impl FnOnce(&mut dyn FnMut(&FetchProgress)) -> T) -> T {
        let mut downloads = Downloads::default();
        work(&mut |progress| downloads.show(progress))
    }

    /// Shows `progress`.
    fn show(&mut self, progress: &FetchProgress) {
        if progress.is_waiting {
            say(format_args!(
                "waiting for another process, which is downloading {}",
                progress.file
            ));
            return;
        }
        if self.url != progress.url {
            self.finish();
            self.url = progress.url.to_owned();
            if std::io::stderr().is_terminal() {
                let template = "{msg} [{wide_bar}] {bytes} of {total_bytes}, {bytes_per_sec}";
                let bar = bar(progress.total, template);
                bar.set_message(escaped(progress.file).into_owned());
                self.bar = Some(bar);
            } else {
                let megabytes = progress.total as f64 / 1e6;
                say(format_args!("downloading {} ({megabytes:.1} MB)", progress.url));
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_position(progress.done);
        }
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The epochs of a training run.
pub(crate) struct Epochs(ProgressBar);

impl Epochs {
    /// A bar of `epochs`; hidden if `visible` is false or standard error is not a terminal.
    pub(crate) fn new(epochs: usize, visible: bool) -> Self {
        if !visible || !std::io::stderr().is_terminal() {
            return Epochs(ProgressBar::hidden());
        }
        Epochs(bar(epochs as u64, "epoch {pos} of {len} [{wide_bar}] {msg}{eta} left"))
    }

    /// Counts one more epoch; `print` may write to the terminal while the bar is hidden.
    pub(crate) fn step<T>(&self, print: impl FnOnce() -> T) -> T {
        let result = self.0.suspend(print);
        self.0.inc(1);
        result
    }

    /// Sets the text next to the bar.
    pub(crate) fn set_message(&self, message: String) {
        self.0.set_message(message);
    }

    /// Runs `print`, which may write to the terminal, while the bar is hidden.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Sets how many epochs are done, or no longer needed.
    pub(crate) fn set(&self, done: usize) {
        self.0.set_position(done as u64);
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn bar(length: u64, template: &str) -> ProgressBar {
    // If the template could not be parsed, the default bar would do.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::new(length).with_style(style)
}
