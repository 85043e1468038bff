// The Train view: a form for a new run, the curves of all runs in one picture, and their table.

import { post, server, subscribe } from "./api.js";
import { Chart } from "./chart.js";
import { percent, short } from "./format.js";
import { Runs, ended, epochsTable, reached, tested } from "./runs.js";
import { Settings, options } from "./settings.js";

/** Where the browser keeps which runs are not shown. */
const HIDDEN = "gradus.hidden-runs";

/** Milliseconds between two drawings. */
const PAUSE = 200;

/** Brings the view to life; `section` is train.html's. */
export function start(section) {
  const view = new TrainView(section);
  subscribe((change) => view.hear(change));
  // For tests and for the curious: the points of the curves.
  section.points = () => view.charts.map((chart) => chart.points());
}

class TrainView {
  constructor(section) {
    const $ = (selector) => section.querySelector(selector);
    this.section = section;
    this.hidden = new Set(JSON.parse(sessionStorage.getItem(HIDDEN) ?? "[]"));
    this.places = new Map();
    this.states = new Map();
    this.scheduled = false;
    this.drawn = 0;
    this.settings = new Settings($("#settings"));
    const loss = new Chart($("#chart-loss"), { figure: "loss", held: "val_loss", show: short });
    const show = (share, tick) => (tick ? `${Number((100 * share).toFixed(3))} %` : percent(share));
    const accuracy = new Chart($("#chart-accuracy"), { figure: "accuracy", held: "val_accuracy", show });
    this.charts = [loss, accuracy];
    this.runs = new Runs($("#runs"), {
      shown: (run) => !this.hidden.has(run.id),
      show: (run, yes) => this.show(run, yes),
      save: (run) => this.save.open(run),
    });
    this.save = new SaveDialog($("#save"));
    this.none = $("#no-runs");
    this.news = $("#train-news");
    this.epochs = { box: $("#epochs"), run: $("#epochs-run"), table: $("#epochs-table") };
    this.epochs.box.addEventListener("toggle", () => this.schedule());
    this.epochs.run.addEventListener("change", () => this.schedule());
    // A hidden view is not drawn; seen again, it has a size again.
    new ResizeObserver(() => this.schedule()).observe(section);
  }

  hear(change) {
    if (change.kind === "state") this.settings.fill();
    if (change.kind === "run") this.tell(change.run);
    if (change.kind !== "connection") this.schedule();
  }

  /** Draws soon, once for however many events: epochs may be faster than eyes. */
  schedule() {
    if (this.scheduled || !server.state || this.section.offsetParent === null) return;
    this.scheduled = true;
    const wait = Math.max(0, this.drawn + PAUSE - performance.now());
    setTimeout(() => {
      this.scheduled = false;
      this.drawn = performance.now();
      this.draw();
    }, wait);
  }

  /** All runs: the watched one, then the newest first. */
  ordered() {
    const { runs, watched } = server.state;
    for (const run of runs) {
      if (!this.places.has(run.id)) this.places.set(run.id, this.places.size);
      run.place = this.places.get(run.id);
    }
    const newest = [...runs].reverse();
    return [...newest.filter((run) => run.id === watched), ...newest.filter((run) => run.id !== watched)];
  }

  draw() {
    const runs = this.ordered();
    const seen = runs.filter((run) => !this.hidden.has(run.id)).reverse();
    this.none.hidden = runs.length > 0;
    this.runs.draw(runs);
    this.charts.forEach((chart) => {
      chart.draw(seen);
      chart.box.setAttribute("aria-label", this.summary(chart, seen));
    });
    this.drawEpochs(runs);
  }

  /** What a picture shows, in words. */
  summary(chart, runs) {
    const name = chart.figure === "loss" ? "Loss" : "Accuracy";
    const told = runs.flatMap((run) => {
      const last = run.history.at(-1);
      if (!last || last[chart.figure] == null) return [];
      const held = last[chart.held] == null ? "" : `, validation ${chart.show(last[chart.held])}`;
      return [`${run.name} after epoch ${last.epoch}: training ${chart.show(last[chart.figure])}${held}`];
    });
    return `${name} by epoch. ${told.join("; ") || "No curve yet."}`;
  }

  drawEpochs(runs) {
    const { box, run: choice, table } = this.epochs;
    if (!box.open) return;
    const names = runs.map((run) => [run.id, run.name]);
    if (JSON.stringify(names) !== choice.dataset.names) {
      options(choice, names);
      choice.dataset.names = JSON.stringify(names);
    }
    const run = runs.find((run) => String(run.id) === choice.value);
    if (run) epochsTable(table, run);
  }

  show(run, yes) {
    if (yes) this.hidden.delete(run.id);
    else this.hidden.add(run.id);
    sessionStorage.setItem(HIDDEN, JSON.stringify([...this.hidden]));
    this.schedule();
  }

  /** Tells those who do not see the table what became of a run. */
  tell(run) {
    const before = this.states.get(run.id);
    this.states.set(run.id, run.state);
    if (before === run.state || !(ended(run) || run.state === "paused")) return;
    const { share, part } = reached(run);
    const accuracy = run.test
      ? `test accuracy ${tested(run)}`
      : share == null ? "" : `${part} accuracy ${percent(share)}`;
    this.news.textContent = [`${run.name} ${run.state}`, run.message, accuracy].filter(Boolean).join(", ");
  }
}

/** Asks for the name of a model file; a file that is there is replaced only when asked again. */
class SaveDialog {
  constructor(dialog) {
    const $ = (selector) => dialog.querySelector(selector);
    Object.assign(this, { dialog, name: $("#save-name"), error: $("#save-error"), button: $("#save-do") });
    this.name.addEventListener("input", () => this.ask(false, ""));
    $("#save-cancel").addEventListener("click", () => dialog.close());
    $("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
  }

  open(run) {
    this.run = run;
    this.name.value = run.saved ?? `${[run.data, run.name].join("-").replace(/[^a-zA-Z0-9-]+/g, "-")}.safetensors`;
    this.ask(false, "");
    this.dialog.showModal();
    this.name.select();
  }

  /** Whether the next press replaces a file, and what stands below the name. */
  ask(replace, message) {
    this.replace = replace;
    this.button.textContent = replace ? "Replace" : "Save";
    this.error.textContent = message;
  }

  async save() {
    try {
      const body = { name: this.name.value.trim(), replace: this.replace };
      await post(`/api/runs/${encodeURIComponent(this.run.id)}/save`, body);
      this.dialog.close();
    } catch (error) {
      this.ask(error.status === 409, error.message);
    }
  }
}
