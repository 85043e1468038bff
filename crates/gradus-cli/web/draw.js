// Drawing a digit, or giving a picture of one, and what the network makes of it. Who answers is not
// known here: on the exported page the page itself, else the server.

const PEN = 20; // of the drawing area's 280 pixels
const MOST_BARS = 12;

/**
 * Brings the view to life. `ask({ canvas, file, units })` gets the picture (`file` is the one that was
 * given, if one was) and promises what the network makes of it: `{ input, probabilities, label, why,
 * units }`, or null where there is no ink. Returns `{ use, open }`: `use(model)` shows answers of a model
 * with `classes`, `shape` and `hidden` layers, or of none where it is null; `open(file)` puts a picture
 * on the paper.
 */
export function startDraw(ask) {
  const element = (id) => document.getElementById(id);
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const paper = element("paper");
  const pen = paper.getContext("2d", { willReadFrequently: true });
  // What is on the paper, in order: strokes, lists of points; and pictures, { canvas, file }.
  const things = [];
  let model = null;
  let stroke = null;
  let painting = false;
  let asking = false;
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

  // One painting for each frame at most, however many points come; then one question at a time.
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
      answer();
    });
  }

  async function answer() {
    if (asking) return; // what is new is asked when the answer is there
    asking = true;
    while (stale) {
      stale = false;
      try {
        // A given picture is read by its own pixels.
        const given = things[0]?.canvas ? things[0] : { canvas: paper };
        const wanted = model && things.length > 0;
        const found = wanted ? await ask({ ...given, units: element("units").open }) : null;
        if (found && !stale) say("");
        show(found);
      } catch (error) {
        say(error.message);
        show(null);
      }
    }
    asking = false;
    busy(false);
  }

  // Whether an answer is on its way.
  function busy(yes) {
    element("bars").ariaBusy = String(yes);
  }

  // A text that stays until something else is to be said.
  function say(text) {
    element("problem").textContent = text;
  }

  function show(found) {
    const { classes = [], shape = [28, 28] } = model ?? {};
    const name = found && classes[found.label];
    const [height, width] = shape;
    element("seen-size").textContent = `${height} x ${width}`;
    for (const id of ["seen", "why"]) Object.assign(element(id), { width, height });
    drawGrey(element("seen"), found?.input);
    element("seen").ariaLabel = found
      ? `What the network sees: the drawing in ${height} x ${width} pixels`
      : "What the network sees: nothing yet";
    showBars(classes, found);
    drawSigned(element("why"), found?.why);
    element("why").ariaLabel = found
      ? `Pixels that speak for and against ${name}`
      : "Pixels that speak for and against the answer: nothing yet";
    if (element("units").open) showUnits(found);
    if (stroke) return; // a screen reader hears of whole strokes
    const verdict = element("verdict");
    if (found) {
      const strong = document.createElement("strong");
      strong.textContent = name;
      verdict.replaceChildren(strong, `with a probability of ${percent(found.probabilities[found.label])}`);
      return;
    }
    verdict.textContent = nothing();
  }

  // Why there is no answer.
  function nothing() {
    if (!model) return "There is no model that could answer.";
    if (things.length === 0) return "Nothing is drawn yet.";
    return element("problem").textContent ? "No answer." : "There is no ink in this picture.";
  }

  // A row for each class, or for the most probable ones of many.
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
      row.querySelector(".share").textContent = found ? percent(share) : "";
      row.classList.toggle("first", Boolean(found) && index === found.label);
    });
  }

  // Each layer's units as a picture, as square as can be: the brighter, the more active.
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
    say("");
    busy(true);
    try {
      const bitmap = await createImageBitmap(file);
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.fillStyle = "#fff"; // behind what is transparent
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, 0);
      things.splice(0, things.length, { canvas, file });
      changed();
    } catch {
      busy(stale || asking);
      say(
        `${file.name || "What was given"} is no picture that this browser can read; expected PNG, JPEG or the like.`,
      );
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
    // Strokes do not go onto a picture.
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
  // Keys, drops and pastes are for the paper while it is seen.
  const seen = () => paper.offsetParent !== null;
  element("undo").addEventListener("click", undo);
  element("clear").addEventListener("click", clear);
  element("units").addEventListener("toggle", changed);
  element("file").addEventListener("change", (event) => {
    if (event.target.files[0]) open(event.target.files[0]);
    event.target.value = ""; // the same file may be chosen again
  });
  document.addEventListener("keydown", (event) => {
    if (!seen()) return;
    if (event.key === "Escape") clear();
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      undo();
    }
  });
  document.addEventListener("paste", (event) => {
    if (seen() && event.clipboardData.files[0]) open(event.clipboardData.files[0]);
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
    if (seen() && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
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
