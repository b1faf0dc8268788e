// The desk: events of the inbox, keys and controls.

import * as api from "./api.js";
import { dropped } from "./drop.js";
import { accept, decide, decisions, predictedOf, save, undo, undoHere } from "./decide.js";
import { by, setUnnamed } from "./person.js";
import { setFields, setRanges, store } from "./store.js";
import { states } from "./states.js";
import { updateToolbar } from "./toolbar.js";
import { readAddress, showViews, updateAddress } from "./address.js";
import { forgetFound, whenFound } from "./query.js";
import { outbox } from "./outbox.js";
import { list } from "./list.js";
import { detailsPane } from "./details.js";
import { offerSeveral, selection } from "./bulk.js";
import { modelNotice, showProgress, updateProgress } from "./progress.js";
import { presence } from "./presence.js";
import { preview } from "./preview.js";
import { comparison } from "./compare.js";
import { policyPanel } from "./policy.js";
import { suggestions } from "./suggestions.js";
import { learning } from "./learning.js";
import { many, number, safeUrl, shown } from "./format.js";

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
    updateToolbar(count, status);
    learning.recount();
    updateAddress();
    presence.move(list.active && !list.active.dropped ? list.active.path : "");
    updateProgress(status.read && !status.total && !stale);
    modelNotice.show();
    if (detailsPane.row) {
      const row = store.rows.get(detailsPane.row.path);
      if (row) detailsPane.update(row);
      else detailsPane.close();
    }
  });
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
  store.put(row);
}

api.follow({
  begin(current) {
    stale = new Set([...store.rows.values()].filter((row) => !row.dropped).map((row) => row.path));
    states.begin();
    status = current;
    updateStatus();
  },
  decisions(sent) {
    if (states.take(sent)) redraw();
  },
  unnamed(clients) {
    setUnnamed(clients);
    redraw();
  },
  here(pages) {
    if (presence.take(pages)) redraw();
  },
  rows({ rows, gone }) {
    for (const row of rows) {
      take(row);
      stale?.delete(row.path);
    }
    for (const path of gone) store.remove(path);
    suggestions.expire();
    forgetFound();
    redraw();
  },
  status(current) {
    const hasChanged = Boolean(stale) || JSON.stringify(current) !== JSON.stringify(status);
    status = current;
    list.threshold = current.threshold;
    setFields(current.targets);
    setRanges(current.ranges);
    document.body.classList.toggle("with-images", current.images);
    policyPanel.update(current.model);
    modelNotice.update(current.model);
    suggestions.update(current);
    learning.update(current);
    if (current.read && states.complete()) redraw();
    if (stale && current.read && !current.total) {
      for (const path of stale) store.remove(path);
      stale = null;
    }
    updateStatus();
    if (hasChanged) redraw();
  },
  link(isThere) {
    if (isThere) isFresh = false;
    isLinked = isThere;
    presence.link(isThere);
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
list.onActive = (row) => {
  presence.move(row.dropped ? "" : row.path);
  if (detailsPane.isOpen) detailsPane.open(row);
};
detailsPane.onAccept = accept;
detailsPane.onCorrect = decide;
detailsPane.onUnchanged = () => say("No value was changed, so nothing is decided; press a to accept the model's labels");
detailsPane.onUndo = (row) => undo(row.path);
detailsPane.onClose = close;
detailsPane.onCompare = (row) => comparison.open(row);
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
$("show-views").addEventListener("click", () => showViews(openView));
$("bulk").addEventListener("click", () => offerSeveral(list.active));
$("progress").addEventListener("click", () => showProgress(save, undo));
$("notice-close").addEventListener("click", () => modelNotice.close());
$("undo").addEventListener("click", () => undo());
$("show-policy").addEventListener("click", () => policyPanel.open(status.model));
$("help").addEventListener("click", showKeys);
$("by").addEventListener("change", () => by.set($("by").value));
$("by").value = by.get();

function showKeys() {
  $("keys").showModal();
  $("keys").scrollTop = 0; // the field with the focus stands last
}

function escape() {
  if (detailsPane.isOpen) return close();
  selection.clear();
  redraw();
}

function openView(query) {
  readAddress(query);
  order(store.order);
}

function publish(row, isPublished) {
  if (row?.score && row.score.published !== null) decide(row, { ...predictedOf(row), published: isPublished });
}

function openArticle(row) {
  const address = safeUrl(row?.url);
  if (address) window.open(address, "_blank", "noopener,noreferrer");
  else say("This record has no address", true);
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
  f: () => showViews(openView),
  o: () => openArticle(list.active),
  v: () => list.active && preview.open(list.active),
  c: () => comparison.open(list.active),
  "+": () => publish(list.active, true),
  "-": () => publish(list.active, false),
  p: () => policyPanel.open(status.model),
  t: () => learning.open(),
  "/": () => $("text").select(),
  "?": showKeys,
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

addEventListener("popstate", () => openView(location.search));
addEventListener("beforeunload", (event) => {
  if (!outbox.isEmpty) event.preventDefault();
});

decisions({ redraw, say });
suggestions.onChange((areFirst) => {
  isFromTop ||= areFirst;
  redraw();
});
Object.assign(learning, {
  onChange: redraw,
  onShow: openView,
  onPolicy: () => policyPanel.open(status.model),
  onSuggestions: () => order("labels"),
  onOpen(path) {
    readAddress("?state="); // decided records too
    redraw(path);
    detailsPane.open(store.rows.get(path));
  },
});
whenFound((fault) => (fault ? say(fault, true) : redraw()));
readAddress();
$("grid").focus({ preventScroll: true });
redraw();
