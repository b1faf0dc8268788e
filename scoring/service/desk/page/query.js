// What the filter field asks for: words, "phrases", -without, and fields such as quality:>70, after:2021-05 or is:different.

import * as api from "./api.js";
import { MARKED } from "./marks.js";

const TOKEN = /(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))/gi;
const COMPARISON = /^(>=|<=|>|<|=)?(-?\d+(?:\.\d+)?)$/;
const PAUSE_MS = 120; // after a key, before excerpts and bodies are searched
const found = new Map(); // by word: paths of the records whose excerpt or body has it
let asked = new Set();
let timer = 0;
let onFound = () => {};

/** Call back when a search in excerpts and bodies has ended. */
export function whenFound(callback) {
  onFound = callback;
}

/** Excerpts and bodies may have changed: search again. */
export function forgetFound() {
  asked.clear();
}

const has = (text, part) => (text ?? "").toLowerCase().includes(part);
const FIELDS = {
  provider: (value) => (row) => has(row.provider, value),
  topic: (value) => (row) => (row.topics ?? []).some((topic) => has(topic, value)),
  section: (value) => (row) => has(row.section, value),
  title: (value) => (row) => has(row.title, value),
  quality: (value) => compare(value, (row) => row.score?.quality),
  heat: (value) => compare(value, (row) => row.score?.heat),
  published: (value) => ["yes", "no"].includes(value) && ((row) => row.score?.published === (value === "yes")),
  is: (value) => MARKED[value],
  after: (value) => isDate(value) && ((row) => (row.published_at ?? "") >= value),
  before: (value) => isDate(value) && ((row) => Boolean(row.published_at) && row.published_at < value),
};

const isDate = (value) => /^\d{4}(-\d\d(-\d\d)?)?$/.test(value);

function compare(value, of) {
  const [, sign = "=", text] = COMPARISON.exec(value) ?? [];
  if (text === undefined) return null;
  const limit = Number(text);
  const test = { ">": (x) => x > limit, ">=": (x) => x >= limit, "<": (x) => x < limit, "<=": (x) => x <= limit, "=": (x) => x === limit }[sign];
  return (row) => of(row) !== undefined && of(row) !== null && test(of(row));
}

/** A test of rows; `haystack` gives the text of a row that the page has. */
export function parse(text, haystack) {
  const tests = [];
  const words = [];
  for (const [token, minus, field, phrase, plain] of text.matchAll(TOKEN)) {
    const value = (phrase ?? plain).toLowerCase();
    if (!value) continue;
    let test = field && FIELDS[field.toLowerCase()]?.(value);
    if (!test) {
      // Not a field, or a value that it cannot have: a word like any other.
      const word = field ? token.slice(minus.length).replaceAll('"', "").toLowerCase() : value;
      words.push(word);
      test = (row) => haystack(row).includes(word) || Boolean(found.get(word)?.has(row.path));
    }
    tests.push(minus ? (row) => !test(row) : test);
  }
  search(words.filter((word) => word.length > 1 && !asked.has(word)).slice(0, 20));
  return (row) => tests.every((test) => test(row));
}

function search(words) {
  if (!words.length) return;
  clearTimeout(timer);
  timer = setTimeout(async () => {
    for (const word of words) asked.add(word);
    try {
      for (const [word, paths] of Object.entries(await api.search(words.map((word) => word.slice(0, 200))))) found.set(word, new Set(paths));
      onFound("");
    } catch (error) {
      onFound(`Excerpts and bodies are not searched: ${error.message}`);
    }
  }, PAUSE_MS);
}
