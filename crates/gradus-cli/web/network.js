// The network of the page: from a picture's bytes to probabilities, and what they come from. The same
// formulas as in the program (docs/maths.md M2, M3, M22), in double precision.

// The network that `description` (JSON) and `data` (all of its numbers, float32 in base64) stand for.
function readNetwork(description, data) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  const take = (count) => {
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++, at += 4) values[i] = view.getFloat32(at, true);
    return values;
  };
  const inputs = description.sizes[0];
  const means = take(inputs);
  const deviations = take(inputs);
  const layers = description.activations.map((activation, index) => {
    const [from, to] = description.sizes.slice(index, index + 2);
    const [value, derivative] = functions(activation);
    const parameters = { weight: take(from * to), bias: take(to) };
    return { inputs: from, outputs: to, activation, value, derivative, ...parameters };
  });
  return { classes: description.classes, means, deviations, layers };
}

// Name -> the function, and its derivative; both of the value before it.
const ACTIVATIONS = {
  identity: [(z) => z, () => 1],
  relu: [(z) => Math.max(0, z), (z) => (z > 0 ? 1 : 0)],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  sigmoid: [sigmoid, (z) => sigmoid(z) * (1 - sigmoid(z))],
  gelu: [
    (z) => z * normalBelow(z),
    (z) => normalBelow(z) + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI),
  ],
};

// Of a name, which may end with the slope of leaky ReLU: "leaky_relu:0.1".
function functions(activation) {
  const [name, text] = activation.split(":");
  if (name !== "leaky_relu") return ACTIVATIONS[name];
  const slope = Number(text ?? 0.01);
  return [(z) => (z > 0 ? z : slope * z), (z) => (z > 0 ? 1 : slope)];
}

function sigmoid(z) {
  return 1 / (1 + Math.exp(-z));
}

// The share of the standard normal distribution below z, by its power series around 0.
function normalBelow(z) {
  if (Math.abs(z) > 8) return z > 0 ? 1 : 0;
  let term = z;
  let sum = z;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (-z * z * (2 * n - 1)) / (2 * n * (2 * n + 1));
    sum += term;
  }
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}

// What the network makes of a picture's bytes: the probability of each class, the most probable one,
// and the activity of each hidden unit, layer by layer.
function answer(network, pixels) {
  let values = Float64Array.from(pixels, (value, i) => {
    return (value - network.means[i]) / network.deviations[i];
  });
  const before = [];
  const units = [];
  for (const layer of network.layers) {
    const sums = Float64Array.from(layer.bias);
    for (let i = 0; i < layer.inputs; i++) {
      if (values[i] === 0) continue;
      const row = i * layer.outputs;
      for (let j = 0; j < layer.outputs; j++) sums[j] += values[i] * layer.weight[row + j];
    }
    before.push(sums);
    values = sums.map(layer.value);
    units.push(values);
  }
  const logits = units.pop();
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const probabilities = powers.map((power) => power / total);
  return { probabilities, label: logits.indexOf(most), units, before };
}

// How much each pixel speaks for the answer: the value that it adds to the empty picture, times the
// slope along it of how far the answer's logit stands above the mean of all.
function reasons(network, pixels, { label, before }) {
  let slope = before[before.length - 1].map((_, k, all) => (k === label ? 1 : 0) - 1 / all.length);
  for (let index = network.layers.length - 1; index >= 0; index--) {
    const layer = network.layers[index];
    const own = before[index].map((z, j) => layer.derivative(z) * slope[j]);
    slope = new Float64Array(layer.inputs).map((_, i) => {
      let sum = 0;
      for (let j = 0; j < layer.outputs; j++) sum += layer.weight[i * layer.outputs + j] * own[j];
      return sum;
    });
  }
  return slope.map((value, i) => (value * pixels[i]) / network.deviations[i]);
}
