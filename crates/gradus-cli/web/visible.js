// Text from outside, safe to show: names of classes, files and data sets, and messages that quote them.
//
// The page shows everything as text and never as markup. That is not enough: control characters and
// bidirectional controls are invisible, and they can break a line, hide the difference between two names,
// or reverse the text around them. They are shown as escapes, such as \u{202e}.
//
// No imports: this file is also part of the exported page's single script.

const MOST_OF_A_NAME = 120; // the server's limit for file names
const MOST_OF_A_MESSAGE = 2000;

// Control and format characters, separators of lines and paragraphs, halves of characters, and whatever
// else has no glyph of its own. Joiners and variation selectors stay inside words of other scripts and
// emoji, where spelling needs them.
const HIDDEN =
  /(?!(?<=\P{ASCII})(?:[\u200c\u200d](?=\P{ASCII})|[\ufe0e\ufe0f]))[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{DI}]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A message with every hidden character escaped, and cut where it is overlong. */
export function visible(text, most = MOST_OF_A_MESSAGE) {
  const letters = Array.from(String(text));
  const cut = letters.length > most ? `${letters.slice(0, most - 1).join("")}…` : String(text);
  return cut.replace(HIDDEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** A name. One that runs from right to left is isolated, so that it does not reorder what follows it. */
export function visibleName(text) {
  const name = visible(text, MOST_OF_A_NAME);
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}
