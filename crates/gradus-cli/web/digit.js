// The exported page: connects the Draw view to the network inside the page. Nothing is sent anywhere.

const description = JSON.parse(document.getElementById("model").textContent);
const network = readNetwork(description, description.data);

// Luma of a canvas, rounded as by the program (mirrors luma_on_white in crates/gradus-data/src/images/mod.rs;
// the canvas is already opaque).
function greyOf(canvas) {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, width, height);
  const pixels = new Uint8Array(width * height);
  for (let at = 0; at < pixels.length; at++) {
    const [red, green, blue] = data.subarray(4 * at, 4 * at + 3);
    pixels[at] = Math.floor((299 * red + 587 * green + 114 * blue + 500) / 1000);
  }
  return { height, width, pixels };
}

async function predict({ canvas }) {
  const input = toMnistForm(greyOf(canvas));
  if (!input) return null;
  const found = forward(network, input);
  return { ...found, input, why: contributions(network, input, found) };
}

const hidden = network.layers.slice(0, -1);
startDraw(predict, { percent, visible }).use({
  classes: description.classes.map(visibleName),
  shape: [28, 28],
  hidden: hidden.map(({ outputs, activation }) => ({ units: outputs, activation })),
});

// For the tests, and for use in the browser's console.
globalThis.gradus = {
  answer: (pixels) => forward(network, pixels),
  reasons: contributions,
  network,
  toMnistForm,
};
