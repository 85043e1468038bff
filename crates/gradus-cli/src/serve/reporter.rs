//! Connects a training thread to the shared state: epochs and results in, events for the page out; pausing
//! and stopping come back.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use gradus::classifier::Model;
use gradus::training::EpochReport;
use serde_json::json;

use super::run_state::{Phase, Run, epochs};
use super::state::{SharedState, State};
use crate::run::test_result::TestResult;

/// Minimum time between two events about epochs: fast epochs are sent together.
const EVENT_INTERVAL: Duration = Duration::from_millis(200);

/// Reports one run.
pub(super) struct Reporter {
    pub(super) shared: Arc<SharedState>,
    pub(super) id: usize,
}

impl Reporter {
    /// Waits until the run may train; false if it should end instead.
    pub(super) fn begin(&self) -> bool {
        let (state, begins) = self.shared.take_turn(self.shared.lock(), self.id);
        drop(state);
        if begins {
            self.shared.change(self.id, |run| run.phase = Phase::Loading);
        }
        begins
    }

    /// Reports that the data are loaded and the network is known.
    pub(super) fn ready(&self, data: &str, architecture: String, samples: usize) {
        self.shared.change(self.id, |run| {
            (run.architecture, run.samples) = (Some(architecture), samples);
            data.clone_into(&mut run.data);
            if run.phase == Phase::Loading {
                run.phase = Phase::Running;
            }
        });
    }

    /// Reports an epoch. Returns when the next one may start: immediately, or after a pause.
    pub(super) fn epoch(&self, report: &EpochReport) {
        let mut state = self.shared.lock();
        let Some(run) = state.run(self.id) else { return };
        run.history.push(report.clone());
        let pauses = run.pause;
        if pauses || run.reported.1.elapsed() >= EVENT_INTERVAL {
            self.send_epochs(run);
        }
        if !pauses {
            return;
        }
        state.turn = None;
        self.set(&mut state, Phase::Paused);
        while state.run(self.id).is_some_and(|run| run.pause && !run.stop.load(Ordering::SeqCst)) {
            state = self.shared.wait(state);
        }
        if state.run(self.id).is_some_and(|run| run.stop.load(Ordering::SeqCst)) {
            return;
        }
        self.set(&mut state, Phase::Waiting);
        let (mut state, goes_on) = self.shared.take_turn(state, self.id);
        if goes_on {
            self.set(&mut state, Phase::Running);
        }
    }

    fn set(&self, state: &mut MutexGuard<'_, State>, phase: Phase) {
        if let Some(run) = state.run(self.id) {
            run.phase = phase;
            self.shared.send_event("run", &run.to_json());
        }
        self.shared.changed.notify_all();
    }

    /// Sends the epochs that were not sent yet.
    fn send_epochs(&self, run: &mut Run) {
        let (reported, _) = run.reported;
        if reported == run.history.len() {
            return;
        }
        let (samples_per_second, seconds_left) = run.speed();
        let news = json!({
            "run": run.id,
            "epochs": epochs(&run.history[reported..]).collect::<Vec<_>>(),
            "samples_per_second": samples_per_second,
            "seconds_left": seconds_left,
        });
        self.shared.send_event("epochs", &news);
        run.reported = (run.history.len(), Instant::now());
    }

    /// Reports the end of the run, with a model and its test result, or with neither.
    pub(super) fn end(
        &self,
        phase: Phase,
        message: Option<String>,
        left: Option<(Model, Option<&TestResult>)>,
        saved: Option<String>,
    ) {
        let mut state = self.shared.lock();
        if state.turn == Some(self.id) {
            state.turn = None;
        }
        if let Some(run) = state.run(self.id) {
            self.send_epochs(run);
            if let Some((model, tested)) = left {
                run.model = Some(Arc::new(model));
                if let Some(TestResult::Classes(found)) = tested {
                    run.test = Some((found.accuracy, found.accuracy_interval()));
                }
            }
            (run.message, run.saved) = (message, saved);
        }
        self.set(&mut state, phase);
    }
}
