// Who is at which record now: reported to the service, and shown of the others.

import * as api from "./api.js";
import { CLIENT, PAGE, by, nameOf } from "./person.js";

const PAUSE_MS = 400; // at a record, before it is reported
let at = "";
let isLinked = false;
let others = new Map(); // by path: names
let timer = 0;

export const presence = {
  /** This page is at a record. */
  move(path) {
    if (path === at) return;
    at = path;
    clearTimeout(timer);
    timer = setTimeout(report, PAUSE_MS);
  },

  /** The page follows the inbox, or no longer. */
  link(isThere) {
    isLinked = isThere;
    if (isThere) report();
  },

  /** Take where all pages are from the service; returns whether the others have moved. */
  take(pages) {
    const before = JSON.stringify([...others]);
    others = new Map();
    for (const page of pages) if (page.page !== PAGE) others.set(page.path, [...(others.get(page.path) ?? []), page.client === CLIENT ? "another tab" : nameOf(page)]);
    return JSON.stringify([...others]) !== before;
  },

  /** Names of the others at a record. */
  at: (path) => others.get(path) ?? [],
};

async function report() {
  clearTimeout(timer);
  if (!isLinked) return;
  // Only a hint for others: one that is lost is made good by the next.
  await api.here({ page: PAGE, path: document.hidden ? "" : at, by: by.get(), client: CLIENT }).catch(() => {});
}

document.addEventListener("visibilitychange", report);
