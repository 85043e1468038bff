//! L-BFGS: a quasi-Newton method for the whole batch (docs/maths.md M29).
//!
//! In: parameters, and a function that gives objective and gradient at any parameters. Out: better
//! parameters, iteration by iteration: a direction from the curvature that `memory.rs` remembers, and a step
//! along it whose length `search.rs` finds. It is the method of SciPy's `L-BFGS-B` without bounds (Nocedal
//! 1980, Zhu et al. 1997), and ends where that does. Evaluations are in single precision, all else is in
//! double precision.

mod memory;
mod search;

use memory::{Memory, PAIRS, Pair, dot_with};
use search::{Next, Point, Search};

/// A run has converged when an iteration decreases the objective by no more than this share of it (of 1, if
/// the objective is smaller): SciPy's `ftol`.
const LEAST_DECREASE: f64 = 1e7 * f64::EPSILON;

/// Most evaluations along one direction.
const MOST_TRIALS: usize = 20;

/// The objective at some parameters.
#[derive(Debug, Clone)]
pub struct Evaluation<F> {
    /// Its value.
    pub objective: f64,
    /// Its gradient, a number for each parameter.
    pub gradient: Vec<f32>,
    /// What else the caller wants to know of these parameters.
    pub figures: F,
}

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The run has converged when no component of the gradient is larger, in absolute value.
    pub tolerance: f64,
    /// The run ends after the iteration in which there are more evaluations than this, in all.
    pub evaluations: u64,
}

/// Why no more iterations are to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Nothing more is to be gained.
    Converged,
    /// All evaluations were made.
    Exhausted,
}

/// What an iteration brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iteration<F> {
    /// Those of the parameters after it.
    pub figures: F,
    /// Length of the step, as a multiple of the direction; 0 if there was none.
    pub step: f64,
    /// Whether it was the last one.
    pub end: Option<End>,
}

/// What L-BFGS remembers between two iterations.
#[derive(Debug, Clone)]
pub struct Lbfgs<F> {
    memory: Memory,
    /// The objective at the parameters; none before the first iteration, and after a run was resumed.
    current: Option<Evaluation<F>>,
    /// Evaluations so far.
    evaluations: u64,
}

/// Objective and gradient at some parameters; none if the run is to stop.
pub type Objective<'a, F> = &'a mut dyn FnMut(&[f32]) -> Option<Evaluation<F>>;

/// A step that was found.
struct Found<F> {
    step: f64,
    parameters: Vec<f32>,
    evaluation: Evaluation<F>,
}

impl<F: Clone> Lbfgs<F> {
    /// Before the first iteration.
    pub fn new() -> Lbfgs<F> {
        Lbfgs { memory: Memory::default(), current: None, evaluations: 0 }
    }

    /// Where a run was that had made so many evaluations and remembered these steps and changes of the
    /// gradient, each `length` numbers, the oldest first. None if they are not of that form.
    pub fn resumed(
        evaluations: u64,
        length: usize,
        steps: &[f32],
        changes: &[f32],
    ) -> Option<Lbfgs<F>> {
        let whole = length > 0 && steps.len().is_multiple_of(length);
        if !whole || steps.len() != changes.len() || steps.len() > PAIRS * length {
            return None;
        }
        let mut memory = Memory::default();
        for (step, change) in steps.chunks_exact(length).zip(changes.chunks_exact(length)) {
            memory.push(Pair::new(step.to_vec(), change.to_vec(), 0.0)?);
        }
        Some(Lbfgs { memory, current: None, evaluations })
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// The steps and the changes of the gradient that are remembered, the oldest first.
    pub fn pairs(&self) -> (Vec<f32>, Vec<f32>) {
        let steps = self.memory.pairs().flat_map(|pair| pair.step.iter().copied());
        let changes = self.memory.pairs().flat_map(|pair| pair.change.iter().copied());
        (steps.collect(), changes.collect())
    }

    /// Makes one iteration, after which `parameters` are the new ones; none, and the parameters as they
    /// were, if the run is to stop. An objective that is not finite at the start ends the iteration without a
    /// step.
    pub fn iterate(
        &mut self,
        parameters: &mut Vec<f32>,
        limits: &Limits,
        evaluate: Objective<F>,
    ) -> Option<Iteration<F>> {
        let current = match self.current.take() {
            Some(current) => current,
            // A resumed run makes an evaluation again that was counted.
            None => evaluate(parameters).inspect(|_| self.evaluations = self.evaluations.max(1))?,
        };
        if !is_sound(&current) {
            return Some(Iteration { figures: current.figures, step: 0.0, end: None });
        }
        let converged = largest(&current.gradient) <= limits.tolerance;
        let found = match converged {
            true => None,
            false => self.step(parameters, &current, evaluate)?,
        };
        let Some(Found { step, parameters: new, evaluation }) = found else {
            let figures = current.figures.clone();
            self.current = Some(current);
            return Some(Iteration { figures, step: 0.0, end: Some(End::Converged) });
        };
        let gain = current.objective - evaluation.objective;
        let scale = current.objective.abs().max(evaluation.objective.abs()).max(1.0);
        let settled = gain <= LEAST_DECREASE * scale;
        // In this order, as SciPy has it.
        let end = if self.evaluations > limits.evaluations {
            Some(End::Exhausted)
        } else {
            (settled || largest(&evaluation.gradient) <= limits.tolerance).then_some(End::Converged)
        };
        *parameters = new;
        let figures = evaluation.figures.clone();
        self.current = Some(evaluation);
        Some(Iteration { figures, step, end })
    }

    /// A step from `parameters`: along the direction that the memory gives, else along the gradient.
    /// `Some(None)` if there is no better point; none if the run is to stop.
    fn step(
        &mut self,
        parameters: &[f32],
        current: &Evaluation<F>,
        evaluate: Objective<F>,
    ) -> Option<Option<Found<F>>> {
        loop {
            let direction = self.memory.direction(&current.gradient);
            let slope = dot_with(&current.gradient, &direction);
            let found = match slope < 0.0 {
                true => self.search(parameters, current, &direction, slope, evaluate),
                false => Some(None),
            };
            let Some(found) = found else {
                // Stopped: the iteration can be made again.
                self.current = Some(current.clone());
                return None;
            };
            if let Some(found) = found {
                self.remember(parameters, current, &found, -slope * found.step);
                return Some(Some(found));
            }
            if self.memory.is_empty() {
                return Some(None);
            }
            // What is remembered does not fit this place: once more, along the gradient.
            self.memory.clear();
        }
    }

    /// Looks for a step along `direction`, whose slope is below 0.
    fn search(
        &mut self,
        parameters: &[f32],
        current: &Evaluation<F>,
        direction: &[f64],
        slope: f64,
        evaluate: Objective<F>,
    ) -> Option<Option<Found<F>>> {
        let norm = direction.iter().map(|it| it * it).sum::<f64>().sqrt();
        // The memory knows how long a step should be; the gradient alone does not: parameters move by 1.
        let mut step = if self.memory.is_empty() { 1.0 / norm } else { 1.0 };
        let mut search = Search::new(current.objective, slope, step);
        let mut best: Option<Found<F>> = None;
        for _ in 0..MOST_TRIALS {
            let point = along(parameters, direction, step);
            if point == parameters {
                // The step is below the precision of the parameters.
                break;
            }
            let evaluation = evaluate(&point)?;
            self.evaluations += 1;
            let slope = dot_with(&evaluation.gradient, direction);
            if !is_sound(&evaluation) || !slope.is_finite() {
                step = search.retreat(step);
                continue;
            }
            let next = search.judge(Point { step, value: evaluation.objective, slope });
            let found = Found { step, parameters: point, evaluation };
            match next {
                Next::Accept => return Some(Some(found)),
                Next::Try(next) => {
                    if search.best() == step {
                        best = Some(found);
                    }
                    step = next;
                }
                Next::GiveUp => {
                    if search.best() == step {
                        best = Some(found);
                    }
                    break;
                }
            }
        }
        Some(best.filter(|best| best.evaluation.objective < current.objective))
    }

    /// Remembers a step, if the curvature along it is above 0 by more than rounding; `promised` is what the
    /// slope promised it to bring.
    fn remember(
        &mut self,
        parameters: &[f32],
        current: &Evaluation<F>,
        found: &Found<F>,
        promised: f64,
    ) {
        let step = difference(&found.parameters, parameters);
        let change = difference(&found.evaluation.gradient, &current.gradient);
        if let Some(pair) = Pair::new(step, change, f64::EPSILON * promised) {
            self.memory.push(pair);
        }
    }
}

impl<F: Clone> Default for Lbfgs<F> {
    fn default() -> Self {
        Lbfgs::new()
    }
}

fn is_sound<F>(evaluation: &Evaluation<F>) -> bool {
    evaluation.objective.is_finite() && evaluation.gradient.iter().all(|it| it.is_finite())
}

/// The largest absolute value.
fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0f32, |most, value| most.max(value.abs())).into()
}

/// `parameters + step direction`, rounded once.
fn along(parameters: &[f32], direction: &[f64], step: f64) -> Vec<f32> {
    let pairs = parameters.iter().zip(direction);
    pairs.map(|(&from, &direction)| (f64::from(from) + step * direction) as f32).collect()
}

fn difference(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
