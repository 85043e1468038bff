// The page of `gradus serve`: switches between its three views, and connects the Draw view to the server.

import { follow, post, request, server, subscribe } from "./api.js";
import { start as startData } from "./data.js";
import { options } from "./dom.js";
import { startDraw } from "./draw.js";
import { startForm } from "./form.js";
import { percent } from "./format.js";
import { start as startTrain } from "./train.js";
import { visible, visibleName } from "./visible.js";

const VIEWS = ["draw", "train", "data"];
const element = (id) => document.getElementById(id);

/** Shows the view that the address names. */
function showView() {
  const view = VIEWS.find((name) => location.hash === `#${name}`) ?? "draw";
  for (const name of VIEWS) {
    element(name).hidden = name !== view;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  nameView(view);
}

function nameView(view) {
  document.title = `${document.querySelector(`nav a[href="#${view}"]`).textContent} - gradus`;
}

/** The first view is for drawings, or, where the model takes rows of a table, a form for these. */
function showForm(isForm) {
  const name = isForm ? "Predict" : "Draw";
  document.querySelector('nav a[href="#draw"]').textContent = name;
  element("draw").ariaLabel = name;
  document.querySelector("#draw > .draw").hidden = isForm;
  if (!element("draw").hidden) nameView("draw");
}

/** The server's prediction for a drawing, or for an image file as it is, so that the result equals `gradus predict`. */
async function predict({ canvas, file, units }) {
  const body = file ?? (await new Promise((done) => canvas.toBlob(done, "image/png")));
  const type = body.type.startsWith("image/") ? body.type : "application/octet-stream";
  const headers = { "Content-Type": type };
  const prediction = await request(`/api/answer?units=${units ? 1 : 0}`, { method: "POST", headers, body });
  return prediction.empty ? null : prediction;
}

/** The list of models, and what is shown about the chosen one. */
class ModelChoice {
  constructor(draw, useForm) {
    Object.assign(this, { draw, useForm, list: element("model"), about: element("model-about") });
    this.problem = element("model-problem");
    this.list.addEventListener("change", () => this.choose(this.list.value));
  }

  onChange({ kind }) {
    if (!["state", "model", "run"].includes(kind)) return;
    const { model } = server.state;
    this.list.value = this.fill(model) ?? "";
    const id = model?.id ?? 0;
    // A run that goes on changes nothing about the model, and must not clear the drawing's prediction.
    if (kind === "run" || this.shown === id) return;
    this.shown = id;
    this.show(model);
  }

  /** Lists the files of the folder and the finished runs. Returns the value of the entry for `model`. */
  fill(model) {
    const { models, runs } = server.state;
    const files = models.map((name) => [JSON.stringify({ file: name }), visibleName(name)]);
    const trained = runs.filter((run) => run.usable);
    const fromRuns = trained.map((run) => [
      JSON.stringify({ run: run.id }),
      `${run.name} (${visibleName(run.data)})`,
    ]);
    const entries = [...files, ...fromRuns];
    const chosen = model && JSON.stringify(model.run ? { run: model.run } : { file: model.name });
    if (!model) entries.unshift(["", "none"]);
    // A model given on the command line may lie outside the folder.
    else if (!entries.some(([key]) => key === chosen)) entries.unshift([chosen, visibleName(model.name)]);
    // An open list would close if it were filled anew for every event.
    const filled = JSON.stringify(entries);
    if (filled !== this.filled) options(this.list, entries);
    this.filled = filled;
    return chosen;
  }

  show(model) {
    const accuracy = model?.test_accuracy ? `; test accuracy ${percent(model.test_accuracy)}` : "";
    const isForm = Boolean(model?.form);
    showForm(isForm);
    this.useForm(isForm ? model : null);
    this.problem.textContent = visible((!isForm && model?.no_images) || "");
    this.about.textContent = model
      ? `${model.architecture}${accuracy}`
      : "Train one, or start gradus serve with a model.";
    this.draw.use(model?.no_images ? null : model && { ...model, classes: model.classes.map(visibleName) });
  }

  async choose(key) {
    if (!key) return;
    this.problem.textContent = "";
    try {
      await post("/api/model", JSON.parse(key));
    } catch (error) {
      this.problem.textContent = visible(error.message);
      this.filled = "";
      this.onChange({ kind: "run" }); // back to the model in use
    }
  }
}

addEventListener("hashchange", showView);
showView();
const draw = startDraw(predict, { percent, visible });
const choice = new ModelChoice(draw, startForm(element("row")));
subscribe((change) => choice.onChange(change));
startTrain(element("train"));
startData(element("data"), {
  draw(image) {
    location.hash = "#draw";
    draw.open(image);
  },
});
follow(element("connection"));
