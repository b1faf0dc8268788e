// The policy of the model in words, in a dialog: a table for each section, or for the sections that share one.

import * as api from "./api.js";
import { h, many, number, percent } from "./format.js";

const dialog = document.getElementById("policy");
const body = document.getElementById("policy-body");
let latest = 0; // number of the latest request
let model = ""; // the model whose policy is shown or requested

export const policyPanel = {
  /** Open the dialog and load the policy. */
  open(current) {
    if (!dialog.open) dialog.showModal();
    load(current);
  },

  /** Load the policy again if the service has another model. */
  update(current) {
    if (dialog.open && current !== model) load(current);
  },
};

async function load(current) {
  model = current;
  const request = ++latest;
  body.setAttribute("aria-busy", "true");
  body.replaceChildren(h("p", { class: "soft", text: "Loading the policy …" }));
  let parts;
  try {
    parts = partsOf(await api.policy());
  } catch (error) {
    parts = [h("p", { class: "fault", text: `Policy not available: ${error.message}` })];
  }
  if (request !== latest) return;
  body.replaceChildren(...parts);
  body.setAttribute("aria-busy", "false");
}

function partsOf({ model, policies }) {
  const intro = h("p", { class: "soft", text: `${model}. For each rule: the 95% interval of its number, the labelled records that it is based on, and the share of these that follow it.` });
  if (!policies.length) return [h("p", { text: `${model} was trained before models had rules. Train it again to see them.` })];
  if (policies.every(({ lines }) => !lines.length)) return [h("p", { text: `${model} has no rules: they need labels of quality, or of both heat and published.` })];
  return [intro, ...policies.map(tableOf)];
}

/** Table of one policy. The roles are given since rows are laid out as grids on a phone. */
function tableOf({ sections, is_own, n_records, lines }) {
  const head = (text, kind) => h("th", { scope: "col", role: "columnheader", class: kind, text });
  const cell = (text, kind = "value") => h("td", { role: "cell", class: kind, text });
  const name = sections.map((section) => (section === "*" ? "All records" : section || "(no section)")).join(", ");
  const isSmall = (line) => line.since !== "" && line.points !== null && line.points < line.label_step;
  const nSmall = lines.filter(isSmall).length;
  const rows = lines.filter((line) => !isSmall(line)).map((line) =>
    h("tr", { role: "row" },
      cell(line.target, "target"),
      h("th", { scope: "row", role: "rowheader", text: line.text }),
      cell(line.interval),
      cell(number(line.n_records)),
      cell(line.followed_ratio === null ? "" : percent(line.followed_ratio))));
  const facts = `${is_own ? "a policy of its own, " : ""}${many(n_records, "labelled record")}`;
  const heads = [head("Label"), head("Rule"), head("95% interval", "value"), head("Records", "value"), head("Follow it", "value")];
  return h("section", {},
    h("h3", {}, h("span", { text: name }), h("span", { class: "soft", text: ` ${facts}` })),
    h("table", { class: "rules", role: "table", "aria-label": `Policy of ${name}` },
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
      h("tbody", { role: "rowgroup" }, ...rows)),
    ...(nSmall ? [h("p", { class: "soft", text: `Left out: ${many(nSmall, "change")} of less than a step of the labels.` })] : []));
}
