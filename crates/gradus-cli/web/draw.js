// Drawing a digit, or giving a picture of one, and what the network makes of it.

const PEN = 20; // of the drawing area's 280 pixels
const MOST_BARS = 12;
const element = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

const description = JSON.parse(element("model").textContent);
const network = readNetwork(description, description.data);

const paper = element("paper");
const pen = paper.getContext("2d", { willReadFrequently: true });
// What is on the paper, in order: strokes, lists of points; and pictures, canvases.
const things = [];
let stroke = null;
let asked = false;

function paint() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, paper.width, paper.height);
  pen.strokeStyle = "#000";
  pen.lineWidth = PEN;
  pen.lineCap = pen.lineJoin = "round";
  for (const thing of things) {
    if (thing instanceof HTMLCanvasElement) {
      const scale = Math.min(paper.width / thing.width, paper.height / thing.height);
      const [width, height] = [thing.width * scale, thing.height * scale];
      pen.imageSmoothingEnabled = scale < 1;
      pen.drawImage(thing, (paper.width - width) / 2, (paper.height - height) / 2, width, height);
      continue;
    }
    pen.beginPath();
    pen.moveTo(...thing[0]);
    thing.forEach((point) => pen.lineTo(...point));
    pen.stroke();
  }
}

// The picture that is to be read: a given one's own pixels, else the paper's.
function picture() {
  const from = things[0] instanceof HTMLCanvasElement ? things[0] : paper;
  const { width, height } = from;
  const { data } = from.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height);
  const pixels = new Uint8Array(width * height);
  for (let at = 0; at < pixels.length; at++) {
    const [red, green, blue] = data.subarray(4 * at, 4 * at + 3);
    pixels[at] = Math.floor((299 * red + 587 * green + 114 * blue + 500) / 1000);
  }
  return { height, width, pixels };
}

// One answer for each frame at most, however many points come.
function changed() {
  element("hint").hidden = things.length > 0;
  element("undo").disabled = element("clear").disabled = things.length === 0;
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    paint();
    show(things.length > 0 ? toMnistForm(picture()) : null);
  });
}

function show(pixels) {
  const found = pixels && answer(network, pixels);
  const name = found && description.classes[found.label];
  const sure = found && percent(found.probabilities[found.label]);
  drawGrey(element("seen"), pixels);
  element("seen").ariaLabel = found
    ? "What the network sees: the drawing in 28 x 28 pixels"
    : "What the network sees: nothing yet";
  showBars(found);
  const because = pixels && reasons(network, pixels, found);
  drawSigned(element("why"), because);
  element("why").ariaLabel = found
    ? `Pixels that speak for and against ${name}`
    : "Pixels that speak for and against the answer: nothing yet";
  if (element("units").open) showUnits(found);
  if (stroke) return; // a screen reader hears of whole strokes
  const verdict = element("verdict");
  verdict.textContent = things.length > 0 ? "There is no ink in this picture." : "Nothing is drawn yet.";
  if (found) {
    const strong = document.createElement("strong");
    strong.textContent = name;
    verdict.replaceChildren(strong, `with a probability of ${sure}`);
  }
}

// A row for each class, or for the most probable ones of many.
function showBars(found) {
  const bars = element("bars");
  const { classes } = description;
  const order = classes.map((_, index) => index);
  if (classes.length > MOST_BARS) {
    if (found) order.sort((a, b) => found.probabilities[b] - found.probabilities[a]);
    order.length = MOST_BARS;
  }
  while (bars.children.length < order.length) {
    const row = document.createElement("li");
    const [name, track, bar, share] = ["name", "track", "bar", "share"].map((kind) => {
      const part = document.createElement("span");
      part.className = kind;
      return part;
    });
    bar.style.display = track.style.display = "block";
    track.append(bar);
    row.append(name, track, share);
    bars.append(row);
  }
  order.forEach((index, at) => {
    const row = bars.children[at];
    const share = found ? found.probabilities[index] : 0;
    row.querySelector(".name").textContent = classes[index];
    row.querySelector(".bar").style.width = `${100 * share}%`;
    row.querySelector(".share").textContent = found ? percent(share) : "";
    row.classList.toggle("first", Boolean(found) && index === found.label);
  });
}

// Each layer's units as a picture, as square as can be: the brighter, the more active.
function showUnits(found) {
  const layers = element("layers");
  layers.replaceChildren();
  network.layers.slice(0, -1).forEach((layer, index) => {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    const caption = document.createElement("figcaption");
    canvas.width = Math.ceil(Math.sqrt(layer.outputs * 2));
    canvas.height = Math.ceil(layer.outputs / canvas.width);
    canvas.role = "img";
    const values = found ? found.units[index] : new Float64Array(layer.outputs);
    const active = values.filter((value) => Math.abs(value) > 1e-6).length;
    drawSigned(canvas, values);
    canvas.ariaLabel = caption.textContent =
      `Hidden layer ${index + 1}: ${active} of ${layer.outputs} units are active (${layer.activation}).`;
    figure.append(canvas, caption);
    layers.append(figure);
  });
}

// Light on black; black where there is nothing.
function drawGrey(canvas, values) {
  fill(canvas, (at) => (values ? [values[at], values[at], values[at], 255] : [0, 0, 0, 255]));
}

// Blue above 0 and orange below, the paler the nearer to it.
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

// A picture takes the place of everything that was there.
async function open(file) {
  element("problem").textContent = "";
  try {
    const bitmap = await createImageBitmap(file);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff"; // behind what is transparent
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0);
    things.splice(0, things.length, canvas);
    changed();
  } catch {
    element("problem").textContent =
      `${file.name || "What was given"} is no picture that this browser can read; expected PNG, JPEG or the like.`;
  }
}

function clear() {
  things.length = 0;
  stroke = null;
  element("problem").textContent = "";
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
  // Strokes do not go onto a picture.
  if (things[0] instanceof HTMLCanvasElement) things.length = 0;
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
element("undo").addEventListener("click", undo);
element("clear").addEventListener("click", clear);
element("units").addEventListener("toggle", changed);
element("file").addEventListener("change", (event) => {
  if (event.target.files[0]) open(event.target.files[0]);
  event.target.value = ""; // the same file may be chosen again
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") clear();
  if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    undo();
  }
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files[0]) open(event.clipboardData.files[0]);
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
  if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
});

changed();
