// What the page knows of its server: requests whose errors are sentences, and the server's state,
// which events keep up to date.

/** A request that did not succeed; `message` is a sentence for the reader, `status` 0 without answer. */
export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The JSON that the server answers. Throws a RequestError, or an AbortError where `signal` aborts. */
export async function request(path, options = {}) {
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("The server does not answer: is gradus serve still running?", 0);
  }
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (!response.ok || body === undefined) {
    const told = body?.error ?? `The server answers ${response.status} ${response.statusText}.`;
    throw new RequestError(told, response.status);
  }
  return body;
}

export const get = (path, signal) => request(path, { signal });

export const post = (path, body = {}) =>
  request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

/** What the server said last: its state, null before the first word, and whether it can be reached. */
export const server = { state: null, reachable: true };

const listeners = new Set();
let events = null;
let retry = null;

/**
 * Calls `listener(change)` on every change of `server`, and at once where its state is known. A change
 * has a `kind`: "state" (everything is new), "run", "epochs" (both with `run`), "model", "connection".
 * Returns the function that ends it.
 */
export function subscribe(listener) {
  listeners.add(listener);
  if (server.state) listener({ kind: "state" });
  return () => listeners.delete(listener);
}

/**
 * Follows the server's events for as long as the page is seen: hidden ones hold no connection. `notice`
 * is an element that lies above the page and is seen while the server is not there.
 */
export function follow(notice) {
  subscribe(({ kind }) => {
    if (kind === "connection") notice.hidden = server.reachable;
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

function open() {
  if (events || document.hidden) return;
  clearTimeout(retry);
  events = new EventSource("/api/events");
  events.onerror = () => {
    reach(false);
    // The browser itself connects anew, but for answers that it takes for final.
    if (events?.readyState === EventSource.CLOSED) {
      close();
      retry = setTimeout(open, 3000);
    }
  };
  on("state", (state) => {
    server.state = state;
    reach(true);
    tell({ kind: "state" });
  });
  on("run", (run) => tell({ kind: "run", run: take(run) }));
  on("epochs", ({ run: id, epochs, ...speed }) => {
    const run = find(id);
    if (run) tell({ kind: "epochs", run: add(Object.assign(run, speed), epochs) });
  });
  on("model", (model) => {
    server.state.model = model;
    tell({ kind: "model" });
  });
}

function close() {
  clearTimeout(retry);
  events?.close();
  events = null;
}

function on(name, act) {
  events.addEventListener(name, (event) => {
    const data = JSON.parse(event.data);
    if (name === "state" || server.state) act(data);
  });
}

function reach(reachable) {
  if (server.reachable === reachable) return;
  server.reachable = reachable;
  tell({ kind: "connection" });
}

function tell(change) {
  for (const listener of listeners) listener(change);
}

/** The run of this id, if the page knows it. */
const find = (id) => server.state?.runs.find((run) => run.id === id);

/** Takes in what the server says of a run, which may come without its history. */
function take(told) {
  const known = find(told.id);
  if (known) return Object.assign(known, told, { history: told.history ?? known.history });
  const run = { history: [], ...told };
  server.state.runs.push(run);
  return run;
}

/** Adds epochs to a run; those that are there already come from a state that was faster. */
function add(run, epochs) {
  const done = run.history.at(-1)?.epoch ?? 0;
  run.history.push(...epochs.filter(({ epoch }) => epoch > done));
  return run;
}
