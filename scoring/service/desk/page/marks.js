// Marks of rows that are no state of a decision: what the trained model decides differently.

import { store } from "./store.js";

let changed = new Map(); // by path: whether the trained model publishes the record
let model = ""; // the model that it was compared with

/** Take the decisions that change with the trained model; they hold as long as the service has the other one. */
export function setChanged(changes, served) {
  const before = changed;
  changed = new Map(changes.map(({ path, after }) => [path, after]));
  model = served;
  // A row with another mark is another row, so that the list draws it again.
  for (const path of new Set([...before.keys(), ...changed.keys()]))
    if (store.rows.has(path) && before.get(path) !== changed.get(path)) store.put({ ...store.rows.get(path) });
}

const isChanged = (row) => row.score?.model === model && changed.has(row.path);

/** Marks of a row: {text, title}. */
export function marksOf(row) {
  if (!isChanged(row)) return [];
  const text = changed.get(row.path) ? "would be published" : "would not be published";
  return [{ text, title: "The model that was trained at this desk decides this record differently" }];
}

/** Tests of rows for the filter `is:`, by value. */
export const MARKED = {
  different: isChanged,
};
