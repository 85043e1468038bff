//! The shared state of the server: its runs, the model in use, and the listeners. One lock guards all of it
//! and is held only briefly. A change and the event about it happen under the same lock, so that a listener
//! gets the whole state and from then on every change.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use gradus::training::settings::SETTINGS;
use gradus::training::{Preset, TrainConfig};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use super::events::{Event, Snapshot, encode, to_json};
use super::limits::Budget;
use super::model::{Served, files};
use super::run_state::{Phase, Run, RunWithHistory};
use super::saves::Saves;
use crate::args;

/// Events buffered for a slow stream; one that is further behind gets the whole state again.
const MOST_WAITING: usize = 128;

/// Maximum number of runs; beyond that the oldest one that has ended is removed.
pub(super) const MOST_RUNS: usize = 20;

/// How often waiting threads check whether to stop, because a signal does not wake them.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

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
    /// The latest snapshot, if a stream still holds it, and the number of changes before it.
    snapshot: (u64, Weak<Snapshot>),
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
    /// How many events were sent. It changes under the lock only.
    changes: AtomicU64,
    /// The bytes of the snapshots that streams hold.
    snapshots: Budget,
    pub(super) saves: Saves,
}

/// The whole state, for the page.
#[derive(Serialize)]
struct Description {
    version: &'static str,
    model: Option<Value>,
    models: Vec<String>,
    runs: Vec<RunWithHistory>,
    datasets: Vec<&'static str>,
    presets: Map<String, Value>,
    settings: Value,
    watched: Option<usize>,
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
            snapshot: (0, Weak::new()),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let (events, _) = broadcast::channel(MOST_WAITING);
        let (changes, snapshots) = (AtomicU64::new(0), Budget::for_states());
        SharedState {
            folder,
            data_dir,
            no_download,
            datasets,
            state,
            changed,
            events,
            changes,
            snapshots,
            saves: Saves::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current state, and a receiver of all later changes. None if the snapshots that streams hold take too
    /// many bytes.
    pub(super) fn subscribe(&self) -> Option<(Arc<Snapshot>, broadcast::Receiver<Event>)> {
        let models = files(&self.folder);
        let (description, changes, receiver) = {
            let state = self.lock();
            let receiver = self.events.subscribe();
            let changes = self.changes.load(Ordering::SeqCst);
            let (known, snapshot) = &state.snapshot;
            if let Some(snapshot) = snapshot.upgrade().filter(|_| *known == changes) {
                return Some((snapshot, receiver));
            }
            (self.description(&state, models), changes, receiver)
        };
        let bytes = encode("state", &to_json(&description));
        let charge = self.snapshots.take(bytes.len())?;
        let snapshot = Arc::new(Snapshot::new(bytes, charge));
        self.lock().snapshot = (changes, Arc::downgrade(&snapshot));
        Some((snapshot, receiver))
    }

    /// The whole state as JSON for the page.
    pub(super) fn describe(&self) -> String {
        let models = files(&self.folder);
        let description = self.description(&self.lock(), models);
        to_json(&description)
    }

    /// What changes is copied under the lock, which runs wait for; its text is made later.
    fn description(&self, state: &State, models: Vec<String>) -> Description {
        let presets = Preset::ALL.map(|preset| (preset.name().to_owned(), texts(&preset.config())));
        Description {
            version: env!("CARGO_PKG_VERSION"),
            model: state.model.as_ref().map(|model| model.describe()),
            models,
            runs: state.runs.iter().map(Run::with_short_history).collect(),
            datasets: self.datasets.clone(),
            presets: presets.into_iter().collect(),
            settings: super::fields::describe(),
            watched: state.watched,
        }
    }

    /// Sends an event about a change, which happened under the same lock.
    pub(super) fn send_event(&self, name: &'static str, data: &impl Serialize) {
        self.send(Event::new(name, data));
    }

    /// Sends the whole state, because anything may have changed.
    fn send_all(&self) {
        self.send(Event::All);
    }

    fn send(&self, event: Event) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        // Sending fails if nobody is listening, which is fine.
        let _ = self.events.send(event);
    }

    /// Ends all streams of events.
    pub(super) fn end_events(&self) {
        self.send(Event::End);
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

    /// Notes the file that a run's model was saved to.
    pub(super) fn saved(&self, id: usize, file: &str) {
        self.change(id, |run| run.saved = Some(file.to_owned()));
        // The list of models has changed as well.
        let _state = self.lock();
        self.send_all();
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
        self.send_all();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> SharedState {
        SharedState::new("/nowhere".into(), None, true, vec!["digits"])
    }

    #[test]
    fn streams_share_the_state_until_it_changes() {
        let shared = shared();
        let (first, _) = shared.subscribe().unwrap();
        let (second, _) = shared.subscribe().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        shared.send_event("run", &1);
        let (third, _) = shared.subscribe().unwrap();
        assert!(!Arc::ptr_eq(&first, &third));
    }

    #[test]
    fn the_bytes_of_states_are_bounded() {
        let mut shared = shared();
        // A budget is counted in kilobytes.
        let bytes = shared.subscribe().unwrap().0.bytes().len().next_multiple_of(1024);
        shared.snapshots = Budget::new(2 * bytes);
        let states: Vec<_> = (0..2)
            .map(|_| {
                shared.send_event("run", &1);
                shared.subscribe().unwrap()
            })
            .collect();
        shared.send_event("run", &1);
        assert!(shared.subscribe().is_none());
        drop(states);
        assert!(shared.subscribe().is_some());
    }
}
