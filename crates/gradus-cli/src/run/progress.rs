//! Progress on standard error: a bar on a terminal; otherwise a line for each download and nothing for
//! epochs.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gradus::data::FetchProgress;
use gradus::training::Session;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

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

/// How often a bar is drawn while nothing is reported.
const REDRAW: Duration = Duration::from_millis(100);

/// The steps of a training run: a bar that also moves within an epoch. Like the lines that are printed, it counts epochs
/// from 0, and those before a resumption too.
pub(crate) struct Steps {
    bar: ProgressBar,
    /// Moves the bar; none if it is hidden.
    mover: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Steps {
    /// A bar for the run of a session; hidden if `visible` is false or standard error is not a terminal.
    pub(crate) fn new(session: &Session, visible: bool) -> Self {
        let hidden = || Steps { bar: ProgressBar::hidden(), mover: None };
        if !visible || !std::io::stderr().is_terminal() {
            return hidden();
        }
        let epochs = session.config().epochs as u64;
        let steps = (session.steps_per_epoch() as u64).max(1);
        let counter = session.step_counter();
        let done = session.history().epochs.len() as u64 * steps;
        let before = counter.load(Ordering::Relaxed).saturating_sub(done);
        let bar = bar(epochs * steps, "epoch {epoch} of {epochs} [{wide_bar}] {msg}{eta} left");
        let number = move |state: &ProgressState, text: &mut dyn Write| {
            // Writing to a text cannot fail.
            let _ = write!(text, "{}", (state.pos() / steps).min(epochs));
        };
        let all = move |_: &ProgressState, text: &mut dyn Write| {
            let _ = write!(text, "{epochs}");
        };
        bar.set_style(bar.style().with_key("epoch", number).with_key("epochs", all));
        bar.set_position(done);
        bar.reset_eta();
        bar.tick();
        let stop = Arc::new(AtomicBool::new(false));
        let mover = {
            let (bar, stop) = (bar.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    bar.set_position(counter.load(Ordering::Relaxed).saturating_sub(before));
                    thread::sleep(REDRAW);
                }
            }
        };
        match thread::Builder::new().name("progress".into()).spawn(mover) {
            Ok(thread) => Steps { bar, mover: Some((stop, thread)) },
            // The run is worth more than its bar.
            Err(_) => hidden(),
        }
    }

    /// Runs `print`, which may write to the terminal, while the bar is hidden.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Sets the text next to the bar.
    pub(crate) fn set_message(&self, message: String) {
        self.bar.set_message(message);
    }

    /// Removes the bar.
    pub(crate) fn finish(&mut self) {
        if let Some((stop, thread)) = self.mover.take() {
            stop.store(true, Ordering::Relaxed);
            // It only draws; if it has panicked, there is nothing to save.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The epochs of all runs of a sweep.
pub(crate) struct Epochs(ProgressBar);

impl Epochs {
    /// A bar of `epochs`; hidden if `visible` is false or standard error is not a terminal.
    pub(crate) fn new(epochs: usize, visible: bool) -> Self {
        if !visible || !std::io::stderr().is_terminal() {
            return Epochs(ProgressBar::hidden());
        }
        let bar = bar(epochs as u64, "epoch {pos} of {len} [{wide_bar}] {eta} left");
        bar.enable_steady_tick(REDRAW);
        Epochs(bar)
    }

    /// Counts one more epoch.
    pub(crate) fn step(&self) {
        self.0.inc(1);
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

/// Bytes that are read or written; nothing if standard error is not a terminal.
pub(crate) struct Bytes(ProgressBar);

impl Bytes {
    /// A bar of so many bytes.
    pub(crate) fn new(total: u64) -> Self {
        match std::io::stderr().is_terminal() {
            true => Bytes(bar(
                total,
                "[{wide_bar}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            )),
            false => Bytes(ProgressBar::hidden()),
        }
    }

    /// Sets how many bytes are done.
    pub(crate) fn set(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
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
