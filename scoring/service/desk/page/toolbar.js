// What stands above the list: filters with their choices, counts, buttons, and a text where no record is shown.

import { isDone, sectionOf, sectionText, store } from "./store.js";
import { latestOfMine } from "./states.js";
import { saveable } from "./decide.js";
import { suggestions } from "./suggestions.js";
import { h, many, number, shown } from "./format.js";

const $ = (id) => document.getElementById(id);

/** Draw it again, with the number of records shown and the status of the inbox. */
export function updateToolbar(count, status) {
  updateChoices();
  $("count").textContent = countText(count);
  for (const head of document.querySelectorAll("[data-order]"))
    head.setAttribute("aria-sort", head.dataset.order === store.shownOrder ? "descending" : "none");
  updateOrder();
  updateButtons();
  updateEmpty(count, status);
}

/** Number of records shown, and of all; in the queue, of those that wait for a decision. */
function countText(count) {
  if (store.filter.state !== "todo") {
    const all = store.rows.size;
    return count === all ? many(all, "record") : `${number(count)} of ${many(all, "record")}`;
  }
  const { left, shown, faulty } = store.counts;
  return `${shown === left ? number(left) : `${number(shown)} of ${number(left)}`} left${faulty ? `, ${number(faulty)} cannot be used` : ""}`;
}

function updateButtons() {
  const count = saveable().length;
  $("write").replaceChildren(count ? `Save ${number(count)}` : "Save", h("span", { class: "wide", text: " to files" }));
  $("write").disabled = !count;
  $("undo").disabled = !latestOfMine().length;
}

/** Show a line about the order of the rows if it needs explaining. */
function updateOrder() {
  const { order, shownOrder } = store;
  $("order").value = shownOrder;
  let note = "";
  if (order === "labels") note = suggestions.note;
  else if (order !== shownOrder && store.isMixed) note = `By probability: points of these sections cannot be compared. Choose a section to order by ${order}.`;
  $("order-note").hidden = !note;
  if ($("order-note").textContent !== shown(note)) $("order-note").textContent = shown(note);
}

function updateChoices() {
  choose($("section"), "All sections", store.once("section choices", () => store.choices((row) => [sectionOf(row)])), sectionText);
  $("section").hidden = !store.hasSections;
  choose($("topic"), "All topics", store.once("topic choices", () => store.choices((row) => row.topics ?? [])));
  choose($("provider"), "All providers", store.once("provider choices", () => store.choices((row) => [row.provider])));
}

const drawnChoices = new Map(); // by control: choices and value

function choose(select, first, choices, textOf = (name) => name) {
  const last = drawnChoices.get(select);
  if (last?.choices === choices && last.value === store.filter[select.id]) return;
  drawnChoices.set(select, { choices, value: store.filter[select.id] });
  const value = store.filter[select.id];
  const isMissing = value && !choices.some(([name]) => name === value); // as an address may have it
  const options = isMissing ? [...choices, [value, 0]] : choices;
  select.replaceChildren(new Option(first, ""), ...options.map(([name, count]) => new Option(shown(`${textOf(name)} (${number(count)})`), name)));
  select.value = value;
}

function updateEmpty(count, status) {
  $("empty").hidden = count > 0;
  $("grid").hidden = count === 0;
  if (count) return;
  const isLoading = status.folder && (!status.read || status.total > 0);
  const [title, text] = store.rows.size
    ? isQueueEmpty()
      ? ["All done", "No record is left to decide. Those that are decided or saved are under Done."]
      : ["No records match the filter", "Change the filter, or press Esc in the text filter to clear it."]
    : isLoading
      ? ["Reading the inbox", ""]
      : status.folder
        ? ["The inbox is empty", "New files appear here automatically. Dropped files are scored, but not saved."]
        : ["Drop records here", "Markdown files or JSON lines. They are scored, but not saved."];
  $("empty-title").textContent = title;
  $("empty-text").textContent = text;
  $("choose").hidden = store.rows.size > 0 || isLoading;
}

/** Whether no record is left to decide, whatever else is filtered. */
function isQueueEmpty() {
  return store.filter.state === "todo" && ![...store.rows.values()].some((row) => !isDone(row));
}
