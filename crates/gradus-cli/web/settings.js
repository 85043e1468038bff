// The form of a new run: data set, recipe and options. What a field leaves empty the recipe decides.

import { post, server } from "./api.js";

/** What each recipe is good for. */
const RECIPES = {
  quick: "98 % on MNIST in seconds",
  notebook: "the NumPy notebook's, to the letter",
  accurate: "the best for samples of any kind: minutes",
  record: "the best for digits: 15 to 60 minutes",
};

/** A number of 32 bits as it was typed: 0.01, not 0.009999999776. */
const number = (value) => String(Number(Number(value).toPrecision(7)));

/** A setting that is a name, or a name with its values: `constant`, `{step: {epochs: 2, factor: 0.5}}`. */
function named(setting) {
  if (typeof setting === "string") return setting.replace("_", "-");
  const [[name, values]] = Object.entries(setting);
  return [name, ...Object.values(values).map(number)].join(":");
}

/** A distortion as the option takes it. */
function distortion(setting) {
  const parts = ["shift", "rotate", "scale", "shear"].flatMap((kind) =>
    setting[kind] ? [`${kind}:${number(setting[kind])}`] : [],
  );
  const { elastic } = setting;
  if (elastic) parts.push(`elastic:${number(elastic.alpha)}:${number(elastic.sigma)}`);
  return parts.join(",") || "none";
}

/** The texts of all options that say what the settings `config` say. */
export function texts(config) {
  const { optimizer, regularization } = config;
  const batch = config.batch_size;
  return {
    hidden: config.hidden.join(",") || "none",
    epochs: String(config.epochs),
    "learning-rate": number(config.learning_rate),
    "batch-size": typeof batch === "string" ? batch : String(batch.samples),
    optimizer: optimizer.name,
    validation: number(config.validation),
    activation: config.activation.join(","),
    schedule: named(config.schedule),
    "warm-up": number(config.warm_up),
    momentum: optimizer.momentum === undefined ? "" : number(optimizer.momentum),
    "weight-decay": optimizer.weight_decay === undefined ? "" : number(optimizer.weight_decay),
    dropout: number(regularization.dropout),
    "input-dropout": number(regularization.input_dropout),
    "batch-norm": String(regularization.batch_norm),
    "label-smoothing": number(regularization.label_smoothing),
    distort: distortion(regularization.distortion),
    seed: String(config.seed),
  };
}

/** The form. The run that it starts comes with the server's events, as all changes of runs do. */
export class Settings {
  constructor(form) {
    this.form = form;
    this.error = form.querySelector("#settings-error");
    this.filled = "";
    form.elements.preset.addEventListener("change", () => this.showDefaults());
    form.elements.optimizer.addEventListener("change", () => this.showDefaults());
    form.addEventListener("input", () => this.refuse(""));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.start();
    });
  }

  /** Fills the lists from the server's state; what is chosen stays chosen. */
  fill() {
    const { datasets, presets } = server.state;
    const offered = JSON.stringify([datasets, Object.keys(presets)]);
    if (offered === this.filled) return;
    this.filled = offered;
    const { data, preset } = this.form.elements;
    options(data, datasets.map((name) => [name, name]));
    options(preset, Object.keys(presets).map((name) => [name, name]));
    if (presets.quick && !preset.dataset.chosen) preset.value = "quick";
    preset.dataset.chosen = "yes";
    this.showDefaults();
  }

  /** Shows the recipe's figures in the fields that are empty. */
  showDefaults() {
    const { elements } = this.form;
    const config = server.state.presets[elements.preset.value];
    if (!config) return;
    this.form.querySelector("#hint-preset").textContent = RECIPES[elements.preset.value] ?? "";
    const defaults = texts(config);
    const other = elements.optimizer.value && elements.optimizer.value !== defaults.optimizer;
    // Another optimizer comes with constants of its own.
    if (other) defaults.momentum = defaults["weight-decay"] = "";
    for (const [name, text] of Object.entries(defaults)) {
      const field = elements[name];
      if (field.dataset.choices) {
        const said = { true: "yes", false: "no" };
        const choices = field.dataset.choices.split(" ").map((choice) => [choice, said[choice] ?? choice]);
        options(field, [["", `${said[text] ?? text} (recipe)`], ...choices]);
      } else {
        field.placeholder = text;
      }
    }
  }

  /** The request of the fields. */
  wanted() {
    const given = Object.fromEntries(
      [...new FormData(this.form)].flatMap(([name, text]) => (text.trim() ? [[name, text.trim()]] : [])),
    );
    const { data, preset, ...options } = given;
    return { data, preset, options };
  }

  async start() {
    const button = this.form.querySelector("#start");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    this.refuse("");
    try {
      await post("/api/runs", this.wanted());
    } catch (error) {
      this.refuse(error.message);
    }
    button.removeAttribute("aria-disabled");
  }

  /** Says what is wrong, and marks the field that it is about; an empty text takes it back. */
  refuse(message) {
    this.error.textContent = message;
    for (const field of this.form.elements) field.removeAttribute("aria-invalid");
    const field = message && this.blamed(message);
    if (!field) return;
    field.setAttribute("aria-invalid", "true");
    const folded = field.closest("details");
    if (folded) folded.open = true;
    field.focus();
  }

  /** The field that a message names, by its option or by its label. */
  blamed(message) {
    const [, option] = message.match(/--([a-z0-9-]+)/) ?? [];
    const said = message.toLowerCase();
    const labelled = (field) => said.startsWith(field.labels?.[0]?.textContent.toLowerCase() ?? " ");
    return (option && this.form.elements[option]) || [...this.form.elements].find(labelled);
  }
}

/** Fills a list with pairs of value and text; what was chosen stays chosen where it still exists. */
export function options(select, pairs) {
  const { value } = select;
  select.replaceChildren(...pairs.map(([key, text]) => new Option(text, key)));
  if (pairs.some(([key]) => key === value)) select.value = value;
}
