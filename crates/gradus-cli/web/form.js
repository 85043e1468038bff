// The form for a row of a table: a field for each column in, the prediction and what each column adds to it on the
// screen. The server predicts while the user types: POST /api/predict.

import { request } from "./api.js";
import { make, options } from "./dom.js";
import { percent } from "./format.js";
import { visible, visibleName } from "./visible.js";

/** Milliseconds without typing before a row is sent. */
const PAUSE = 150;

const MOST_BARS = 12;
const MOST_ADDS = 20;

const figures = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });

/** Starts the form; `section` is that of form.html. Returns `use(model)`, which makes the fields for a model, or hides the form. */
export function startForm(section) {
  const form = new RowForm(section);
  return (model) => form.use(model);
}

class RowForm {
  constructor(section) {
    const $ = (name) => section.querySelector(`#row-${name}`);
    Object.assign(this, { section, fields: $("fields"), unused: $("unused"), verdict: $("verdict") });
    Object.assign(this, { problem: $("problem"), bars: $("bars"), explain: $("explain"), output: $("output") });
    Object.assign(this, { neutral: $("neutral"), adds: $("adds"), model: null, inputs: [] });
    const form = $("values");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.soon());
    this.output.addEventListener("change", () => this.predict());
    $("typical").addEventListener("click", () => this.fill((field) => typical(field)));
    $("missing").addEventListener("click", () => this.fill(() => ""));
  }

  use(model) {
    this.section.hidden = !model?.form;
    this.running?.abort();
    clearTimeout(this.timer);
    this.model = model?.form ? model : null;
    if (!this.model) return;
    this.inputs = model.form.map((field, at) => (field.kind === "unused" ? null : control(field, `row-${at}`)));
    const rows = model.form.map((field, at) => this.inputs[at] && row(field, this.inputs[at]));
    this.fields.replaceChildren(...rows.filter(Boolean));
    const unused = model.form.filter(({ kind }) => kind === "unused").map(({ name }) => visibleName(name));
    this.unused.textContent = unused.length > 0 ? `Not used by the model: ${unused.join(", ")}.` : "";
    const classes = model.classes.map((name, at) => [String(at), visibleName(name)]);
    const first = model.task === "regression" ? [] : [["", "the prediction"]];
    options(this.output, [...first, ...classes]);
    this.explain.hidden = model.classes.length === 1;
    this.fill((field) => typical(field));
  }

  fill(text) {
    this.inputs.forEach((input, at) => {
      if (input) input.value = text(this.model.form[at]);
    });
    this.predict();
  }

  soon() {
    clearTimeout(this.timer);
    this.verdict.setAttribute("aria-busy", "true");
    this.timer = setTimeout(() => this.predict(), PAUSE);
  }

  /** Numbers that are none are marked here; everything else is the server's to judge. */
  wrong() {
    let first = "";
    this.inputs.forEach((input, at) => {
      const { kind, name } = this.model.form[at];
      const isWrong = kind === "number" && !isNumber(input.value);
      if (isWrong) input.setAttribute("aria-invalid", "true");
      else input?.removeAttribute("aria-invalid");
      if (isWrong && !first) first = `${visibleName(name)}: ${visible(input.value)} is not a number.`;
    });
    return first;
  }

  async predict() {
    clearTimeout(this.timer);
    this.running?.abort();
    const running = (this.running = new AbortController());
    const { model } = this;
    const wrong = this.wrong();
    try {
      if (wrong) throw new Error(wrong);
      const values = this.inputs.map((input) => input?.value ?? "");
      const output = this.output.value === "" ? null : Number(this.output.value);
      const found = await request("/api/predict", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ model: model.id, values, output }),
        signal: running.signal,
      });
      this.problem.textContent = "";
      this.show(model, found);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.problem.textContent = visible(error.message);
      this.verdict.textContent = "No prediction.";
      this.bars.replaceChildren();
      this.adds.replaceChildren();
      this.neutral.textContent = "";
    }
    this.verdict.removeAttribute("aria-busy");
  }

  show(model, found) {
    const isValue = model.task === "regression";
    const amount = (value) => (isValue ? figures.format(value) : percent(value, 1));
    const name = visibleName(model.classes[found.output]);
    const order = found.values.map((_, at) => at).sort((a, b) => found.values[b] - found.values[a]);
    this.verdict.replaceChildren(...verdict(model, found, order, amount));
    const bars = isValue ? [] : order.slice(0, MOST_BARS);
    this.bars.ariaLabel = "Probabilities";
    this.bars.replaceChildren(
      ...bars.map((at) => meter(visibleName(model.classes[at]), [0, found.values[at]], 1, amount(found.values[at]))),
    );
    const prediction = found.values[found.output];
    this.neutral.textContent =
      `${isValue ? name : `Probability of ${name}`}: ${amount(found.neutral)} for a neutral row, ` +
      `${amount(prediction)} for this one.`;
    const size = (at) => Math.abs(found.contributions[at]);
    const used = model.form.map((_, at) => at).filter((at) => model.form[at].kind !== "unused");
    used.sort((a, b) => size(b) - size(a));
    const most = Math.max(...used.map(size), 1e-30);
    this.adds.ariaLabel = `What each column adds to ${name}`;
    this.adds.replaceChildren(
      ...used.slice(0, MOST_ADDS).map((at) => {
        const value = found.contributions[at];
        const share = value / most / 2;
        const text = `${visibleName(model.form[at].name)} = ${shown(this.inputs[at].value)}`;
        const range = [Math.min(0.5, 0.5 + share), Math.abs(share)];
        return meter(text, range, value, signed(amount(value)));
      }),
    );
  }
}

/** The prediction in words: the class, the labels, the value or the values. */
function verdict(model, found, order, amount) {
  const names = model.classes.map(visibleName);
  if (model.task === "classification") {
    const [first] = order;
    return [make("strong", {}, names[first]), ` probability ${amount(found.values[first])}`];
  }
  if (model.task === "multi-label classification") {
    const chosen = names.filter((_, at) => found.values[at] > 0.5);
    return [make("strong", {}, chosen.join(", ") || "no label")];
  }
  if (names.length === 1) return [make("strong", {}, amount(found.values[0])), ` ${names[0]}`];
  return names.flatMap((name, at) => [at > 0 ? ", " : "", make("strong", {}, amount(found.values[at])), ` ${name}`]);
}

/** An amount with its sign; none for what is rounded to 0. */
const signed = (text) => (/[1-9]/.test(text) ? (text.startsWith("-") ? text : `+${text}`) : text.replace("-", ""));

/** A row of a list with a bar: from the share `start` of the track on, `width` of it; of the colour of its sign. */
function meter(name, [start, width], value, amount) {
  const bar = make("span", { className: value < 0 ? "bar below" : "bar" });
  bar.style.marginLeft = `${100 * start}%`;
  bar.style.width = `${100 * width}%`;
  const label = make("span", { className: "name", title: name }, name);
  return make("li", {}, label, make("span", { className: "track" }, bar), make("span", { className: "share" }, amount));
}

function row(field, input) {
  const label = make("label", { htmlFor: input.id }, visibleName(field.name));
  return make("div", { className: "field" }, label, input);
}

function control(field, id) {
  const { kind, values } = field;
  const input = document.createElement(kind === "category" && values ? "select" : "input");
  input.id = id;
  if (input.tagName === "SELECT") {
    options(input, [["", "(missing)"], ...values.map((value) => [value, visibleName(value)])]);
    return input;
  }
  if (kind === "number") input.inputMode = "decimal";
  if (kind === "date") Object.assign(input, { type: field.time ? "datetime-local" : "date", step: field.time ? 1 : "" });
  input.placeholder = "missing";
  return input;
}

/** The typical value of a column as its field takes it. */
function typical({ kind, time, typical: text }) {
  if (kind !== "date" || !text) return text;
  const [day, clock = "00:00:00"] = text.split(" ");
  return time ? `${day}T${clock}` : day;
}

const isNumber = (text) => text.trim() === "" || Number.isFinite(Number(text)) || /^(\?|n\/?a|nan|null|none)$/i.test(text.trim());

const shown = (text) => (text.trim() === "" ? "missing" : visible(text, 40));
