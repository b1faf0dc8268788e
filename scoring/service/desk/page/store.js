// State of the page: rows, decisions, filter, order, and the items shown.

export const FIELDS = ["quality", "heat", "published"];
const STORAGE_KEY = "scoring.decided";

const expected = (row) => row.score?.heat_expected ?? -Infinity;
const time = (row) => (row.published_at ? Date.parse(row.published_at) : -Infinity);
const ORDERS = {
  heat: (a, b) => expected(b) - expected(a),
  quality: (a, b) => (b.score?.quality ?? -Infinity) - (a.score?.quality ?? -Infinity),
  published: (a, b) => (b.score?.published_probability ?? -1) - (a.score?.published_probability ?? -1),
  newest: (a, b) => time(b) - time(a),
  // Records that need review first, the most uncertain of them before the others.
  doubt: (a, b) =>
    needsReview(b) - needsReview(a) ||
    (needsReview(a) ? a.doubt.distance - b.doubt.distance : 0) ||
    expected(b) - expected(a),
};
const STATES = {
  doubt: (row) => needsReview(row),
  open: (row) => row.score && !isLabelled(row),
  labelled: (row) => isLabelled(row),
  corrected: (row) => Boolean(row.corrected?.length),
  pending: (row) => store.decided.has(row.path),
  shown: (row) => Boolean(row.score?.published),
  lead: (row) => row.score && row.score.heat > -1,
  fault: (row) => Boolean(row.fault),
};

export const isLabelled = (row) => FIELDS.some((field) => row.labels?.[field] !== null && row.labels?.[field] !== undefined);

/** Whether the model is uncertain about a record, and nobody has decided it yet. */
export const needsReview = (row) => Boolean(row.doubt?.reason) && !isLabelled(row) && !store.decided.has(row.path);

export const store = {
  rows: new Map(), // by path
  decided: new Map(), // by path: record_sha256 and labels, not saved yet
  written: [], // undo stack: {path, before} for a decision, {paths, decided} for a save
  filter: { text: "", state: "", topic: "", provider: "" },
  order: "heat",
  isGrouped: false,
  items: [], // items of the list: {row} or {story, rows}
  scale: { quality: 1, heat: 1 },

  /** Rows that match the filter, in order; grouped, each story is at the position of its first row. */
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
    shown.sort((a, b) => order(a, b) || (a.path < b.path ? -1 : 1));
    this.items = this.isGrouped ? inStories(shown) : shown.map((row) => ({ row }));
    this.scale = { quality: scaleOf(this.rows, (row) => row.score?.quality_high), heat: scaleOf(this.rows, (row) => row.doubt?.heat_high) };
    return shown.length;
  },

  /** Decide a row's labels; the previous decision can be restored. */
  decide(row, labels) {
    this.written.push({ path: row.path, before: this.decided.get(row.path) ?? null });
    this.decided.set(row.path, { record_sha256: row.record_sha256, labels });
    this.keep();
  },

  /** Store the decisions for a reload of this tab; they contain no text of records. */
  keep() {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify([...this.decided]));
  },

  /** Restore the decisions after a reload. */
  remember() {
    try {
      this.decided = new Map(JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]"));
    } catch {
      sessionStorage.removeItem(STORAGE_KEY);
    }
  },

  /** Discard the decisions of records that no longer exist. */
  forget(isThere) {
    for (const path of this.decided.keys()) if (!isThere(path)) this.decided.delete(path);
    this.keep();
  },

  /** Values for a filter with their row counts, most frequent first. */
  choices(of) {
    const counts = new Map();
    for (const row of this.rows.values()) for (const name of of(row)) if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts].sort(([a, n], [b, m]) => m - n || a.localeCompare(b));
  },
};

function haystack(row) {
  // Cached in the row; a changed row is another object.
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

/** Scale of the bars: the 98th percentile, so that an outlier does not flatten the others. */
function scaleOf(rows, of) {
  const values = [];
  for (const row of rows.values()) if (of(row) !== undefined) values.push(of(row));
  if (!values.length) return 1;
  values.sort((a, b) => a - b);
  return Math.max(values[Math.floor(0.98 * (values.length - 1))], 1);
}
