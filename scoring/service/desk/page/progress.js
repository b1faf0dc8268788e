// Progress: how much is decided, by whom, and how often the model was right.

import { FIELDS, store } from "./store.js";
import { h, many, number, percent, when, yesNo } from "./format.js";
import { isMine, nameOf } from "./person.js";
import { isOutdated, states } from "./states.js";

const $ = (id) => document.getElementById(id);

/** Whether a decision accepts what the model predicted. */
const isAccepted = ({ labels, predicted }) => FIELDS.every((field) => labels[field] === (predicted?.[field] ?? null));

/** Counts by person: {name, isMe, accepted, corrected, saved, pending: paths}. */
function people() {
  const counts = new Map();
  for (const [path, { decided, decided_in, is_saved }] of states.all()) {
    if (!decided || !store.rows.has(path)) continue;
    const isMe = isMine(decided_in);
    const key = isMe ? "" : decided_in.by || decided_in.client;
    if (!counts.has(key)) counts.set(key, { name: isMe ? "You" : nameOf(decided_in), isMe, accepted: 0, corrected: 0, saved: 0, pending: [] });
    const person = counts.get(key);
    person[isAccepted(decided) ? "accepted" : "corrected"]++;
    if (is_saved) person.saved++;
    else if (!isOutdated(store.rows.get(path))) person.pending.push(path);
  }
  return [...counts.values()].sort((a, b) => b.isMe - a.isMe || b.accepted + b.corrected - a.accepted - a.corrected);
}

/** Pending decisions whose file is gone, and was not found under another path. */
const lost = () => [...states.all()].filter(([path, { decided, is_saved }]) => decided && !is_saved && !store.rows.has(path));

/** Write the counts beside the title; while rows are being read, a missing one means nothing. */
export function updateProgress(isRead) {
  const all = people();
  const gone = isRead ? lost().length : 0;
  const decided = all.reduce((sum, { accepted, corrected }) => sum + accepted + corrected, 0);
  const accepted = all.reduce((sum, person) => sum + person.accepted, 0);
  const parts = [];
  if (decided) parts.push(`${number(decided)} decided, ${percent(accepted / decided)} accepted`);
  if (gone) parts.push(`${many(gone, "decision")} without a file`);
  $("progress").hidden = !parts.length;
  $("progress").textContent = parts.join("; ");
}

/** Show who has decided what; `save` saves the decisions of somebody, `undo` takes one back. */
export function showProgress(save, undo) {
  const row = ({ name, accepted, corrected, saved, pending, isMe }) => {
    const button = pending.length && !isMe ? h("button", { type: "button", text: `Save ${many(pending.length, "decision")}`, on: { click: () => ($("people").close(), save(pending)) } }) : null;
    return h("tr", {}, h("th", { scope: "row", text: name }), ...[accepted + corrected, percent(accepted / (accepted + corrected)), corrected, saved, pending.length].map((text) => h("td", { text: typeof text === "number" ? number(text) : text })), h("td", {}, button));
  };
  const heads = ["Person", "Decided", "Accepted", "Corrected", "Saved", "Not saved", ""].map((text) => h("th", { scope: "col", text }));
  const rows = people().map(row);
  const table = rows.length ? [h("table", { class: "people" }, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows))] : [];
  $("people-body").replaceChildren(...table, ...lostOf(undo));
  $("people").showModal();
}

/** What was decided on files that are gone; such a decision can only be undone. */
function lostOf(undo) {
  const item = ([path, { decided, decided_in }]) =>
    h("li", {},
      h("span", { class: "path", text: path }),
      h("span", { text: `${isMine(decided_in) ? "You" : nameOf(decided_in)}, ${when(decided_in.at)}: ${FIELDS.map((field) => `${field} ${yesNo(decided.labels[field])}`).join(", ")}` }),
      h("button", { type: "button", text: "Undo", "aria-label": `Undo the decision on ${path}`, on: { click: () => ($("people").close(), undo(path)) } }));
  const items = lost().map(item);
  return items.length ? [h("h3", { text: "Decided, but the file is gone" }), h("p", { class: "soft", text: "If the file is put back, under any name, its decision returns." }), h("ul", { class: "lost" }, ...items)] : [];
}

let earlier = null; // {model, published: by path} before the model changed
let latest = "";

export const modelNotice = {
  /** The service scores with a model: remember what the one before decided. */
  update(model) {
    if (latest && model !== latest && !earlier) {
      const scored = [...store.rows.values()].filter((row) => row.score?.model === latest);
      earlier = { model: latest, published: new Map(scored.map((row) => [row.path, row.score.published])) };
    }
    latest = model;
    this.show();
  },

  /** Count what changes, as the rows are scored again. */
  show() {
    $("notice").hidden = !earlier || earlier.model === latest;
    if ($("notice").hidden) return;
    const rows = [...store.rows.values()].filter((row) => row.score?.model === latest);
    const changed = rows.filter((row) => earlier.published.has(row.path) && earlier.published.get(row.path) !== row.score.published).length;
    const pending = rows.filter((row) => {
      const { decided, is_saved } = states.of(row.path);
      return decided && !is_saved && isAccepted(decided) && FIELDS.some((field) => decided.labels[field] !== row.score[field]);
    }).length;
    const parts = [`The model has changed from ${earlier.model} to ${latest}: ${many(changed, "decision")} to publish would change`];
    if (pending) parts.push(`${many(pending, "accepted record")}, not saved yet, ${pending === 1 ? "has" : "have"} other scores now`);
    $("notice-text").textContent = `${parts.join("; ")}.`;
  },

  close() {
    earlier = null;
    this.show();
  },
};
