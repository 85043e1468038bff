// The Data view: samples of a data set, by class, prediction and confidence. In: GET /api/samples. Out: a
// grid of samples, and a dialog that shows one of them large.

import { get, server, subscribe } from "./api.js";
import { make, options } from "./dom.js";
import { count, percent, whole } from "./format.js";
import { visible, visibleName } from "./visible.js";

/** Samples that are loaded at once. */
const BATCH = 60;

/** Starts the view; `section` is that of data.html. `draw(blob)` opens an image in the Draw view. */
export function start(section, { draw } = {}) {
  const view = new SamplesView(section, draw);
  subscribe((change) => view.onChange(change));
}

class SamplesView {
  constructor(section, draw) {
    const $ = (selector) => section.querySelector(selector);
    Object.assign(this, { section, form: $("#choose"), set: $("#choose-set"), hint: $("#data-hint") });
    Object.assign(this, { about: $("#data-about"), error: $("#data-error"), list: $("#samples"), more: $("#data-more") });
    this.samples = [];
    this.shape = [];
    this.query = "";
    this.running = null;
    this.dialog = new SampleDialog($("#sample"), this, draw);
    this.form.addEventListener("change", () => this.load(0));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.more.addEventListener("click", () => this.load(this.samples.length));
    // The view has no size while it is hidden.
    new ResizeObserver(() => this.refresh()).observe(section);
  }

  onChange(change) {
    if (change.kind !== "state" && change.kind !== "model") return;
    const { datasets } = server.state;
    options(this.form.elements.data, datasets.map((name) => [name, visibleName(name)]));
    // A model that was trained on a file of one's own has no samples here to predict.
    const model = datasets.includes(server.state.model?.data) ? server.state.model : null;
    this.set.hidden = model !== null;
    for (const name of ["predicted", "order"]) this.form.elements[name].disabled = model === null;
    if (!model) this.form.elements.order.value = "index";
    else if (!this.model) this.form.elements.order.value = "worst";
    this.model = model;
    this.hint.textContent = model
      ? `Predicted by ${visibleName(model.name)}. Confidence is the probability that the model gives its prediction.`
      : "The model in use was not trained on any of these data sets, so samples are shown without predictions. Train a model, or choose one in Draw.";
    this.refresh();
  }

  /** Loads samples if the view is shown and the form asks for others than it has. */
  refresh() {
    if (server.state && this.section.offsetParent !== null && this.query !== this.queryFrom(0)) this.load(0);
  }

  queryFrom(from) {
    const fields = Object.fromEntries(new FormData(this.form));
    if (this.model) delete fields.data;
    const query = new URLSearchParams({ predicted: "all", order: "index", ...fields, from, count: BATCH });
    return `/api/samples?${query}`;
  }

  async load(from) {
    const query = this.queryFrom(from);
    if (from === 0) this.query = query;
    this.running?.abort();
    const running = (this.running = new AbortController());
    this.list.setAttribute("aria-busy", "true");
    try {
      const found = await get(query, running.signal);
      this.error.textContent = "";
      this.show(found, from);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.error.textContent = visible(error.message);
    }
    this.list.removeAttribute("aria-busy");
  }

  show({ total, shape, classes, counts, samples }, from) {
    this.shape = shape;
    this.classes = classes.map(visibleName);
    const names = this.classes.map((name, at) => [String(at), name]);
    options(this.form.elements.predicted, [["all", "all"], ...names]);
    const sizes = this.classes.map((name, at) => [String(at), `${name} (${whole(counts[at])})`]);
    options(this.form.elements.class, [["all", "all"], ...sizes]);
    if (from === 0) {
      this.samples = [];
      this.list.replaceChildren();
    }
    const first = this.samples.length;
    this.samples.push(...samples);
    this.list.append(...samples.map((sample, at) => this.tile(sample, first + at)));
    this.more.hidden = this.samples.length >= total;
    const all = counts.reduce((sum, count) => sum + count, 0);
    const mistakes = this.form.elements.order.value === "worst";
    const found = mistakes ? `${count(total, "mistake")} in` : `${whole(total)} of`;
    const shown = total > 0 ? `; showing ${whole(this.samples.length)}` : "";
    this.about.textContent = `${found} ${count(all, "sample")}${shown}.`;
  }

  tile(sample, at) {
    const item = make("li");
    const button = make("button", { type: "button", className: "tile" });
    const wrong = sample.predicted != null && sample.predicted !== sample.label;
    const caption = make("span", { className: wrong ? "wrong" : "" }, ...this.caption(sample));
    button.append(paint(make("canvas"), sample, this.shape), caption);
    button.addEventListener("click", () => this.dialog.open(at));
    item.append(button);
    return item;
  }

  /** `4, predicted as 9 (98.20 %)`, or `4 (99.98 %)` where the prediction is right. */
  caption({ label, predicted, probability }) {
    const name = this.classes[label];
    if (predicted == null) return [name];
    // A <bdi> is isolated from a name that runs from right to left, and the style keeps it in one line.
    const confidence = make("bdi", { textContent: `(${percent(probability)})` });
    if (predicted === label) return [`${name} `, confidence];
    return [`${name}, predicted as ${this.classes[predicted]} `, confidence];
  }
}

/** One sample, large. */
class SampleDialog {
  constructor(dialog, view, draw) {
    const $ = (selector) => dialog.querySelector(selector);
    Object.assign(this, { dialog, view, title: $("h3"), canvas: $("canvas"), facts: $("dl") });
    this.before = $("#sample-before");
    this.next = $("#sample-next");
    this.before.addEventListener("click", () => this.open(this.at - 1));
    this.next.addEventListener("click", () => this.open(this.at + 1));
    $("#sample-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", ({ key }) => {
      if (key === "ArrowLeft") this.open(this.at - 1);
      if (key === "ArrowRight") this.open(this.at + 1);
    });
    const take = $("#sample-draw");
    take.hidden = !draw;
    take.addEventListener("click", () => {
      dialog.close();
      this.canvas.toBlob((blob) => draw(blob));
    });
  }

  open(at) {
    const { samples, classes, shape } = this.view;
    const sample = samples[at];
    if (!sample) return;
    this.at = at;
    const split = this.view.form.elements.part.value;
    this.title.textContent = `Sample ${sample.index} of the ${split} split`;
    paint(this.canvas, sample, shape);
    const facts = [["Label", classes[sample.label]]];
    if (sample.predicted != null) {
      facts.push(["Predicted", `${classes[sample.predicted]} (${percent(sample.probability)})`]);
      facts.push(["Probability of the label", percent(sample.of_label)]);
    }
    this.facts.replaceChildren(
      ...facts.map(([name, text]) => {
        const row = make("div");
        row.append(make("dt", { textContent: name }), make("dd", { textContent: text }));
        return row;
      }),
    );
    this.before.setAttribute("aria-disabled", String(at === 0));
    this.next.setAttribute("aria-disabled", String(at === samples.length - 1));
    if (!this.dialog.open) this.dialog.showModal();
  }
}

/** Paints a sample of shape [height, width] or [height, width, 3]. Others are no images: their canvas is hidden. */
function paint(canvas, { pixels }, [height, width, channels = 1]) {
  canvas.setAttribute("aria-hidden", "true");
  canvas.hidden = !width;
  if (!width) return canvas;
  const bytes = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let at = 0; at < width * height; at += 1) {
    for (const channel of [0, 1, 2]) {
      image.data[4 * at + channel] = bytes[at * channels + Math.min(channel, channels - 1)];
    }
    image.data[4 * at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
