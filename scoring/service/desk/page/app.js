// The desk: events of the inbox, keys and controls.

import * as api from "./api.js";
import { dropped } from "./drop.js";
import { accept, decide, decisions, save, saveable, undo, undoHere } from "./decide.js";
import { by } from "./person.js";
import { isDone, isUndecided, sectionOf, sectionText, setFields, store } from "./store.js";
import { latestOfMine, states } from "./states.js";
import { outbox } from "./outbox.js";
import { list } from "./list.js";
import { detailsPane } from "./details.js";
import { offerSeveral, selection } from "./bulk.js";
import { modelNotice, showProgress, updateProgress } from "./progress.js";
import { policyPanel } from "./policy.js";
import { suggestions } from "./suggestions.js";
import { h, many, number, shown } from "./format.js";

const $ = (id) => document.getElementById(id);
let status = { folder: null, read: false, total: 0, done: 0, fault: "", model: "" };
let isLinked = false;
let stale = null; // paths that a new stream has not sent yet

// Drawing ---------------------------------------------------------------

let isDue = false;
let isFromTop = false;
let nextActive; // path of the record that becomes active, if it is shown
function redraw(path) {
  nextActive = path ?? nextActive;
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    const count = store.arrange();
    list.lay();
    if (isFromTop) list.end(false);
    else if (nextActive !== undefined && !list.goTo(nextActive)) list.reveal();
    [isFromTop, nextActive] = [false, undefined];
    updateChoices();
    $("count").textContent = countText(count);
    for (const head of document.querySelectorAll("[data-order]"))
      head.setAttribute("aria-sort", head.dataset.order === store.shownOrder ? "descending" : "none");
    updateOrder();
    updateButtons();
    updateEmpty(count);
    updateProgress();
    modelNotice.show();
    if (detailsPane.row) {
      const row = store.rows.get(detailsPane.row.path);
      if (row) detailsPane.update(row);
      else detailsPane.close();
    }
  });
}

/** Number of records shown, and of all; in the queue, of those that wait for a decision. */
function countText(count) {
  if (store.filter.state !== "todo") {
    const all = store.rows.size;
    return count === all ? many(all, "record") : `${number(count)} of ${many(all, "record")}`;
  }
  const left = [...store.rows.values()].filter(isUndecided).length;
  const shown = store.items.filter(({ row }) => row && isUndecided(row)).length;
  const faulty = store.items.filter(({ row }) => row?.fault).length;
  return `${shown === left ? number(left) : `${number(shown)} of ${number(left)}`} left${faulty ? `, ${number(faulty)} cannot be used` : ""}`;
}

function updateButtons() {
  const count = saveable().length;
  $("write").replaceChildren(count ? `Save ${number(count)}` : "Save", h("span", { class: "wide", text: " to files" }));
  $("write").disabled = !count;
  $("undo").disabled = !latestOfMine().length;
}

/** Show a line about the order of the rows if it needs explaining. */
function updateOrder() {
  const { order, shownOrder } = store;
  $("order").value = shownOrder;
  let note = "";
  if (order === "labels") note = suggestions.note;
  else if (order !== shownOrder && store.isMixed) note = `By probability: points of these sections cannot be compared. Choose a section to order by ${order}.`;
  $("order-note").hidden = !note;
  if ($("order-note").textContent !== shown(note)) $("order-note").textContent = shown(note);
}

function updateChoices() {
  choose($("section"), "All sections", store.choices((row) => [sectionOf(row)]), sectionText);
  $("section").hidden = !store.hasSections;
  choose($("topic"), "All topics", store.choices((row) => row.topics ?? []));
  choose($("provider"), "All providers", store.choices((row) => [row.provider]));
}

function choose(select, first, choices, textOf = (name) => name) {
  const key = JSON.stringify(choices);
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  const value = select.value;
  select.replaceChildren(new Option(first, ""), ...choices.map(([name, count]) => new Option(shown(`${textOf(name)} (${number(count)})`), name)));
  select.value = choices.some(([name]) => name === value) ? value : "";
  store.filter[select.id] = select.value;
}

function updateEmpty(count) {
  $("empty").hidden = count > 0;
  $("grid").hidden = count === 0;
  if (count) return;
  const isLoading = status.folder && (!status.read || status.total > 0);
  const [title, text] = store.rows.size
    ? isQueueEmpty()
      ? ["All done", "No record is left to decide. Those that are decided or saved are under Done."]
      : ["No records match the filter", "Change the filter, or press Esc in the text filter to clear it."]
    : isLoading
      ? ["Reading the inbox", ""]
      : status.folder
        ? ["The inbox is empty", "New files appear here automatically. Dropped files are scored, but not saved."]
        : ["Drop records here", "Markdown files or JSON lines. They are scored, but not saved."];
  $("empty-title").textContent = title;
  $("empty-text").textContent = text;
  $("choose").hidden = store.rows.size > 0 || isLoading;
}

/** Whether no record is left to decide, whatever else is filtered. */
function isQueueEmpty() {
  return store.filter.state === "todo" && ![...store.rows.values()].some((row) => !isDone(row));
}

function updateStatus() {
  $("place").textContent = shown([status.folder, status.model].filter(Boolean).join(" · "));
  $("link").textContent = !isLinked ? "not connected" : status.total ? `reading ${number(status.done)} of ${number(status.total)}` : status.folder ? "live" : "";
  $("link").dataset.state = !isLinked ? "off" : status.total ? "busy" : "on";
  const fault = !isLinked ? "The service does not respond. The page reconnects automatically; decisions are kept." : status.fault;
  $("banner").textContent = shown(fault);
  $("banner").hidden = !fault || isFresh;
}

let isFresh = true; // not connected yet, which is not a fault
let fading = 0;
function say(text, isFault = false) {
  $("toast").textContent = shown(text);
  $("toast").className = `toast shown${isFault ? " fault" : ""}`;
  clearTimeout(fading);
  fading = setTimeout(() => $("toast").classList.remove("shown"), isFault ? 9000 : 3500);
}

// The inbox ---------------------------------------------------------------

function take(row) {
  store.rows.set(row.path, row);
}

api.follow({
  begin(current) {
    stale = new Set([...store.rows.values()].filter((row) => !row.dropped).map((row) => row.path));
    states.begin();
    status = current;
    updateStatus();
  },
  decisions(sent) {
    states.take(sent);
    redraw();
  },
  rows({ rows, gone }) {
    for (const row of rows) {
      take(row);
      stale?.delete(row.path);
    }
    for (const path of gone) store.rows.delete(path);
    suggestions.expire();
    redraw();
  },
  status(current) {
    status = current;
    list.threshold = current.threshold;
    setFields(current.targets);
    policyPanel.update(current.model);
    modelNotice.update(current.model);
    suggestions.update(current);
    if (current.read && states.complete()) redraw();
    if (stale && current.read && !current.total) {
      for (const path of stale) store.rows.delete(path);
      stale = null;
    }
    updateStatus();
    redraw();
  },
  link(isThere) {
    if (isThere) isFresh = false;
    isLinked = isThere;
    if (isThere) outbox.retry();
    if (!isThere) setTimeout(() => { isFresh = false; updateStatus(); }, 2000);
    updateStatus();
  },
});

// Dropped files --------------------------------------------------------------

dropped(async (files) => {
  try {
    const rows = await api.preview(files);
    rows.forEach((row, index) => take({ ...row, dropped: files[index] }));
    redraw();
    say(`${many(rows.length, "record")} scored`);
  } catch (error) {
    say(error.message, true);
  }
}, (text) => say(text, true));

// The details ---------------------------------------------------------------

list.onOpen = (row) => detailsPane.open(row);
list.onSelect = (row) => select(row, true);
list.onActive = (row) => detailsPane.isOpen && detailsPane.open(row);
detailsPane.onAccept = accept;
detailsPane.onCorrect = decide;
detailsPane.onUndo = (row) => undo(row.path);
detailsPane.onClose = close;
detailsPane.onLeader = (path) => {
  if (list.goTo(path)) detailsPane.open(store.rows.get(path));
  else if (store.rows.has(path)) say("The filter hides that record", true);
};

function select(row, isRange) {
  selection.toggle(row, isRange);
  redraw();
}

function close() {
  detailsPane.close();
  $("grid").focus({ preventScroll: true });
}

function edit() {
  const row = list.active;
  if (!row || row.fault) return;
  if (!detailsPane.isOpen || detailsPane.row.path !== row.path) detailsPane.open(row);
  detailsPane.edit();
}

// Filters and keys ------------------------------------------------------------

function order(name) {
  store.order = name;
  isFromTop = true; // a new order shows its first records
  suggestions.update(status);
  redraw();
}

$("tools").addEventListener("input", ({ target }) => {
  if (target.id in store.filter) store.filter[target.id] = target.value;
  if (target.id === "order") return order(target.value);
  if (target.id === "group") store.isGrouped = target.checked;
  redraw();
});
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    event.target.value = store.filter.text = "";
    redraw();
  }
  if (event.key === "Escape" || event.key === "Enter" || event.key === "ArrowDown") {
    event.preventDefault();
    $("grid").focus({ preventScroll: true });
  }
  event.stopPropagation();
});
for (const head of document.querySelectorAll("[data-order] button"))
  head.addEventListener("click", () => order(head.parentElement.dataset.order));
$("write").addEventListener("click", () => save());
$("bulk").addEventListener("click", () => offerSeveral(list.active));
$("progress").addEventListener("click", () => showProgress(save));
$("notice-close").addEventListener("click", () => modelNotice.close());
$("undo").addEventListener("click", () => undo());
$("show-policy").addEventListener("click", () => policyPanel.open(status.model));
$("help").addEventListener("click", () => $("keys").showModal());
$("by").addEventListener("change", () => by.set($("by").value));
$("by").value = by.get();

function escape() {
  if (detailsPane.isOpen) return close();
  selection.clear();
  redraw();
}

const KEYS = {
  j: () => list.move(1),
  ArrowDown: () => list.move(1),
  k: () => list.move(-1),
  ArrowUp: () => list.move(-1),
  PageDown: () => list.page(1),
  PageUp: () => list.page(-1),
  Home: () => list.end(false),
  End: () => list.end(true),
  Enter: () => list.active && detailsPane.open(list.active),
  Escape: escape,
  x: () => select(list.active, false),
  X: () => select(list.active, true),
  A: () => offerSeveral(list.active),
  a: () => accept(list.active),
  e: edit,
  u: () => undoHere(list.active),
  w: () => save(),
  n: () => order(store.order === "doubt" ? "heat" : "doubt"),
  l: () => order(store.order === "labels" ? "heat" : "labels"),
  s: () => $("group").click(),
  p: () => policyPanel.open(status.model),
  "/": () => $("text").select(),
  "?": () => $("keys").showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const { target, key } = event;
  const isTyping = target.matches("input:not([type=checkbox]), select, textarea");
  if (isTyping) {
    if (key === "Escape") $("grid").focus({ preventScroll: true });
    return;
  }
  const isButton = target.matches("button, a, input");
  if (isButton && (key === "Enter" || key === " ")) return;
  const action = KEYS[key];
  if (!action) return;
  event.preventDefault();
  action();
});

addEventListener("beforeunload", (event) => {
  if (!outbox.isEmpty) event.preventDefault();
});

decisions({ redraw, say });
suggestions.onChange((areFirst) => {
  isFromTop ||= areFirst;
  redraw();
});
$("grid").focus({ preventScroll: true });
redraw();
