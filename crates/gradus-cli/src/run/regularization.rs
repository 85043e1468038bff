//! Options about regularization in, settings out.

use gradus::training::Regularization;

use crate::args::RegularizationArgs;

/// Overrides the settings that are given.
pub(crate) fn apply(args: &RegularizationArgs, settings: &mut Regularization) {
    fn set<T: Clone>(setting: &mut T, option: &Option<T>) {
        if let Some(value) = option {
            *setting = value.clone();
        }
    }
    set(&mut settings.dropout, &args.dropout);
    set(&mut settings.input_dropout, &args.input_dropout);
    set(&mut settings.noise, &args.noise);
    set(&mut settings.input_noise, &args.input_noise);
    set(&mut settings.batch_norm, &args.batch_norm);
    set(&mut settings.label_smoothing, &args.label_smoothing);
    set(&mut settings.mixup, &args.mixup);
    set(&mut settings.l1, &args.l1);
    set(&mut settings.l2, &args.l2);
    set(&mut settings.class_weights, &args.class_weights);
    set(&mut settings.distortion, &args.distort);
    for (limit, option) in [
        (&mut settings.max_norm, args.max_norm),
        (&mut settings.clip_norm, args.clip_norm),
        (&mut settings.clip_value, args.clip_value),
        (&mut settings.ema_decay, args.ema_decay),
    ] {
        match option {
            Some(0.0) => *limit = None,
            Some(value) => *limit = Some(value),
            None => {}
        }
    }
}
