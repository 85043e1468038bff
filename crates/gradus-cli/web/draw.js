// The Draw view: a drawing or an image of a digit in, the network's prediction and its explanation on
// the screen. It does not know who predicts: in the exported page digit.js does, else the server.
//
// No imports: this file is also part of the exported page's single script.

const PEN = 20; // of the drawing area's 280 pixels: about a pen's width once a digit is 20 pixels high
const MOST_BARS = 12;

/**
 * Starts the view. `predict({ canvas, file, units })` gets the drawing, or the image's `file` if one was
 * opened, and promises `{ input, probabilities, label, why, units }`, or null if the image has no ink.
 * `percent` and `visible` are those of format.js and visible.js. Returns `{ use, open }`: `use(model)`
 * switches to a model with `classes`, `shape` and `hidden` layers, or to none if it is null;
 * `open(file)` puts an image on the paper.
 */
export function startDraw(predict, { percent, visible }) {
  const element = (id) => document.getElementById(id);
  const paper = element("paper");
  const pen = paper.getContext("2d", { willReadFrequently: true });
  // What is on the paper, in order: strokes, which are lists of points, or one image, { canvas, file }.
  const things = [];
  let model = null;
  let stroke = null;
  let painting = false;
  let predicting = false;
  let stale = false;

  function paint() {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, paper.width, paper.height);
    pen.strokeStyle = "#000";
    pen.lineWidth = PEN;
    pen.lineCap = pen.lineJoin = "round";
    for (const thing of things) {
      if (thing.canvas) {
        const { canvas } = thing;
        const scale = Math.min(paper.width / canvas.width, paper.height / canvas.height);
        const [width, height] = [canvas.width * scale, canvas.height * scale];
        pen.imageSmoothingEnabled = scale < 1;
        pen.drawImage(canvas, (paper.width - width) / 2, (paper.height - height) / 2, width, height);
        continue;
      }
      pen.beginPath();
      pen.moveTo(...thing[0]);
      thing.forEach((point) => pen.lineTo(...point));
      pen.stroke();
    }
  }

  // A pen sends more points than the screen has frames: paint at most once per frame, and predict one
  // drawing at a time.
  function changed() {
    element("hint").hidden = things.length > 0;
    element("undo").disabled = element("clear").disabled = things.length === 0;
    stale = true;
    busy(true);
    if (painting) return;
    painting = true;
    requestAnimationFrame(() => {
      painting = false;
      paint();
      update();
    });
  }

  async function update() {
    if (predicting) return; // the loop below sees that the drawing has changed
    predicting = true;
    while (stale) {
      stale = false;
      try {
        // An image is read in its own size, not as it was scaled to the paper.
        const given = things[0]?.canvas ? things[0] : { canvas: paper };
        const wanted = model && things.length > 0;
        const found = wanted ? await predict({ ...given, units: element("units").open }) : null;
        if (found && !stale) say("");
        show(found);
      } catch (error) {
        say(error.message);
        show(null);
      }
    }
    predicting = false;
    busy(false);
  }

  function busy(yes) {
    element("bars").ariaBusy = String(yes);
  }

  // Shows a problem until the next call.
  function say(text) {
    element("problem").textContent = visible(text);
  }

  function show(found) {
    const { classes = [], shape = [28, 28] } = model ?? {};
    const name = found && classes[found.label];
    const [height, width] = shape;
    element("seen-size").textContent = `${height} x ${width}`;
    for (const id of ["seen", "why"]) Object.assign(element(id), { width, height });
    drawGrey(element("seen"), found?.input);
    element("seen").ariaLabel = found
      ? `Network input: the drawing in ${height} x ${width} pixels`
      : "Network input: empty";
    showBars(classes, found);
    drawSigned(element("why"), found?.why);
    element("why").ariaLabel = found
      ? `Pixels that support ${name}, and pixels that oppose it`
      : "Pixels that support or oppose the prediction: none yet";
    if (element("units").open) showUnits(found);
    if (stroke) return; // a screen reader announces the verdict: once per stroke is enough
    const verdict = element("verdict");
    if (found) {
      const strong = document.createElement("strong");
      strong.textContent = name;
      verdict.replaceChildren(strong, `probability ${percent(found.probabilities[found.label], 1)}`);
      return;
    }
    verdict.textContent = nothing();
  }

  // Why there is no prediction.
  function nothing() {
    if (!model) return "No model is loaded.";
    if (things.length === 0) return "Nothing drawn yet.";
    return element("problem").textContent ? "No prediction." : "No ink found in this image.";
  }

  // A row per class; of many classes, only the most probable ones.
  function showBars(classes, found) {
    const bars = element("bars");
    const order = classes.map((_, index) => index);
    if (classes.length > MOST_BARS) {
      if (found) order.sort((a, b) => found.probabilities[b] - found.probabilities[a]);
      order.length = MOST_BARS;
    }
    while (bars.children.length > order.length) bars.lastChild.remove();
    while (bars.children.length < order.length) {
      const row = document.createElement("li");
      const [name, track, bar, share] = ["name", "track", "bar", "share"].map((kind) => {
        const part = document.createElement("span");
        part.className = kind;
        return part;
      });
      track.append(bar);
      row.append(name, track, share);
      bars.append(row);
    }
    order.forEach((index, at) => {
      const row = bars.children[at];
      const share = found ? found.probabilities[index] : 0;
      row.querySelector(".name").textContent = classes[index];
      row.querySelector(".bar").style.width = `${100 * share}%`;
      row.querySelector(".share").textContent = found ? percent(share, 1) : "";
      row.classList.toggle("first", Boolean(found) && index === found.label);
    });
  }

  // One image per hidden layer, a pixel per unit, about twice as wide as high.
  function showUnits(found) {
    const layers = element("layers");
    layers.replaceChildren();
    (model?.hidden ?? []).forEach(({ units, activation }, index) => {
      const figure = document.createElement("figure");
      const canvas = document.createElement("canvas");
      const caption = document.createElement("figcaption");
      canvas.width = Math.ceil(Math.sqrt(units * 2));
      canvas.height = Math.ceil(units / canvas.width);
      canvas.role = "img";
      const values = found?.units?.[index] ?? new Float64Array(units);
      const active = values.filter((value) => Math.abs(value) > 1e-6).length;
      drawSigned(canvas, values);
      canvas.ariaLabel = caption.textContent =
        `Hidden layer ${index + 1}: ${active} of ${units} units are active (${activation}).`;
      figure.append(canvas, caption);
      layers.append(figure);
    });
  }

  // Bytes as grey pixels, 0 black; all black without values.
  function drawGrey(canvas, values) {
    fill(canvas, (at) => (values ? [values[at], values[at], values[at], 255] : [0, 0, 0, 255]));
  }

  // Blue above 0, orange below, white at 0; full strength at the largest magnitude.
  function drawSigned(canvas, values) {
    const most = values ? values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12) : 1;
    fill(canvas, (at) => {
      if (!values || at >= values.length) return [0, 0, 0, 0];
      const strength = Math.min(Math.abs(values[at]) / most, 1);
      const colour = values[at] > 0 ? [31, 111, 180] : [217, 119, 31];
      return [...colour.map((part) => 255 - (255 - part) * strength), 255];
    });
  }

  function fill(canvas, colour) {
    const image = new ImageData(canvas.width, canvas.height);
    for (let at = 0; at < canvas.width * canvas.height; at++) image.data.set(colour(at), 4 * at);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // An image replaces everything on the paper.
  async function open(file) {
    say("");
    busy(true);
    try {
      const bitmap = await createImageBitmap(file);
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.fillStyle = "#fff"; // transparent parts show white paper, as in the program
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, 0);
      things.splice(0, things.length, { canvas, file });
      changed();
    } catch {
      busy(stale || predicting);
      say(`${file.name || "This file"}: not an image that this browser can read; expected PNG or JPEG, for example.`);
    }
  }

  function clear() {
    things.length = 0;
    stroke = null;
    say("");
    changed();
  }

  function undo() {
    things.pop();
    stroke = null;
    changed();
  }

  function pointOf(event) {
    const { left, top, width, height } = paper.getBoundingClientRect();
    return [
      ((event.clientX - left) / width) * paper.width,
      ((event.clientY - top) / height) * paper.height,
    ];
  }

  paper.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || stroke) return;
    event.preventDefault();
    paper.setPointerCapture(event.pointerId);
    // A stroke replaces an image.
    if (things[0]?.canvas) things.length = 0;
    stroke = { id: event.pointerId, points: [pointOf(event)] };
    things.push(stroke.points);
    changed();
  });
  paper.addEventListener("pointermove", (event) => {
    if (stroke?.id !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    stroke.points.push(...(events.length > 0 ? events : [event]).map(pointOf));
    changed();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    paper.addEventListener(end, (event) => {
      if (stroke?.id !== event.pointerId) return;
      stroke = null;
      changed();
    });
  }
  // Keys, drops and pastes act on the paper only while its view is shown.
  const shown = () => paper.offsetParent !== null;
  element("undo").addEventListener("click", undo);
  element("clear").addEventListener("click", clear);
  element("units").addEventListener("toggle", changed);
  element("file").addEventListener("change", (event) => {
    if (event.target.files[0]) open(event.target.files[0]);
    event.target.value = ""; // so that choosing the same file again is a change
  });
  document.addEventListener("keydown", (event) => {
    if (!shown()) return;
    if (event.key === "Escape") clear();
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      undo();
    }
  });
  document.addEventListener("paste", (event) => {
    if (shown() && event.clipboardData.files[0]) open(event.clipboardData.files[0]);
  });
  const area = paper.parentElement;
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    area.classList.add("over");
  });
  document.addEventListener("dragleave", () => area.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    if (shown() && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });

  changed();
  return {
    open,
    use(next) {
      model = next;
      say("");
      changed();
    },
  };
}
