//! How far something has come, on standard error: a bar where that is a terminal, else a line for
//! each download and nothing for epochs.

use std::io::IsTerminal;

use gradus::data::FetchProgress;
use indicatif::{ProgressBar, ProgressStyle};

use crate::run::output::say;

/// The downloads of a command, one file after the other.
#[derive(Default)]
pub(crate) struct Downloads {
    /// Address of the file that comes.
    url: String,
    bar: Option<ProgressBar>,
}

impl Downloads {
    /// Shows the downloads of `work`, which tells of them, until it ends.
    pub(crate) fn watch<T>(work: impl FnOnce(&mut dyn FnMut(&FetchProgress)) -> T) -> T {
        let mut downloads = Downloads::default();
        work(&mut |progress| downloads.show(progress))
    }

    /// Shows `progress`.
    fn show(&mut self, progress: &FetchProgress) {
        if self.url != progress.url {
            self.finish();
            self.url = progress.url.to_owned();
            if std::io::stderr().is_terminal() {
                let template = "{msg} [{wide_bar}] {bytes} of {total_bytes}, {bytes_per_sec}";
                let bar = bar(progress.total, template);
                bar.set_message(progress.file.to_owned());
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
    /// A bar of `epochs`; none where `visible` is false or standard error is no terminal.
    pub(crate) fn new(epochs: usize, visible: bool) -> Self {
        if !visible || !std::io::stderr().is_terminal() {
            return Epochs(ProgressBar::hidden());
        }
        Epochs(bar(epochs as u64, "epoch {pos} of {len} [{wide_bar}] {msg}{eta} left"))
    }

    /// One more epoch is done; `print` may write to the terminal meanwhile.
    pub(crate) fn step<T>(&self, print: impl FnOnce() -> T) -> T {
        let result = self.0.suspend(print);
        self.0.inc(1);
        result
    }

    /// What stands beside the bar.
    pub(crate) fn tell(&self, message: String) {
        self.0.set_message(message);
    }

    /// `print` may write to the terminal meanwhile.
    pub(crate) fn beside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// So many epochs are done, or no longer needed.
    pub(crate) fn set(&self, done: usize) {
        self.0.set_position(done as u64);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

fn bar(length: u64, template: &str) -> ProgressBar {
    // A template that does not parse would leave the plain bar.
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ");
    ProgressBar::new(length).with_style(style)
}
