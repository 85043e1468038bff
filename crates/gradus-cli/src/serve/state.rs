//! The shared state of the server: its runs, the model in use, and the listeners. One lock guards all of it
//! and is held only briefly. A change and the event about it happen under the same lock, so that a listener
//! gets the whole state and from then on every change.

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

/// Events buffered for a slow listener; one that is further behind gets the whole state again.
const MOST_WAITING: usize = 256;

/// Maximum number of runs; beyond that the oldest one that has ended is removed.
pub(super) const MOST_RUNS: usize = 20;

/// How often waiting threads check whether to stop, because a signal does not wake them.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// An event for the page: its name, and JSON.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) data: Arc<str>,
}

/// The part of the state that changes.
pub(super) struct State {
    pub(super) runs: Vec<Run>,
    pub(super) model: Option<Arc<Served>>,
    next_model: usize,
    /// The run that is training: one at a time uses all cores.
    pub(super) turn: Option<usize>,
    /// The run that `train --watch` started.
    watched: Option<usize>,
    /// Whether the server is shutting down.
    ending: bool,
}

/// A new run.
pub(super) struct NewRun {
    pub(super) data: String,
    pub(super) preset: &'static str,
    pub(super) options: Value,
    pub(super) epochs: usize,
    pub(super) stop: Arc<AtomicBool>,
}

/// The state of the server behind a lock, and the means to wait for changes and to send events.
pub(crate) struct SharedState {
    /// The folder of models.
    pub(crate) folder: PathBuf,
    /// The folder to search first for named data sets.
    pub(super) data_dir: Option<PathBuf>,
    pub(super) no_download: bool,
    /// The data sets that the user can choose.
    pub(super) datasets: Vec<&'static str>,
    state: Mutex<State>,
    /// Notified of changes that runs wait for.
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

    /// The current state, and a receiver of all later changes.
    pub(super) fn subscribe(&self) -> (Event, broadcast::Receiver<Event>) {
        let state = self.lock();
        let receiver = self.events.subscribe();
        (event("state", &self.describe(&state)), receiver)
    }

    /// The whole state as JSON for the page.
    pub(super) fn describe(&self, state: &State) -> Value {
        let presets = Preset::ALL.map(|preset| (preset.name().to_owned(), texts(&preset.config())));
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": state.model.as_ref().map(|model| model.describe()),
            "models": super::model::files(&self.folder),
            "runs": state.runs.iter().map(Run::to_json_with_history).collect::<Vec<_>>(),
            "datasets": self.datasets,
            "presets": presets.into_iter().collect::<serde_json::Map<_, _>>(),
            "settings": super::fields::describe(),
            "watched": state.watched,
        })
    }

    pub(super) fn send_event(&self, name: &'static str, data: &Value) {
        // Sending fails if nobody is listening, which is fine.
        let _ = self.events.send(event(name, data));
    }

    /// Sends the whole state, because anything may have changed.
    pub(super) fn send_state(&self, state: &State) {
        self.send_event("state", &self.describe(state));
    }

    /// Changes a run, sends an event about it and returns it as JSON; none if there is no such run.
    pub(super) fn change(&self, id: usize, change: impl FnOnce(&mut Run)) -> Option<Value> {
        let mut state = self.lock();
        let run = state.runs.iter_mut().find(|run| run.id == id)?;
        change(run);
        let json = run.to_json();
        self.send_event("run", &json);
        self.changed.notify_all();
        Some(json)
    }

    /// Makes this the model that the page uses.
    pub(crate) fn serve(&self, mut model: Served) -> Value {
        let mut state = self.lock();
        model.id = state.next_model;
        state.next_model += 1;
        let json = model.describe();
        state.model = Some(Arc::new(model));
        self.send_event("model", &json);
        json
    }

    /// Adds a run. A `watched` run starts immediately; others wait for their turn.
    ///
    /// # Errors
    /// If too many runs have not ended, or the server is shutting down.
    pub(super) fn add(&self, new: NewRun, watched: bool) -> Result<usize, String> {
        let NewRun { data, preset, options, epochs, stop } = new;
        let mut state = self.lock();
        if state.ending {
            return Err("the server is shutting down".into());
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
        // Send everything, since an older run may have been removed.
        self.send_state(&state);
        Ok(id)
    }

    /// Asks a run to pause after the current epoch, or to continue.
    pub(super) fn pause(&self, id: usize, pause: bool) -> Option<Value> {
        self.change(id, |run| match (run.phase, pause) {
            (Phase::Running, true) => (run.pause, run.phase) = (true, Phase::Pausing),
            (Phase::Pausing, false) => (run.pause, run.phase) = (false, Phase::Running),
            (Phase::Paused, false) => run.pause = false,
            _ => {}
        })
    }

    /// Asks a run to stop.
    pub(super) fn stop(&self, id: usize) -> Option<Value> {
        self.change(id, |run| {
            if !run.phase.has_ended() {
                run.phase = Phase::Stopping;
                run.stop.store(true, Ordering::SeqCst);
            }
        })
    }

    /// Stops all runs, waits until they have ended, and returns those that were active.
    pub(super) fn end(&self) -> Vec<usize> {
        let active: Vec<usize> = {
            let mut state = self.lock();
            state.ending = true;
            state.runs.iter().filter(|run| !run.phase.has_ended()).map(|run| run.id).collect()
        };
        active.iter().for_each(|&id| drop(self.stop(id)));
        let mut state = self.lock();
        while state.runs.iter().any(|run| !run.phase.has_ended()) {
            state = self.wait(state);
        }
        active
    }

    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, POLL_INTERVAL);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until no other run is training and no earlier run is waiting; false if the run should end
    /// instead.
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
        Some((args::option(setting).to_owned(), text.into()))
    });
    Value::Object(texts.collect())
}

fn event(name: &'static str, data: &Value) -> Event {
    Event { name, data: data.to_string().into() }
}
