// The Train view: the form for a new run, the learning curves of all runs, and their table.

import { post, server, subscribe } from "./api.js";
import { Chart } from "./chart.js";
import { options } from "./dom.js";
import { percent, short } from "./format.js";
import { Runs, ended, epochsTable, latest, tested } from "./runs.js";
import { Settings } from "./settings.js";
import { visible } from "./visible.js";

/** The key under which the browser keeps which runs are hidden. */
const HIDDEN = "gradus.hidden-runs";

/** Milliseconds between two drawings. */
const PAUSE = 200;

/** Starts the view; `section` is that of train.html. */
export function start(section) {
  const view = new TrainView(section);
  subscribe((change) => view.onChange(change));
  // For the tests and for the browser's console: the values of the curves.
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
    const loss = new Chart($("#chart-loss"), { training: "loss", validation: "val_loss", show: short });
    const show = (value, tick) => (tick ? `${Number((100 * value).toFixed(3))} %` : percent(value));
    const accuracy = new Chart($("#chart-accuracy"), { training: "accuracy", validation: "val_accuracy", show });
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
    // A hidden view is not drawn. Once it is shown, it has a size again.
    new ResizeObserver(() => this.schedule()).observe(section);
  }

  onChange(change) {
    if (change.kind === "state") this.settings.fill();
    if (change.kind === "run") this.announce(change.run);
    if (change.kind !== "connection") this.schedule();
  }

  /** Draws soon, once for many events: epochs may take less than a millisecond. */
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

  /** All runs: the one of `gradus train --watch` first, then the newest first. */
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
    const shown = runs.filter((run) => !this.hidden.has(run.id)).reverse();
    this.none.hidden = runs.length > 0;
    this.runs.draw(runs);
    this.charts.forEach((chart) => {
      chart.draw(shown);
      chart.box.setAttribute("aria-label", this.summary(chart, shown));
    });
    this.drawEpochs(runs);
  }

  /** What a chart shows, in words, for screen readers. */
  summary(chart, runs) {
    const name = chart.training === "loss" ? "Loss" : "Accuracy";
    const curves = runs.flatMap((run) => {
      const last = run.history.at(-1);
      if (!last || last[chart.training] == null) return [];
      const [training, validation] = [last[chart.training], last[chart.validation]];
      const held = validation == null ? "" : `, validation ${chart.show(validation)}`;
      return [`${run.name} after epoch ${last.epoch}: training ${chart.show(training)}${held}`];
    });
    return `${name} by epoch. ${curves.join("; ") || "No curve yet."}`;
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

  /** Tells a screen reader when a run has ended or paused. */
  announce(run) {
    const before = this.states.get(run.id);
    this.states.set(run.id, run.state);
    if (before === run.state || !(ended(run) || run.state === "paused")) return;
    const { accuracy, split } = latest(run);
    const result = run.test
      ? `test accuracy ${tested(run)}`
      : accuracy == null ? "" : `${split} accuracy ${percent(accuracy)}`;
    this.news.textContent = visible([`${run.name} ${run.state}`, run.message, result].filter(Boolean).join(", "));
  }
}

/** Asks for the name of a model file. An existing file is replaced only after a second press. */
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

  /** Sets whether the next press replaces a file, and the message below the name. */
  ask(replace, message) {
    this.replace = replace;
    this.button.textContent = replace ? "Replace" : "Save";
    this.error.textContent = visible(message);
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
