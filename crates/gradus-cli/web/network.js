// The network of the exported page, which has no program to ask: an image's bytes in, probabilities and
// their explanation out. (The page of `gradus serve` asks the server and does not load this file.)
//
// Mirrors, in double precision:
//   forward        Classifier::predict    docs/maths.md M2 to M4   crates/gradus-core/src/model
//   ACTIVATIONS    Activation             docs/maths.md M3         crates/gradus-core/src/network/activation.rs
//   contributions  Classifier::explain    docs/maths.md M22        crates/gradus-core/src/model/explain.rs
// Held equal by web/tests/test_mirrors.py: probabilities within 1e-5 of `gradus predict` for every
// activation and normalization, contributions and hidden units within 1e-4 of what `gradus serve` answers.

// The network in `description` (JSON); `data` has all of its numbers as little-endian float32 in base64.
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
  const stds = take(inputs);
  const layers = description.activations.map((activation, index) => {
    const [from, to] = description.sizes.slice(index, index + 2);
    const [value, derivative] = functions(activation);
    const parameters = { weight: take(from * to), bias: take(to) };
    return { inputs: from, outputs: to, activation, value, derivative, ...parameters };
  });
  return { classes: description.classes, means, stds, clip: description.clip, layers };
}

// By name: the function of a pre-activation z, and its derivative.
const ACTIVATIONS = {
  identity: [(z) => z, () => 1],
  relu: [(z) => Math.max(0, z), (z) => (z > 0 ? 1 : 0)],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  sigmoid: [sigmoid, (z) => sigmoid(z) * (1 - sigmoid(z))],
  gelu: [
    (z) => z * normalCdf(z),
    (z) => normalCdf(z) + (z * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI),
  ],
  selu: elu(1.6732632423543772, 1.0507009873554805),
  silu: [(z) => z * sigmoid(z), (z) => sigmoid(z) * (1 + z * (1 - sigmoid(z)))],
  mish: [(z) => z * mishGate(z), (z) => mishGate(z) + z * sigmoid(z) * (1 - mishGate(z) ** 2)],
};

// tanh(ln(1 + e^z)).
function mishGate(z) {
  return Math.tanh(Math.log1p(Math.exp(Math.min(z, 20))));
}

// ELU, or SELU with another scale.
function elu(alpha, scale = 1) {
  return [
    (z) => scale * (z > 0 ? z : alpha * Math.expm1(z)),
    (z) => scale * (z > 0 ? 1 : alpha * Math.exp(z)),
  ];
}

// The pair for a name; that of leaky ReLU may end with its slope, that of ELU with its alpha: "leaky_relu:0.1".
function functions(activation) {
  const [name, text] = activation.split(":");
  if (name === "elu") return elu(Number(text ?? 1));
  if (name !== "leaky_relu") return ACTIVATIONS[name];
  const slope = Number(text ?? 0.01);
  return [(z) => (z > 0 ? z : slope * z), (z) => (z > 0 ? 1 : slope)];
}

function sigmoid(z) {
  return 1 / (1 + Math.exp(-z));
}

// The standard normal distribution's cumulative probability, by its power series around 0. Beyond 8 it is
// 0 or 1 within 1e-15, and the series would lose its digits to cancellation.
function normalCdf(z) {
  if (Math.abs(z) > 8) return z > 0 ? 1 : 0;
  let term = z;
  let sum = z;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (-z * z * (2 * n - 1)) / (2 * n * (2 * n + 1));
    sum += term;
  }
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}

// The smooth clip of a robust normalization; `clip` is null without one.
function clipped(u, clip) {
  return clip ? u / Math.hypot(1, u / clip) : u;
}

// Its derivative.
function clipSlope(u, clip) {
  return clip ? (1 + (u / clip) ** 2) ** -1.5 : 1;
}

// The forward pass: the probability of each class, the most probable one (`label`), each hidden layer's
// activations (`units`) and every layer's pre-activations (`before`).
function forward(network, pixels) {
  let values = Float64Array.from(pixels, (value, i) => {
    return clipped((value - network.means[i]) / network.stds[i], network.clip);
  });
  const before = [];
  const units = [];
  for (const layer of network.layers) {
    const sums = Float64Array.from(layer.bias);
    for (let i = 0; i < layer.inputs; i++) {
      // Most inputs are black, and after ReLU most units are 0.
      if (values[i] === 0) continue;
      const row = i * layer.outputs;
      for (let j = 0; j < layer.outputs; j++) sums[j] += values[i] * layer.weight[row + j];
    }
    before.push(sums);
    values = sums.map(layer.value);
    units.push(values);
  }
  const logits = units.pop();
  // Softmax of differences to the largest logit: no exponential overflows.
  const most = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  const probabilities = powers.map((power) => power / total);
  return { probabilities, label: logits.indexOf(most), units, before };
}

// Gradient x input: each pixel's value times the derivative, with respect to it, of the predicted class's
// logit minus the mean of all logits.
function contributions(network, pixels, { label, before }) {
  let gradient = before[before.length - 1].map((_, k, all) => (k === label ? 1 : 0) - 1 / all.length);
  for (let index = network.layers.length - 1; index >= 0; index--) {
    const layer = network.layers[index];
    const deltas = before[index].map((z, j) => layer.derivative(z) * gradient[j]);
    gradient = new Float64Array(layer.inputs).map((_, i) => {
      let sum = 0;
      for (let j = 0; j < layer.outputs; j++) sum += layer.weight[i * layer.outputs + j] * deltas[j];
      return sum;
    });
  }
  return gradient.map((value, i) => {
    const slope = clipSlope((pixels[i] - network.means[i]) / network.stds[i], network.clip);
    return (value * slope * pixels[i]) / network.stds[i];
  });
}
