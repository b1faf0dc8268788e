// Decisions: labels accepted or corrected, written into the files, and taken back.

import * as api from "./api.js";
import { FIELDS, store } from "./store.js";
import { list } from "./list.js";
import { many } from "./format.js";

const NAME = "scoring.by";
const MOST = 500; // files of one request
const grid = document.getElementById("grid");
let page = {}; // how the page is drawn and told: redraw, say, tellDecided
let isBusy = false;

export function decisions(given) {
  page = given;
}

export const isWriting = () => isBusy;

/** Who decides: kept by the browser, sent with what is written. */
export const by = {
  get: () => localStorage.getItem(NAME) ?? "",
  set: (name) => localStorage.setItem(NAME, name.trim()),
};

export function decide(row, labels) {
  if (!row || row.fault) return;
  if (row.dropped) return page.say("Dropped files are looked at only", true);
  store.decide(row, labels);
  grid.focus({ preventScroll: true });
  replace(row);
  if (list.active?.path === row.path) list.move(1);
}

/** Decide what the model says. */
export const accept = (row) => row?.score && decide(row, Object.fromEntries(FIELDS.map((field) => [field, row.score[field]])));

/** Have a row drawn again although nothing of it has changed but what was decided. */
function replace(row) {
  if (row) store.rows.set(row.path, { ...row });
  page.redraw();
}

export async function write() {
  if (!store.decided.size || isBusy) return;
  const decisions = [...store.decided].map(([path, { record_sha256, labels }]) => ({ path, record_sha256, labels }));
  isBusy = true;
  page.tellDecided();
  try {
    const results = await inParts(decisions, (part) => api.write(part, by.get()));
    const done = results.filter((each) => !each.fault).map((each) => each.path);
    const before = new Map(done.map((path) => [path, store.decided.get(path)]));
    for (const path of done) store.decided.delete(path);
    store.keep();
    // What was decided cannot be undone by itself any more; what was written can.
    store.written = store.written.filter((each) => each.path && store.decided.has(each.path));
    if (done.length) store.written.push({ paths: done, decided: before });
    for (const path of done) replace(store.rows.get(path));
    tell(results, `${many(done.length, "file")} written`);
  } catch (error) {
    page.say(`Not written: ${error.message}`, true);
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
    const results = await inParts(last.paths, (part) => api.takeBack(part, by.get()));
    for (const { path, fault } of results) if (!fault) store.decided.set(path, last.decided.get(path));
    store.keep();
    for (const path of last.paths) replace(store.rows.get(path));
    tell(results, `${many(results.filter((each) => !each.fault).length, "file")} as before`);
  } catch (error) {
    store.written.push(last);
    page.say(`Not taken back: ${error.message}`, true);
  } finally {
    isBusy = false;
    page.redraw();
  }
}

/** What several requests answer for some entries each; where a later one fails, its entries have the fault. */
async function inParts(all, ask) {
  const results = [];
  for (let begin = 0; begin < all.length; begin += MOST) {
    const part = all.slice(begin, begin + MOST);
    try {
      results.push(...(await ask(part)));
    } catch (error) {
      if (!begin) throw error;
      results.push(...all.slice(begin).map((each) => ({ path: each.path ?? each, fault: error.message })));
      break;
    }
  }
  return results;
}

function tell(results, text) {
  const faults = results.filter((each) => each.fault);
  if (!faults.length) return page.say(text);
  page.say(`${faults.length < results.length ? `${text}; ` : ""}${many(faults.length, "file")} not: ${faults[0].fault}`, true);
}
