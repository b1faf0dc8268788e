// Requests to the service.

import { PAGE } from "./person.js";

const DESK_HEADER = { "X-Scoring-Desk": "1" };

async function decoded(response) {
  if (response.ok) return response.json();
  const type = response.headers.get("Content-Type") ?? "";
  const problem = type.includes("json") ? await response.json() : { detail: `status ${response.status}` };
  throw Object.assign(new Error(problem.detail || problem.title), { isTemporary: response.status === 503 });
}

const post = (address, body) =>
  fetch(address, { method: "POST", headers: { "Content-Type": "application/json", ...DESK_HEADER }, body: JSON.stringify(body) }).then(decoded);

export const preview = (files) => post("/desk/preview", { files });

/** Send an action on decisions ("decide", "save" or "undo"); an error says whether it can be sent again. */
export const act = (kind, body) =>
  post(`/desk/${kind}`, body).catch((error) => {
    throw error instanceof TypeError ? Object.assign(error, { isTemporary: true }) : error;
  });

/** Labels that follow from given ones by the model's rules. */
export const byRule = (path, labels) => post("/desk/rule", { path, labels });

/** Paths of the records whose excerpt or body contains each text. */
export const search = (terms) => post("/desk/search", { terms });

/** Tell at which record this page is. */
export const here = (presence) => post("/desk/here", presence);

/** Details of a record: of the inbox by its path, of a dropped file by its text. */
export const details = (row) =>
  row.dropped
    ? post("/desk/preview/details", row.dropped)
    : fetch(`/desk/details?${new URLSearchParams({ path: row.path })}`, { headers: DESK_HEADER }).then(decoded);

/** A record and its coverage. */
export const sideBySide = (path) => fetch(`/desk/side-by-side?${new URLSearchParams({ path })}`, { headers: DESK_HEADER }).then(decoded);

/** The latest suggestions of records to label next. */
export const suggestions = () => fetch("/desk/suggestions", { headers: DESK_HEADER }).then(decoded);

/** The learned policy of the model, in words. */
export const policy = () => fetch("/desk/policy", { headers: DESK_HEADER }).then(decoded);

/** The latest training, and what a training would use. */
export const learning = () => fetch("/desk/learning", { headers: DESK_HEADER }).then(decoded);

/** Start a training, unless one is running. */
export const startTraining = (person) => post("/desk/learning/start", person);

/** Cancel a training. */
export const cancelTraining = (id) => post("/desk/learning/cancel", { id });

/** Labels that the model got wrong in the last seven days. */
export const missed = () => fetch("/desk/learning/missed", { headers: DESK_HEADER }).then(decoded);

/** Follow the inbox: all rows, then changed rows. The browser reconnects by itself. */
export function follow({ begin, rows, decisions, unnamed, here, status, link }) {
  const source = new EventSource(`/desk/events?page=${PAGE}`);
  source.addEventListener("begin", (event) => begin(JSON.parse(event.data)));
  source.addEventListener("rows", (event) => rows(JSON.parse(event.data)));
  source.addEventListener("decisions", (event) => decisions(JSON.parse(event.data)));
  source.addEventListener("unnamed", (event) => unnamed(JSON.parse(event.data)));
  source.addEventListener("here", (event) => here(JSON.parse(event.data)));
  source.addEventListener("status", (event) => status(JSON.parse(event.data)));
  source.addEventListener("open", () => link(true));
  source.addEventListener("error", () => link(false));
  addEventListener("pagehide", () => source.close());
}
