// Several records at once: the selection, and what can be accepted together.

import { isUndecided, needsReview, store, unknownOf } from "./store.js";
import { decideAll, predictedOf } from "./decide.js";
import { h, many } from "./format.js";

const $ = (id) => document.getElementById(id);
let anchor = ""; // path from which a range is selected

export const selection = {
  /** Select a record, or no longer; with `isRange` all from the last one to it. */
  toggle(row, isRange = false) {
    if (!row?.score || row.dropped) return;
    const paths = store.items.map((item) => item.row?.path);
    const [from, to] = [paths.indexOf(anchor), paths.indexOf(row.path)].sort((a, b) => a - b);
    if (isRange && from >= 0) for (const item of store.items.slice(from, to + 1)) item.row?.score && store.selected.add(item.row.path);
    else if (!store.selected.delete(row.path)) store.selected.add(row.path);
    anchor = row.path;
  },

  clear() {
    store.selected.clear();
  },
};

/** Undecided records of the list by what they have in common; the first ones are offered first. */
function groups(active) {
  const shown = store.items.map(({ row }) => row).filter((row) => row && isUndecided(row));
  const story = active?.story && [...store.rows.values()].filter((row) => row.story === active.story && isUndecided(row));
  return [
    ["selected", shown.filter((row) => store.selected.has(row.path))],
    ["that need no review", shown.filter((row) => !needsReview(row) && !unknownOf(row).length)],
    ["of this story", story && story.length > 1 ? story : []],
    ["shown", shown],
  ].filter(([, rows]) => rows.length);
}

/** Offer what can be accepted together, with counts. */
export function offerSeveral(active) {
  const choices = groups(active).map(([text, rows]) =>
    h("button", { type: "button", text: `Accept ${text === "selected" ? many(rows.length, "selected record") : `${many(rows.length, "record")} ${text}`}`, on: { click: () => take(rows) } }));
  $("several-choices").replaceChildren(...(choices.length ? choices : [h("p", { text: "No undecided record is shown." })]));
  $("several").showModal();
}

function take(rows) {
  $("several").close();
  selection.clear();
  decideAll(rows, predictedOf);
}
