// The form for a new run: data set, preset and settings in, a request to start the run out. The preset
// decides about fields that are left empty.

import { post, server } from "./api.js";
import { make, options } from "./dom.js";
import { PRESETS, fieldsOf } from "./fields.js";
import { visible, visibleName } from "./visible.js";

const WORDS = { true: "yes", false: "no" };

/** A setting's field with its label and hint. */
function build({ option, label, help, expected, kind, choices, value, isList }) {
  const [id, hint] = [`set-${option}`, `hint-${option}`];
  const input = make(isList ? "select" : "input", { id, name: option, title: expected });
  const parts = [make("label", { htmlFor: id, textContent: label }), input];
  if (!isList) {
    const inputMode = kind === "number" ? "decimal" : "text";
    Object.assign(input, { defaultValue: value, inputMode, autocomplete: "off", spellcheck: false });
    if (choices.length > 0) {
      // The usual values, as suggestions.
      input.setAttribute("list", `choices-${option}`);
      parts.push(make("datalist", { id: `choices-${option}` }, ...choices.map((choice) => new Option(choice))));
    }
  }
  if (help !== label) {
    input.setAttribute("aria-describedby", hint);
    parts.push(make("p", { className: "hint", id: hint, textContent: help }));
  }
  return make("div", { className: "field" }, ...parts);
}

/** The form. The run that it starts arrives with the server's events, like all changes of runs. */
export class Settings {
  constructor(form) {
    this.form = form;
    this.error = form.querySelector("#settings-error");
    this.filled = "";
    this.fields = [];
    form.elements.preset.addEventListener("change", () => this.showDefaults());
    form.addEventListener("input", () => this.showError(""));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.start();
    });
  }

  /** Builds the fields from the server's settings, once: a new state must not empty them. */
  build(settings) {
    const { main, more } = fieldsOf(settings);
    this.fields = [...main, ...[...more.values()].flat()];
    this.form.querySelector(".fields").append(...main.map(build));
    for (const [group, fields] of more) {
      const heading = make("h4", { textContent: group });
      this.form.querySelector("#more").append(heading, make("div", { className: "fields" }, ...fields.map(build)));
    }
    this.form.elements.optimizer.addEventListener("change", () => this.showDefaults());
  }

  /** Fills the lists of data sets and presets from the server's state. Chosen values stay chosen. */
  fill() {
    const { datasets, presets, settings } = server.state;
    if (this.fields.length === 0) this.build(settings);
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
    // By option: the texts of the preset's settings. A setting that the preset does not have has none.
    const texts = server.state.presets[elements.preset.value];
    if (!texts) return;
    this.form.querySelector("#hint-preset").textContent = PRESETS[elements.preset.value] ?? "";
    const chosen = elements.optimizer.value;
    // Another optimizer has its own defaults.
    const other = chosen && chosen !== texts.optimizer;
    for (const field of this.fields) {
      const value = field.ofOptimizer && other ? "" : texts[field.option] ?? "";
      const input = elements[field.option];
      if (field.isList) {
        const offered = field.choices.map((choice) => [choice, WORDS[choice] ?? choice]);
        options(input, [["", `${(WORDS[value] ?? value) || "default"} (preset)`], ...offered]);
      } else {
        input.placeholder = value;
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
    const labelled = this.fields.find(({ label }) => start.startsWith(label.toLowerCase()));
    const find = (name) => name && [...this.form.elements].find((field) => field.name === name);
    return find(option) ?? find(labelled?.option);
  }
}
