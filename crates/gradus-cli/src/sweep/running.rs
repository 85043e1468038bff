//! Trains the runs in parallel, rung after rung: a plan and data in, results out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use gradus::exchange::Ranks;
use gradus::training::{Data, Monitor, Outcome, Session};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::halving::{Figures, spent, survivors};
use super::plan::{Plan, Run};
use super::record::{End, Record, Results};
use crate::run::output::{Exit, STOPPED, say};
use crate::run::progress::Epochs;

/// What all runs share.
pub(crate) struct Sweep<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) sets: Data<'a>,
    /// The file of this rank; that of rank 0 gets the results of all.
    pub(crate) results: Results,
    /// [`Plan::identity`].
    pub(crate) identity: Value,
    pub(crate) jobs: usize,
    pub(crate) stop: &'static AtomicBool,
    pub(crate) bar: Epochs,
    /// The processes that share the runs.
    pub(crate) ranks: Ranks,
}

/// What a rank tells the others of a run.
#[derive(Serialize, Deserialize)]
struct News {
    run: usize,
    passed: Vec<Figures>,
    record: Option<Record>,
}

/// A run in progress. Its session is kept between rungs.
struct ActiveRun<'a> {
    run: &'a Run,
    session: Option<Session>,
    /// The metrics at the rungs that it has passed.
    passed: Vec<Figures>,
    record: Option<Record>,
}

impl ActiveRun<'_> {
    /// The metrics at a rung; for a run that ended before it, the last ones.
    fn at(&self, rung: usize) -> Figures {
        let record = || self.record.as_ref().map(|record| record.figures);
        self.passed.get(rung).copied().or_else(record).unwrap_or_default()
    }

    fn is_through(&self, rung: usize) -> bool {
        self.record.is_some() || self.passed.len() > rung
    }
}

/// For each rung of a plan, the epochs of a run and the total number of epochs so far.
pub(crate) fn epochs(plan: &Plan) -> (Vec<usize>, Vec<usize>) {
    let runs = plan.runs.iter().filter(|run| plan.trains(run));
    let epochs = runs.map(|run| run.settings.config.epochs);
    match &plan.rungs {
        Some(rungs) => (rungs.clone(), spent(plan.runs.len(), rungs)),
        None => (vec![epochs.clone().max().unwrap_or(0)], vec![epochs.sum()]),
    }
}

impl<'a> Sweep<'a> {
    /// Trains the runs of this part except those that are `known` from the file, and returns the results of all that are
    /// then known.
    ///
    /// # Errors
    /// If a run cannot start or a result cannot be written; an [`Exit`] if the sweep was stopped.
    pub(crate) fn run(&self, known: Vec<Option<Record>>) -> Result<Vec<Record>> {
        let active = |(run, record): (&'a Run, Option<Record>)| {
            let passed = record.as_ref().map_or(Vec::new(), |record| record.rungs.clone());
            ActiveRun { run, session: None, passed, record }
        };
        let runs = self.plan.runs.iter().zip(known);
        let is_here =
            |(run, record): &(&Run, Option<Record>)| record.is_some() || self.plan.trains(run);
        let mut going: Vec<_> = runs.filter(is_here).map(active).collect();
        let mut results = Vec::new();
        let (bounds, sums) = epochs(self.plan);
        for (rung, (&bound, sum)) in bounds.iter().zip(sums).enumerate() {
            self.train(&mut going, bound)?;
            if !going.iter().all(|active| active.is_through(rung)) {
                return Err(self.stopped(&going, results.len()));
            }
            self.bar.set(sum);
            if rung + 1 < bounds.len() {
                let entered = going.len();
                let mut worse = remove_worse(&mut going, rung, self.plan.monitor);
                for active in &mut worse {
                    self.end(active, End::GivenUp, None)?;
                }
                self.share(&mut worse)?;
                results.extend(worse.into_iter().filter_map(|active| active.record));
                let going = going.len();
                let unit = if bound == 1 { "epoch" } else { "epochs" };
                let message = format!("after {bound} {unit}: {going} of {entered} runs continue");
                self.bar.suspend(|| say(message));
            }
        }
        results.extend(going.into_iter().filter_map(|active| active.record));
        Ok(results)
    }

    /// Trains the runs that have not ended up to `bound` epochs: each rank its own.
    fn train(&self, going: &mut [ActiveRun<'a>], bound: usize) -> Result<()> {
        let waits = |active: &&mut ActiveRun| active.record.is_none() && self.is_own(active.run);
        self.train_these(going.iter_mut().filter(waits).collect(), bound)?;
        self.share(going)
    }

    /// Whether this rank trains the run.
    fn is_own(&self, run: &Run) -> bool {
        run.number % self.ranks.size() == self.ranks.rank()
    }

    /// Tells the other ranks of this one's runs, and hears of theirs.
    fn share(&self, runs: &mut [ActiveRun]) -> Result<()> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let own = runs.iter().filter(|active| self.is_own(active.run));
        let news: Vec<News> = own
            .map(|active| News {
                run: active.run.number,
                passed: active.passed.clone(),
                record: active.record.clone(),
            })
            .collect();
        for list in self.ranks.lists(&serde_json::to_vec(&news)?)? {
            for news in serde_json::from_slice::<Vec<News>>(&list)? {
                let active = runs.iter_mut().find(|active| active.run.number == news.run);
                let Some(active) = active.filter(|active| !self.is_own(active.run)) else {
                    continue;
                };
                active.passed = news.passed;
                if let (None, Some(record)) = (&active.record, news.record) {
                    if self.ranks.rank() == 0 {
                        self.write(&record, active.run)?;
                    }
                    active.record = Some(record);
                }
            }
        }
        Ok(())
    }

    /// Trains runs up to `bound` epochs, several in parallel.
    fn train_these(&self, waiting: Vec<&mut ActiveRun<'a>>, bound: usize) -> Result<()> {
        let jobs = self.jobs.min(waiting.len());
        let waiting = Mutex::new(waiting.into_iter());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some(active) = next() {
                self.advance(active, bound).inspect_err(|_| {
                    // Stop the other runs: their results could not be written either.
                    self.stop.store(true, Ordering::SeqCst);
                })?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let ended = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            ended.fold(Ok(()), Result::and)
        })
    }

    /// Trains a run up to `bound` epochs, or until it ends.
    fn advance(&self, active: &mut ActiveRun<'a>, bound: usize) -> Result<()> {
        if self.stop.load(Ordering::SeqCst) {
            return Ok(());
        }
        let session = match &mut active.session {
            Some(session) => session,
            none => none.insert(begin(active.run, self.sets)?),
        };
        while session.history().epochs.len() < bound
            && session.epoch(self.sets, self.stop)?.is_some()
        {
            self.bar.step();
        }
        let figures = figures(session);
        let end = match session.outcome() {
            Some(Outcome::Diverged { .. }) => Some(End::Diverged),
            Some(Outcome::NoProgress) => Some(End::NoProgress),
            _ if figures.epochs == session.config().epochs => Some(End::Finished),
            _ if figures.epochs < bound => return Ok(()),
            _ => None,
        };
        match end {
            Some(end) => self.end(active, end, Some(figures))?,
            None => active.passed.push(figures),
        }
        Ok(())
    }

    /// Ends a run: writes its result to the file and drops its session. `figures` are the metrics of its last
    /// rung, unless they are already among those that it passed.
    fn end(&self, active: &mut ActiveRun, outcome: End, figures: Option<Figures>) -> Result<()> {
        let Some(session) = active.session.take() else { return Ok(()) };
        let mut rungs = std::mem::take(&mut active.passed);
        let figures = figures.or_else(|| rungs.pop()).unwrap_or_default();
        let record = Record {
            run: active.run.number,
            outcome,
            options: active.run.options.iter().cloned().collect(),
            figures,
            seconds: session.history().epochs.iter().fold(0.0, |sum, epoch| sum + epoch.seconds),
            rungs: rungs.clone(),
            sweep: self.identity.clone(),
        };
        self.write(&record, active.run)?;
        active.passed = rungs;
        active.record = Some(record);
        Ok(())
    }

    /// Adds a result to the file, and says it.
    fn write(&self, record: &Record, run: &Run) -> Result<()> {
        self.results.append(record)?;
        self.bar.suspend(|| say(line(record, run, self.plan.monitor)));
        Ok(())
    }

    /// The exit of a sweep that was stopped.
    fn stopped(&self, going: &[ActiveRun], ended: usize) -> anyhow::Error {
        self.bar.finish();
        let ended = ended + going.iter().filter(|active| active.record.is_some()).count();
        let runs = self.plan.runs.iter().filter(|run| self.plan.trains(run)).count();
        say(format_args!(
            "Stopped; the results of {ended} of {runs} runs are saved. Repeat the command to continue."
        ));
        Exit(STOPPED).into()
    }
}

/// Starts a run.
///
/// # Errors
/// If its settings do not fit the data.
pub(crate) fn begin(run: &Run, sets: Data) -> Result<Session> {
    let settings = &run.settings;
    let session = Session::new(&settings.config, sets, settings.start());
    session.map_err(|error| {
        error.context(format_args!("run {} ({})", run.number, run.spelled())).into()
    })
}

/// Removes and returns the runs that do not continue after a rung.
fn remove_worse<'a>(
    going: &mut Vec<ActiveRun<'a>>,
    rung: usize,
    by: Monitor,
) -> Vec<ActiveRun<'a>> {
    // A stable sort, so that ties stay in the order of their numbers.
    going.sort_by_key(|active| active.run.number);
    going.sort_by(|a, b| a.at(rung).compare(&b.at(rung), by));
    going.split_off(survivors(going.len()))
}

/// The metrics of the model that the run would produce now.
fn figures(session: &Session) -> Figures {
    let reports = &session.history().epochs;
    let best = session.best().map(|best| best.epoch);
    let epochs = reports.len();
    let report = match session.outcome() {
        Some(Outcome::Diverged { .. }) => None,
        _ => best.map_or(reports.last(), |best| reports.get(best)),
    };
    let Some(report) = report else { return Figures { epochs, ..Figures::default() } };
    let number = |value: Option<f64>| value.filter(|value| value.is_finite());
    Figures {
        epochs,
        best_epoch: best,
        loss: number(Some(report.loss)),
        accuracy: number(report.accuracy),
        val_loss: number(report.val_loss),
        val_accuracy: number(report.val_accuracy),
        val_r2: number(report.val_r2),
    }
}

/// The message about a run that has ended.
fn line(record: &Record, run: &Run, monitor: Monitor) -> String {
    let Record { figures, outcome, seconds, .. } = record;
    let figure = match figures.of(monitor) {
        Some(value) => format!("{} = {value:.4}, ", monitor.name()),
        None => String::new(),
    };
    let unit = if figures.epochs == 1 { "epoch" } else { "epochs" };
    format!(
        "run {} {}: {figure}{} {unit}, {seconds:.2} s: {}",
        run.number,
        outcome.name(),
        figures.epochs,
        run.spelled()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Command;

    #[test]
    fn the_best_third_continues_and_ties_are_broken_by_number() {
        let words = "gradus sweep --vary hidden=1..99:int --runs 9 -- --validation 0.1";
        let plan = match Command::parse(words.split_whitespace()).unwrap() {
            Command::Sweep(args) => Plan::new(&args).unwrap(),
            other => panic!("{other:?}"),
        };
        let figures = |val_accuracy| Figures { val_accuracy, ..Figures::default() };
        let accuracies = [0.1, 0.7, 0.9, 0.7, 0.8, 0.7, 0.2, 0.3, 0.95];
        // In reverse order: the order in which runs finish does not matter.
        let active = |(run, accuracy): (_, f64)| ActiveRun {
            run,
            session: None,
            passed: vec![figures(Some(accuracy)), figures(Some(1.0 - accuracy))],
            record: None,
        };
        let all = || plan.runs.iter().zip(accuracies).map(active).rev().collect::<Vec<_>>();
        let numbers = |runs: &[ActiveRun]| -> Vec<usize> {
            runs.iter().map(|active| active.run.number).collect()
        };
        let mut going = all();
        let worse = remove_worse(&mut going, 0, Monitor::ValAccuracy);
        assert_eq!(numbers(&going), [8, 2, 4]);
        assert_eq!(numbers(&worse), [1, 3, 5, 7, 6, 0]);
        remove_worse(&mut going, 1, Monitor::ValAccuracy);
        assert_eq!(numbers(&going), [4]);

        // A run that ended before the rung is compared by its last metrics.
        let mut going = all();
        let record = |outcome, val_accuracy| Record {
            run: 0,
            outcome,
            options: [].into(),
            figures: figures(val_accuracy),
            seconds: 0.0,
            rungs: Vec::new(),
            sweep: Value::Null,
        };
        going[0].passed.clear();
        going[0].record = Some(record(End::Diverged, None));
        going[8].passed.clear();
        going[8].record = Some(record(End::NoProgress, Some(0.99)));
        let worse = remove_worse(&mut going, 0, Monitor::ValAccuracy);
        assert_eq!(numbers(&going), [0, 2, 4]);
        assert_eq!(worse.last().unwrap().run.number, 8);
    }
}
