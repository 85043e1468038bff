// Learning curves of several runs in one chart: a colour and a dash per run, validation thick, training
// thin. In: runs as in server.state, each with a `place`. Out: an uPlot canvas.

import uPlot from "./uPlot.esm.js";

const COLOURS = 6;
const DASHES = [[], [9, 4], [2, 3], [9, 3, 2, 3]];
const HEIGHT = 260;

/** How many epochs a run has done. Of a long run, the history may hold only some. */
export const epochsDone = (run) => (run.history.at(-1)?.epoch ?? -1) + 1;

/** The colour (a property of live.css) and dash of the run at this place. 24 places look different. */
export function lineStyle(place) {
  const round = Math.floor(place / COLOURS);
  const dash = DASHES[(place + Math.floor(round / 2)) % DASHES.length];
  return { colour: `--run-${place % COLOURS}`, dash };
}

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * The last epoch on the axis after `done` of `wanted` epochs. It grows in steps, so that the curve does
 * not shift with every epoch.
 */
function axisEnd(done, wanted) {
  let step = 1;
  for (const next of [5, 10, 20, 50, 100, 200, 500]) if (done > next) step = next;
  return Math.max(1, Math.min(Math.ceil(done / step) * step, Math.max(wanted, done) - 1));
}

/** A chart in the element `box`, as wide as that. */
export class Chart {
  /** `training` and `validation` are keys of an epoch; `show` formats their values. */
  constructor(box, { training, validation, show }) {
    Object.assign(this, { box, training, validation, show, plot: null, drawn: "", lines: [], end: 1 });
    this.tip = document.createElement("div");
    this.tip.className = "chart-tip";
    this.tip.hidden = true;
    new ResizeObserver(() => this.resize()).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot?.redraw());
  }

  /** Draws `runs`, each with its `place`. */
  draw(runs) {
    const lines = runs.flatMap((run) => this.linesOf(run));
    const done = Math.max(1, ...runs.map(epochsDone));
    const epochs = Array.from({ length: done }, (_, epoch) => epoch);
    this.end = axisEnd(done, Math.max(...runs.map((run) => run.epochs), 1));
    this.data = [epochs, ...lines.map((line) => epochs.map((epoch) => line.values[epoch] ?? null))];
    const same = lines.map((line) => line.key).join(" ");
    this.lines = lines;
    if (this.plot && this.drawn === same) this.plot.setData(this.data);
    else this.build();
    this.drawn = same;
  }

  linesOf(run) {
    const { colour, dash } = lineStyle(run.place);
    const line = (split, key, width) => {
      const values = [];
      for (const epoch of run.history) values[epoch.epoch] = epoch[key] ?? null;
      return { key: `${run.id}/${split}`, name: `${run.name}, ${split}`, values, colour, dash, width };
    };
    const lines = [line("training", this.training, 1.25), line("validation", this.validation, 2.75)];
    return lines.filter((line) => line.values.some((value) => Number.isFinite(value)));
  }

  /** The values of the curves, for the tests and for the browser's console. */
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
      label: name, width, dash, spanGaps: true,
      stroke: () => token(colour),
      points: { show: (_, at) => this.data[at].filter((value) => value !== null).length === 1 },
    }));
    this.plot = new uPlot(
      {
        width: Math.max(200, this.box.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: false, range: () => [0, this.end] } },
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

  /** Shows the values of the epoch under the pointer. */
  point() {
    const { idx, left } = this.plot.cursor;
    this.tip.hidden = idx == null || left < 0;
    if (this.tip.hidden) return;
    const rows = this.lines.flatMap((line, at) => {
      const value = this.data[at + 1][idx];
      return value == null ? [] : [`${line.name}: ${this.show(value)}`];
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

/** A piece of a run's line, for the table of runs. */
export function swatch(place) {
  const { colour, dash } = lineStyle(place);
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
