// The page's side of the HTTP interface: requests whose errors are sentences, and a copy of the server's
// state that server-sent events keep up to date.
//
// In: the answers and events listed in docs/page.md. Out: `server`, and a notification for each change.

import { visible } from "./visible.js";

/** A request that failed. `message` is a sentence for the reader; `status` is 0 if there was no answer. */
export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The server's JSON answer. Throws a RequestError, or an AbortError if `signal` aborts the request. */
export async function request(path, options = {}) {
  let response, text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError("Cannot reach the server. Is gradus serve still running?", 0);
  }
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined; // a proxy's page, or an answer that broke off
  }
  if (!response.ok || body === undefined) {
    const message = body?.error ?? `The server answered ${response.status} ${response.statusText}.`;
    throw new RequestError(message, response.status);
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

/** The server's latest state, null until the first event, and why it is not updated, or "". */
export const server = { state: null, problem: "" };

const UNREACHABLE =
  "Cannot reach the server. The page reconnects automatically once gradus serve is running again.";
const NO_EVENTS = "The server is busy or has too many open pages. This page is updated every few seconds only.";

const listeners = new Set();
let events = null;
let retry = null;

/**
 * Calls `listener(change)` on every change of `server`, and at once if the state is already known. A
 * change has a `kind`: "state" (everything may be new), "run" or "epochs" (both with `run`), "model",
 * "connection".
 */
export function subscribe(listener) {
  listeners.add(listener);
  if (server.state) listener({ kind: "state" });
}

/** Follows the server's events while the page is visible. `notice` is the element that shows a problem with that. */
export function follow(notice) {
  listeners.add(({ kind }) => {
    if (kind !== "connection") return;
    notice.textContent = visible(server.problem);
    notice.hidden = !server.problem;
  });
  // Browsers allow six connections to a server: a hidden tab must not hold one of them.
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
    // The browser reconnects by itself after a broken connection, but not after an answer such as 503.
    if (events?.readyState !== EventSource.CLOSED) return setProblem(UNREACHABLE);
    close();
    poll();
    retry = setTimeout(open, 3000);
  };
  on("state", (state) => {
    setProblem("");
    replaceState(state);
  });
  on("run", (run) => notify({ kind: "run", run: update(received(run)) }));
  on("epochs", ({ run: id, epochs, ...speed }) => {
    const run = find(id);
    if (run) notify({ kind: "epochs", run: append(Object.assign(run, speed), epochs.map(fromZero)) });
  });
  on("model", (model) => {
    server.state.model = model;
    notify({ kind: "model" });
  });
}

/** Asks for the state once, where there are no events, or finds out why there are none. */
async function poll() {
  try {
    const state = await get("/api/state");
    if (events) return; // connected meanwhile: the events are newer
    setProblem(NO_EVENTS);
    replaceState(state);
  } catch (error) {
    if (!events) setProblem(error.status ? `${error.message} (${error.status})` : UNREACHABLE);
  }
}

function replaceState(state) {
  server.state = { ...state, runs: state.runs.map(received) };
  notify({ kind: "state" });
}

function close() {
  clearTimeout(retry);
  events?.close();
  events = null;
}

function on(name, act) {
  events.addEventListener(name, (event) => {
    const data = JSON.parse(event.data);
    // Changes make no sense before the state that they change.
    if (name === "state" || server.state) act(data);
  });
}

function setProblem(problem) {
  if (server.problem === problem) return;
  server.problem = problem;
  notify({ kind: "connection" });
}

function notify(change) {
  for (const listener of listeners) listener(change);
}

const find = (id) => server.state?.runs.find((run) => run.id === id);

/** The interface numbers epochs from 1. The page numbers them from 0, like the terminal and history files. */
const fromZero = (epoch) => ({ ...epoch, epoch: epoch.epoch - 1 });

const received = (run) => (run.history ? { ...run, history: run.history.map(fromZero) } : run);

/** Updates a run in the state, or adds it. Events about a run leave its history out. */
function update(run) {
  const known = find(run.id);
  if (known) return Object.assign(known, run, { history: run.history ?? known.history });
  const added = { history: [], ...run };
  server.state.runs.push(added);
  return added;
}

/** Appends epochs to a run. A state sent meanwhile may already contain some of them. */
function append(run, epochs) {
  const last = run.history.at(-1)?.epoch ?? -1;
  run.history.push(...epochs.filter(({ epoch }) => epoch > last));
  return run;
}
