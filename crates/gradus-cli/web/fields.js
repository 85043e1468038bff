// The fields of the form for a new run: one entry per setting, in the order of the form. settings.js builds
// the form from them; no other file knows a setting's name.
//
// Mirrors the options of `gradus train`, which the server parses and checks itself:
//   name     the option without its dashes, as POST /api/runs takes it
//   choices  the values of an option that takes one of a few names
//   text     the text form of a preset's value, as the option takes it
// Held equal by web/tests/test_mirrors.py: every name is an option, every choice is accepted, and a run
// whose fields are filled with a preset's texts gives the preset's bits.

// float32 values as they were typed: 0.01, not 0.009999999776.
const number = (value) => String(Number(Number(value).toPrecision(7)));

const optional = (value) => (value === undefined ? "" : number(value));

// A name with parameters: `cosine`, or `{ step: { epochs: 2, factor: 0.5 } }` as step:2:0.5.
function schedule(setting) {
  if (typeof setting === "string") return setting.replace("_", "-");
  const [[name, values]] = Object.entries(setting);
  return [name, ...Object.values(values).map(number)].join(":");
}

function distortion(setting) {
  const parts = ["shift", "rotate", "scale", "shear"].flatMap((kind) =>
    setting[kind] ? [`${kind}:${number(setting[kind])}`] : [],
  );
  const { elastic } = setting;
  if (elastic) parts.push(`elastic:${number(elastic.alpha)}:${number(elastic.sigma)}`);
  return parts.join(",") || "none";
}

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
    text: ({ hidden }) => hidden.join(",") || "none",
  },
  {
    name: "epochs",
    label: "Epochs",
    hint: "passes over the training data",
    inputMode: "numeric",
    text: ({ epochs }) => String(epochs),
  },
  {
    name: "learning-rate",
    label: "Learning rate",
    inputMode: "decimal",
    text: ({ learning_rate: rate }) => number(rate),
  },
  {
    name: "batch-size",
    label: "Batch size",
    hint: "samples per step, or full",
    text: ({ batch_size: batch }) => (typeof batch === "string" ? batch : String(batch.samples)),
  },
  {
    name: "optimizer",
    label: "Optimizer",
    choices: ["sgd", "adam", "adamw", "rmsprop", "lion", "muon"],
    text: ({ optimizer }) => optimizer.name,
  },
  {
    name: "validation",
    label: "Validation",
    hint: "fraction of the training data held out",
    // Unlike the presets: a run that is watched is worth a validation curve.
    value: "0.1",
    inputMode: "decimal",
    text: ({ validation }) => number(validation),
  },
];

/** The fields below "More options". */
export const MORE_FIELDS = [
  {
    name: "activation",
    label: "Activation",
    choices: ["relu", "leaky_relu", "gelu", "tanh", "sigmoid", "identity"],
    text: ({ activation }) => activation.join(","),
  },
  {
    name: "schedule",
    label: "Schedule",
    hint: "constant, cosine, one-cycle, step:10:0.5 or plateau:5:0.5",
    text: (config) => schedule(config.schedule),
  },
  {
    name: "warm-up",
    label: "Warm-up",
    hint: "epochs over which the learning rate rises",
    inputMode: "decimal",
    text: ({ warm_up: epochs }) => number(epochs),
  },
  {
    name: "momentum",
    label: "Momentum",
    hint: "for sgd, rmsprop and muon",
    inputMode: "decimal",
    ofOptimizer: true,
    text: ({ optimizer }) => optional(optimizer.momentum),
  },
  {
    name: "weight-decay",
    label: "Weight decay",
    inputMode: "decimal",
    ofOptimizer: true,
    text: ({ optimizer }) => optional(optimizer.weight_decay),
  },
  {
    name: "dropout",
    label: "Dropout",
    hint: "fraction of hidden activations set to 0",
    inputMode: "decimal",
    text: ({ regularization }) => number(regularization.dropout),
  },
  {
    name: "input-dropout",
    label: "Input dropout",
    hint: "fraction of inputs set to 0",
    inputMode: "decimal",
    text: ({ regularization }) => number(regularization.input_dropout),
  },
  {
    name: "batch-norm",
    label: "Batch normalisation",
    choices: ["true", "false"],
    text: ({ regularization }) => String(regularization.batch_norm),
  },
  {
    name: "label-smoothing",
    label: "Label smoothing",
    hint: "fraction of the target spread over all classes",
    inputMode: "decimal",
    text: ({ regularization }) => number(regularization.label_smoothing),
  },
  {
    name: "distort",
    label: "Distortion",
    hint: "random changes to images in each epoch: none, standard, or shift:2,rotate:10",
    text: ({ regularization }) => distortion(regularization.distortion),
  },
  {
    name: "seed",
    label: "Seed",
    hint: "same seed and settings, same model",
    inputMode: "numeric",
    text: ({ seed }) => String(seed),
  },
];
