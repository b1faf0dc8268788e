// The labels of a record in its details: accepted, corrected with the model's rules at hand, undone.

import * as api from "./api.js";
import { ask } from "./ask.js";
import { FIELDS, isLabelled, outsideOf } from "./store.js";
import { isMine, nameOf } from "./person.js";
import { isOutdated, states } from "./states.js";
import { h, when, yesNo } from "./format.js";

const PAUSE_MS = 60; // after a key, before the rules are asked
const FOLLOWING = ["heat", "published"]; // follow from the quality, by the model's rules
const REASONS = ["more important", "less important", "old news", "duplicate", "advertisement", "wrong topic", "weak source", "headline misleads", "other"];

/** The form; `pane` is called with what the person does. */
export function labelsOf(row, pane) {
  if (row.dropped)
    return h("section", { class: "labels" }, h("p", { class: "soft", text: "Dropped files cannot be labelled; labels are saved only to the files of an inbox." }));
  const state = states.of(row.path);
  const decision = state.is_saved ? null : state.decided;
  const labels = Object.fromEntries(FIELDS.map((field) => [field, decision?.labels[field] ?? row.labels?.[field] ?? row.score[field]]));
  const hasRule = "quality" in labels && FOLLOWING.some((field) => field in labels);
  const why = decision ?? {};
  const rule = { row, asked: null, timer: 0, number: 0, go: () => {} };
  const note = h("p", { class: "rule", role: "status" });
  const form = h("form", { class: "labels", "aria-label": "Labels", on: { submit, input: typed } },
    h("div", { class: "fields" }, ...Object.keys(labels).map((field) => fieldOf(field, labels[field], hasRule, () => askRules(form, rule, note)))),
    note,
    whyOf(why),
    h("p", { class: "soft", text: summaryOf(row, state) }),
    isOutdated(row) ? h("p", { class: "note", text: "The labels of the file have changed since this decision. Accept or save the correction again to keep it, or undo it." }) : null,
    h("div", { class: "buttons" },
      h("button", { type: "button", text: "Accept", title: "Accept the model's labels (a)", on: { click: () => pane.onAccept(row) } }),
      h("button", { type: "submit", text: "Save correction", title: "Decide these values (Enter)" }),
      state.top ? h("button", { type: "button", text: state.is_saved ? "Undo the save" : "Undo", title: "Undo the last step of this record (u)", on: { click: () => pane.onUndo(row) } }) : null));
  return form;

  function typed({ target }) {
    if (FOLLOWING.includes(target.name)) lock(form, target.name, true); // a value that a person gives does not follow
    if (hasRule) askRules(form, rule, note);
  }

  async function submit(event) {
    event.preventDefault();
    const given = reasonsOf(form);
    const values = valuesOf(form);
    if (FIELDS.every((field) => values[field] === labels[field]) && ["reason", "note"].every((name) => (given[name] ?? "") === (why[name] ?? "")) && !isOutdated(row)) return pane.onUnchanged();
    if (!(await isMeant(form, row, labels, values))) return;
    rule.go(); // nobody waits for the end of the pause
    pane.onCorrect(row, rule.asked ? rule.asked.then(() => valuesOf(form)) : values, given);
  }
}

/** Ask about typed values that no record of training has; without a yes, the first of them is to be typed again. */
async function isMeant(form, row, labels, values) {
  const typed = Object.fromEntries(FIELDS.filter((field) => values[field] !== labels[field]).map((field) => [field, values[field]]));
  const odd = outsideOf(row, typed);
  if (!odd.length) return true;
  const question = `${sentence(odd.map(({ text }) => text).join("; "))}. Keep ${odd.length > 1 ? "them" : "it"}?`;
  const isKept = await ask(question, "Keep");
  if (!isKept) form.elements[odd[0].name].select();
  return isKept;
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1);

const reasonsOf = (form) => Object.fromEntries(["reason", "note"].map((name) => [name, form.elements[name].value.trim()]).filter(([, text]) => text));

/** Reason and note of a correction, which the ledger keeps. */
function whyOf({ reason = "", note = "" }) {
  const select = h("select", { name: "reason", "aria-label": "Reason" }, h("option", { value: "", text: "No reason" }), ...REASONS.map((text) => h("option", { value: text, text })));
  select.value = reason;
  return h("div", { class: "why-decided" }, select, h("input", { type: "text", name: "note", "aria-label": "Note", placeholder: "Note", maxlength: 500, autocomplete: "off", value: note }));
}

function fieldOf(field, value, hasRule, onLock) {
  const name = field[0].toUpperCase() + field.slice(1);
  const input = field === "published"
    ? h("input", { type: "checkbox", id: "label-published", name: field })
    : h("input", { type: "number", id: `label-${field}`, name: field, value: String(value), step: 1, min: field === "heat" ? -1 : undefined, max: 999999999, required: true, inputmode: "numeric" });
  if (field === "published") input.checked = value;
  const label = field === "published" ? h("label", { class: "check" }, input, h("span", { text: name })) : h("label", {}, h("span", { text: name }), input);
  if (!hasRule || !FOLLOWING.includes(field)) return label;
  const button = h("button", { type: "button", class: "lock", name: `lock-${field}`, text: "Lock", "aria-label": `Lock ${field}`, "aria-pressed": "false", title: `Keep this value when the quality changes; else ${field} follows the model's rule` });
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
    onLock();
  });
  return h("div", { class: "locked" }, label, button);
}

const isLocked = (form, field) => form.elements[`lock-${field}`]?.getAttribute("aria-pressed") === "true";

function lock(form, field, isOn) {
  form.elements[`lock-${field}`]?.setAttribute("aria-pressed", isOn);
}

function valuesOf(form) {
  const value = (field) => (field === "published" ? form.elements.published.checked : Number(form.elements[field].value));
  return Object.fromEntries(FIELDS.map((field) => [field, value(field)]));
}

/** Ask for what follows from the values that the person has given, soon after the last key. */
function askRules(form, rule, note) {
  clearTimeout(rule.timer);
  const number = ++rule.number;
  const answer = new Promise((resolve) => (rule.timer = setTimeout(rule.go = resolve, PAUSE_MS))).then(async () => {
    if (number !== rule.number) return rule.asked; // a later key has asked again
    if (!form.elements.quality.checkValidity()) return;
    const values = valuesOf(form);
    const given = Object.fromEntries(FIELDS.filter((field) => field === "quality" || isLocked(form, field)).map((field) => [field, values[field]]));
    const result = await api.byRule(rule.row.path, given);
    if (number === rule.number) fill(form, result, note);
  });
  rule.asked = answer.finally(() => {
    if (number === rule.number) rule.asked = null;
  });
  rule.asked.catch((error) => (note.textContent = `The model's rule is not available: ${error.message}`));
}

function fill(form, { labels, by_rule, note }, line) {
  for (const field of FOLLOWING.filter((name) => FIELDS.includes(name) && !isLocked(form, name))) {
    if (field === "published") form.elements.published.checked = labels.published;
    else form.elements[field].value = String(labels[field]);
  }
  const against = FOLLOWING.filter((field) => FIELDS.includes(field) && labels[field] !== by_rule[field]);
  const texts = against.map((field) => `${field} ${yesNo(labels[field])} contradicts the model's rule, which gives ${yesNo(by_rule[field])}`);
  line.textContent = [...texts, note].filter(Boolean).join("; ");
}

function summaryOf(row, { decided, decided_in, is_saved }) {
  const values = (labels) => FIELDS.map((field) => `${field} ${yesNo(labels[field])}`).join(", ");
  const current = isLabelled(row) ? `The file has ${values(row.labels)}` : "The file has no labels yet";
  const who = decided ? `Decided by ${isMine(decided_in) ? "you" : nameOf(decided_in)} ${when(decided_in.at)}, ${is_saved ? "saved" : "not saved"}. ` : "";
  return `${who}${current}; the model predicts ${values(row.score)}.`;
}
