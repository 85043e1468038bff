// The main digit of a photo, for the exported page. Mirrors find.rs, pieces.rs, paper.rs and photo.rs in
// crates/gradus-data/src/images, which give the reason for each step and constant: the same functions in
// the same order. Whoever changes one side changes the other (see mnist_form.js, which calls this file).
//
// A box is { top, left, bottom, right }, with bottom and right outside; a run of pixels is
// { row, start, end }.

const RADII = [0.03, 0.06, 0.12, 0.25, 1]; // half the widths of strokes, shares of the longer side
const LEVELS = [15, 23, 34, 50, 72, 104, 145, 190]; // strengths at which ink is cut from paper
const DARK = 16; // added to each shade before the logarithm
const DETAIL = 100; // the digit's longer side in a cut-out
const MARGIN = 2; // pixels of a digit's soft edge

const heightOf = (box) => box.bottom - box.top;
const widthOf = (box) => box.right - box.left;
const longerOf = (box) => Math.max(heightOf(box), widthOf(box));
const contains = (box, inner) =>
  box.top <= inner.top && box.left <= inner.left && box.bottom >= inner.bottom && box.right >= inner.right;

const LOG_UNIT = Math.log1p(255 / DARK) / 255;
// How much light ink takes away for each distance on the logarithmic scale.
const STRENGTHS = Uint8Array.from({ length: 256 }, (_, distance) =>
  Math.round(255 * (1 - Math.exp(-LOG_UNIT * distance))),
);

function logShades(pixels, light) {
  const table = Uint8Array.from({ length: 256 }, (_, shade) => {
    const value = Math.round((255 * Math.log1p(shade / DARK)) / Math.log1p(255 / DARK));
    return light ? 255 - value : value;
  });
  return Uint8Array.from(pixels, (shade) => table[shade]);
}

function shadeOf(value, light) {
  return DARK * Math.expm1(LOG_UNIT * (light ? 255 - value : value));
}

// Morphological closing by a square of 2 radius + 1 pixels a side.
function closed(shades, width, radius) {
  const values = Uint8Array.from(shades);
  for (const [outside, largest] of [
    [0, true],
    [255, false],
  ]) {
    const height = values.length / width;
    for (let row = 0; row < height; row++) spreadLine(values, row * width, 1, width, radius, outside, largest);
    for (let column = 0; column < width; column++) {
      spreadLine(values, column, width, height, radius, outside, largest);
    }
  }
  return values;
}

function spreadLine(values, start, stride, length, radius, outside, largest) {
  radius = Math.min(radius, length - 1);
  const window = 2 * radius + 1;
  const line = new Uint8Array(length + 2 * radius).fill(outside);
  for (let at = 0; at < length; at++) line[radius + at] = values[start + at * stride];
  for (let covered = 1; covered < window; ) {
    const step = Math.min(covered, window - covered);
    for (let at = 0; at + step < line.length; at++) {
      const [one, other] = [line[at], line[at + step]];
      line[at] = one > other === largest ? one : other;
    }
    covered += step;
  }
  for (let at = 0; at < length; at++) values[start + at * stride] = line[at];
}

// The pieces of all values of at least `least`, in the order of their first pixels.
function piecesOf(values, width, least) {
  const [runs, parents] = [[], []];
  const root = (at) => {
    while (parents[at] !== at) at = parents[at] = parents[parents[at]];
    return at;
  };
  let above = [0, 0];
  for (let row = 0; row * width < values.length; row++) {
    const first = runs.length;
    for (let column = 0; column < width; column++) {
      if (values[row * width + column] < least) continue;
      const run = { row, start: column, end: column, mass: 0 };
      for (; run.end < width && values[row * width + run.end] >= least; run.end++) {
        run.mass += values[row * width + run.end];
      }
      column = run.end;
      parents.push(runs.length);
      runs.push(run);
    }
    let up = above[0];
    for (let at = first; at < runs.length; at++) {
      while (up < above[1] && runs[up].end < runs[at].start) up++;
      for (let other = up; other < above[1] && runs[other].start <= runs[at].end; other++) {
        const [one, two] = [root(other), root(at)];
        parents[Math.max(one, two)] = Math.min(one, two);
      }
    }
    above = [first, runs.length];
  }
  const pieces = new Map();
  runs.forEach((run, at) => {
    const key = root(at);
    const piece = pieces.get(key) ?? { runs: [], area: 0, mass: 0 };
    pieces.set(key, piece);
    const box = { top: run.row, left: run.start, bottom: run.row + 1, right: run.end };
    piece.box = piece.box ? union(piece.box, box) : box;
    piece.area += run.end - run.start;
    piece.mass += run.mass;
    piece.runs.push(run);
  });
  return [...pieces.values()];
}

function union(one, other) {
  return {
    top: Math.min(one.top, other.top),
    left: Math.min(one.left, other.left),
    bottom: Math.max(one.bottom, other.bottom),
    right: Math.max(one.right, other.right),
  };
}

const touchesBorder = ({ box }, height, width) =>
  box.top === 0 || box.left === 0 || box.bottom === height || box.right === width;

const leastHeight = (height, width) => Math.max(6, Math.floor(0.05 * Math.max(height, width)));

// The main digit of a small image: { light, radius, box, runs }, or null.
function findDigit(pixels, width) {
  const all = [];
  for (const light of [false, true]) {
    const shades = logShades(pixels, light);
    RADII.forEach((share, index) => addCandidates(shades, width, light, share, index, all));
  }
  return choose(all);
}

function addCandidates(shades, width, light, share, index, all) {
  const height = shades.length / width;
  const radius = Math.max(Math.round(share * Math.max(width, height)), 2);
  const ink = closed(shades, width, radius);
  for (let at = 0; at < ink.length; at++) ink[at] = STRENGTHS[ink[at] - shades[at]];
  const grain = Uint8Array.from(ink).sort()[Math.ceil(ink.length / 4) - 1];
  for (let at = 0; at < ink.length; at++) ink[at] = Math.max(ink[at] - grain, 0);
  const least = leastHeight(height, width);
  for (const level of LEVELS) {
    const pieces = piecesOf(ink, width, level);
    if (pieces.length === 0) break;
    const large = pieces.filter((piece) => piece.area >= 4);
    const outer = large.filter((piece) => touchesBorder(piece, height, width));
    const inner = large.filter((piece) => !touchesBorder(piece, height, width));
    const high = outer.filter((piece) => heightOf(piece.box) >= least).map((piece) => [piece]);
    for (const members of [...groupsOf(inner, least).groups, ...high]) {
      const candidate = measured(members, shades, width);
      if (!candidate) continue;
      const { contrast, outlined, box } = candidate;
      const preference = 1 - 0.03 * index;
      const whole = 0.95 ** (members.length - 1) * preference;
      const score = contrast * heightOf(box) * outlined ** 4 * whole;
      all.push({ ...candidate, light, radius, score });
    }
  }
}

function best(all, wanted) {
  return all.filter(wanted).reduce((top, one) => (top && top.score > one.score ? top : one), null);
}

const isCutOff = ({ sides }) => sides.some((share) => share > 0);
const fillOf = ({ area, box }) => area / (heightOf(box) * widthOf(box));

function choose(all) {
  let inner = best(all, (one) => !isCutOff(one));
  if (!inner) return best(all, () => true);
  const frame = inner;
  const enclosed = (one) =>
    one.light === frame.light &&
    !isCutOff(one) &&
    4 * heightOf(one.box) >= heightOf(frame.box) &&
    encloses(frame, one);
  inner = best(all, enclosed) ?? frame;
  return best(all, (one) => isCutOff(one) && isPart(inner, one)) ?? inner;
}

function encloses(outer, inner) {
  return (
    contains(outer.box, inner.box) &&
    sidesClosed(outer.runs, inner.box) >= 3 &&
    10 * overlapOf(outer.runs, inner.runs) < inner.area
  );
}

function isPart(inner, outer) {
  const touched = outer.sides.map((share) => share > 0);
  const fillsImage = touched.every(Boolean);
  const crosses = (touched[0] && touched[1]) || (touched[2] && touched[3]);
  const hole =
    inner.light !== outer.light && encloses(outer, inner) && (fillsImage || outer.score > inner.score);
  const part =
    inner.light === outer.light &&
    outer.score > 1.1 * inner.score &&
    outer.area < 3 * inner.area &&
    10 * overlapOf(inner.runs, outer.runs) >= 9 * inner.area;
  const weak = 3 * heightOf(inner.box) < heightOf(outer.box) || inner.contrast < 0.4 * outer.contrast;
  return (
    outer.contrast > 0.7 * inner.contrast &&
    fillOf(outer) <= 0.7 &&
    (hole || (fillsImage && (part || weak)) || (!crosses && part))
  );
}

// Pieces that belong together, and the number of frames that were left out.
function groupsOf(pieces, least) {
  const order = [...pieces].sort((a, b) => heightOf(b.box) - heightOf(a.box));
  const groups = [];
  let frames = 0;
  while (order.length > 0 && heightOf(order[0].box) >= least) {
    const group = grow(order);
    const limit = Math.max(least, Math.floor(heightOf(group[0].box) / 4));
    const isFrame = order.some((piece) => heightOf(piece.box) >= limit && liesAround(group[0], piece.box));
    if (isFrame) frames++;
    else groups.push(group);
  }
  return { groups, frames };
}

function grow(free) {
  const members = [free.shift()];
  const height = heightOf(members[0].box);
  for (let next = 0; next < members.length; next++) {
    for (let at = 0; at < free.length; ) {
      if (belongs(free[at].box, members[next], height) && !liesAround(members[0], free[at].box)) {
        members.push(...free.splice(at, 1));
      } else at++;
    }
  }
  return members;
}

const liesAround = (piece, box) => contains(piece.box, box) && sidesClosed(piece.runs, box) >= 3;

function belongs(box, member, height) {
  const between = (a, b, c, d) => Math.max(c - b, a - d, 0);
  const far = 0.3 * height;
  const apart = (top, bottom, left, right) =>
    Math.max(between(top, bottom, box.top, box.bottom), between(left, right, box.left, box.right));
  const its = member.box;
  if (apart(its.top, its.bottom, its.left, its.right) > far) return false;
  const gap = member.runs.reduce(
    (least, { row, start, end }) => Math.min(least, apart(row, row + 1, start, end)),
    Infinity,
  );
  const shared = Math.max(Math.min(its.right, box.right) - Math.max(its.left, box.left), 0);
  const another = shared === 0 && heightOf(box) >= 0.7 * height;
  const stroke =
    2 * shared >= widthOf(box) && heightOf(box) <= Math.min(heightOf(member.box), Math.floor(height / 2));
  return (gap <= 0.08 * height && !another) || (stroke && gap <= far);
}

function hasDigitsShape(members, mostFill) {
  const box = members.map((piece) => piece.box).reduce(union);
  const [height, width] = [heightOf(box), widthOf(box)];
  const area = members.reduce((sum, piece) => sum + piece.area, 0);
  return (
    members.length <= 6 &&
    width <= 2.2 * height &&
    height <= 15 * width &&
    (width < 0.45 * height || area <= mostFill * height * width)
  );
}

function measured(members, shades, width) {
  if (!hasDigitsShape(members, 0.78)) return null;
  const height = shades.length / width;
  const box = members.map((piece) => piece.box).reduce(union);
  const area = members.reduce((sum, piece) => sum + piece.area, 0);
  const runs = members.flatMap((piece) => piece.runs).sort((a, b) => a.row - b.row || a.start - b.start);
  const candidate = { box, area, runs, sides: sidesOf(runs, height, width) };
  if (fillOf(candidate) < 0.04) return null;
  if (isEdge(candidate.sides, height > 2 * width) || isSheet(candidate)) return null;
  const { contrast, outlined } = outlineOf(candidate, shades, width);
  return contrast >= 12 && outlined >= 0.93 ? { ...candidate, contrast, outlined } : null;
}

function isEdge(sides, narrow) {
  const full = sides.map((share) => share > 0.85);
  const count = full.filter(Boolean).length;
  const one = narrow && !full[0] && !full[1];
  const all = sides.every((share) => share > 0);
  return count > (all ? 1 : 0) && !(all && one);
}

function isSheet(candidate) {
  const { box, runs } = candidate;
  const rows = new Map();
  for (const { row, start, end } of runs) {
    const span = rows.get(row) ?? [start, end];
    rows.set(row, [Math.min(span[0], start), Math.max(span[1], end)]);
  }
  const covered = [...rows.values()].reduce((sum, [start, end]) => sum + end - start, 0);
  const full = covered >= 0.92 * (heightOf(box) * widthOf(box));
  return full && fillOf(candidate) > 0.6 && widthOf(box) >= 0.45 * heightOf(box);
}

function sidesOf(runs, height, width) {
  const sides = [0, 0, 0, 0];
  for (const { row, start, end } of runs) {
    if (row === 0) sides[0] += end - start;
    if (row + 1 === height) sides[1] += end - start;
    if (start === 0) sides[2]++;
    if (end === width) sides[3]++;
  }
  return [sides[0] / width, sides[1] / width, sides[2] / height, sides[3] / height];
}

function sidesClosed(runs, inner) {
  const row = inner.top + Math.floor(heightOf(inner) / 2);
  const column = inner.left + Math.floor(widthOf(inner) / 2);
  const met = [false, false, false, false];
  for (const run of runs) {
    if (run.row === row) {
      met[0] ||= run.end <= column;
      met[1] ||= run.start > column;
    }
    if (run.start <= column && column < run.end) {
      met[2] ||= run.row < row;
      met[3] ||= run.row > row;
    }
  }
  return met.filter(Boolean).length;
}

function overlapOf(one, two) {
  let [first, common] = [0, 0];
  for (const run of one) {
    while (first < two.length && two[first].row < run.row) first++;
    for (let at = first; at < two.length && two[at].row === run.row; at++) {
      common += Math.max(Math.min(run.end, two[at].end) - Math.max(run.start, two[at].start), 0);
    }
  }
  return common;
}

// Mean strength of the edges along the outline, and the share of it where there is an edge.
function outlineOf({ box, runs }, shades, width) {
  const height = shades.length / width;
  const wide = widthOf(box) + 2;
  const mask = new Uint8Array(wide * (heightOf(box) + 2));
  const indexOf = (row, column) => (row - box.top + 1) * wide + column - box.left + 1;
  for (const { row, start, end } of runs) mask.fill(1, indexOf(row, start), indexOf(row, end));
  const counts = new Float64Array(256);
  const reach = clamp(Math.floor(heightOf(box) / 16), 2, 8);
  const shade = (row, column) =>
    row >= 0 && row < height && column >= 0 && column < width ? shades[row * width + column] : null;
  for (const { row, start, end } of runs) {
    for (let column = start; column < end; column++) {
      const here = shades[row * width + column];
      for (const [down, right] of [
        [-1, 0],
        [1, 0],
        [0, -1],
        [0, 1],
      ]) {
        const first = shade(row + down, column + right);
        if (mask[indexOf(row + down, column + right)] || first === null) continue;
        let paper = first;
        for (let steps = 2; steps <= reach; steps++) {
          paper = Math.max(paper, shade(row + steps * down, column + steps * right) ?? 0);
        }
        counts[STRENGTHS[Math.max(paper - here, 0)]]++;
      }
    }
  }
  const total = Math.max(counts.reduce((sum, count) => sum + count), 1);
  const sum = counts.reduce((sum, count, value) => sum + count * value, 0);
  let [upper, above] = [255, counts[255]];
  while (upper > 0 && 4 * above < total) above += counts[--upper];
  const edges = counts.subarray(Math.max(Math.floor(upper / 3), 1)).reduce((sum, count) => sum + count);
  return { contrast: sum / total, outlined: edges / total };
}

// How much ink each pixel around a digit holds that was found in a copy of `small` height and width.
function cutOut(image, small, digit) {
  const { box, radius, light } = digit;
  const [down, across] = [image.height / small.height, image.width / small.width];
  const room = MARGIN + Math.ceil(Math.min(longerOf(box) / 3, radius + 2));
  const crop = {
    top: Math.max(box.top - room, 0),
    left: Math.max(box.left - room, 0),
    bottom: Math.min(box.bottom + room, small.height),
    right: Math.min(box.right + room, small.width),
  };
  const step = Math.max((longerOf(box) * Math.max(down, across)) / DETAIL, 1);
  const taps = (first, length, scale, whole) =>
    axis(first * scale, step, Math.max(Math.ceil((length * scale) / step), 1), whole);
  const rows = taps(crop.top, heightOf(crop), down, image.height);
  const columns = taps(crop.left, widthOf(crop), across, image.width);
  const pixels = Uint8Array.from(resample(image, rows, columns), Math.round);
  const places = placesOf(digit, crop, rows.length, columns.length, step / down, step / across);
  const reach = Math.max(Math.round((radius * Math.max(down, across)) / step), 2);
  const paper = closed(logShades(pixels, light), columns.length, reach);
  const strengths = Array.from(pixels, (shade, at) => {
    const level = shadeOf(paper[at], light);
    return (light ? shade - level : level - shade) / (level + DARK);
  });
  const of = (wanted) => strengths.filter((_, at) => places[at] === wanted);
  const strong = Math.max(quantile(of(2), 0.8), 1e-6);
  const floor = clamp(1.3 * quantile(of(0), 0.75), 0.03 * strong, 0.35 * strong);
  const ink = (place, at) => (place ? clamp(Math.round(((strengths[at] - floor) * 255) / (strong - floor)), 0, 255) : 0);
  return { height: rows.length, width: columns.length, pixels: Uint8Array.from(places, ink) };
}

// For each pixel of a cut-out: 2 in the digit, 1 in its margin, 0 on paper.
function placesOf(digit, crop, height, width, stepDown, stepAcross) {
  const wide = widthOf(crop);
  const small = new Uint8Array(heightOf(crop) * wide);
  for (const margin of [MARGIN, 0]) {
    for (const run of digit.runs) {
      const row = run.row - crop.top;
      const start = Math.max(run.start - crop.left - margin, 0);
      const end = Math.min(run.end - crop.left + margin, wide);
      for (let near = Math.max(row - margin, 0); near < Math.min(row + margin + 1, heightOf(crop)); near++) {
        small.fill(margin > 0 ? 1 : 2, near * wide + start, near * wide + end);
      }
    }
  }
  const nearest = (index, step, length) => Math.min(Math.floor((index + 0.5) * step), length - 1);
  return Uint8Array.from({ length: height * width }, (_, at) => {
    const row = nearest(Math.floor(at / width), stepDown, heightOf(crop));
    return small[row * wide + nearest(at % width, stepAcross, wide)];
  });
}
