// Curves of several runs in one picture: one colour and one dash a run, validation thick, training thin.

import uPlot from "./uPlot.esm.js";

const COLOURS = 6;
const DASHES = [[], [9, 4], [2, 3], [9, 3, 2, 3]];
const HEIGHT = 260;

/** Colour (a property of live.css) and dash of the run in this place: 24 places look different. */
export function look(place) {
  const round = Math.floor(place / COLOURS);
  const dash = DASHES[(place + Math.floor(round / 2)) % DASHES.length];
  return { colour: `--run-${place % COLOURS}`, dash };
}

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The epochs that the axis shows for `done`: they grow by steps, so that the curve does not always move. */
function reach(done, wanted) {
  let step = 1;
  for (const next of [5, 10, 20, 50, 100, 200, 500]) if (done > next) step = next;
  return Math.max(2, Math.min(Math.ceil(done / step) * step, Math.max(wanted, done)));
}

/** A picture in `box`, an element that is as wide as the picture shall be. */
export class Chart {
  /**
   * `figure` and `held` are the keys of an epoch's figure in training and validation, `show` makes a
   * text of it.
   */
  constructor(box, { figure, held, show }) {
    Object.assign(this, { box, figure, held, show, plot: null, drawn: "", lines: [], last: 2 });
    this.tip = document.createElement("div");
    this.tip.className = "chart-tip";
    this.tip.hidden = true;
    new ResizeObserver(() => this.resize()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot?.redraw());
  }

  /** Draws `runs`, each with its `place`. */
  draw(runs) {
    const lines = runs.flatMap((run) => this.linesOf(run));
    const done = Math.max(1, ...runs.map((run) => run.history.at(-1)?.epoch ?? 1));
    const epochs = Array.from({ length: done }, (_, at) => at + 1);
    this.last = reach(done, Math.max(...runs.map((run) => run.epochs), 1));
    this.data = [epochs, ...lines.map((line) => epochs.map((_, at) => line.values[at] ?? null))];
    const same = lines.map((line) => line.key).join(" ");
    this.lines = lines;
    if (this.plot && this.drawn === same) this.plot.setData(this.data);
    else this.build();
    this.drawn = same;
  }

  linesOf(run) {
    const { colour, dash } = look(run.place);
    const line = (part, key, width) => {
      const values = [];
      for (const epoch of run.history) values[epoch.epoch - 1] = epoch[key] ?? null;
      return { key: `${run.id}/${part}`, name: `${run.name}, ${part}`, values, colour, dash, width };
    };
    const lines = [line("training", this.figure, 1.25), line("validation", this.held, 2.75)];
    return lines.filter((line) => line.values.some((value) => Number.isFinite(value)));
  }

  /** The numbers of the picture, for tests and for those who want to see them. */
  points() {
    return this.lines.map(({ name, values }) => ({ name, values }));
  }

  build() {
    this.plot?.destroy();
    const axis = (more) => ({
      stroke: () => token("--soft"),
      grid: { stroke: () => token("--rule"), width: 1 },
      ticks: { stroke: () => token("--rule"), width: 1, size: 4 },
      font: "12px system-ui, sans-serif",
      ...more,
    });
    const series = this.lines.map(({ name, colour, dash, width }) => ({
      label: name, width, dash,
      stroke: () => token(colour),
      points: { show: (_, at) => this.data[at].filter((value) => value !== null).length === 1 },
    }));
    this.plot = new uPlot(
      {
        width: Math.max(200, this.box.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: false, range: () => [1, this.last] } },
        axes: [
          axis({ incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], size: 30 }),
          axis({ size: 64, values: (_, ticks) => ticks.map((tick) => this.show(tick, true)) }),
        ],
        series: [{}, ...series],
        hooks: { setCursor: [() => this.point()] },
      },
      this.data,
      this.box,
    );
    this.plot.over.append(this.tip);
  }

  resize() {
    const width = this.box.clientWidth;
    if (this.plot && width && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
  }

  /** Shows the figures of the epoch under the pointer. */
  point() {
    const { idx, left } = this.plot.cursor;
    this.tip.hidden = idx == null || left < 0;
    if (this.tip.hidden) return;
    const rows = this.lines.flatMap((line, at) => {
      const value = this.data[at + 1][idx];
      return value === null ? [] : [`${line.name}: ${this.show(value)}`];
    });
    this.tip.replaceChildren(
      ...[`Epoch ${this.data[0][idx]}`, ...rows].map((text) => {
        const row = document.createElement("div");
        row.textContent = text;
        return row;
      }),
    );
    const right = left > this.plot.over.clientWidth / 2;
    this.tip.style.left = right ? "auto" : `${left + 12}px`;
    this.tip.style.right = right ? `${this.plot.over.clientWidth - left + 12}px` : "auto";
  }
}

/** A sample of a run's line, for the legend. */
export function swatch(place) {
  const { colour, dash } = look(place);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [key, value] of Object.entries({ width: 34, height: 10, "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  for (const [key, value] of Object.entries({ x1: 0, x2: 34, y1: 5, y2: 5, "stroke-width": 3 })) {
    line.setAttribute(key, value);
  }
  line.setAttribute("stroke-dasharray", dash.join(" "));
  line.style.stroke = `var(${colour})`;
  svg.append(line);
  return svg;
}
