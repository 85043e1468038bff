// What the form for a new run adds to the server's list of settings. Their names, help, choices and values
// are the library's (crates/gradus-core/src/training/settings/table.rs), which GET /api/state sends; here
// stand only which of them are always shown, and what each preset is for. web/tests/test_mirrors.py holds the
// form equal to the options of `gradus train`.

/** What each preset is for. */
export const PRESETS = {
  quick: "98 % on MNIST in seconds",
  notebook: "reproduces the NumPy notebook exactly",
  accurate: "best accuracy on any kind of data; takes minutes",
  record: "best accuracy on digits; takes 15 to 60 minutes",
};

/** Unlike the presets: a run that is watched is worth a validation curve. */
const FILLED = { validation: "0.1" };

/** Always shown, in this order. */
const MAIN = ["hidden", "epochs", "learning_rate", "batch_size", "optimizer", "validation"];

/** Constants that some optimizers have. Each optimizer has its own defaults. */
const OF_OPTIMIZER = ["momentum", "beta1", "beta2", "epsilon", "weight_decay", "max_fun", "tolerance"];

/** The fields for the server's `settings`: `main` are always shown, `more` are lists by the name of their group. */
export function fieldsOf(settings) {
  const fields = settings.map((setting) => ({
    ...setting,
    value: FILLED[setting.name] ?? "",
    ofOptimizer: OF_OPTIMIZER.includes(setting.name),
    // One of its choices; a text may be more than those.
    isList: setting.kind === "name" || setting.kind === "flag",
  }));
  const more = new Map();
  for (const field of fields.filter(({ name }) => !MAIN.includes(name))) {
    more.set(field.group, [...(more.get(field.group) ?? []), field]);
  }
  return { main: MAIN.flatMap((name) => fields.filter((field) => field.name === name)), more };
}
