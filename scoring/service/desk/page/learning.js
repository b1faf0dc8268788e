// Learning: training from the desk, what came of it, and what the model has missed this week.

import * as api from "./api.js";
import { setChanged } from "./marks.js";
import { CLIENT, by, isMine, nameOf } from "./person.js";
import { isPending, states } from "./states.js";
import { h, many, number, shown, when, yesNo } from "./format.js";

const POLL_MS = 2000; // another process of the service may run the training
const $ = (id) => document.getElementById(id);
const dialog = $("learning");
let state = { model: "", archive: [], job: null, fault: "" };
let version = 0; // of the training, as the service announced it
let drawn = ""; // what the training's part shows, apart from its progress
let timer = 0;

export const learning = {
  onOpen: () => {}, // called with the path of a record to open
  onShow: () => {}, // called with the query of a view to show
  onPolicy: () => {},
  onSuggestions: () => {},
  onChange: () => {}, // called when marks of rows have changed

  open() {
    if (!dialog.open) dialog.showModal();
    refresh();
    showMissed();
    $("learning-train").focus({ preventScroll: true });
  },

  /** The decisions have changed. */
  recount() {
    if (dialog.open && drawn) draw();
  },

  /** The service has announced a change of the training, or has another model. */
  update(status) {
    if (version === (status.training ?? 0) && status.model === state.model) return;
    version = status.training ?? 0;
    state.model = status.model;
    refresh();
  },
};

$("show-learning").addEventListener("click", () => learning.open());
$("learning-policy").addEventListener("click", () => (dialog.close(), learning.onPolicy()));
$("learning-suggest").addEventListener("click", () => (dialog.close(), learning.onSuggestions()));

async function refresh() {
  try {
    take(await api.learning());
  } catch (error) {
    showFault(error);
  }
}

function take(current) {
  state = current;
  const { job } = state;
  setChanged(job?.result?.changes ?? [], job?.served ?? "");
  $("show-learning").textContent = job?.status === "running" ? "Training …" : "Learning";
  draw();
  learning.onChange();
  clearTimeout(timer);
  if (dialog.open && job?.status === "running") timer = setTimeout(refresh, POLL_MS);
}

const showFault = (error) => $("learning-train").replaceChildren(h("p", { class: "fault", text: `Not available: ${error.message}` }));

/** Draw the training's part again if more than the progress has changed, so that a button keeps the focus. */
function draw() {
  const { job } = state;
  const look = JSON.stringify([state.model, state.archive, state.fault, job?.id, job?.status, countUnsaved()]);
  if (look !== drawn || !$("learning-train").children.length) {
    drawn = look;
    $("learning-train").replaceChildren(...partsOf());
  }
  if (job?.status === "running") updateProgress(job);
}

function partsOf() {
  const { job, fault } = state;
  const parts = fault ? [h("p", { class: "fault", text: fault })] : [];
  if (job?.status === "running") return [...parts, ...runningOf(job)];
  if (!state.archive.length) parts.push(h("p", { text: "No archive to train on: start the service with --archive PATH, the folder of your labelled records." }));
  else {
    parts.push(h("p", { class: "soft", text: `Trains on ${state.archive.join(", ")} with the saved corrections of this desk, and compares the result with ${state.model} on later records. Nothing is promoted.` }));
    const count = countUnsaved();
    if (count) parts.push(h("p", { class: "note", text: `${many(count, "decision")} ${count === 1 ? "is" : "are"} not saved yet, and would not be used: close this panel and save first (w).` }));
    parts.push(h("button", { type: "button", class: "primary", text: "Train and compare", on: { click: start } }));
  }
  return job ? [...parts, ...endOf(job)] : parts;
}

/** Number of decisions, of anybody, that no training knows of before they are saved. */
const countUnsaved = () => [...states.all()].filter(([path]) => isPending(path)).length;

async function start() {
  try {
    take(await api.startTraining({ by: by.get(), client: CLIENT }));
    $("learning-train").focus();
  } catch (error) {
    showFault(error);
  }
}

async function cancel() {
  try {
    take(await api.cancelTraining(state.job.id));
  } catch (error) {
    showFault(error);
  }
}

const whose = (job) => (isMine(job) ? "you" : nameOf(job));

function runningOf(job) {
  return [
    h("p", { class: "soft", text: `Training, started by ${whose(job)} at ${when(job.started_at)}. It goes on if you close this panel.` }),
    h("p", { id: "learning-stage" }),
    h("progress", { id: "learning-progress", "aria-labelledby": "learning-stage" }),
    h("button", { type: "button", text: "Cancel", on: { click: cancel } }),
  ];
}

function updateProgress({ stage, done, total, started_at }) {
  const count = total > 1 ? `: ${number(done)} of ${number(total)}` : "";
  const minutes = Math.max(0, Date.now() - new Date(started_at).getTime()) / 60_000;
  const time = minutes < 1 ? "less than a minute" : many(Math.floor(minutes), "minute");
  $("learning-stage").textContent = shown(`${stage}${count} (${time})`);
  const bar = $("learning-progress");
  if (total > 1) [bar.max, bar.value] = [total, done];
  else bar.removeAttribute("value");
}

function endOf(job) {
  const at = `${when(job.ended_at ?? job.started_at)}, started by ${whose(job)}`;
  const texts = { failed: `The training failed: ${job.fault}`, cancelled: "The training was cancelled.", interrupted: `The training was interrupted: ${job.fault}.` };
  if (job.status !== "done") return [h("h3", { text: "Latest training" }), h("p", { class: job.status === "cancelled" ? "" : "fault", text: texts[job.status] }), h("p", { class: "soft", text: at })];
  return [h("h3", { text: "Latest training" }), ...resultOf(job.result, job.served), h("p", { class: "soft", text: at })];
}

const VERDICTS = {
  passed: (model, served) => `${model} is better than ${served}, and can replace it.`,
  refused: (model, served) => `${model} is refused: it does not pass the comparison with ${served}.`,
  unchanged: (model, served) => `No model was trained, and ${served} stays.`,
};

function resultOf(result, served) {
  const parts = [h("p", { class: `verdict ${result.outcome}`, role: "status" }, h("strong", { text: VERDICTS[result.outcome](result.model, served) }))];
  parts.push(h("ul", { class: "grounds" }, ...result.reasons.map((text) => h("li", { text }))));
  if (result.outcome === "unchanged") return parts;
  const days = result.n_days ? ` of ${many(result.n_days, "day")}` : "";
  parts.push(h("p", { class: "soft", text: `Compared on ${many(result.n_records, "later record")}${days}. ${usedText(result)}` }));
  if (result.figures.length) parts.push(tableOf("Metrics on all of these records", ["Metric", "Served", "Trained", "Gain"], result.figures.map((check) => figureRow(check.figure, check))));
  if (result.sections.length) {
    const rows = result.sections.map(({ section, n_records, difference, is_clearly_worse }) => figureRow(`${section || "(no section)"}: ${difference.name}`, difference, `${many(n_records, "record")}${is_clearly_worse ? ", clearly worse" : ""}`));
    parts.push(tableOf("The worst metric of each section, the worst section first", ["Section", "Served", "Trained", "Gain"], rows));
  }
  if (result.n_compared) parts.push(changesOf(result));
  if (result.has_page) parts.push(h("p", {}, h("a", { href: "/desk/learning/report", target: "_blank", rel: "noopener", text: "Full comparison" })));
  if (result.next_step) parts.push(h("p", { class: "next-step" }, h("span", { text: "To use it: " }), h("code", { text: result.next_step })));
  return parts;
}

/** How many corrections there were for records of the archive; of other records none is used. */
function usedText({ n_corrections: count }) {
  const text = `${many(count, "correction")} of this desk ${count === 1 ? "was" : "were"} used`;
  return count ? `${text}.` : `${text}: one counts if it is saved, and its record is in the archive.`;
}

function changesOf({ n_compared, changes }) {
  const text = `${many(changes.length, "publishing decision")} would change, of ${many(n_compared, "record")} in the inbox. `;
  const button = changes.length ? h("button", { type: "button", class: "plain", text: "Show them", on: { click: () => (dialog.close(), learning.onShow("?text=is%3Adifferent&state=")) } }) : null;
  return h("p", {}, h("span", { text }), button);
}

const figure = (value) => String(Number(value.toPrecision(3)));

/** Cells of a figure: its name, both values, and the gain with its interval. */
function figureRow(name, { first, second, gain, low, high }, more = "") {
  const sign = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + figure(Math.abs(value));
  const kind = low === null ? "" : low > 0 ? "better" : high < 0 ? "worse" : "";
  return h("tr", {},
    h("th", { scope: "row" }, h("span", { text: name }), more ? h("small", { class: "soft", text: ` ${more}` }) : null),
    h("td", { text: figure(first) }), h("td", { text: figure(second) }), h("td", { class: kind },
      h("span", { text: sign(gain) }), low === null ? null : h("small", { text: ` ${sign(low)} to ${sign(high)}` })));
}

function tableOf(caption, heads, rows) {
  return h("table", { class: "people compared" }, h("caption", { text: caption }),
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col", text })))),
    h("tbody", {}, ...rows));
}

// What the model has missed ---------------------------------------------------

async function showMissed() {
  const part = $("learning-missed");
  try {
    part.replaceChildren(...missedOf(await api.missed()));
  } catch (error) {
    part.replaceChildren(h("p", { class: "fault", text: `Not available: ${error.message}` }));
  }
}

function missedOf({ n_corrections, labels }) {
  if (!labels.length) return [h("p", { class: "soft", text: "No saved correction of a predicted label in the last seven days." })];
  const listed = labels.length < n_corrections ? `; these are the ${labels.length} largest errors` : labels.length > 1 ? ", the largest errors first" : "";
  const said = `${many(n_corrections, "label")} ${n_corrections === 1 ? "was" : "were"} corrected in the last seven days${listed}.`;
  return [h("p", { class: "soft", text: said }), h("ul", { class: "missed" }, ...labels.map(missedItem))];
}

function missedItem({ path, title, field, predicted, value, at, by, reason, note }) {
  const name = title
    ? h("button", { type: "button", class: "plain", text: title, on: { click: () => (dialog.close(), learning.onOpen(path)) } })
    : h("span", { text: `${path} (not in the inbox any more)` });
  const why = [reason, note].filter(Boolean).join(": ");
  return h("li", {},
    name,
    h("span", {}, h("b", { text: `${field}: ${yesNo(predicted)} by the model, ${yesNo(value)} by ${by || "somebody"}` }), why ? h("span", { text: ` (${why})` }) : null),
    h("span", { class: "soft", text: when(at) }));
}
