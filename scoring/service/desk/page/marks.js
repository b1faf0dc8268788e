// Marks of rows that are no state of a decision: what the trained model decides differently, and what is about to change.

import { number } from "./format.js";

let changed = new Map(); // by path: whether the trained model publishes the record
let model = ""; // the model that it was compared with

/** Take the decisions that change with the trained model; they hold as long as the service has the other one. */
export function setChanged(changes, served) {
  changed = new Map(changes.map(({ path, after }) => [path, after]));
  model = served;
}

const isChanged = (row) => row.score?.model === model && changed.has(row.path);

/** Whether the story of a row is likely to change what is decided now; not any more once the row is old. */
const isChanging = (row) => Boolean(row.outlook) && Date.now() < Date.parse(row.outlook.until);

/** Marks of a row: {text, title, kind}. */
export function marksOf(row) {
  const marks = [];
  if (isChanging(row)) marks.push(outlookOf(row));
  if (isChanged(row)) {
    const text = changed.get(row.path) ? "→ published" : "→ not published";
    marks.push({ text, kind: "mark", title: "The model that was trained at this desk decides this record differently" });
  }
  return marks;
}

function outlookOf({ outlook: { trend, heat, reason } }) {
  const text = heat === null ? trend : `${trend} to about ${number(heat)}`;
  return { text, kind: "mark", title: reason[0].toUpperCase() + reason.slice(1) };
}

/** Tests of rows for the filter `is:`, by value. */
export const MARKED = {
  changing: isChanging,
  different: isChanged,
};
