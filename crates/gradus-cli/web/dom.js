// Building and changing elements. Text that comes from outside goes through visible.js first.

/** An element with attributes (`role`) and properties. */
export function make(tag, { role, ...properties } = {}, ...children) {
  const element = document.createElement(tag);
  if (role) element.setAttribute("role", role);
  Object.assign(element, properties).append(...children);
  return element;
}

/** Replaces what is in `element` by `parts`, unless it already reads the same: selections stay. */
export function replace(element, ...parts) {
  const kept = parts.filter(Boolean);
  const text = kept.map((part) => part.textContent ?? part).join("");
  if (element.textContent !== text) element.replaceChildren(...kept);
}

/** Fills a list with pairs of value and text. The chosen value stays chosen if it is still offered. */
export function options(select, pairs) {
  const { value } = select;
  select.replaceChildren(...pairs.map(([key, text]) => new Option(text, key)));
  if (pairs.some(([key]) => key === value)) select.value = value;
}
