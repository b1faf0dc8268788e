// A record beside its coverage, with what differs marked.

import * as api from "./api.js";
import { FIELDS } from "./store.js";
import { h, linkOf, many, place, when, yesNo } from "./format.js";

const dialog = document.getElementById("compare");
const body = document.getElementById("compare-body");
let latest = 0; // number of the latest request

export const comparison = {
  /** Open the dialog, and load the coverage of a record. */
  async open(row) {
    if (!row || row.fault || row.dropped) return;
    const request = ++latest;
    if (!dialog.open) dialog.showModal();
    body.replaceChildren(h("p", { class: "soft", text: "Loading the coverage …" }));
    body.focus({ preventScroll: true });
    let parts;
    try {
      parts = partsOf(await api.sideBySide(row.path));
    } catch (error) {
      parts = [h("p", { class: "fault", text: `Coverage not available: ${error.message}` })];
    }
    if (request !== latest) return;
    body.replaceChildren(...parts);
    body.scrollLeft = body.scrollTop = 0;
  },
};

function partsOf({ records, n_left_out }) {
  if (records.length === 1) return [h("p", { text: "This record lists no coverage, and no other record of the inbox belongs to its story." })];
  const [own] = records;
  const left = n_left_out ? [h("p", { class: "soft", text: `${many(n_left_out, "further record")} left out.` })] : [];
  return [
    h("p", { class: "soft" }, "Differences from the first record are marked: ", h("mark", { text: "words that it does not have" }), ", and values after ≠."),
    place(h("ol", { class: "side-by-side" }, ...records.map((record) => recordOf(record, own))), { rows: FIELDS.length + 5 }),
    ...left,
  ];
}

function recordOf(record, own) {
  const isOwn = record === own;
  const chips = [
    isOwn && h("span", { class: "chip soft", text: "this record" }),
    record.is_leading && h("span", { class: "chip done", text: "leads its story" }),
    !isOwn && record.path && h("span", { class: "chip soft", text: "in the inbox" }),
  ].filter(Boolean);
  const title = linkOf(record);
  if (!isOwn) title.replaceChildren(...marked(record.title, own.title));
  const fact = (name, text, isSame) => h("div", { class: isOwn || isSame ? "" : "differs" }, h("dt", { text: name }), h("dd", {}, isOwn || isSame ? text : `≠ ${text}`));
  const label = (field) => {
    const [value, ownValue] = [record, own].map(({ labels }) => labels?.[field] ?? null);
    const isPredicted = record.predicted?.includes(field);
    return fact(field[0].toUpperCase() + field.slice(1), `${value === null ? "not known" : yesNo(value)}${isPredicted ? " (model)" : ""}`, value === null || value === ownValue);
  };
  return h("li", {},
    h("p", { class: "chips" }, ...chips),
    h("h3", {}, title),
    h("dl", {},
      fact("Provider", record.provider || "none", record.provider === own.provider),
      fact("Date", when(record.published_at), record.published_at === own.published_at),
      ...FIELDS.map(label)),
    h("p", { class: "excerpt" }, ...(record.excerpt ? (isOwn ? [record.excerpt] : marked(record.excerpt, own.excerpt ?? "")) : [h("span", { class: "soft", text: "No excerpt." })])));
}

const wordsOf = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** A text as nodes, in which words that the other text does not have are marked. */
function marked(text, other) {
  const known = new Set(wordsOf(other));
  const nodes = [];
  for (const part of text.split(/([\p{L}\p{N}]+)/u)) {
    const isNew = /^[\p{L}\p{N}]/u.test(part) && !known.has(part.toLowerCase());
    if (part) nodes.push(isNew ? h("mark", { text: part }) : h("span", { text: part }));
  }
  return nodes;
}
