// What a person does with records: accept, correct, undo, save.

import { FIELDS, store } from "./store.js";
import { ago, many, yesNo } from "./format.js";
import { isMine, nameOf } from "./person.js";
import { isOutdated, isPending, latestOfMine, states } from "./states.js";
import { list } from "./list.js";
import { outbox } from "./outbox.js";

const grid = document.getElementById("grid");
const DONE = { decide: "decided", save: "saved", undo: "undone" };
let page = {}; // callbacks of the page: redraw, say
let working = new Map(); // by action: counts of its answers so far, if it is reported

export function decisions(given) {
  page = given;
  outbox.on({
    answered,
    changed(paths) {
      states.refresh(paths);
      page.redraw();
    },
    delayed: () => page.say(`The service does not respond: ${many(outbox.actions.length, "action")} will be sent when it does. Keep this page open.`, true),
  });
  outbox.restore();
}

const baseOf = (path) => states.of(path).head?.id ?? "";

/** Decide records; the next undecided record becomes active. */
export function decideAll(rows, labelsOf, why = {}, { moves = true } = {}) {
  const usable = rows.filter((row) => row.score && !row.dropped);
  if (rows.some((row) => row.dropped)) page.say("Dropped files cannot be labelled", true);
  if (!usable.length) return;
  const targets = usable.map((row) => ({
    path: row.path,
    base: baseOf(row.path),
    record_sha256: row.record_sha256,
    labels: labelsOf(row),
    before: row.labels ?? {},
    predicted: predictedOf(row),
    model: row.score.model,
    ...why,
  }));
  for (const { path } of targets) store.selected.delete(path);
  const next = moves ? list.nextUndecided(new Set(usable.map((row) => row.path))) : undefined;
  outbox.add("decide", targets);
  if (!moves) return;
  grid.focus({ preventScroll: true });
  list.goTo(next); // at once: the next key is for that record
  page.redraw(next);
  if (usable.length > 1) page.say(`${many(usable.length, "record")} decided; u undoes them all`);
}

export const predictedOf = (row) => Object.fromEntries(FIELDS.map((field) => [field, row.score[field]]));

/** Decide a record with given labels, or with those that a promise brings; the next record is active meanwhile. */
export async function decide(row, labels, why) {
  if (!row) return;
  if (!(labels instanceof Promise)) return decideAll([row], () => labels, why);
  grid.focus({ preventScroll: true });
  list.goTo(list.nextUndecided(new Set([row.path])));
  try {
    const values = await labels;
    decideAll([row], () => values, why, { moves: false });
  } catch (error) {
    page.say(`${row.title}: not decided, since the model's rule is not available: ${error.message}`, true);
  }
}

/** Accept the model's labels. */
export const accept = (row) => row && decideAll([row], predictedOf);

/** Pending decisions of this person that can be written. */
export const saveable = () =>
  [...states.all()]
    .filter(([path, state]) => isPending(path) && !state.isChanging && isMine(state.decided_in) && store.rows.has(path) && !isOutdated(store.rows.get(path)))
    .map(([path]) => path);

export function save(paths = saveable()) {
  if (!paths.length) return page.say(nothingToSave());
  const id = outbox.add("save", targetsOf(paths));
  working.set(id, { done: 0, faults: [] });
}

/** Why there is nothing to save; another browser without a name is somebody else. */
function nothingToSave() {
  const others = [...states.all()].filter(([path, state]) => isPending(path) && !isMine(state.decided_in)).length;
  return others ? `None of the decisions is yours; click the progress beside the title to save ${many(others, "decision")} of others` : "Nothing to save";
}

/** Undo the last step of a record; without one, that of this person. */
export function undo(path) {
  const paths = path ? [path] : latestOfMine();
  if (!paths.length) return;
  const wasSaved = paths.some((each) => states.of(each).is_saved);
  const id = outbox.add("undo", targetsOf(paths));
  const { head } = states.of(paths[0]);
  working.set(id, { done: 0, faults: [], wasSaved, first: paths[0], other: head && !isMine(head) ? nameOf(head) : "" });
}

/** What `u` undoes: the decision of the active record, else the last step of this person. */
export function undoHere(row) {
  undo(row && states.of(row.path).top ? row.path : undefined);
}

const targetsOf = (paths) => paths.map((path) => ({ path, base: baseOf(path) }));

function answered(action, results, sent, rows) {
  for (const row of rows) store.put(row);
  states.take(sent);
  states.refresh(action.targets.map(({ path }) => path));
  const late = results.filter((result) => result.is_late);
  const faults = results.filter((result) => result.fault);
  const count = results.length - late.length - faults.length;
  const job = working.get(action.id);
  if (job) job.done += count;
  const isLast = !outbox.actions.some(({ id }) => id === action.id);
  if (late.length) page.say(lateText(late), true);
  else if (faults.length) page.say(`${many(faults.length, "record")} not ${DONE[action.kind]}: ${faults[0].fault}`, true);
  else if (isLast && job && action.kind === "save") page.say(`${many(job.done, "file")} saved`);
  else if (isLast && job?.wasSaved) page.say(`${many(job.done, "file")} restored`);
  else if (isLast && job && count) page.say(`${job.other ? `Last step of ${job.other}` : many(job.done, "decision")} undone`);
  if (isLast) working.delete(action.id);
  if (action.kind === "undo" && count) page.redraw(job?.first ?? action.targets[0].path);
  else page.redraw(action.kind === "save" ? list.nextUndecided(new Set()) : undefined);
}

/** What somebody else has done with a record in the meantime. */
function lateText(late) {
  const { head, kind, decided } = states.of(late[0].path);
  const more = late.length > 1 ? `; and ${many(late.length - 1, "more record")}` : "";
  const title = store.rows.get(late[0].path)?.title ?? late[0].path;
  if (!head) return `${title}: the decision was removed, decide again${more}`;
  const values = decided && kind !== "undone" ? ` (${FIELDS.map((field) => `${field} ${yesNo(decided.labels[field])}`).join(", ")})` : "";
  const did = { decided: "decided", saved: "saved", undone: "undid" }[kind];
  return `${title}: ${isMine(head) ? "another tab of yours" : nameOf(head)} ${did} this ${agoOf(head.at)}${values}${more}`;
}

function agoOf(moment) {
  return Date.now() - Date.parse(moment) < 45_000 ? "just now" : ago(moment);
}
