//! The page of `train --watch`: a run of this process in, a page that shows it out.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use gradus::classifier::Model;
use gradus::training::{EpochReport, Outcome, Session};
use serde_json::Value;

use super::model::Served;
use super::reporter::Reporter;
use super::run_state::{Phase, ending};
use super::server::{Address, Server, new_state, open};
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
    /// Starts a server on `port`; the default is the usual port, or any free one if that is in use.
    ///
    /// # Errors
    /// If the port is in use.
    pub(crate) fn start(args: &TrainArgs, settings: &Settings, port: Option<u16>) -> Result<Watch> {
        let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let shared = Arc::new(new_state(folder, &args.source.named)?);
        let listen =
            |port| Server::start(shared.clone(), &Address { host: LOOPBACK, port, token: None });
        let server = match port {
            Some(port) => listen(port),
            None => listen(USUAL_PORT).or_else(|_| listen(0)),
        };
        let server =
            server.map_err(|error| anyhow!("{error}: choose another port with --watch PORT"))?;
        let given = args.given.iter().filter(|(name, _)| *name != "watch");
        let options =
            given.map(|(name, value)| (name.replace('_', "-"), Value::from(value.clone())));
        let new = NewRun {
            data: args.data.as_ref().map_or("mnist".into(), |data| data.display().to_string()),
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

    /// Reports an epoch. Returns when the next one may start: immediately, or after a pause.
    pub(crate) fn epoch(&self, report: &EpochReport) {
        self.reporter.epoch(report);
    }

    /// Reports that the data are loaded, and the earlier epochs of a resumed run.
    pub(crate) fn ready(&self, data: &str, samples: usize, session: &Session) {
        let network = &session.model().network;
        self.reporter.ready(data, architecture(network), samples);
        session.history().epochs.iter().for_each(|epoch| self.reporter.epoch(epoch));
    }

    /// Whether the user has stopped the run on the page.
    pub(crate) fn has_stopped_it(&self) -> bool {
        let mut state = self.reporter.shared.lock();
        state.run(self.reporter.id).is_some_and(|run| run.phase == Phase::Stopping)
    }

    /// Reports the end of the run, with its model, its test result and the file that holds it, if there is one.
    pub(crate) fn ended(
        &self,
        outcome: &Outcome,
        left: Option<(Model, Option<&TestResult>, &Path)>,
    ) {
        let Some((model, tested, file)) = left else {
            let (phase, message) = ending(outcome);
            return self.reporter.end(phase, message, None, None);
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (phase, message) = ending(outcome);
        let served = Served::new(model.clone(), name.clone(), Some(self.reporter.id));
        self.reporter.end(phase, message, Some((model, tested)), Some(name));
        // A regression model is saved, but cannot recognize drawings.
        if let Ok(served) = served {
            self.reporter.shared.serve(served);
        }
    }

    /// Stops the runs that were started on the page, saves their models and ends the server.
    pub(crate) fn end(self) {
        self.server.end();
    }
}
