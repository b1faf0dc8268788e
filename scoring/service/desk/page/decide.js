// Decisions: labels accepted or corrected, saved to the files, and undone.

import * as api from "./api.js";
import { FIELDS, store } from "./store.js";
import { list } from "./list.js";
import { many } from "./format.js";

const NAME = "scoring.by";
const MAX_FILES = 500; // per request
const grid = document.getElementById("grid");
let page = {}; // callbacks of the page: redraw, say, updateButtons
let isBusy = false;

export function decisions(given) {
  page = given;
}

export const isWriting = () => isBusy;

/** Name of the person: stored by the browser, sent with every save. */
export const by = {
  get: () => localStorage.getItem(NAME) ?? "",
  set: (name) => localStorage.setItem(NAME, name.trim()),
};

export function decide(row, labels) {
  if (!row || row.fault) return;
  if (row.dropped) return page.say("Dropped files cannot be labelled", true);
  store.decide(row, labels);
  grid.focus({ preventScroll: true });
  replace(row);
  if (list.active?.path === row.path) list.move(1);
}

/** Accept the model's labels. */
export const accept = (row) => row?.score && decide(row, Object.fromEntries(FIELDS.map((field) => [field, row.score[field]])));

/** Redraw a row whose decision has changed. */
function replace(row) {
  if (row) store.rows.set(row.path, { ...row });
  page.redraw();
}

export async function write() {
  if (!store.decided.size || isBusy) return;
  const decisions = [...store.decided].map(([path, { record_sha256, labels }]) => ({ path, record_sha256, labels }));
  isBusy = true;
  page.updateButtons();
  try {
    const results = await inBatches(decisions, (batch) => api.write(batch, by.get()));
    const done = results.filter((result) => !result.fault).map((result) => result.path);
    const before = new Map(done.map((path) => [path, store.decided.get(path)]));
    for (const path of done) store.decided.delete(path);
    store.keep();
    // Saved decisions can no longer be undone one by one; the save can.
    store.written = store.written.filter((step) => step.path && store.decided.has(step.path));
    if (done.length) store.written.push({ paths: done, decided: before });
    for (const path of done) replace(store.rows.get(path));
    report(results, `${many(done.length, "file")} saved`);
  } catch (error) {
    page.say(`Not saved: ${error.message}`, true);
  } finally {
    isBusy = false;
    page.redraw();
  }
}

export async function undo() {
  const last = isBusy ? null : store.written.pop();
  if (!last) return;
  if (last.path) {
    if (last.before) store.decided.set(last.path, last.before);
    else store.decided.delete(last.path);
    store.keep();
    replace(store.rows.get(last.path));
    list.goTo(last.path);
    return;
  }
  isBusy = true;
  try {
    const results = await inBatches(last.paths, (batch) => api.takeBack(batch, by.get()));
    for (const { path, fault } of results) if (!fault) store.decided.set(path, last.decided.get(path));
    store.keep();
    for (const path of last.paths) replace(store.rows.get(path));
    report(results, `${many(results.filter((result) => !result.fault).length, "file")} restored`);
  } catch (error) {
    store.written.push(last);
    page.say(`Not undone: ${error.message}`, true);
  } finally {
    isBusy = false;
    page.redraw();
  }
}

/** Send entries in several requests; if a later one fails, its entries get the fault. */
async function inBatches(entries, send) {
  const results = [];
  for (let begin = 0; begin < entries.length; begin += MAX_FILES) {
    const batch = entries.slice(begin, begin + MAX_FILES);
    try {
      results.push(...(await send(batch)));
    } catch (error) {
      if (!begin) throw error;
      results.push(...entries.slice(begin).map((entry) => ({ path: entry.path ?? entry, fault: error.message })));
      break;
    }
  }
  return results;
}

function report(results, text) {
  const faults = results.filter((result) => result.fault);
  if (!faults.length) return page.say(text);
  page.say(`${faults.length < results.length ? `${text}; ` : ""}${many(faults.length, "file")} failed: ${faults[0].fault}`, true);
}
