// The exported page: the network and the picture's form are computed here, nothing is asked of anyone.

const description = JSON.parse(document.getElementById("model").textContent);
const network = readNetwork(description, description.data);

// Luma of the picture's pixels, as the program rounds it.
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

async function ask({ canvas }) {
  const input = toMnistForm(greyOf(canvas));
  if (!input) return null;
  const found = answer(network, input);
  return { ...found, input, why: reasons(network, input, found) };
}

const hidden = network.layers.slice(0, -1);
startDraw(ask).use({
  classes: description.classes,
  shape: [28, 28],
  hidden: hidden.map(({ outputs, activation }) => ({ units: outputs, activation })),
});

// For tests and for the curious.
globalThis.gradus = { answer: (pixels) => answer(network, pixels), reasons, network, toMnistForm };
