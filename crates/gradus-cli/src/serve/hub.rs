//! What the server knows, in one place: its runs, the model that the page uses, and who is told of
//! changes. One lock guards all of it and is held for moments only: a change and the event that
//! tells of it are one, and a listener gets the whole state and from there on every change.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gradus::classifier::Model;
use gradus::training::EpochReport;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::model::Served;
use crate::train_report::Tested;

/// Events that wait for a slow listener; one that is further behind gets the whole state anew.
const MOST_WAITING: usize = 256;

/// Runs that are kept. Of more the oldest one that has ended is forgotten.
pub(super) const MOST_RUNS: usize = 20;

/// Least time between two events of a run's epochs: quick ones are told together.
const BETWEEN: Duration = Duration::from_millis(200);

/// How often those who wait look whether they are to stop: a signal wakes nobody.
const LOOK: Duration = Duration::from_millis(50);

/// An event for the page: its name, and JSON.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) data: Arc<str>,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Another run is computing.
    Waiting,
    Loading,
    Running,
    Pausing,
    Paused,
    Stopping,
    Finished,
    Stopped,
    Diverged,
    Failed,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Waiting => "waiting",
            Phase::Loading => "loading",
            Phase::Running => "running",
            Phase::Pausing => "pausing",
            Phase::Paused => "paused",
            Phase::Stopping => "stopping",
            Phase::Finished => "finished",
            Phase::Stopped => "stopped",
            Phase::Diverged => "diverged",
            Phase::Failed => "failed",
        }
    }

    pub(super) fn has_ended(self) -> bool {
        matches!(self, Phase::Finished | Phase::Stopped | Phase::Diverged | Phase::Failed)
    }
}

/// A training run.
pub(super) struct Run {
    pub(super) id: usize,
    pub(super) data: String,
    pub(super) preset: &'static str,
    /// Options that were given, by name.
    pub(super) options: Value,
    pub(super) epochs: usize,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) phase: Phase,
    pub(super) message: Option<String>,
    pub(super) model: Option<Arc<Model>>,
    /// The file that it was saved to.
    pub(super) saved: Option<String>,
    architecture: Option<String>,
    samples: usize,
    history: Vec<EpochReport>,
    /// How many epochs were told, and when the last ones.
    told: (usize, Instant),
    pause: bool,
    /// Accuracy on the test part and its interval.
    test: Option<(f64, (f64, f64))>,
}

impl Run {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        format!("Run {}", self.id)
    }

    /// Seconds of an epoch, by the last ones.
    fn pace(&self) -> Option<f64> {
        let last = &self.history[self.history.len().saturating_sub(5)..];
        let seconds: f64 = last.iter().map(|epoch| epoch.seconds).sum();
        (!last.is_empty() && seconds > 0.0).then(|| seconds / last.len() as f64)
    }

    fn speed(&self) -> (Option<f64>, Option<f64>) {
        let pace = self.pace();
        let left = self.epochs.saturating_sub(self.history.len()) as f64;
        (pace.map(|pace| self.samples as f64 / pace), pace.map(|pace| left * pace))
    }

    /// The run as the page knows it, without its epochs.
    pub(super) fn to_json(&self) -> Value {
        let (samples_per_second, seconds_left) = self.speed();
        let test = self
            .test
            .map(|(accuracy, (low, high))| json!({"accuracy": accuracy, "low": low, "high": high}));
        json!({
            "id": self.id,
            "name": self.name(),
            "data": self.data,
            "preset": self.preset,
            "options": self.options,
            "architecture": self.architecture,
            "samples": self.samples,
            "epochs": self.epochs,
            "state": self.phase.name(),
            "message": self.message,
            "usable": self.model.is_some(),
            "test": test,
            "samples_per_second": samples_per_second,
            "seconds_left": seconds_left.filter(|_| !self.phase.has_ended()),
            "saved": self.saved,
        })
    }

    /// The same with all epochs.
    pub(super) fn to_json_whole(&self) -> Value {
        let mut whole = self.to_json();
        whole["history"] = epochs(&self.history);
        whole
    }
}

/// Epochs as the page knows them: counted from 1.
fn epochs(reports: &[EpochReport]) -> Value {
    let epoch = |report: &EpochReport| {
        json!({
            "epoch": report.epoch + 1,
            "loss": report.loss,
            "accuracy": report.accuracy,
            "val_loss": report.val_loss,
            "val_accuracy": report.val_accuracy,
            "learning_rate": report.learning_rate,
            "seconds": report.seconds,
        })
    };
    reports.iter().map(epoch).collect()
}

/// What changes.
pub(super) struct State {
    pub(super) runs: Vec<Run>,
    pub(super) model: Option<Arc<Served>>,
    next_model: usize,
    /// The run that computes: one at a time has all cores.
    turn: Option<usize>,
    /// The run that `train --watch` started.
    watched: Option<usize>,
    /// Whether the server is about to end.
    ending: bool,
}

/// What a new run is.
pub(super) struct NewRun {
    pub(super) data: String,
    pub(super) preset: &'static str,
    pub(super) options: Value,
    pub(super) epochs: usize,
    pub(super) stop: Arc<AtomicBool>,
}

/// The server's knowledge.
pub(crate) struct Hub {
    /// Models are listed and saved here.
    pub(super) folder: PathBuf,
    /// Where named data sets are looked for first.
    pub(super) data_dir: Option<PathBuf>,
    pub(super) no_download: bool,
    /// The sets that may be chosen.
    pub(super) datasets: Vec<&'static str>,
    state: Mutex<State>,
    /// Something changed that runs wait for.
    changed: Condvar,
    events: broadcast::Sender<Event>,
}

impl Hub {
    pub(super) fn new(
        folder: PathBuf,
        data_dir: Option<PathBuf>,
        no_download: bool,
        datasets: Vec<&'static str>,
    ) -> Hub {
        let state = State {
            runs: Vec::new(),
            model: None,
            next_model: 1,
            turn: None,
            watched: None,
            ending: false,
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let (events, _) = broadcast::channel(MOST_WAITING);
        Hub { folder, data_dir, no_download, datasets, state, changed, events }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All changes from now on, and the state now.
    pub(super) fn subscribe(&self) -> (Event, broadcast::Receiver<Event>) {
        let state = self.state();
        let receiver = self.events.subscribe();
        (event("state", &self.describe(&state)), receiver)
    }

    /// The whole state as the page knows it.
    pub(super) fn describe(&self, state: &State) -> Value {
        let presets = gradus::training::Preset::ALL
            .map(|preset| (preset.name().to_owned(), json!(preset.config())));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": state.model.as_ref().map(|model| model.describe()),
            "models": super::model::files(&self.folder),
            "runs": state.runs.iter().map(Run::to_json_whole).collect::<Vec<_>>(),
            "datasets": self.datasets,
            "presets": presets.into_iter().collect::<serde_json::Map<_, _>>(),
            "watched": state.watched,
        })
    }

    fn tell(&self, name: &'static str, data: &Value) {
        // Nobody may be listening.
        let _ = self.events.send(event(name, data));
    }

    /// Tells that everything may have changed.
    pub(super) fn tell_state(&self, state: &State) {
        self.tell("state", &self.describe(state));
    }

    /// Changes a run, tells of it and gives it as the page knows it; none where there is no such run.
    pub(super) fn change(&self, id: usize, change: impl FnOnce(&mut Run)) -> Option<Value> {
        let mut state = self.state();
        let run = state.runs.iter_mut().find(|run| run.id == id)?;
        change(run);
        let told = run.to_json();
        self.tell("run", &told);
        self.changed.notify_all();
        Some(told)
    }

    /// Makes a model the one that the page uses.
    pub(super) fn serve(&self, mut model: Served) -> Value {
        let mut state = self.state();
        model.id = state.next_model;
        state.next_model += 1;
        let told = model.describe();
        state.model = Some(Arc::new(model));
        self.tell("model", &told);
        told
    }

    /// Takes a new run in. The one that is `watched` computes at once; others wait for their turn.
    ///
    /// # Errors
    /// Where too many runs have not ended.
    pub(super) fn add(&self, new: NewRun, watched: bool) -> Result<usize, String> {
        let NewRun { data, preset, options, epochs, stop } = new;
        let mut state = self.state();
        if state.ending {
            return Err("the server is about to end".into());
        }
        if state.runs.len() >= MOST_RUNS {
            let Some(oldest) = state.runs.iter().position(|run| run.phase.has_ended()) else {
                return Err(format!("{MOST_RUNS} runs have not ended yet: stop one first"));
            };
            state.runs.remove(oldest);
        }
        let id = state.runs.iter().map(|run| run.id).max().unwrap_or(0) + 1;
        let phase = if watched { Phase::Loading } else { Phase::Waiting };
        if watched {
            (state.turn, state.watched) = (Some(id), Some(id));
        }
        state.runs.push(Run {
            id,
            data,
            preset,
            options,
            epochs,
            stop,
            phase,
            message: None,
            model: None,
            saved: None,
            architecture: None,
            samples: 0,
            history: Vec::new(),
            told: (0, Instant::now()),
            pause: false,
            test: None,
        });
        // Another one may have been forgotten.
        self.tell_state(&state);
        Ok(id)
    }

    /// Asks a run to pause after its epoch, or to go on.
    pub(super) fn pause(&self, id: usize, pause: bool) -> Option<Value> {
        self.change(id, |run| match (run.phase, pause) {
            (Phase::Running, true) => (run.pause, run.phase) = (true, Phase::Pausing),
            (Phase::Pausing, false) => (run.pause, run.phase) = (false, Phase::Running),
            (Phase::Paused, false) => run.pause = false,
            _ => {}
        })
    }

    /// Asks a run to end.
    pub(super) fn stop(&self, id: usize) -> Option<Value> {
        self.change(id, |run| {
            if !run.phase.has_ended() {
                run.phase = Phase::Stopping;
                run.stop.store(true, Ordering::SeqCst);
            }
        })
    }

    /// Stops all runs, waits until they have ended, and gives those that were going.
    pub(super) fn end(&self) -> Vec<usize> {
        let going: Vec<usize> = {
            let mut state = self.state();
            state.ending = true;
            state.runs.iter().filter(|run| !run.phase.has_ended()).map(|run| run.id).collect()
        };
        going.iter().for_each(|&id| drop(self.stop(id)));
        let mut state = self.state();
        while state.runs.iter().any(|run| !run.phase.has_ended()) {
            state = self.wait(state);
        }
        going
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until no other run computes and none that began earlier waits; false where the run is to
    /// end instead.
    fn take_turn<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        id: usize,
    ) -> (MutexGuard<'a, State>, bool) {
        loop {
            let waiting = |run: &&Run| run.phase == Phase::Waiting;
            let first = state.runs.iter().find(waiting).map(|run| run.id);
            let stops = state.run(id).is_none_or(|run| run.stop.load(Ordering::SeqCst));
            if stops {
                return (state, false);
            }
            if state.turn.is_none() && first == Some(id) {
                state.turn = Some(id);
                return (state, true);
            }
            state = self.wait(state);
        }
    }
}

impl State {
    pub(super) fn run(&mut self, id: usize) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id)
    }
}

fn event(name: &'static str, data: &Value) -> Event {
    Event { name, data: data.to_string().into() }
}

/// What the thread that trains tells of its run, and learns from the page.
pub(crate) struct Reporter {
    pub(super) hub: Arc<Hub>,
    pub(super) id: usize,
}

impl Reporter {
    /// Waits until the run may compute; false where it is to end instead.
    pub(super) fn begin(&self) -> bool {
        let (state, begins) = self.hub.take_turn(self.hub.state(), self.id);
        drop(state);
        if begins {
            self.hub.change(self.id, |run| run.phase = Phase::Loading);
        }
        begins
    }

    /// The data are there, the network is known.
    pub(crate) fn ready(&self, data: &str, architecture: String, samples: usize) {
        self.hub.change(self.id, |run| {
            (run.architecture, run.samples) = (Some(architecture), samples);
            data.clone_into(&mut run.data);
            if run.phase == Phase::Loading {
                run.phase = Phase::Running;
            }
        });
    }

    /// An epoch is over. Returns when the next may begin: at once, or after a pause.
    pub(crate) fn epoch(&self, report: &EpochReport) {
        let mut state = self.hub.state();
        let Some(run) = state.run(self.id) else { return };
        run.history.push(report.clone());
        let pauses = run.pause;
        if pauses || run.told.1.elapsed() >= BETWEEN {
            self.tell_epochs(run);
        }
        if !pauses {
            return;
        }
        state.turn = None;
        self.set(&mut state, Phase::Paused);
        while state.run(self.id).is_some_and(|run| run.pause && !run.stop.load(Ordering::SeqCst)) {
            state = self.hub.wait(state);
        }
        if state.run(self.id).is_some_and(|run| run.stop.load(Ordering::SeqCst)) {
            return;
        }
        self.set(&mut state, Phase::Waiting);
        let (mut state, goes_on) = self.hub.take_turn(state, self.id);
        if goes_on {
            self.set(&mut state, Phase::Running);
        }
    }

    fn set(&self, state: &mut MutexGuard<'_, State>, phase: Phase) {
        if let Some(run) = state.run(self.id) {
            run.phase = phase;
            self.hub.tell("run", &run.to_json());
        }
        self.hub.changed.notify_all();
    }

    /// Tells what was not told yet.
    fn tell_epochs(&self, run: &mut Run) {
        let (told, _) = run.told;
        if told == run.history.len() {
            return;
        }
        let (samples_per_second, seconds_left) = run.speed();
        let news = json!({
            "run": run.id,
            "epochs": epochs(&run.history[told..]),
            "samples_per_second": samples_per_second,
            "seconds_left": seconds_left,
        });
        self.hub.tell("epochs", &news);
        run.told = (run.history.len(), Instant::now());
    }

    /// The run is over: with a model and perhaps what the test found, or with neither.
    pub(super) fn end(
        &self,
        phase: Phase,
        message: Option<String>,
        left: Option<(Model, &Tested)>,
        saved: Option<String>,
    ) {
        let mut state = self.hub.state();
        if state.turn == Some(self.id) {
            state.turn = None;
        }
        if let Some(run) = state.run(self.id) {
            self.tell_epochs(run);
            if let Some((model, tested)) = left {
                run.model = Some(Arc::new(model));
                if let Tested::Classes(found) = tested {
                    run.test = Some((found.accuracy, found.accuracy_interval()));
                }
            }
            (run.message, run.saved) = (message, saved);
        }
        self.set(&mut state, phase);
    }
}
