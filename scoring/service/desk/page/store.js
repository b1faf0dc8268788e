// Rows of the page: filter, order, and the items shown.

import { number } from "./format.js";
import { parse } from "./query.js";
import { isOutdated, isPending } from "./states.js";

const LABELS = ["quality", "heat", "published"];

/** Labels that the model has, in the order of columns and forms. */
export let FIELDS = LABELS;

/** Set the labels of the model; the page hides the columns and the orders of the others. */
export function setFields(labels) {
  FIELDS = LABELS.filter((field) => labels.includes(field));
  for (const field of LABELS) document.body.classList.toggle(`without-${field}`, !FIELDS.includes(field));
  for (const option of document.getElementById("order").options) option.hidden = LABELS.includes(option.value) && !FIELDS.includes(option.value);
}

let ranges = {}; // by scale: lowest and highest label of training, by label

/** Set the ranges of the labels that the model was trained on. */
export const setRanges = (given) => (ranges = given ?? {});

/** Labels of a row that are outside of those ranges, and this in words. */
export function outsideOf(row, labels) {
  const known = ranges[scaleOf(row)] ?? ranges[""] ?? {};
  const isOutside = ([name, [low, high]]) => typeof labels[name] === "number" && (labels[name] < low || labels[name] > high);
  return Object.entries(known).filter(isOutside).map(([name, [low, high]]) => ({
    name,
    text: `${name} ${number(labels[name])} is outside the range of labels seen in training (${number(low)} to ${number(high)})`,
  }));
}

const expected = (row) => row.score?.heat_expected ?? -Infinity;
const time = (row) => (row.published_at ? Date.parse(row.published_at) : -Infinity);
const later = (a, b) => time(b) - time(a) || 0; // 0 where neither has a date
const ORDERS = {
  heat: (a, b) => expected(b) - expected(a),
  quality: (a, b) => (b.score?.quality ?? -Infinity) - (a.score?.quality ?? -Infinity),
  published: (a, b) => (b.score?.published_probability ?? -1) - (a.score?.published_probability ?? -1) || later(a, b),
  newest: (a, b) => later(a, b),
  // Records that need review first, the most uncertain of them before the others. The distance is in log-odds.
  doubt: (a, b) =>
    needsReview(b) - needsReview(a) ||
    (needsReview(a) ? a.doubt.distance - b.doubt.distance : 0) ||
    byWorth(a, b),
  // The label that would teach the model the most first; rank is infinite for the others.
  labels: (a, b) => (rankOf(a) === rankOf(b) ? byWorth(a, b) : rankOf(a) - rankOf(b)),
};
const byWorth = (a, b) => ORDERS[store.isMixed && FIELDS.includes("published") ? "published" : firstOrder()](a, b);
/** The order by what the model predicts: expected heat, else quality, else the probability of publication. */
const firstOrder = () => ["heat", "quality", "published"].find((field) => FIELDS.includes(field));
/** What the model does not know of a record: its provider, topics or section. */
export const unknownOf = (row) => (row.score?.warnings ?? []).filter((text) => /^(provider|topic|section) unknown/.test(text));

const rankOf = (row) => suggestionOf(row)?.rank ?? Infinity;
const IN_POINTS = ["heat", "quality"]; // orders that cannot be used across sections with different scales
const STATES = {
  todo: (row) => !isDone(row),
  done: (row) => isDone(row),
  doubt: (row) => needsReview(row),
  unknown: (row) => unknownOf(row).length > 0,
  open: (row) => row.score && !isLabelled(row),
  labelled: (row) => isLabelled(row),
  corrected: (row) => Boolean(row.corrected?.length),
  pending: (row) => isPending(row.path),
  shown: (row) => Boolean(row.score?.published),
  lead: (row) => row.score && row.score.heat !== null && row.score.heat > -1,
  fault: (row) => Boolean(row.fault),
};

export const isLabelled = (row) => FIELDS.some((field) => row.labels?.[field] !== null && row.labels?.[field] !== undefined);

/** Whether a record needs no decision any more: somebody has decided it, or its file has labels. */
export const isDone = (row) => (isPending(row.path) ? !isOutdated(row) : isLabelled(row));

/** Whether a record waits for a decision; a file that cannot be used, or was dropped, does not. */
export const isUndecided = (row) => Boolean(row.score) && !row.dropped && !isDone(row);

/** Section of a row as a filter value; a file that cannot be used has none. */
export const sectionOf = (row) => (row.score ? `${row.is_section_known === false ? "unknown" : "known"} ${row.section ?? ""}` : "");

/** Text for such a value; "*" is the section of an archive without sections. */
export function sectionText(value) {
  const [kind, name] = [value.slice(0, value.indexOf(" ")), value.slice(value.indexOf(" ") + 1)];
  const text = name === "*" ? "no section" : name;
  return kind === "known" ? text || "no section" : text ? `${text} (unknown section)` : "unknown section";
}

/** Rank and reasons of a record to label next; undefined if it is not suggested, or has been decided. */
export const suggestionOf = (row) => (store.order === "labels" && !isPending(row.path) ? store.suggested.get(row.path) : undefined);

/** Whether the model is uncertain about a record, and nobody has decided it yet. */
export const needsReview = (row) => Boolean(row.doubt?.reason) && !isDone(row);

const derived = new Map(); // by name: what was computed from the rows

export const store = {
  rows: new Map(), // by path
  filter: { text: "", state: "todo", section: "", topic: "", provider: "" },
  order: "heat", // as chosen
  selected: new Set(), // paths
  suggested: new Map(), // by path: rank and reasons of the records to label next
  isMixed: false, // whether the rows shown have different scales of quality and heat
  hasSections: false, // whether there is more than one section
  isGrouped: false,
  counts: { left: 0, shown: 0, faulty: 0 }, // undecided rows of all, undecided and faulty ones of those shown
  items: [], // items of the list: {row} or {story, rows}
  scales: new Map(), // by scale: highest quality and heat of the bars

  /** The order that the rows have: by probability where points cannot be compared. */
  get shownOrder() {
    const order = LABELS.includes(this.order) && !FIELDS.includes(this.order) ? firstOrder() : this.order;
    return this.isMixed && IN_POINTS.includes(order) && FIELDS.includes("published") ? "published" : order;
  },

  /** Rows that match the filter, in order; grouped, each story is at the position of its first row. */
  arrange() {
    const matches = parse(this.filter.text, haystack);
    const isIn = STATES[this.filter.state] ?? (() => true);
    const shown = [];
    const scales = new Set();
    this.counts = { left: 0, shown: 0, faulty: 0 };
    for (const row of this.sorted()) {
      const isLeft = isUndecided(row);
      if (isLeft) this.counts.left++;
      if (!isIn(row)) continue;
      if (this.filter.section && sectionOf(row) !== this.filter.section) continue;
      if (this.filter.topic && !(row.topics ?? []).includes(this.filter.topic)) continue;
      if (this.filter.provider && row.provider !== this.filter.provider) continue;
      if (!matches(row)) continue;
      shown.push(row);
      if (row.score) scales.add(scaleOf(row));
      if (isLeft) this.counts.shown++;
      if (row.fault) this.counts.faulty++;
    }
    const wasMixed = this.isMixed;
    this.isMixed = scales.size > 1;
    if (wasMixed !== this.isMixed) return this.arrange(); // another order
    this.hasSections = this.once("sections", () => new Set([...this.rows.values()].map(sectionOf).filter(Boolean)).size > 1);
    this.items = this.isGrouped ? inStories(shown) : shown.map((row) => ({ row }));
    this.scales = this.once("scales", () => scalesOf(this.rows.values()));
    return shown.length;
  },

  /** Add or replace a row; one that says the same stays, with all that was computed from it. */
  put(row) {
    const known = this.rows.get(row.path);
    if (known && JSON.stringify(known) === JSON.stringify(row)) return;
    this.rows.set(row.path, row);
    derived.clear();
  },

  remove(path) {
    if (this.rows.delete(path)) derived.clear();
  },

  /** What depends on the rows alone is computed once, until one changes. */
  once(name, compute) {
    if (!derived.has(name)) derived.set(name, compute());
    return derived.get(name);
  },

  /** All rows in order. */
  sorted() {
    const order = ORDERS[this.shownOrder];
    const sort = () => [...this.rows.values()].sort((a, b) => order(a, b) || (a.path < b.path ? -1 : 1));
    return ["doubt", "labels"].includes(this.shownOrder) ? sort() : this.once(`order ${this.shownOrder}`, sort);
  },

  /** Values for a filter with their row counts, most frequent first. */
  choices(of) {
    const counts = new Map();
    for (const row of this.rows.values()) for (const name of of(row)) if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
  },
};

const words = new WeakMap(); // by row; a changed row is another object

function haystack(row) {
  if (!words.has(row)) words.set(row, [row.title, row.provider, row.path, ...(row.topics ?? [])].join("\n").toLowerCase());
  return words.get(row);
}

function inStories(shown) {
  const stories = new Map();
  for (const row of shown) {
    const story = row.story || row.path;
    if (!stories.has(story)) stories.set(story, []);
    stories.get(story).push(row);
  }
  const items = [];
  for (const [story, rows] of stories) {
    if (rows.length > 1) items.push({ story, rows });
    items.push(...rows.map((row) => ({ row, isInStory: rows.length > 1 })));
  }
  return items;
}

export const scaleOf = (row) => row.scale ?? "";

/** Ends of the bars, by scale of the sections; the wide intervals of unknown sections do not flatten the others. */
function scalesOf(rows) {
  const scored = new Map();
  for (const row of rows) {
    if (!row.score) continue;
    if (!scored.has(scaleOf(row))) scored.set(scaleOf(row), []);
    scored.get(scaleOf(row)).push(row);
  }
  const isKnown = (row) => row.is_section_known !== false;
  const ends = (rows) => ({ quality: nearlyHighest(rows.map((row) => row.score.quality_high)), heat: nearlyHighest(rows.map((row) => row.doubt.heat_high)) });
  return new Map([...scored].map(([name, rows]) => [name, ends(rows.some(isKnown) ? rows.filter(isKnown) : rows)]));
}

/** The 98th percentile, so that an outlier does not flatten the other bars. */
function nearlyHighest(values) {
  values.sort((a, b) => a - b);
  return Math.max(values[Math.floor(0.98 * (values.length - 1))], 1);
}
