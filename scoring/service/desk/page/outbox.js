// Actions of this tab on their way to the service: sent in order, kept over a reload, sent again until answered.

import { act } from "./api.js";
import { CLIENT, by, newId } from "./person.js";

const STORAGE_KEY = "scoring.outbox";
const MAX_TARGETS = 500; // per request
const RETRY_MS = 1000;

let waiting = []; // {id, kind, targets, at}, oldest first
let isSending = false;
let timer = 0;
let hooks = { answered: () => {}, changed: () => {}, delayed: () => {} };

export const outbox = {
  /** `answered(action, results, states, rows)` is called with each answer, `changed(paths)` with new actions, `delayed()` if they cannot be sent. */
  on(given) {
    hooks = given;
  },

  get actions() {
    return waiting;
  },

  get isEmpty() {
    return !waiting.length;
  },

  /** Send an action; it counts on this page at once. Larger ones are sent in parts with the same id. */
  add(kind, targets, id = newId(12)) {
    for (let begin = 0; begin < targets.length; begin += MAX_TARGETS)
      waiting.push({ id, kind, targets: targets.slice(begin, begin + MAX_TARGETS), at: new Date().toISOString() });
    keep();
    hooks.changed(targets.map(({ path }) => path));
    send();
    return id;
  },

  /** After a reload: the actions whose answer did not arrive, which the service knows by their ids. */
  restore() {
    try {
      waiting = JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]");
    } catch {
      sessionStorage.removeItem(STORAGE_KEY);
    }
    send();
  },

  /** Send again what could not be sent. */
  retry() {
    clearTimeout(timer);
    timer = 0;
    send();
  },
};

function keep() {
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify(waiting));
}

async function send() {
  if (isSending || timer) return;
  isSending = true;
  while (waiting.length) {
    const action = waiting[0];
    let results;
    let [states, rows] = [[], []];
    try {
      ({ results, states, rows } = await act(action.kind, { ...request(action), by: by.get(), client: CLIENT }));
    } catch (error) {
      if (error.isTemporary) {
        timer = setTimeout(() => outbox.retry(), RETRY_MS);
        hooks.delayed();
        break;
      }
      results = action.targets.map(({ path }) => ({ path, fault: error.message }));
    }
    waiting.shift();
    keep();
    hooks.answered(action, results, states, rows);
  }
  isSending = false;
}

function request({ id, kind, targets }) {
  return { id, [kind === "decide" ? "decisions" : "targets"]: targets };
}
