// The details of a record: reasons for its scores, edits that would change them, warnings, and labels.

import * as api from "./api.js";
import { labelsOf } from "./labels.js";
import { marksOf } from "./marks.js";
import { states } from "./states.js";
import { needsReview, sectionOf, sectionText, store, suggestionOf } from "./store.js";
import { ago, h, heats, linkOf, number, percent, place, signed, when, yesNo } from "./format.js";

const MAX_REASONS = 9;
const TARGETS = {
  quality: "points",
  lead: "log-odds",
  heat: "points",
  published: "log-odds",
};
const panel = document.getElementById("details");
const desk = document.getElementById("desk");

let shown = null; // the row whose details are open
let drawn = []; // the row and its decision as they were last drawn
let target = "quality";
let latest = 0; // number of the latest request: late answers to earlier ones are ignored

export const detailsPane = {
  onAccept: () => {},
  onCorrect: () => {},
  onUnchanged: () => {},
  onUndo: () => {},
  onClose: () => {},
  onLeader: () => {},
  onCompare: () => {},

  get row() {
    return shown;
  },

  get isOpen() {
    return !panel.hidden;
  },

  /** Show a row at once, then its explanation when it arrives. */
  async open(row) {
    const isAnother = shown?.path !== row.path;
    shown = row;
    panel.hidden = false;
    desk.classList.add("with-details");
    const body = h("div", { class: "reasons", "aria-live": "polite" }, h("p", { class: "soft", text: row.fault ? "" : "Loading the reasons …" }));
    panel.replaceChildren(...headOf(row), body);
    drawn = [row, states.of(row.path)];
    if (isAnother) panel.scrollTop = 0;
    if (row.fault) return;
    const request = ++latest;
    try {
      const details = await api.details(row);
      if (request === latest) body.replaceChildren(...reasonsOf(row, details));
    } catch (error) {
      if (request === latest) body.replaceChildren(h("p", { class: "fault", text: `Reasons not available: ${error.message}` }));
    }
  },

  /** Redraw the parts that depend on the row and its decision. */
  update(row) {
    if (shown?.path !== row.path) return;
    const hasChanged = shown.record_sha256 !== row.record_sha256 || shown.score?.model !== row.score?.model;
    const isSame = drawn[0] === row && drawn[1] === states.of(row.path);
    const editing = panel.querySelector("form")?.contains(document.activeElement) || document.getElementById("ask").open;
    shown = row;
    if (hasChanged) this.open(row);
    else if (!editing && !isSame) {
      drawn = [row, states.of(row.path)];
      panel.querySelector(".labels")?.replaceWith(labelsOf(row, detailsPane));
      if (!needsReview(row)) panel.querySelector(".note.review")?.remove();
    }
  },

  edit() {
    const first = panel.querySelector(".fields input");
    if (first?.type === "number") first.select();
    else first?.focus();
  },

  close() {
    panel.hidden = true;
    desk.classList.remove("with-details");
    shown = null;
    latest++;
  },
};

function headOf(row) {
  const title = linkOf(row);
  const close = h("button", { type: "button", class: "round close", "aria-label": "Close the details", title: "Close (Esc)", text: "×", on: { click: () => detailsPane.onClose() } });
  const head = h("header", {}, h("h2", {}, title), close);
  if (row.fault) return [head, h("p", { class: "path", text: row.path }), h("p", { class: "fault", text: row.fault })];
  const facts = [store.hasSections && sectionText(sectionOf(row)), row.provider || "no provider", row.published_at ? `${when(row.published_at)} (${ago(row.published_at)})` : "no date", (row.topics ?? []).join(", ")];
  const parts = [head, h("p", { class: "soft", text: facts.filter(Boolean).join(" · ") }), h("p", { class: "path", text: row.path }), figuresOf(row)];
  if (needsReview(row)) parts.push(h("p", { class: "note review", text: `Needs review: ${row.doubt.reason}.` }));
  for (const { text, title } of marksOf(row)) parts.push(h("p", { class: "note mark", text: `${text[0].toUpperCase()}${text.slice(1)}: ${title[0].toLowerCase()}${title.slice(1)}.` }));
  const suggestion = suggestionOf(row);
  if (suggestion) parts.push(h("p", { class: "note next", text: `Number ${number(suggestion.rank)} of the records to label next: ${suggestion.reasons.join("; ")}.` }));
  if (row.leader) parts.push(leaderOf(row.leader));
  parts.push(labelsOf(row, detailsPane));
  return parts;
}

function figuresOf({ score, doubt }) {
  const leads = score.heat > -1;
  const [hasQuality, hasHeat, hasPublished] = [score.quality, score.heat, score.published].map((value) => value !== null);
  const figure = (name, value, more) => h("div", {}, h("dt", { text: name }), h("dd", {}, h("b", { text: value }), h("span", { text: more })));
  return h("dl", { class: "figures" },
    hasQuality ? figure("Quality", number(score.quality), `${number(score.quality_low)} to ${number(score.quality_high)}`) : null,
    hasHeat ? figure("Heat", leads ? number(score.heat) : "–", `${heats(doubt)}, settles at ${number(score.heat_settled)}`) : null,
    hasHeat ? figure("Leads", percent(score.lead_probability), leads ? "leads its story" : "does not lead") : null,
    hasPublished ? figure("Published", percent(score.published_probability), score.published ? "yes" : "no") : null);
}

function leaderOf(leader) {
  const details = [leader.provider, leader.quality !== undefined && `quality ${number(leader.quality)}`].filter(Boolean).join(", ");
  const name = leader.path
    ? h("button", { type: "button", class: "plain", text: leader.title, on: { click: () => detailsPane.onLeader(leader.path) } })
    : h("span", { text: leader.title });
  return h("p", { class: "leader" }, h("span", { class: "soft", text: "Led by " }), name, h("span", { class: "soft", text: details && ` (${details})` }));
}

function reasonsOf(row, { explanation, excerpt, coverage, corrections }) {
  const parts = [];
  if (excerpt) parts.push(h("p", { class: "excerpt", text: excerpt }));
  if (row.score.warnings.length)
    parts.push(section("What the model did not know", h("ul", { class: "unknown" }, ...row.score.warnings.map((text) => h("li", { text })))));
  parts.push(whyOf(explanation), changesOf(explanation));
  if (!row.dropped && (coverage.length || row.story_count > 1))
    parts.push(h("button", { type: "button", class: "compare", text: "Compare side by side", title: "Compare with the coverage (c)", on: { click: () => detailsPane.onCompare(row) } }));
  if (coverage.length)
    parts.push(section(coverage.length < row.coverage_count ? `Coverage: the best ${coverage.length} of ${number(row.coverage_count)}` : "Coverage", h("ol", { class: "coverage" }, ...coverage.map((record) =>
      h("li", {},
        h("b", { text: record.quality === undefined ? "–" : number(record.quality), title: "quality" }),
        h("span", {}, linkOf(record), h("span", { class: "soft", text: ` ${[record.provider, record.published_at && when(record.published_at)].filter(Boolean).join(", ")}` })))))));
  if (corrections.length)
    parts.push(section("Corrections", h("ul", { class: "history" }, ...corrections.map((entry) => h("li", { text: correctionText(entry) })))));
  return parts;
}

function correctionText({ at, by, field, value, predicted, reason, note }) {
  const what = value === null ? "undone" : `${yesNo(predicted)} → ${yesNo(value)}`;
  const why = [reason, note].filter(Boolean).join(": ");
  return `${when(at)}${by ? `, ${by}` : ""}: ${field} ${what}${why ? ` (${why})` : ""}`;
}

function section(title, ...content) {
  return h("section", {}, h("h3", { text: title }), ...content);
}

function whyOf(explanation) {
  const names = Object.keys(TARGETS).filter((name) => explanation.reasons[name]?.length);
  if (!names.includes(target)) target = names[0];
  const chart = h("div", { class: "chart" });
  const tabs = h("div", { class: "tabs", role: "group", "aria-label": "Why" }, ...names.map((name) =>
    h("button", { type: "button", text: name, "aria-pressed": name === target, on: { click: () => pick(name) } })));
  const pick = (name) => {
    target = name;
    for (const tab of tabs.children) tab.setAttribute("aria-pressed", tab.textContent === name);
    chart.replaceChildren(waterfall(explanation, name));
  };
  pick(target);
  return section("Why", tabs, chart);
}

/** Contributions of the features, as steps from the base value to the prediction. */
function waterfall(explanation, name) {
  const base = explanation.base[name] ?? 0;
  const reasons = explanation.reasons[name].filter((reason) => reason.contribution);
  const notes = explanation.reasons[name].filter((reason) => !reason.contribution);
  const steps = reasons.slice(0, MAX_REASONS);
  const smaller = reasons.slice(MAX_REASONS);
  if (smaller.length) steps.push({ text: `${smaller.length} smaller reasons`, contribution: smaller.reduce((sum, reason) => sum + reason.contribution, 0) });
  let level = base;
  const bars = steps.map((step) => ({ ...step, from: level, to: (level += step.contribution) }));
  const ends = [0, base, ...bars.map((bar) => bar.to)];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const position = (value) => (high > low ? (value - low) / (high - low) : 0);
  const row = (text, from, to, value, kind) => {
    const track = place(h("td", { class: `track ${kind}`, "aria-hidden": true }), { from: position(Math.min(from, to)), to: position(Math.max(from, to)), zero: position(0) });
    return h("tr", {}, h("th", { scope: "row", text }), track, h("td", { class: "value", text: value }));
  };
  const head = h("tr", { class: "unseen" }, h("th", { scope: "col", text: "Reason" }), h("td"), h("th", { scope: "col", text: `Adds, ${TARGETS[name]}` }));
  const body = [
    ...(base ? [row("base value of all records", 0, base, base.toFixed(1), "total")] : []),
    ...bars.map((bar) => row(bar.text, bar.from, bar.to, signed(bar.contribution), bar.contribution < 0 ? "less" : "more")),
    row(name === "heat" || name === "quality" ? name : `${name}, ${TARGETS[name]}`, 0, level, level.toFixed(1), "total"),
  ];
  const table = h("table", { class: "waterfall" }, h("caption", { class: "unseen", text: `Why this ${name}` }), h("thead", {}, head), h("tbody", {}, ...body));
  const fragment = document.createDocumentFragment();
  fragment.append(...notes.map((note) => h("p", { class: "soft", text: note.text })), table);
  return fragment;
}

function changesOf({ changes, score }) {
  if (!changes.length) return section("What would change it", h("p", { class: "soft", text: "None of the edits tried." }));
  const item = (change) => {
    const after = [
      score.quality !== null && `quality ${number(score.quality)} → ${number(change.quality)}`,
      score.heat !== null && `heat ${number(score.heat)} → ${number(change.heat)}`,
      score.published !== null && `published ${percent(score.published_probability)} → ${percent(change.published_probability)}`,
    ].filter(Boolean);
    const reversal = change.decisions.length ? h("span", { class: "chip doubt", text: `reverses ${change.decisions.join(", ")}` }) : null;
    return h("li", {}, h("span", { text: change.text[0].toUpperCase() + change.text.slice(1) }), reversal, h("span", { class: "soft", text: after.join(" · ") }));
  };
  return section("What would change it", h("ul", { class: "changes" }, ...changes.map(item)));
}
