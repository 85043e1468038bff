// The form for a new run: data set, preset and settings in, a request to start the run out. The preset
// decides about fields that are left empty.

import { post, server } from "./api.js";
import { make, options } from "./dom.js";
import { FIELDS, MORE_FIELDS, PRESETS } from "./fields.js";
import { visible, visibleName } from "./visible.js";

const ALL_FIELDS = [...FIELDS, ...MORE_FIELDS];
const WORDS = { true: "yes", false: "no" };

/** A field with its label and hint. */
function build({ name, label, hint, choices, value = "", inputMode = "text" }) {
  const id = `set-${name}`;
  const input = choices
    ? make("select", { id, name })
    : make("input", { id, name, inputMode, autocomplete: "off", spellcheck: false });
  if (!choices) input.defaultValue = value; // what a reset of the form restores
  const field = make("div", { className: "field" }, make("label", { htmlFor: id, textContent: label }), input);
  if (hint) {
    input.setAttribute("aria-describedby", `hint-${name}`);
    field.append(make("p", { className: "hint", id: `hint-${name}`, textContent: hint }));
  }
  return field;
}

/** The form. The run that it starts arrives with the server's events, like all changes of runs. */
export class Settings {
  constructor(form) {
    this.form = form;
    this.error = form.querySelector("#settings-error");
    this.filled = "";
    form.querySelector(".fields").append(...FIELDS.map(build));
    form.querySelector("#more .fields").append(...MORE_FIELDS.map(build));
    form.elements.preset.addEventListener("change", () => this.showDefaults());
    form.elements.optimizer.addEventListener("change", () => this.showDefaults());
    form.addEventListener("input", () => this.showError(""));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.start();
    });
  }

  /** Fills the lists of data sets and presets from the server's state. Chosen values stay chosen. */
  fill() {
    const { datasets, presets } = server.state;
    const offered = JSON.stringify([datasets, Object.keys(presets)]);
    if (offered === this.filled) return;
    this.filled = offered;
    const { data, preset } = this.form.elements;
    options(data, datasets.map((name) => [name, visibleName(name)]));
    options(preset, Object.keys(presets).map((name) => [name, name]));
    if (presets.quick && !preset.dataset.chosen) preset.value = "quick";
    preset.dataset.chosen = "yes";
    this.showDefaults();
  }

  /** Shows the preset's values in the fields that are empty. */
  showDefaults() {
    const { elements } = this.form;
    const config = server.state.presets[elements.preset.value];
    if (!config) return;
    this.form.querySelector("#hint-preset").textContent = PRESETS[elements.preset.value] ?? "";
    const chosen = elements.optimizer.value;
    // Another optimizer has its own defaults.
    const other = chosen && chosen !== config.optimizer;
    for (const { name, choices, ofOptimizer } of ALL_FIELDS) {
      const value = (ofOptimizer && other ? "" : config[name]) ?? "";
      if (choices) {
        const offered = choices.map((choice) => [choice, WORDS[choice] ?? choice]);
        options(elements[name], [["", `${WORDS[value] ?? value} (preset)`], ...offered]);
      } else {
        elements[name].placeholder = value;
      }
    }
  }

  /** The request: data set, preset, and the fields that are not empty. */
  request() {
    const given = Object.fromEntries(
      [...new FormData(this.form)].flatMap(([name, text]) => (text.trim() ? [[name, text.trim()]] : [])),
    );
    const { data, preset, ...options } = given;
    return { data, preset, options };
  }

  async start() {
    const button = this.form.querySelector("#start");
    // Not `disabled`, which would take the focus away from the button.
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    this.showError("");
    try {
      await post("/api/runs", this.request());
    } catch (error) {
      this.showError(error.message);
    }
    button.removeAttribute("aria-disabled");
  }

  /** Shows an error and marks the field that it is about. An empty message clears both. */
  showError(message) {
    this.error.textContent = visible(message);
    for (const field of this.form.elements) field.removeAttribute("aria-invalid");
    const field = message && this.fieldOf(message);
    if (!field) return;
    field.setAttribute("aria-invalid", "true");
    const folded = field.closest("details");
    if (folded) folded.open = true;
    field.focus();
  }

  /** The field that a message names by its option, or by its label at the beginning. */
  fieldOf(message) {
    const [, option] = message.match(/--([a-z0-9-]+)/) ?? [];
    const start = message.toLowerCase();
    const labelled = ALL_FIELDS.find(({ label }) => start.startsWith(label.toLowerCase()));
    const find = (name) => name && [...this.form.elements].find((field) => field.name === name);
    return find(option) ?? find(labelled?.name);
  }
}
