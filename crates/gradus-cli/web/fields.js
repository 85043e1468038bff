// The fields of the form for a new run: one entry per setting, in the order of the form. settings.js builds
// the form from them; no other file knows a setting's name.
//
// Mirrors the options of `gradus train`, which the server parses and checks itself:
//   name     the option without its dashes, as POST /api/runs takes it
//   choices  the values of an option that takes one of a few names
// Held equal by web/tests/test_mirrors.py: every name is an option, every choice is accepted, and a run
// whose fields are filled with a preset's texts, which the server sends, gives the preset's bits.

/** What each preset is for. */
export const PRESETS = {
  quick: "98 % on MNIST in seconds",
  notebook: "reproduces the NumPy notebook exactly",
  accurate: "best accuracy on any kind of data; takes minutes",
  record: "best accuracy on digits; takes 15 to 60 minutes",
};

/** The fields that are always shown. */
export const FIELDS = [
  {
    name: "hidden",
    label: "Hidden layers",
    hint: "units per layer, such as 128 or 256,128; none for softmax regression",
  },
  {
    name: "epochs",
    label: "Epochs",
    hint: "passes over the training data",
    inputMode: "numeric",
  },
  {
    name: "learning-rate",
    label: "Learning rate",
    inputMode: "decimal",
  },
  {
    name: "batch-size",
    label: "Batch size",
    hint: "samples per step, or full",
  },
  {
    name: "optimizer",
    label: "Optimizer",
    choices: ["sgd", "adam", "adamw", "rmsprop", "lion", "muon"],
  },
  {
    name: "validation",
    label: "Validation",
    hint: "fraction of the training data held out",
    // Unlike the presets: a run that is watched is worth a validation curve.
    value: "0.1",
    inputMode: "decimal",
  },
];

/** The fields below "More options". */
export const MORE_FIELDS = [
  {
    name: "activation",
    label: "Activation",
    choices: ["relu", "leaky_relu", "gelu", "tanh", "sigmoid", "identity"],
  },
  {
    name: "schedule",
    label: "Schedule",
    hint: "constant, cosine, one-cycle, step:10:0.5 or plateau:5:0.5",
  },
  {
    name: "warm-up",
    label: "Warm-up",
    hint: "epochs over which the learning rate rises",
    inputMode: "decimal",
  },
  {
    name: "momentum",
    label: "Momentum",
    hint: "for sgd, rmsprop and muon",
    inputMode: "decimal",
    ofOptimizer: true,
  },
  {
    name: "weight-decay",
    label: "Weight decay",
    inputMode: "decimal",
    ofOptimizer: true,
  },
  {
    name: "dropout",
    label: "Dropout",
    hint: "fraction of hidden activations set to 0",
    inputMode: "decimal",
  },
  {
    name: "input-dropout",
    label: "Input dropout",
    hint: "fraction of inputs set to 0",
    inputMode: "decimal",
  },
  {
    name: "batch-norm",
    label: "Batch normalisation",
    choices: ["true", "false"],
  },
  {
    name: "label-smoothing",
    label: "Label smoothing",
    hint: "fraction of the target spread over all classes",
    inputMode: "decimal",
  },
  {
    name: "distort",
    label: "Distortion",
    hint: "random changes to images in each epoch: none, standard, or shift:2,rotate:10",
  },
  {
    name: "seed",
    label: "Seed",
    hint: "same seed and settings, same model",
    inputMode: "numeric",
  },
];
