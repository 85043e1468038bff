//! The page of `train --watch`: it shows a run that this process trains.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use gradus::classifier::Model;
use gradus::training::{EpochReport, Outcome, Session};
use serde_json::Value;

use super::model::Served;
use super::reporter::Reporter;
use super::run_state::{Phase, ending};
use super::server::{Place, Server, new_state, open};
use super::state::NewRun;
use crate::args::{LOOPBACK, TrainArgs, USUAL_PORT};
use crate::run::describe::architecture;
use crate::run::output::say;
use crate::run::settings::Settings;
use crate::run::stop;
use crate::run::test_result::TestResult;

/// A run of `gradus train` that the page shows.
pub(crate) struct Watch {
    server: Server,
    reporter: Reporter,
}

impl Watch {
    /// Starts a server on `port`, else on the usual port or, where that is taken, any.
    ///
    /// # Errors
    /// Where the port is taken.
    pub(crate) fn start(args: &TrainArgs, settings: &Settings, port: Option<u16>) -> Result<Watch> {
        let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let shared = Arc::new(new_state(folder, &args.source.named)?);
        let listen =
            |port| Server::start(shared.clone(), &Place { host: LOOPBACK, port, token: None });
        let server = match port {
            Some(port) => listen(port),
            None => listen(USUAL_PORT).or_else(|_| listen(0)),
        };
        let server =
            server.map_err(|error| anyhow!("{error}: choose another one with --watch PORT"))?;
        let given = args.given.iter().filter(|(name, _)| *name != "watch");
        let options =
            given.map(|(name, value)| (name.replace('_', "-"), Value::from(value.clone())));
        let new = NewRun {
            data: args.data.clone().unwrap_or_else(|| "mnist".into()),
            preset: settings.preset.name(),
            options: options.collect::<serde_json::Map<_, _>>().into(),
            epochs: settings.config.epochs,
            stop: stop::flag(),
        };
        let id = shared.add(new, true).map_err(anyhow::Error::msg)?;
        say(format_args!("watch this run at {}#train", server.url));
        open(&format!("{}#train", server.url));
        Ok(Watch { server, reporter: Reporter { shared, id } })
    }

    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    /// An epoch is over. Returns when the next may begin: at once, or after a pause.
    pub(crate) fn epoch(&self, report: &EpochReport) {
        self.reporter.epoch(report);
    }

    /// The data are there; of a resumed run also its earlier epochs.
    pub(crate) fn ready(&self, data: &str, samples: usize, session: &Session) {
        let network = &session.model().network;
        self.reporter.ready(data, architecture(network), samples);
        session.history().epochs.iter().for_each(|epoch| self.reporter.epoch(epoch));
    }

    /// Whether the page has stopped the run.
    pub(crate) fn has_stopped_it(&self) -> bool {
        let mut state = self.reporter.shared.lock();
        state.run(self.reporter.id).is_some_and(|run| run.phase == Phase::Stopping)
    }

    /// The run is over, its model is in `file`.
    pub(crate) fn ended(&self, outcome: &Outcome, model: Model, tested: &TestResult, file: &Path) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (phase, message) = ending(outcome);
        let served = Served::new(model.clone(), name.clone(), Some(self.reporter.id));
        self.reporter.end(phase, message, Some((model, tested)), Some(name));
        // A model of values is saved, but nothing to draw for.
        if let Ok(served) = served {
            self.reporter.shared.serve(served);
        }
    }

    /// Runs that the page has started are stopped, and kept.
    pub(crate) fn end(self) {
        self.server.end();
    }
}
