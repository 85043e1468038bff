// The table of runs: how far each has come, and what can be done with it.

import { post } from "./api.js";
import { swatch } from "./chart.js";
import { count, duration, percent, whole } from "./format.js";

const STATES = {
  waiting: "waiting for its turn",
  loading: "loading data",
  pausing: "pausing after this epoch",
  stopping: "stopping after this epoch",
  failed: "failed",
};
const ENDED = ["finished", "stopped", "diverged", "failed"];

/** Whether a run has come to its end. */
export const ended = (run) => ENDED.includes(run.state);

/** The 95 % interval of a test accuracy: `97.49 to 98.07`. */
const interval = ({ low, high }) =>
  [low, high].map((share) => (100 * share).toFixed(2)).join(" to ");

/** `97.80 % (97.49 to 98.07)`: the accuracy on the test part with its interval. */
export const tested = ({ test }) => (test ? `${percent(test.accuracy)} (${interval(test)})` : "–");

/** What a run has come to in its last epoch: the accuracy and the part it was measured on. */
export function reached(run) {
  const last = run.history.at(-1);
  if (!last) return { share: null, part: "" };
  if (last.val_accuracy != null) return { share: last.val_accuracy, part: "validation" };
  return { share: last.accuracy, part: last.accuracy == null ? "" : "training" };
}

/** The two buttons of a run: a text and what the server is asked to do, which is none while it is busy. */
function actions(run) {
  if (run.usable) return [["Use in Draw", "use"], ["Save", "save"]];
  switch (run.state) {
    case "waiting":
    case "loading": return [["Pause", null], ["Stop", "stop"]];
    case "running": return [["Pause", "pause"], ["Stop", "stop"]];
    case "pausing": return [["Pause", null], ["Stop", "stop"]];
    case "paused": return [["Continue", "continue"], ["Stop", "stop"]];
    case "stopping": return [["Pause", null], ["Stop", null]];
    default: return [];
  }
}

/** The rows of the table, each of which changes in place so that a focused button stays focused. */
export class Runs {
  /** `shown(run)` says whether a run's curves are shown, `show(run, yes)` changes it, `save(run)` asks for a name. */
  constructor(table, { shown, show, save }) {
    this.body = table.tBodies[0];
    Object.assign(this, { table, shown, show, save, rows: new Map() });
  }

  /** Shows `runs`, in this order. */
  draw(runs) {
    this.table.hidden = runs.length === 0;
    for (const [id, row] of this.rows) {
      if (!runs.some((run) => run.id === id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
    runs.forEach((run, at) => {
      if (!this.rows.has(run.id)) this.rows.set(run.id, this.build(run));
      const row = this.rows.get(run.id);
      if (this.body.children[at] !== row.element) this.body.insertBefore(row.element, this.body.children[at]);
      this.update(row, run);
    });
  }

  build(run) {
    const element = make("tr", { role: "row" });
    const cell = (name, label) => {
      const cell = make(name === "run" ? "th" : "td", { role: name === "run" ? "rowheader" : "cell", className: name });
      if (name === "run") cell.scope = "row";
      if (label) cell.dataset.label = label;
      element.append(cell);
      return cell;
    };
    const row = { element, problem: "" };
    const head = cell("run");
    const label = make("label");
    row.check = make("input", { type: "checkbox" });
    row.check.addEventListener("change", () => this.show(run, row.check.checked));
    row.name = make("span", { className: "name" });
    label.append(row.check, swatch(run.place), row.name);
    row.about = make("p", { className: "hint" });
    head.append(label, row.about);
    row.state = cell("state", "State");
    row.epoch = cell("epoch", "Epoch");
    row.bar = make("progress");
    row.epochText = make("span");
    row.epoch.append(row.epochText, row.bar);
    row.accuracy = cell("accuracy", "Accuracy");
    row.speed = cell("speed", "Samples a second");
    row.left = cell("left", "Time left");
    row.test = cell("test", "Test accuracy");
    const buttons = cell("do");
    row.buttons = [0, 1].map(() => {
      const button = make("button", { type: "button" });
      button.addEventListener("click", () => this.act(row, button.dataset.act));
      buttons.append(button);
      return button;
    });
    return row;
  }

  update(row, run) {
    row.run = run;
    row.check.checked = this.shown(run);
    row.name.textContent = run.name;
    row.check.setAttribute("aria-label", `${run.name}: show its curves`);
    const recipe = [run.data, run.preset].filter(Boolean).join(" · ");
    const facts = [recipe, run.architecture, run.saved && `saved as ${run.saved}`].filter(Boolean);
    replace(row.about, ...facts.map((textContent) => make("span", { textContent })));
    const message = row.problem || run.message;
    const bad = row.problem || ["failed", "diverged"].includes(run.state);
    replace(row.state, STATES[run.state] ?? run.state, message && make("p", { className: bad ? "error" : "hint", textContent: message }));
    const done = run.history.at(-1)?.epoch ?? 0;
    row.epochText.textContent = `${done} of ${run.epochs}`;
    Object.assign(row.bar, { max: Math.max(run.epochs, 1), value: done });
    row.bar.setAttribute("aria-label", `${run.name}: epochs done`);
    const { share, part } = reached(run);
    replace(row.accuracy, percent(share), part && make("span", { className: "part", textContent: part }));
    row.speed.textContent = run.samples_per_second ? whole(run.samples_per_second) : "–";
    row.left.textContent = ended(run) ? "–" : duration(run.seconds_left ?? NaN);
    const { test } = run;
    replace(row.test, percent(test?.accuracy), test && make("span", { className: "part", textContent: interval(test) }));
    const wanted = actions(run);
    row.buttons.forEach((button, at) => {
      const [text, act] = wanted[at] ?? ["", null];
      button.textContent = text;
      button.classList.toggle("none", !text);
      button.tabIndex = text ? 0 : -1;
      if (text) button.setAttribute("aria-label", `${text}: ${run.name}`);
      button.dataset.act = act ?? "";
      button.setAttribute("aria-disabled", String(!act));
    });
  }

  async act(row, act) {
    const { run } = row;
    row.problem = "";
    try {
      if (act === "save") this.save(run);
      else if (act === "use") {
        await post("/api/model", { run: run.id });
        location.hash = "#draw";
      } else if (act) await post(`/api/runs/${encodeURIComponent(run.id)}/${act}`);
    } catch (error) {
      row.problem = error.message;
    }
    if (row.element.isConnected) this.update(row, run);
  }
}

const COLUMNS = [
  ["Epoch", (epoch) => whole(epoch.epoch)],
  ["Loss", (epoch) => epoch.loss?.toFixed(4)],
  ["Accuracy", (epoch) => percent(epoch.accuracy)],
  ["Validation loss", (epoch) => epoch.val_loss?.toFixed(4)],
  ["Validation accuracy", (epoch) => percent(epoch.val_accuracy)],
  ["Learning rate", (epoch) => epoch.learning_rate?.toPrecision(3)],
];

/** Writes the figures of every epoch of a run into a table; where they stand already, only new ones. */
export function epochsTable(table, run) {
  const cells = (epoch) =>
    COLUMNS.map(([, text], at) => {
      const textContent = text(epoch) ?? "–";
      return at ? make("td", { textContent }) : make("th", { scope: "row", textContent });
    });
  if (table.dataset.run !== String(run.id)) {
    table.dataset.run = run.id;
    const [head, names] = [make("thead"), make("tr")];
    names.append(...COLUMNS.map(([textContent]) => make("th", { scope: "col", textContent })));
    head.append(names);
    table.replaceChildren(make("caption"), head, make("tbody"));
  }
  table.caption.textContent = `${run.name}: ${count(run.history.length, "epoch")}`;
  const [body] = table.tBodies;
  for (const epoch of run.history.slice(body.rows.length)) {
    const row = make("tr");
    row.append(...cells(epoch));
    body.append(row);
  }
}

/** An element with attributes (`role`) and properties. */
export function make(tag, { role, ...properties } = {}) {
  const element = document.createElement(tag);
  if (role) element.setAttribute("role", role);
  return Object.assign(element, properties);
}

/** Puts `parts` in place of what is in `element`, where that says something else. */
function replace(element, ...parts) {
  const kept = parts.filter(Boolean);
  const text = kept.map((part) => part.textContent ?? part).join("");
  if (element.textContent !== text) element.replaceChildren(...kept);
}
