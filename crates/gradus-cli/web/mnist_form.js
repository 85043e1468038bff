// MNIST's form, for the exported page, which has no program to ask: a photo or drawing of a digit in,
// 28 x 28 bytes out. (The page of `gradus serve` sends its images to the server and does not load this file.)
//
// Mirrors reading.rs, mnist_form.rs, ink.rs and resize.rs in crates/gradus-data/src/images, which give the
// reason for each step and constant (photo.js mirrors the rest): the same functions in the same order, in
// double instead of single precision. Held equal by web/tests/test_mirrors.py, which compares the bytes with
// those of `gradus serve` for images of many kinds. Whoever changes one side changes the other.
//
// An image is { height, width, pixels }: grey bytes, 0 black, row-major.

const SIDE = 28; // MNIST's images
const BOX = 20; // the box that a digit fills
const DRAWING_SIDE = 1024; // larger drawings are shrunk first
const PHOTO_SIDE = 256; // photos are searched at this side
const EDGE = 64; // the least ink of a digit's edge in a large image
const THIN_COVERAGE = 0.45; // below this, strokes are thinner than a pen's
const LEAST_CONTRAST = 8;
const PAPER_SHARE = 0.03;
const MOST_PAPER_SHARE = 0.35;
const CLEAN_NOISE = 2; // of a drawing's paper
const CLEAN_SHARE = 0.25;
const DUST_SHARE = 0.01;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// 28 x 28 bytes in MNIST's form, or null if nothing stands out from the paper.
function toMnistForm(image) {
  if (isInForm(image)) return Uint8Array.from(image.pixels);
  const plain = findInk(atMost(image, DRAWING_SIDE));
  const digit = plain && drawnDigit(plain);
  if (digit) return place(fit(digit));
  const small = atMost(image, PHOTO_SIDE);
  const found = findDigit(small.pixels, small.width);
  const cut = found && place(fit(cutOut(image, small, found)));
  if (cut) return cut;
  return plain && place(fit(inkOf(plain, withoutDust(piecesOf(plain.pixels, plain.width, 1)))));
}

// The image, scaled down to a longer side of at most `side`.
function atMost(image, side) {
  const longer = Math.max(image.height, image.width);
  if (longer <= side) return image;
  const scaled = (length) => Math.max(Math.floor((length * side) / longer), 1);
  return toSize(image, scaled(image.height), scaled(image.width));
}

// The ink of a drawing's highest digit; null if this is no drawing with a digit in its middle.
function drawnDigit(ink) {
  const { height, width, pixels, clean } = ink;
  if (!clean) return null;
  const order = withoutDust(piecesOf(pixels, width, 1));
  if (order.some((piece) => touchesBorder(piece, height, width))) return null;
  const { groups, frames } = groupsOf(order, leastHeight(height, width));
  const highest = Math.max(...groups.map((group) => heightOf(group[0].box)));
  if (groups.length === 0 || frames > 0) return null;
  const main = groups
    .filter((group) => heightOf(group[0].box) === highest && hasDigitsShape(group, 0.79))
    .sort((a, b) => a[0].box.left - b[0].box.left);
  return main.length > 0 ? inkOf(ink, main[0]) : null;
}

// The pieces that are not dust.
function withoutDust(pieces) {
  const total = pieces.reduce((sum, piece) => sum + piece.mass, 0);
  return pieces.filter((piece) => piece.mass >= DUST_SHARE * total);
}

// The ink of some pieces alone.
function inkOf({ height, width, pixels }, pieces) {
  const alone = new Uint8Array(pixels.length);
  for (const { row, start, end } of pieces.flatMap((piece) => piece.runs)) {
    alone.set(pixels.subarray(row * width + start, row * width + end), row * width + start);
  }
  return { height, width, pixels: alone };
}

function isInForm({ height, width, pixels }) {
  if (height !== SIDE || width !== SIDE) return false;
  const bounds = boundsOf(pixels, SIDE, 1);
  if (!bounds || bounds.longer < BOX - 2 || bounds.longer > BOX) return false;
  const { mass, rows, columns } = moments(pixels, SIDE);
  return [rows, columns].every((sum) => Math.abs(2 * sum - SIDE * mass) <= mass);
}

// How much ink each pixel holds (0 is paper, 255 the strongest ink), and whether the paper is as clean as a
// drawing's. Null if there is no ink.
function findInk({ height, width, pixels }) {
  const level = paperOf(height, width, pixels);
  let [darkest, lightest] = [0, 0];
  const differences = Float32Array.from(pixels, (value, at) => {
    const difference = value - level(Math.floor(at / width), at % width);
    darkest = Math.max(darkest, -difference);
    lightest = Math.max(lightest, difference);
    return difference;
  });
  const onBorder = (at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    return row === 0 || column === 0 || row + 1 === height || column + 1 === width;
  };
  const noise = quantile([...differences].filter((_, at) => onBorder(at)).map(Math.abs), 0.9);
  const contrast = Math.max(darkest, lightest);
  if (contrast < Math.max(LEAST_CONTRAST, 2 * noise)) return null;
  const sign = darkest > lightest ? -1 : 1;
  const floor = clamp(1.5 * noise, PAPER_SHARE * contrast, MOST_PAPER_SHARE * contrast);
  const gain = 255 / (contrast - floor);
  const ink = (difference) => clamp(Math.round((sign * difference - floor) * gain), 0, 255);
  const clean = noise <= CLEAN_NOISE && Math.min(darkest, lightest) <= CLEAN_SHARE * contrast;
  return { height, width, clean, pixels: Uint8Array.from(differences, ink) };
}

// The paper's shade at a row and column: a plane through the medians along the four sides.
function paperOf(height, width, pixels) {
  const line = (count, at) => Array.from({ length: count }, (_, i) => pixels[at(i)]);
  const top = line(width, (column) => column);
  const bottom = line(width, (column) => (height - 1) * width + column);
  const left = line(height, (row) => row * width);
  const right = line(height, (row) => row * width + width - 1);
  const slope = (from, to, length) => {
    return (quantile(to, 0.5) - quantile(from, 0.5)) / (Math.max(length, 2) - 1);
  };
  const [perRow, perColumn] = [slope(top, bottom, height), slope(left, right, width)];
  const middle = quantile([...top, ...bottom, ...left, ...right], 0.5);
  const corner = middle - 0.5 * (perRow * (height - 1) + perColumn * (width - 1));
  return (row, column) => corner + perRow * row + perColumn * column;
}

// The value below which the fraction `share` of the values lies; 0 if there are none.
function quantile(values, share) {
  if (values.length === 0) return 0;
  return Float32Array.from(values).sort()[Math.floor((values.length - 1) * share)];
}

// The ink's box scaled to a longer side of 20 pixels, strokes at least a pen wide and dark.
function fit(ink) {
  let bounds = boundsOf(ink.pixels, ink.width, 1);
  if (!bounds) return new Uint8Array(BOX * BOX);
  if (bounds.longer >= 2 * BOX) bounds = boundsOf(ink.pixels, ink.width, EDGE) ?? bounds;
  let values = scaledInto(ink, bounds, BOX);
  if (coverage(values) < THIN_COVERAGE) {
    values = darken(weightedAround(scaledInto(ink, bounds, BOX - 2), [0.25, 0.5, 0.25]));
  }
  return Uint8Array.from(values, (value) => clamp(Math.round(value), 0, 255));
}

function scaledInto(ink, bounds, side) {
  const step = bounds.longer / side;
  const taps = (first, length, whole) => {
    const count = clamp(Math.ceil(length / step - 1e-9), 1, side);
    return axis(first + 0.5 * (length - count * step), step, count, whole);
  };
  const rows = taps(bounds.top, bounds.height, ink.height);
  const columns = taps(bounds.left, bounds.width, ink.width);
  const values = new Float32Array(BOX * BOX);
  const top = Math.floor((BOX - rows.length) / 2);
  const left = Math.floor((BOX - columns.length) / 2);
  resample(ink, rows, columns).forEach((value, at) => {
    const [row, column] = [Math.floor(at / columns.length), at % columns.length];
    values[(top + row) * BOX + left + column] = value;
  });
  return darken(values);
}

// Raises faint ink to full strength; strong ink stays.
function darken(values) {
  const strong = quantile([...values].filter((value) => value >= 1), 0.9);
  const gain = strong > 0 ? Math.max(255 / strong, 1) : 1;
  return values.map((value) => Math.min(value * gain, 255));
}

// The median fraction of ink in the 3 x 3 pixels around inked ones.
function coverage(values) {
  const sums = weightedAround(values, [1, 1, 1]);
  return quantile([...sums].filter((_, at) => values[at] >= 128).map((sum) => sum / (9 * 255)), 0.5);
}

// Sums over the 3 x 3 pixels around each, weighted by `weights` along both axes.
function weightedAround(values, [before, here, after]) {
  const along = (source, stride, place) => {
    return source.map((value, at) => {
      const one = place(at) > 0 ? source[at - stride] : 0;
      const other = place(at) + 1 < BOX ? source[at + stride] : 0;
      return before * one + here * value + after * other;
    });
  };
  return along(along(values, 1, (at) => at % BOX), BOX, (at) => Math.floor(at / BOX));
}

// The ink of the 20 x 20 box, moved into an empty 28 x 28 image so that its centre of mass is within half a
// pixel of (14, 14).
function place(values) {
  const bounds = boundsOf(values, BOX, 1);
  if (!bounds) return null;
  const { mass, rows, columns } = moments(values, BOX);
  const target = (sum, first, length) => {
    const centre = Math.floor((2 * sum + mass) / (2 * mass));
    return Math.min(Math.max(SIDE / 2 + first - centre, 0), SIDE - length);
  };
  const top = target(rows, bounds.top, bounds.height);
  const left = target(columns, bounds.left, bounds.width);
  const image = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < bounds.height; row++) {
    const from = (bounds.top + row) * BOX + bounds.left;
    image.set(values.subarray(from, from + bounds.width), (top + row) * SIDE + left);
  }
  return image;
}

// The sums of the values, of row times value, and of column times value.
function moments(values, width) {
  let [mass, rows, columns] = [0, 0, 0];
  values.forEach((value, at) => {
    mass += value;
    rows += value * Math.floor(at / width);
    columns += value * (at % width);
  });
  return { mass, rows, columns };
}

// The smallest box around all values of at least `least`, or null if there are none.
function boundsOf(values, width, least) {
  let [top, left, bottom, right] = [Infinity, Infinity, -1, -1];
  values.forEach((value, at) => {
    if (value < least) return;
    const [row, column] = [Math.floor(at / width), at % width];
    [top, bottom] = [Math.min(top, row), row];
    [left, right] = [Math.min(left, column), Math.max(right, column)];
  });
  if (bottom < 0) return null;
  const [height, wide] = [bottom - top + 1, right - left + 1];
  return { top, left, height, width: wide, longer: Math.max(height, wide) };
}

// The image at another size, each axis scaled by itself.
function toSize(image, height, width) {
  const whole = (length, count) => {
    return axis(0, length / count, count, length).map(({ first, weights }) => {
      const sum = weights.reduce((total, weight) => total + weight, 0);
      return { first, weights: weights.map((weight) => weight / sum) };
    });
  };
  const values = resample(image, whole(image.height, height), whole(image.width, width));
  return { height, width, pixels: Uint8Array.from(values, Math.round) };
}

// For each of `count` output pixels, each `step` source pixels long, the first beginning at `start`: the
// source pixels under it, with their weights. Pixels outside the image count as 0.
function axis(start, step, count, length) {
  return Array.from({ length: count }, (_, index) => {
    const middle = start + (index + 0.5) * step;
    const reach = step >= 1 ? 0.5 * step : 1;
    const first = clamp(Math.floor(middle - reach), 0, length);
    const end = clamp(Math.ceil(middle + reach), 0, length);
    const weight = (pixel) => {
      if (step < 1) return Math.max(1 - Math.abs(pixel + 0.5 - middle), 0);
      return Math.max(Math.min(pixel + 1, middle + reach) - Math.max(pixel, middle - reach), 0) / step;
    };
    return { first, weights: Array.from({ length: end - first }, (_, i) => weight(first + i)) };
  });
}

// Weighted sums, rows x columns, row-major.
function resample({ width, pixels }, rows, columns) {
  const output = [];
  const line = new Float32Array(width);
  for (const row of rows) {
    line.fill(0);
    row.weights.forEach((weight, i) => {
      const from = (row.first + i) * width;
      for (let at = 0; at < width; at++) line[at] += weight * pixels[from + at];
    });
    for (const { first, weights } of columns) {
      output.push(weights.reduce((sum, weight, i) => sum + weight * line[first + i], 0));
    }
  }
  return output;
}
