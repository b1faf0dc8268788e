// Decisions of all people: as the service has them, with the actions of this tab that it has not answered yet.

import { CLIENT, by, isMine } from "./person.js";
import { outbox } from "./outbox.js";

const NONE = { head: null, decided: null, decided_in: null, top: null, is_saved: false, version: 0 };
const known = new Map(); // by path: state as the service sent it
const current = new Map(); // by path: with the actions under way
let fresh = null; // paths that a new stream has sent

export const states = {
  /** Decision of a record: `decided` is null if there is none; never null itself. */
  of: (path) => current.get(path) ?? NONE,

  /** All records with a step. */
  all: () => current,

  /** A new stream sends all states again; versions of an earlier process do not count. */
  begin() {
    fresh = new Set();
    for (const [path, state] of known) known.set(path, { ...state, version: -1 });
  },

  /** All states have been sent: forget the others. Returns whether there were any. */
  complete() {
    if (!fresh) return false;
    const gone = [...known.keys()].filter((path) => !fresh.has(path));
    fresh = null;
    for (const path of gone) known.delete(path);
    this.refresh(gone);
    return gone.length > 0;
  },

  /** Take states of the service, unless these or later ones are known; returns whether any is new. */
  take(sent) {
    const news = sent.filter((state) => state.version > (known.get(state.path)?.version ?? -1));
    for (const state of sent) fresh?.add(state.path);
    for (const state of news) known.set(state.path, { ...NONE, ...state });
    this.refresh(news.map(({ path }) => path));
    return news.length > 0;
  },

  /** Compute states again, since the service or this tab has changed them. */
  refresh(paths) {
    for (const path of new Set(paths)) {
      const state = withActions(path);
      if (state === NONE) current.delete(path);
      else current.set(path, state);
    }
  },
};

function withActions(path) {
  let state = known.get(path) ?? NONE;
  for (const [index, action] of outbox.actions.entries()) {
    const target = action.targets.find((one) => one.path === path);
    if (!target || state.head?.id === action.id) continue; // the service has it already
    const author = { id: action.id, at: action.at, by: by.get(), client: CLIENT, order: `~${String(index).padStart(9, "0")}` };
    if (action.kind === "decide") state = { ...state, head: author, kind: "decided", decided: target, decided_in: author, top: author, is_saved: false };
    else state = { ...state, head: author, isChanging: action.kind };
  }
  return state;
}

/** Whether a record has a decision that is not in its file. */
export const isPending = (path) => {
  const { decided, is_saved } = states.of(path);
  return Boolean(decided) && !is_saved;
};

/** Whether the labels of the file have changed since its pending decision, so that somebody has to look again. */
export function isOutdated(row) {
  if (!isPending(row.path)) return false;
  const { before } = states.of(row.path).decided;
  return ["quality", "heat", "published"].some((field) => (before?.[field] ?? null) !== (row.labels?.[field] ?? null));
}

/** Records of the last action of this person that can be undone. */
export function latestOfMine() {
  let latest = null;
  const order = (author) => author.order ?? author.at; // by the clock of the service, then what it has not answered
  for (const { top, isChanging } of current.values())
    if (top && !isChanging && isMine(top) && (!latest || order(top) > order(latest))) latest = top;
  return latest ? [...current].filter(([, state]) => state.top?.id === latest.id && !state.isChanging).map(([path]) => path) : [];
}
