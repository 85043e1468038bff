//! What the server knows, in one place: its runs, the model that the page uses, and who is told of
//! changes. One lock guards all of it and is held for moments only: a change and the event that
//! tells of it are one, and a listener gets the whole state and from there on every change.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gradus::training::settings::SETTINGS;
use gradus::training::{Preset, TrainConfig};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::model::Served;
use super::run_state::{Phase, Run};
use crate::args;

/// Events that wait for a slow listener; one that is further behind gets the whole state anew.
const MOST_WAITING: usize = 256;

/// Runs that are kept. Of more the oldest one that has ended is forgotten.
pub(super) const MOST_RUNS: usize = 20;

/// How often those who wait look whether they are to stop: a signal wakes nobody.
const LOOK: Duration = Duration::from_millis(50);

/// An event for the page: its name, and JSON.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) data: Arc<str>,
}

/// What changes.
pub(super) struct State {
    pub(super) runs: Vec<Run>,
    pub(super) model: Option<Arc<Served>>,
    next_model: usize,
    /// The run that computes: one at a time has all cores.
    pub(super) turn: Option<usize>,
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
pub(crate) struct SharedState {
    /// Models are listed and saved here.
    pub(crate) folder: PathBuf,
    /// Where named data sets are looked for first.
    pub(super) data_dir: Option<PathBuf>,
    pub(super) no_download: bool,
    /// The sets that may be chosen.
    pub(super) datasets: Vec<&'static str>,
    state: Mutex<State>,
    /// Something changed that runs wait for.
    pub(super) changed: Condvar,
    events: broadcast::Sender<Event>,
}

impl SharedState {
    pub(super) fn new(
        folder: PathBuf,
        data_dir: Option<PathBuf>,
        no_download: bool,
        datasets: Vec<&'static str>,
    ) -> SharedState {
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
        SharedState { folder, data_dir, no_download, datasets, state, changed, events }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All changes from now on, and the state now.
    pub(super) fn subscribe(&self) -> (Event, broadcast::Receiver<Event>) {
        let state = self.lock();
        let receiver = self.events.subscribe();
        (event("state", &self.describe(&state)), receiver)
    }

    /// The whole state as the page knows it.
    pub(super) fn describe(&self, state: &State) -> Value {
        let presets = Preset::ALL.map(|preset| (preset.name().to_owned(), texts(&preset.config())));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": state.model.as_ref().map(|model| model.describe()),
            "models": super::model::files(&self.folder),
            "runs": state.runs.iter().map(Run::to_json_whole).collect::<Vec<_>>(),
            "datasets": self.datasets,
            "presets": presets.into_iter().collect::<serde_json::Map<_, _>>(),
            "settings": super::fields::describe(),
            "watched": state.watched,
        })
    }

    pub(super) fn send_event(&self, name: &'static str, data: &Value) {
        // Nobody may be listening.
        let _ = self.events.send(event(name, data));
    }

    /// Tells that everything may have changed.
    pub(super) fn send_state(&self, state: &State) {
        self.send_event("state", &self.describe(state));
    }

    /// Changes a run, tells of it and gives it as the page knows it; none where there is no such run.
    pub(super) fn change(&self, id: usize, change: impl FnOnce(&mut Run)) -> Option<Value> {
        let mut state = self.lock();
        let run = state.runs.iter_mut().find(|run| run.id == id)?;
        change(run);
        let told = run.to_json();
        self.send_event("run", &told);
        self.changed.notify_all();
        Some(told)
    }

    /// Makes a model the one that the page uses.
    pub(crate) fn serve(&self, mut model: Served) -> Value {
        let mut state = self.lock();
        model.id = state.next_model;
        state.next_model += 1;
        let told = model.describe();
        state.model = Some(Arc::new(model));
        self.send_event("model", &told);
        told
    }

    /// Takes a new run in. The one that is `watched` computes at once; others wait for their turn.
    ///
    /// # Errors
    /// Where too many runs have not ended.
    pub(super) fn add(&self, new: NewRun, watched: bool) -> Result<usize, String> {
        let NewRun { data, preset, options, epochs, stop } = new;
        let mut state = self.lock();
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
            reported: (0, Instant::now()),
            pause: false,
            test: None,
        });
        // Another one may have been forgotten.
        self.send_state(&state);
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
            let mut state = self.lock();
            state.ending = true;
            state.runs.iter().filter(|run| !run.phase.has_ended()).map(|run| run.id).collect()
        };
        going.iter().for_each(|&id| drop(self.stop(id)));
        let mut state = self.lock();
        while state.runs.iter().any(|run| !run.phase.has_ended()) {
            state = self.wait(state);
        }
        going
    }

    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until no other run computes and none that began earlier waits; false where the run is to
    /// end instead.
    pub(super) fn take_turn<'a>(
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

/// The texts of all settings, by option.
fn texts(config: &TrainConfig) -> Value {
    let texts = SETTINGS.iter().filter_map(|setting| {
        let text = setting.get(config)?;
        Some((args::option(setting), text.into()))
    });
    Value::Object(texts.collect())
}

fn event(name: &'static str, data: &Value) -> Event {
    Event { name, data: data.to_string().into() }
}
