// Labels to give next: fetched when that order is chosen, and again when the service has found others.

import * as api from "./api.js";
import { store } from "./store.js";
import { many, number } from "./format.js";

let state = { version: 0, is_computing: false, found: null, fault: "" };
let status = { folder: null, read: false, total: 0, suggestions: 0 };
let isStale = true; // rows have changed since the last request
let isAsking = false;
let isDue = false; // the state has changed while the last request was answered
let onFound = () => {}; // called with whether these are the first

export const suggestions = {
  onChange(callback) {
    onFound = callback;
  },

  /** The state of the inbox has changed: ask again if the suggestions may be others. */
  update(current) {
    status = current;
    if (store.order === "labels") ask();
  },

  /** Rows have changed. */
  expire() {
    isStale = true;
  },

  /** What is to be said about the order. */
  get note() {
    if (!status.folder) return "Labels are suggested for the records of an inbox, and the service has none.";
    if (state.fault) return `Labels to give next are not available: ${state.fault}`;
    if (!state.found) return "Finding the labels that would teach the model the most …";
    const { labels, n_unlabelled, n_left_out, n_undated } = state.found;
    const parts = [labels.length ? `The ${number(labels.length)} labels that would teach the model the most, of ${many(n_unlabelled, "record")} without a label.` : "No record needs a label."];
    if (n_left_out) parts.push(`The oldest ${many(n_left_out, "record")} are not considered.`);
    if (n_undated) parts.push(`${many(n_undated, "record")} without a date cannot be learned from.`);
    if (state.is_computing) parts.push("The records have changed: others are being found …");
    return parts.join(" ");
  },
};

async function ask() {
  const isReady = status.folder && status.read && !status.total;
  const isOutdated = isStale || state.is_computing || state.version !== (status.suggestions ?? 0);
  if (isAsking) isDue = true;
  if (!isReady || !isOutdated || isAsking) return;
  [isAsking, isStale] = [true, false];
  const hadNone = !state.found;
  try {
    state = await api.suggestions();
  } catch (error) {
    state = { ...state, is_computing: false, fault: error.message };
    isStale = true;
  } finally {
    isAsking = false;
  }
  const labels = state.found?.labels ?? [];
  store.suggested = new Map(labels.map(({ path, reasons }, index) => [path, { rank: index + 1, reasons }]));
  onFound(hadNone);
  if (isDue) {
    isDue = false;
    ask();
  }
}
