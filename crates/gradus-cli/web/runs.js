// The table of runs: the progress of each run, and its buttons. Also the table of a run's epochs.

import { post } from "./api.js";
import { epochsDone, swatch } from "./chart.js";
import { make, replace } from "./dom.js";
import { count, duration, percent, whole } from "./format.js";
import { visible, visibleName } from "./visible.js";

// States whose name alone does not say enough.
const STATES = {
  waiting: "waiting for another run",
  loading: "loading data",
  pausing: "pausing after this epoch",
  stopping: "stopping after this epoch",
};
const ENDED = ["finished", "stopped", "diverged", "failed"];

/** Whether a run is over. */
export const ended = (run) => ENDED.includes(run.state);

/** The 95 % interval of a test accuracy: `97.49 to 98.07`. */
const interval = ({ low, high }) =>
  [low, high].map((bound) => (100 * bound).toFixed(2)).join(" to ");

/** `97.80 % (97.49 to 98.07)`: the test accuracy with its interval. */
export const tested = ({ test }) => (test ? `${percent(test.accuracy)} (${interval(test)})` : "–");

/** The accuracy of a run's last epoch, and the split that it was measured on. */
export function latest(run) {
  const last = run.history.at(-1);
  if (!last) return { accuracy: null, split: "" };
  if (last.val_accuracy != null) return { accuracy: last.val_accuracy, split: "validation" };
  return { accuracy: last.accuracy, split: last.accuracy == null ? "" : "training" };
}

/** The two buttons of a run: each one's text and action. A button without an action is disabled. */
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

/** The rows of the table. They change in place, so that a focused button keeps the focus. */
export class Runs {
  /** `shown(run)` is whether a run's curves are shown, `show(run, yes)` changes it, `save(run)` opens the dialog. */
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
    const row = { element: make("tr", { role: "row" }), problem: "" };
    row.check = make("input", { type: "checkbox" });
    row.check.addEventListener("change", () => this.show(run, row.check.checked));
    row.name = make("span", { className: "name" });
    row.about = make("p", { className: "hint" });
    const label = make("label", {}, row.check, swatch(run.place), row.name);
    row.element.append(make("th", { role: "rowheader", scope: "row", className: "run" }, label, row.about));
    // On a phone a row is a block, and each cell shows the heading of its column.
    const cell = (className, heading, ...children) => {
      const cell = make("td", { role: "cell", className }, ...children);
      if (heading) cell.dataset.label = heading;
      row.element.append(cell);
      return cell;
    };
    row.state = cell("state", "State");
    row.done = make("span");
    row.bar = make("progress");
    cell("epoch", "Epochs", row.done, row.bar);
    row.accuracy = cell("accuracy", "Accuracy");
    row.speed = cell("speed", "Samples/s");
    row.left = cell("left", "Time left");
    row.test = cell("test", "Test accuracy");
    row.buttons = [0, 1].map(() => make("button", { type: "button" }));
    for (const button of row.buttons) {
      button.addEventListener("click", () => this.act(row, button.dataset.act));
    }
    cell("do", "", ...row.buttons);
    return row;
  }

  update(row, run) {
    row.run = run;
    row.check.checked = this.shown(run);
    row.name.textContent = run.name;
    row.check.setAttribute("aria-label", `${run.name}: show its curves`);
    const source = [visibleName(run.data), run.preset].filter(Boolean).join(" · ");
    const facts = [source, run.architecture, run.saved && `saved as ${visibleName(run.saved)}`].filter(Boolean);
    replace(row.about, ...facts.map((textContent) => make("span", { textContent })));
    const message = visible(row.problem || run.message || "");
    const bad = row.problem || ["failed", "diverged"].includes(run.state);
    replace(row.state, STATES[run.state] ?? run.state, message && make("p", { className: bad ? "error" : "hint", textContent: message }));
    const done = epochsDone(run);
    row.done.textContent = `${whole(done)} of ${whole(run.epochs)}`;
    Object.assign(row.bar, { max: Math.max(run.epochs, 1), value: done });
    row.bar.setAttribute("aria-label", `${run.name}: epochs done`);
    const { accuracy, split } = latest(run);
    replace(row.accuracy, percent(accuracy), split && make("span", { className: "part", textContent: split }));
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

/** Writes the epochs of a run's history into a table. Rows that are already there stay: a long run has thousands. */
export function epochsTable(table, run) {
  const cells = (epoch) =>
    COLUMNS.map(([, text], at) => {
      const textContent = text(epoch) ?? "–";
      return at ? make("td", { textContent }) : make("th", { scope: "row", textContent });
    });
  // A new server numbers its runs from 1 again: fewer epochs than rows are another run's.
  if (table.dataset.run !== String(run.id) || table.tBodies[0].rows.length > run.history.length) {
    table.dataset.run = run.id;
    const [head, names] = [make("thead"), make("tr")];
    names.append(...COLUMNS.map(([textContent]) => make("th", { scope: "col", textContent })));
    head.append(names);
    table.replaceChildren(make("caption"), head, make("tbody"));
  }
  const [shown, done] = [run.history.length, epochsDone(run)];
  const part = shown < done ? `${whole(shown)} of ` : "";
  table.caption.textContent = `${run.name}: ${part}${count(done, "epoch")}`;
  const [body] = table.tBodies;
  for (const epoch of run.history.slice(body.rows.length)) {
    const row = make("tr");
    row.append(...cells(epoch));
    body.append(row);
  }
}
