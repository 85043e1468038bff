// The page of `gradus serve`: which view is seen, and the Draw view's model.

import { follow, post, request, server, subscribe } from "./api.js";
import { start as startData } from "./data.js";
import { startDraw } from "./draw.js";
import { percent } from "./format.js";
import { options } from "./settings.js";
import { start as startTrain } from "./train.js";

const VIEWS = ["draw", "train", "data"];
const element = (id) => document.getElementById(id);

/** Shows the view that the address names. */
function turn() {
  const view = VIEWS.find((name) => location.hash === `#${name}`) ?? "draw";
  for (const name of VIEWS) {
    element(name).hidden = name !== view;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${view[0].toUpperCase()}${view.slice(1)} - gradus`;
}

/** The picture's own file where one was given, which the server reads as `gradus predict` does. */
async function ask({ canvas, file, units }) {
  const body = file ?? (await new Promise((done) => canvas.toBlob(done, "image/png")));
  const type = body.type.startsWith("image/") ? body.type : "application/octet-stream";
  const headers = { "Content-Type": type };
  const answer = await request(`/api/answer?units=${units ? 1 : 0}`, { method: "POST", headers, body });
  return answer.empty ? null : answer;
}

/** The choice of a model, and the words on it. */
class ModelChoice {
  constructor(draw) {
    Object.assign(this, { draw, list: element("model"), about: element("model-about") });
    this.problem = element("model-problem");
    this.list.addEventListener("change", () => this.choose(this.list.value));
  }

  hear({ kind }) {
    if (!["state", "model", "run"].includes(kind)) return;
    const { model, models, runs } = server.state;
    const files = models.map((name) => [JSON.stringify({ file: name }), name]);
    const trained = runs.filter((run) => run.usable);
    const choices = trained.map((run) => [JSON.stringify({ run: run.id }), `${run.name} (${run.data})`]);
    const chosen = model && [model.run ? { run: model.run } : { file: model.name }].map((it) => JSON.stringify(it))[0];
    const known = [...files, ...choices];
    if (model && !known.some(([key]) => key === chosen)) known.unshift([chosen, model.name]);
    if (!model) known.unshift(["", "none yet"]);
    const told = JSON.stringify(known);
    if (told !== this.told) options(this.list, known);
    this.told = told;
    this.list.value = chosen ?? "";
    const id = model?.id ?? 0;
    if (kind === "run" || this.shown === id) return;
    this.shown = id;
    this.show(model);
  }

  show(model) {
    this.problem.textContent = model?.no_pictures ?? "";
    this.about.textContent = model
      ? `${model.architecture}${model.test_accuracy ? `; ${percent(model.test_accuracy)} on its test images` : ""}`
      : "Train one, or start gradus serve with a model.";
    this.draw.use(model?.no_pictures ? null : model);
  }

  async choose(key) {
    if (!key) return;
    this.problem.textContent = "";
    try {
      await post("/api/model", JSON.parse(key));
    } catch (error) {
      this.problem.textContent = error.message;
      this.told = "";
      this.hear({ kind: "run" });
    }
  }
}

addEventListener("hashchange", turn);
turn();
const draw = startDraw(ask);
const choice = new ModelChoice(draw);
subscribe((change) => choice.hear(change));
startTrain(element("train"));
startData(element("data"), {
  draw(picture) {
    location.hash = "#draw";
    draw.open(picture);
  },
});
follow(element("connection"));
