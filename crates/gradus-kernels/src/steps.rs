//! One step of each optimizer (docs/maths.md M8, M9): parameters, gradients and moments go in; parameters
//! and moments are changed in place.
//!
//! Plain loops over slices of equal length, compiled once for each instruction set. Each reads and writes
//! everything once, since memory limits their speed. What all parameters share is computed before, in the
//! structs below: `1 - beta1^t`, say.

use crate::dispatch::{Kernels, dispatch};

/// Constants of one SGD step (docs/maths.md M8).
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    /// Factor of the direction.
    pub learning_rate: f32,
    /// Factor of the previous velocity; 0 without momentum.
    pub momentum: f32,
    /// Nesterov momentum: the step is taken from where the velocity leads.
    pub nesterov: bool,
    /// Factor of the parameter that is added to the gradient (L2).
    pub l2: f32,
}

/// Constants of one Adam step (docs/maths.md M9).
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// `learning_rate / (1 - beta1^t)`
    pub step_size: f32,
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squared gradients.
    pub beta2: f32,
    /// `1 / sqrt(1 - beta2^t)`
    pub second_scale: f32,
    /// Added to the root, so that nothing is divided by 0.
    pub epsilon: f32,
    /// Factor of the parameter that is added to the gradient (L2).
    pub l2: f32,
    /// Factor of the parameter before the step (decoupled weight decay, AdamW); 1 without.
    pub shrink: f32,
}

/// Constants of one RMSprop step (docs/maths.md M9).
#[derive(Debug, Clone, Copy)]
pub struct RmsPropStep {
    /// Factor of the direction.
    pub learning_rate: f32,
    /// Decay of the mean of squared gradients.
    pub decay: f32,
    /// Factor of the previous velocity; 0 without momentum.
    pub momentum: f32,
    /// Added to the root, so that nothing is divided by 0.
    pub epsilon: f32,
    /// Factor of the parameter that is added to the gradient (L2).
    pub l2: f32,
}

/// Constants of one Lion step (docs/maths.md M9).
#[derive(Debug, Clone, Copy)]
pub struct LionStep {
    /// How far each parameter moves.
    pub learning_rate: f32,
    /// Share of the previous mean in the direction.
    pub beta1: f32,
    /// Decay of the mean of gradients.
    pub beta2: f32,
    /// Factor of the parameter before the step (decoupled weight decay); 1 without.
    pub shrink: f32,
}

impl Kernels {
    /// One step of SGD (docs/maths.md M8) with `g = gradient + l2 parameter`:
    /// `v = momentum v + g`, then `parameter -= learning_rate v`, or `learning_rate (g + momentum v)` with
    /// Nesterov. Without momentum `velocity` is not used and may be empty.
    ///
    /// Panics where the lengths differ.
    pub fn sgd(
        self,
        step: SgdStep,
        parameters: &mut [f32],
        gradients: &[f32],
        velocity: &mut [f32],
    ) {
        assert_eq!(parameters.len(), gradients.len());
        if step.momentum == 0.0 {
            dispatch!(self, (step: SgdStep, parameters: &mut [f32], gradients: &[f32]), |_S| {
                for (parameter, &gradient) in parameters.iter_mut().zip(gradients) {
                    *parameter -= step.learning_rate * (gradient + step.l2 * *parameter);
                }
            });
            return;
        }
        assert_eq!(parameters.len(), velocity.len());
        dispatch!(
            self,
            (step: SgdStep, parameters: &mut [f32], gradients: &[f32], velocity: &mut [f32]),
            |_S| {
                // The same loop for both: v, or g + momentum v.
                let (own, ahead) = if step.nesterov { (1.0, step.momentum) } else { (0.0, 1.0) };
                for ((parameter, &gradient), v) in
                    parameters.iter_mut().zip(gradients).zip(velocity)
                {
                    let g = gradient + step.l2 * *parameter;
                    *v = step.momentum * *v + g;
                    *parameter -= step.learning_rate * (own * g + ahead * *v);
                }
            }
        );
    }

    /// One step of Adam or AdamW (docs/maths.md M9) with `g = gradient + l2 parameter`:
    /// `m = beta1 m + (1 - beta1) g`, `v = beta2 v + (1 - beta2) g^2`,
    /// `parameter = shrink parameter - step_size m / (sqrt(v) second_scale + epsilon)`.
    ///
    /// Panics where the lengths differ.
    pub fn adam(
        self,
        step: AdamStep,
        parameters: &mut [f32],
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        let len = parameters.len();
        assert!(gradients.len() == len && first.len() == len && second.len() == len);
        dispatch!(
            self,
            (
                step: AdamStep,
                parameters: &mut [f32],
                gradients: &[f32],
                first: &mut [f32],
                second: &mut [f32],
            ),
            |_S| {
                for (((parameter, &gradient), m), v) in
                    parameters.iter_mut().zip(gradients).zip(first).zip(second)
                {
                    let g = gradient + step.l2 * *parameter;
                    *m = step.beta1 * *m + (1.0 - step.beta1) * g;
                    *v = step.beta2 * *v + (1.0 - step.beta2) * (g * g);
                    let root = v.sqrt() * step.second_scale + step.epsilon;
                    *parameter = step.shrink * *parameter - step.step_size * (*m / root);
                }
            }
        );
    }

    /// One step of RMSprop (docs/maths.md M9) with `g = gradient + l2 parameter`:
    /// `s = decay s + (1 - decay) g^2` and `d = g / (sqrt(s) + epsilon)`, then
    /// `parameter -= learning_rate d`, or with momentum `v = momentum v + d` and
    /// `parameter -= learning_rate v`. Without momentum `velocity` is not used and may be empty.
    ///
    /// Panics where the lengths differ.
    pub fn rmsprop(
        self,
        step: RmsPropStep,
        parameters: &mut [f32],
        gradients: &[f32],
        squares: &mut [f32],
        velocity: &mut [f32],
    ) {
        let len = parameters.len();
        assert!(gradients.len() == len && squares.len() == len);
        assert!(velocity.len() == len || step.momentum == 0.0);
        dispatch!(
            self,
            (
                step: RmsPropStep,
                parameters: &mut [f32],
                gradients: &[f32],
                squares: &mut [f32],
                velocity: &mut [f32],
            ),
            |_S| {
                let direction = |parameter: f32, gradient: f32, s: &mut f32| {
                    let g = gradient + step.l2 * parameter;
                    *s = step.decay * *s + (1.0 - step.decay) * (g * g);
                    g / (s.sqrt() + step.epsilon)
                };
                let each = parameters.iter_mut().zip(gradients).zip(squares);
                if step.momentum == 0.0 {
                    for ((parameter, &gradient), s) in each {
                        *parameter -= step.learning_rate * direction(*parameter, gradient, s);
                    }
                } else {
                    for (((parameter, &gradient), s), v) in each.zip(velocity) {
                        *v = step.momentum * *v + direction(*parameter, gradient, s);
                        *parameter -= step.learning_rate * *v;
                    }
                }
            }
        );
    }

    /// One step of Lion (docs/maths.md M9): with `c = beta1 m + (1 - beta1) gradient`,
    /// `parameter = shrink parameter - learning_rate sign(c)`, then
    /// `m = beta2 m + (1 - beta2) gradient`. The sign of 0 is 0, and that of NaN is NaN.
    ///
    /// Panics where the lengths differ.
    pub fn lion(self, step: LionStep, parameters: &mut [f32], gradients: &[f32], mean: &mut [f32]) {
        assert!(gradients.len() == parameters.len() && mean.len() == parameters.len());
        dispatch!(
            self,
            (step: LionStep, parameters: &mut [f32], gradients: &[f32], mean: &mut [f32]),
            |_S| {
                for ((parameter, &g), m) in parameters.iter_mut().zip(gradients).zip(mean) {
                    let c = step.beta1 * *m + (1.0 - step.beta1) * g;
                    // Not `signum`, for which 0 has a sign; and NaN must stay NaN.
                    let negative = if c < 0.0 { -1.0 } else { c };
                    let sign = if c > 0.0 { 1.0 } else { negative };
                    *m = step.beta2 * *m + (1.0 - step.beta2) * g;
                    *parameter = step.shrink * *parameter - step.learning_rate * sign;
                }
            }
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgd_and_adam_match_their_formulas_on_all_instruction_sets() {
        let start: Vec<f32> = (0..37).map(|i| (i as f32 * 0.7).sin()).collect();
        let gradients: Vec<f32> = (0..37).map(|i| (i as f32 * 1.3).cos()).collect();
        let sgd = SgdStep { learning_rate: 0.1, momentum: 0.9, nesterov: true, l2: 0.01 };
        let adam = AdamStep {
            step_size: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            second_scale: 3.0,
            epsilon: 1e-8,
            l2: 0.01,
            shrink: 0.99,
        };
        for kernels in Kernels::available() {
            let (mut p, mut v) = (start.clone(), gradients.clone());
            kernels.sgd(sgd, &mut p, &gradients, &mut v);
            let (mut q, mut m, mut s) = (start.clone(), vec![0.1; 37], vec![0.2; 37]);
            kernels.adam(adam, &mut q, &gradients, &mut m, &mut s);
            for i in 0..37 {
                let g = gradients[i] + 0.01 * start[i];
                let velocity = 0.9 * gradients[i] + g;
                assert!((v[i] - velocity).abs() < 1e-6);
                assert!((p[i] - (start[i] - 0.1 * (g + 0.9 * velocity))).abs() < 1e-6);
                let (mean, square) = (0.9 * 0.1 + 0.1 * g, 0.999 * 0.2 + 0.001 * g * g);
                let expected = 0.99 * start[i] - 0.01 * mean / (square.sqrt() * 3.0 + 1e-8);
                assert!((q[i] - expected).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn rmsprop_and_lion_match_double_precision_on_all_instruction_sets() {
        let start: Vec<f32> = (0..37).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut gradients: Vec<f32> = (0..37).map(|i| (i as f32 * 1.3).cos()).collect();
        gradients[5] = 0.0;
        let mut means: Vec<f32> = (0..37).map(|i| (i as f32 * 2.1).sin()).collect();
        means[5] = 0.0;
        let lion = LionStep { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, shrink: 0.999 };
        for kernels in Kernels::available() {
            let (mut p, mut m) = (start.clone(), means.clone());
            kernels.lion(lion, &mut p, &gradients, &mut m);
            for i in 0..37 {
                let (g, mean) = (f64::from(gradients[i]), f64::from(means[i]));
                let c = 0.9 * mean + 0.1 * g;
                let sign = if c == 0.0 { 0.0 } else { c.signum() };
                let expected = 0.999 * f64::from(start[i]) - 0.1 * sign;
                assert!((f64::from(p[i]) - expected).abs() < 1e-6);
                assert!((f64::from(m[i]) - (0.99 * mean + 0.01 * g)).abs() < 1e-6);
            }
            for momentum in [0.0, 0.9] {
                let (learning_rate, decay, epsilon, l2) = (0.1, 0.99, 1e-3, 0.01);
                let step = RmsPropStep { learning_rate, decay, momentum, epsilon, l2 };
                let (mut p, mut s) = (start.clone(), vec![0.2; 37]);
                let mut v = if momentum > 0.0 { means.clone() } else { Vec::new() };
                kernels.rmsprop(step, &mut p, &gradients, &mut s, &mut v);
                for i in 0..37 {
                    let g = f64::from(gradients[i]) + 0.01 * f64::from(start[i]);
                    let square = 0.99 * 0.2 + 0.01 * g * g;
                    let direction =
                        f64::from(momentum) * f64::from(means[i]) + g / (square.sqrt() + 1e-3);
                    assert!((f64::from(s[i]) - square).abs() < 1e-6);
                    let expected = f64::from(start[i]) - 0.1 * direction;
                    assert!((f64::from(p[i]) - expected).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn a_gradient_of_nan_is_not_hidden_by_its_sign() {
        let lion = LionStep { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, shrink: 1.0 };
        for kernels in Kernels::available() {
            let mut parameters = [1.0; 20];
            kernels.lion(lion, &mut parameters, &[f32::NAN; 20], &mut [0.0; 20]);
            assert!(parameters.iter().all(|p| p.is_nan()));
        }
    }
}
