// What is known: the rows, what was decided of them, and which of them are shown in which order.

export const FIELDS = ["quality", "heat", "published"];
const KEPT = "scoring.decided";

const expected = (row) => row.score?.heat_expected ?? -Infinity;
const time = (row) => (row.published_at ? Date.parse(row.published_at) : -Infinity);
const ORDERS = {
  heat: (one, other) => expected(other) - expected(one),
  quality: (one, other) => (other.score?.quality ?? -Infinity) - (one.score?.quality ?? -Infinity),
  published: (one, other) => (other.score?.published_probability ?? -1) - (one.score?.published_probability ?? -1),
  newest: (one, other) => time(other) - time(one),
  // What is open comes first, the most open of it before the rest.
  doubt: (one, other) =>
    needsEyes(other) - needsEyes(one) ||
    (needsEyes(one) ? one.doubt.distance - other.doubt.distance : 0) ||
    expected(other) - expected(one),
};
const STATES = {
  doubt: (row) => needsEyes(row),
  open: (row) => row.score && !isLabelled(row),
  labelled: (row) => isLabelled(row),
  corrected: (row) => Boolean(row.corrected?.length),
  pending: (row) => store.decided.has(row.path),
  shown: (row) => Boolean(row.score?.published),
  lead: (row) => row.score && row.score.heat > -1,
  fault: (row) => Boolean(row.fault),
};

export const isLabelled = (row) => FIELDS.some((field) => row.labels?.[field] !== null && row.labels?.[field] !== undefined);

/** Whether the model leaves a record open, and nobody has decided it yet. */
export const needsEyes = (row) => Boolean(row.doubt?.reason) && !isLabelled(row) && !store.decided.has(row.path);

export const store = {
  rows: new Map(), // by path
  decided: new Map(), // by path: record_sha256 and labels, not written yet
  written: [], // what undo takes back, the last at the end: {path, before} or {paths}
  filter: { text: "", state: "", topic: "", provider: "" },
  order: "heat",
  isGrouped: false,
  items: [], // what the list shows: {row} or {story, rows}
  scale: { quality: 1, heat: 1 },

  /** The rows that pass the filter, in order; grouped, each story stands where its first row would. */
  arrange() {
    const words = this.filter.text.toLowerCase().split(/\s+/).filter(Boolean);
    const isIn = STATES[this.filter.state] ?? (() => true);
    const shown = [];
    for (const row of this.rows.values()) {
      if (!isIn(row)) continue;
      if (this.filter.topic && !(row.topics ?? []).includes(this.filter.topic)) continue;
      if (this.filter.provider && row.provider !== this.filter.provider) continue;
      if (words.length && !words.every((word) => haystack(row).includes(word))) continue;
      shown.push(row);
    }
    const order = ORDERS[this.order];
    shown.sort((one, other) => order(one, other) || (one.path < other.path ? -1 : 1));
    this.items = this.isGrouped ? inStories(shown) : shown.map((row) => ({ row }));
    this.scale = { quality: scaleOf(this.rows, (row) => row.score?.quality_high), heat: scaleOf(this.rows, (row) => row.doubt?.heat_high) };
    return shown.length;
  },

  /** Decide a row's labels; what was decided before can be had back. */
  decide(row, labels) {
    this.written.push({ path: row.path, before: this.decided.get(row.path) ?? null });
    this.decided.set(row.path, { record_sha256: row.record_sha256, labels });
    this.keep();
  },

  /** Keep what was decided for a reload of this tab; it bears no text of a record. */
  keep() {
    sessionStorage.setItem(KEPT, JSON.stringify([...this.decided]));
  },

  /** What was decided before the page was loaded anew. */
  remember() {
    try {
      this.decided = new Map(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"));
    } catch {
      sessionStorage.removeItem(KEPT);
    }
  },

  /** Drop what was decided of records that are not there. */
  forget(isThere) {
    for (const path of this.decided.keys()) if (!isThere(path)) this.decided.delete(path);
    this.keep();
  },

  /** Values for a choice: how many rows have each, the most frequent first. */
  choices(of) {
    const counts = new Map();
    for (const row of this.rows.values()) for (const name of of(row)) if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].sort(([one, n], [other, m]) => m - n || one.localeCompare(other));
  },
};

function haystack(row) {
  // Made once for each row; a row that changes comes as another object.
  row.words ??= [row.title, row.provider, row.path, ...(row.topics ?? [])].join("\n").toLowerCase();
  return row.words;
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

/** Where a bar ends: what nearly all values stay below, so that one giant does not flatten the rest. */
function scaleOf(rows, of) {
  const values = [];
  for (const row of rows.values()) if (of(row) !== undefined) values.push(of(row));
  if (!values.length) return 1;
  values.sort((one, other) => one - other);
  return Math.max(values[Math.floor(0.98 * (values.length - 1))], 1);
}
