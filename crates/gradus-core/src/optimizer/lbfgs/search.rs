//! The line search of L-BFGS: how far to go along a direction (Moré and Thuente 1994).
//!
//! In: value and slope at the start, then at each step length tried. Out: the next length to try, until one
//! fulfils the strong Wolfe conditions (docs/maths.md M29). It knows nothing of vectors.

/// Sufficient decrease: a step must bring this share of what the slope at the start promises (`c1`).
const DECREASE: f64 = 1e-3;

/// Curvature: the slope must shrink to this share of that at the start (`c2`).
const CURVATURE: f64 = 0.9;

/// A bracket that is narrower than this share of its longer end is not divided further.
const NARROWEST: f64 = 0.1;

/// No step is longer.
const LONGEST: f64 = 1e10;

/// While no minimum is bracketed, a step grows by at least and at most so many times its last change.
const GROWTH: (f64, f64) = (1.1, 4.0);

/// A bracket must shrink to this share within two steps, else it is halved. It also bounds a step towards the
/// other end.
const SHRINK: f64 = 0.66;

/// Values are computed in single precision: a difference of less than this share of a value is rounding.
const ROUNDING: f64 = f32::EPSILON as f64;

/// Value and slope at a step length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) step: f64,
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// What follows from a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// It fulfils the conditions.
    Accept,
    /// This length is to be tried.
    Try(f64),
    /// No length near the best point is better than that.
    GiveUp,
}

/// A search along one direction.
#[derive(Debug)]
pub(super) struct Search {
    start: Point,
    /// The best point so far, and the other end of the interval that is searched.
    best: Point,
    other: Point,
    /// Whether there is a minimum between these two.
    bracketed: bool,
    /// Until a point with a sufficient decrease and a rising slope is found, the search minimizes the value
    /// less that decrease: the minimum of the value itself may be one that does not fulfil the conditions.
    first_stage: bool,
    /// Lengths among which the next one is chosen.
    range: (f64, f64),
    /// Widths of the last two brackets.
    widths: (f64, f64),
    longest: f64,
}

impl Search {
    /// From `value` and `slope`, which is below 0, at length 0; `first` is the first length to be tried.
    pub(super) fn new(value: f64, slope: f64, first: f64) -> Search {
        let start = Point { step: 0.0, value, slope };
        Search {
            start,
            best: start,
            other: start,
            bracketed: false,
            first_stage: true,
            range: (0.0, first + GROWTH.1 * first),
            widths: (LONGEST, 2.0 * LONGEST),
            longest: LONGEST,
        }
    }

    /// The length of the best point so far; 0 if none is better than the start.
    pub(super) fn best(&self) -> f64 {
        self.best.step
    }

    /// The length to try after one whose value or slope is not a finite number: it went too far.
    pub(super) fn retreat(&mut self, step: f64) -> f64 {
        let distance = step - self.best.step;
        if distance > 0.0 {
            self.longest = self.best.step + 0.5 * distance;
            self.range.1 = self.range.1.min(self.longest);
            self.range.0 = self.range.0.min(self.range.1);
        }
        self.best.step + 0.1 * distance
    }

    /// Takes a point in.
    pub(super) fn judge(&mut self, point: Point) -> Next {
        let decrease = DECREASE * self.start.slope;
        let target = self.start.value + point.step * decrease;
        if self.is_accepted(&point, target) {
            return Next::Accept;
        }
        if point.step >= self.longest && point.value <= target && point.slope <= decrease {
            return Next::Accept;
        }
        if self.first_stage && point.value <= target && point.slope >= 0.0 {
            self.first_stage = false;
        }
        let modified = self.first_stage && point.value <= self.best.value && point.value > target;
        let step = self.advance(point, if modified { decrease } else { 0.0 });
        self.narrow(step)
    }

    /// The strong Wolfe conditions. Where the promised decrease drowns in rounding, a value that does not
    /// rise by more than that is enough (Hager and Zhang 2005).
    fn is_accepted(&self, point: &Point, target: f64) -> bool {
        let Point { value, slope, .. } = self.start;
        let rounding = ROUNDING * value.abs();
        let drowns = value - target <= rounding;
        let decreased = point.value <= target || (drowns && point.value <= value + rounding);
        decreased && point.slope.abs() <= CURVATURE * slope.abs()
    }

    /// The next length, from the ends of the interval and the new point, which takes the place of one of
    /// them; all values less `slope` times their length.
    fn advance(&mut self, point: Point, slope: f64) -> f64 {
        let less =
            |it: Point| Point { value: it.value - it.step * slope, slope: it.slope - slope, ..it };
        let (best, other, new) = (less(self.best), less(self.other), less(point));
        let opposite = new.slope * best.slope.signum() < 0.0;
        let step = if new.value > best.value {
            self.bracketed = true;
            beyond_a_minimum(best, new)
        } else if opposite {
            self.bracketed = true;
            farther(new.step, cubic_minimum(new, best), secant(new, best))
        } else if new.slope.abs() < best.slope.abs() {
            self.flatter(best, other, new)
        } else if self.bracketed {
            cubic_minimum(new, other)
        } else if new.step > best.step {
            self.range.1
        } else {
            self.range.0
        };
        if new.value > best.value {
            self.other = point;
        } else {
            if opposite {
                self.other = self.best;
            }
            self.best = point;
        }
        step
    }

    /// The slopes have the same sign, and the new one is flatter: the cubic may have no minimum in this
    /// direction.
    fn flatter(&self, best: Point, other: Point, new: Point) -> f64 {
        let (low, high) = self.range;
        let forward = new.step > best.step;
        let cubic = cubic_minimum_ahead(best, new).unwrap_or(if forward { high } else { low });
        let secant = secant(new, best);
        if !self.bracketed {
            return farther(new.step, cubic, secant).max(low).min(high);
        }
        let step = nearer(new.step, cubic, secant);
        let bound = new.step + SHRINK * (other.step - new.step);
        if forward { step.min(bound) } else { step.max(bound) }
    }

    /// The lengths that remain, and the one of them to be tried.
    fn narrow(&mut self, mut step: f64) -> Next {
        let (best, other) = (self.best.step, self.other.step);
        if self.bracketed {
            let width = (other - best).abs();
            if width >= SHRINK * self.widths.1 {
                step = best + 0.5 * (other - best);
            }
            self.widths = (width, self.widths.0);
            self.range = (best.min(other), best.max(other));
        } else {
            self.range = (step + GROWTH.0 * (step - best), step + GROWTH.1 * (step - best));
        }
        step = step.clamp(0.0, self.longest);
        let (shortest, longest) = self.range;
        let collapsed = self.bracketed
            && (step <= shortest || step >= longest || longest - shortest <= NARROWEST * longest);
        match collapsed || step.is_nan() {
            true => Next::GiveUp,
            false => Next::Try(step),
        }
    }
}

/// The new value is higher: a minimum lies between the two.
fn beyond_a_minimum(best: Point, new: Point) -> f64 {
    let distance = new.step - best.step;
    let cubic = cubic_minimum(best, new);
    let mean_slope = (best.value - new.value) / distance;
    let quadratic = best.step + best.slope / (mean_slope + best.slope) / 2.0 * distance;
    match (cubic - best.step).abs() < (quadratic - best.step).abs() {
        true => cubic,
        false => cubic + (quadratic - cubic) / 2.0,
    }
}

/// Which of two lengths is nearer to `from`.
fn nearer(from: f64, one: f64, two: f64) -> f64 {
    if (one - from).abs() < (two - from).abs() { one } else { two }
}

/// Which of two lengths is farther from `from`.
fn farther(from: f64, one: f64, two: f64) -> f64 {
    if (one - from).abs() > (two - from).abs() { one } else { two }
}

/// Where the line through both slopes is 0.
fn secant(a: Point, b: Point) -> f64 {
    a.step + a.slope / (a.slope - b.slope) * (b.step - a.step)
}

/// Terms of the cubic with the values and slopes of both points: `theta`, and `gamma`, the root of its
/// discriminant with the sign of the way from `a` to `b`. Scaled, so that no square overflows.
fn cubic(a: Point, b: Point) -> (f64, f64) {
    let theta = 3.0 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope;
    let scale = theta.abs().max(a.slope.abs()).max(b.slope.abs());
    let square = (theta / scale).powi(2) - (a.slope / scale) * (b.slope / scale);
    let gamma = scale * square.max(0.0).sqrt();
    (theta, if b.step < a.step { -gamma } else { gamma })
}

/// The minimum of that cubic.
fn cubic_minimum(a: Point, b: Point) -> f64 {
    let (theta, gamma) = cubic(a, b);
    let share = (gamma - a.slope + theta) / (gamma - a.slope + gamma + b.slope);
    a.step + share * (b.step - a.step)
}

/// The minimum of that cubic beyond `new`, seen from `best`; none if there is none.
fn cubic_minimum_ahead(best: Point, new: Point) -> Option<f64> {
    let (theta, gamma) = cubic(new, best);
    let share = (gamma - new.slope + theta) / (gamma + (best.slope - new.slope) + gamma);
    (share < 0.0 && gamma != 0.0).then_some(new.step + share * (best.step - new.step))
}
