// Records to label next: fetched when that order is chosen, and again when the service has new suggestions.

import * as api from "./api.js";
import { store } from "./store.js";
import { many } from "./format.js";

let state = { version: 0, is_computing: false, found: null, fault: "" };
let status = { folder: null, read: false, total: 0, suggestions: 0 };
let isStale = true; // rows have changed since the last request
let isRequesting = false;
let isDue = false; // the state has changed during the current request
let onFound = () => {}; // called with whether these are the first suggestions

export const suggestions = {
  onChange(callback) {
    onFound = callback;
  },

  /** The state of the inbox has changed: request the suggestions again if they may have changed. */
  update(current) {
    status = current;
    if (store.order === "labels") request();
  },

  /** Rows have changed. */
  expire() {
    isStale = true;
  },

  /** Line about the order. */
  get note() {
    if (!status.folder) return "Records to label are suggested from an inbox, and this service was started without one.";
    if (state.fault) return `The records to label next are not available: ${state.fault}`;
    if (!state.found) return "Finding the records whose labels would teach the model the most …";
    const { labels, n_unlabelled, n_left_out, n_undated } = state.found;
    const parts = [labels.length ? `The ${many(labels.length, "record")} whose labels would teach the model the most, of ${many(n_unlabelled, "record")} without a label.` : "No record needs a label."];
    if (n_left_out) parts.push(`The oldest ${many(n_left_out, "record")} are not considered.`);
    if (n_undated) parts.push(`${many(n_undated, "record")} without a date cannot be used for training.`);
    if (state.is_computing) parts.push("The records have changed: the list is being updated …");
    return parts.join(" ");
  },
};

async function request() {
  const isReady = status.folder && status.read && !status.total;
  const isOutdated = isStale || state.is_computing || state.version !== (status.suggestions ?? 0);
  if (isRequesting) isDue = true;
  if (!isReady || !isOutdated || isRequesting) return;
  [isRequesting, isStale] = [true, false];
  const hadNone = !state.found;
  try {
    state = await api.suggestions();
  } catch (error) {
    state = { ...state, is_computing: false, fault: error.message };
    isStale = true;
  } finally {
    isRequesting = false;
  }
  const labels = state.found?.labels ?? [];
  store.suggested = new Map(labels.map(({ path, reasons }, index) => [path, { rank: index + 1, reasons }]));
  onFound(hadNone);
  if (isDue) {
    isDue = false;
    request();
  }
}
