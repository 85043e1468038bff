// Numbers as text, the same on the whole page. What is not a finite number is shown as a dash.

/** `0.978` as `97.80 %`. */
export const percent = (fraction, digits = 2) =>
  Number.isFinite(fraction) ? `${(100 * fraction).toFixed(digits)} %` : "–";

/** `12345.6` as `12,346`. */
export const whole = (number) =>
  Number.isFinite(number) ? Math.round(number).toLocaleString("en") : "–";

/** Four significant digits: a loss, a learning rate. */
export const short = (number) =>
  Number.isFinite(number) ? String(Number(number.toPrecision(4))) : "–";

/** Seconds as `8 s`, `3 min 20 s`, `1 h 5 min`. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const all = Math.max(0, Math.round(seconds));
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min ${all % 60} s`;
  return `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
}

/** `1 sample`, `2 samples`. */
export const count = (number, noun) => `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
