// The list: a virtual grid; only the visible rows are in the document.

import { FIELDS, isLabelled, isUndecided, needsReview, scaleOf, sectionOf, sectionText, store, suggestionOf, unknownOf } from "./store.js";
import { ago, h, heats, many, number, percent, place, when, yesNo } from "./format.js";
import { presence } from "./presence.js";
import { marksOf } from "./marks.js";
import { by, isMine, nameOf } from "./person.js";
import { isOutdated, isPending, states } from "./states.js";

const OVERSCAN = 8;
const grid = document.getElementById("grid");
const pane = document.getElementById("window");
const desk = document.getElementById("desk");
const narrow = matchMedia("(max-width: 44rem)");
const crowded = matchMedia("(min-width: 68.01rem) and (max-width: 92rem)"); // beside the details, titles have two lines

let offsets = [0]; // top of each item, and bottom of the last; px
let active = 0; // index of the focused item
let activePath = "";
let threshold = 0.5;
let drawn = new Map(); // path or story: {element, look}; see lookOf

export const list = {
  onOpen: () => {},
  onActive: () => {},
  onSelect: () => {},

  get active() {
    return store.items[active]?.row ?? null;
  },

  set threshold(value) {
    threshold = value;
  },

  /** Lay out the items again, keep the focused record, and draw the visible items that have changed. */
  lay() {
    const line = crowded.matches && desk.classList.contains("with-details") ? 72 : 52;
    const heightOf = narrow.matches ? heightOnPhone : ({ row }) => (row ? line : 34);
    offsets = new Array(store.items.length + 1);
    offsets[0] = 0;
    store.items.forEach((item, index) => (offsets[index + 1] = offsets[index] + heightOf(item)));
    pane.style.height = `${offsets.at(-1)}px`;
    grid.setAttribute("aria-rowcount", store.items.length + 1);
    const index = store.items.findIndex((item) => item.row?.path === activePath);
    active = index >= 0 ? index : Math.min(active, Math.max(store.items.length - 1, 0));
    if (store.items[active] && !store.items[active].row) active = Math.min(active + 1, store.items.length - 1);
    draw();
    updateActive();
  },

  /** Move the focus to the next or previous record. */
  move(step) {
    let next = active;
    do next += Math.sign(step);
    while (store.items[next] && !store.items[next].row);
    if (store.items[next]) this.go(next);
    else if (step < 0) grid.scrollTop = 0;
  },

  end(isLast) {
    const rows = store.items.map((item, index) => (item.row ? index : -1)).filter((index) => index >= 0);
    if (rows.length) this.go(isLast ? rows.at(-1) : rows[0]);
  },

  page(step) {
    const height = Math.max(offsets[1] ?? 1, 1);
    const count = Math.max(Math.floor(grid.clientHeight / height) - 1, 1);
    const target = Math.min(Math.max(active + step * count, 0), store.items.length - 1);
    if (store.items[target]?.row) this.go(target);
    else this.move(step);
  },

  go(index) {
    const { row } = store.items[index];
    const isAnother = row.path !== activePath;
    [active, activePath] = [index, row.path];
    this.reveal();
    draw();
    updateActive();
    if (isAnother) this.onActive(row);
  },

  /** Scroll so that the active item is in view. */
  reveal() {
    if (!store.items[active]) return;
    const index = active;
    const head = grid.querySelector(".heads").offsetHeight;
    const [top, bottom] = [offsets[index], offsets[index + 1]];
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (bottom + head > grid.scrollTop + grid.clientHeight) grid.scrollTop = bottom + head - grid.clientHeight;
  },

  /** Path of the next undecided record from the active one on, then from the top; some do not count. */
  nextUndecided(apart) {
    const isNext = ({ row }) => row && isUndecided(row) && !apart.has(row.path);
    const next = store.items.slice(active).find(isNext) ?? store.items.find(isNext);
    return next?.row.path;
  },

  goTo(path) {
    const index = store.items.findIndex((item) => item.row?.path === path);
    if (index >= 0) this.go(index);
    return index >= 0;
  },
};

const heightOnPhone = ({ row }) => (!row ? 36 : suggestionOf(row) ? 182 : isBare(row) ? 138 : 164);

function draw() {
  const top = grid.scrollTop;
  const first = Math.max(indexAt(top) - OVERSCAN, 0);
  const last = Math.min(indexAt(top + grid.clientHeight) + OVERSCAN, store.items.length - 1);
  const visible = new Map();
  for (let index = first; index <= last; index++) {
    const item = store.items[index];
    const key = item.row ? item.row.path : `story ${item.story}`;
    const known = drawn.get(key);
    const look = lookOf(item);
    const entry = known && isSame(known.look, look) ? known : { look, element: elementOf(item) };
    if (known && known !== entry) known.element.remove();
    putAt(entry, index);
    visible.set(key, entry);
  }
  for (const [key, { element }] of drawn) if (!visible.has(key)) element.remove();
  // In list order, for screen readers.
  let previous = null;
  for (const { element } of visible.values()) {
    if (element.parentNode !== pane || element.previousSibling !== previous) pane.insertBefore(element, previous ? previous.nextSibling : pane.firstChild);
    previous = element;
  }
  drawn = visible;
}

/** What the element of an item shows: the item is drawn again only if one of these is another. */
function lookOf({ row, rows, isInStory }) {
  if (!row) return rows;
  const ends = store.scales.get(scaleOf(row));
  const state = states.of(row.path);
  const marks = marksOf(row).map(({ text }) => text).join();
  const facts = [FIELDS.join(), store.hasSections, threshold, ends?.heat, ends?.quality, by.get(), nameOf(state.decided_in)];
  return [row, state, isInStory, suggestionOf(row), presence.at(row.path).join(), marks, ...facts];
}

const isSame = (before, now) => before.length === now.length && before.every((part, index) => part === now[index]);

/** Position, number and marks of an element; what is the same already costs nothing. */
function putAt(entry, index) {
  const [item, { element }] = [store.items[index], entry];
  const isActive = index === active;
  if (entry.top !== offsets[index]) element.style.top = `${(entry.top = offsets[index])}px`;
  if (entry.index !== index) {
    entry.index = index;
    element.setAttribute("aria-rowindex", index + 2);
    element.id = `row-${index}`;
  }
  element.classList.toggle("active", isActive);
  element.classList.toggle("selected", store.selected.has(item.row?.path));
  if (entry.isActive !== isActive) element.setAttribute("aria-selected", (entry.isActive = isActive));
}

function updateActive() {
  const isThere = Boolean(store.items[active]?.row);
  if (isThere) activePath = store.items[active].row.path;
  if (isThere && drawn.has(activePath)) grid.setAttribute("aria-activedescendant", `row-${active}`);
  else grid.removeAttribute("aria-activedescendant");
}

/** Index of the item at a vertical position, by binary search. */
function indexAt(y) {
  let [low, high] = [0, offsets.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsets[middle] <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

function elementOf(item) {
  const element = item.row ? rowOf(item.row, item.isInStory) : storyOf(item.rows);
  if (item.row)
    element.addEventListener("click", (event) => {
      list.goTo(item.row.path);
      if (event.shiftKey) list.onSelect(item.row);
      else list.onOpen(item.row);
    });
  return element;
}

function storyOf(rows) {
  const lead = rows.find((row) => row.score && (row.score.heat === null || row.score.heat > -1));
  const text = lead ? lead.title : rows[0].leader?.title ?? rows[0].title;
  return h("div", { role: "row", class: "story" },
    h("span", { role: "gridcell", "aria-colspan": 5 },
      h("b", { text: many(rows.length, "record") }),
      h("span", { text: !lead ? ` led elsewhere: ${text}` : lead.score.heat === null ? `: ${text}` : ` led by ${text}` })));
}

/** Whether there is nothing to say of the state of a record. */
const isBare = (row) => row.score && !row.dropped && !isPending(row.path) && !needsReview(row) && !row.corrected?.length && !isLabelled(row) && !presence.at(row.path).length && !marksOf(row).length;

function rowOf(row, isInStory) {
  const classes = ["row", "record", isInStory && "within", row.fault && "faulty", needsReview(row) && "open", isBare(row) && !suggestionOf(row) && "bare", suggestionOf(row) && "suggested"].filter(Boolean);
  const element = h("div", { role: "row", class: classes.join(" ") });
  if (row.fault) {
    element.append(
      h("span", { role: "gridcell", class: "what" },
        h("span", { class: "title", text: row.title }),
        h("span", { class: "facts", text: row.fault, title: row.fault })),
      h("span", { role: "gridcell", class: "state" }, chip("cannot be used", "fault")));
    return element;
  }
  const cells = { heat: heatCell, quality: qualityCell, published: publishedCell };
  element.append(...Object.entries(cells).filter(([field]) => row.score[field] !== null).map(([, cell]) => cell(row)), whatCell(row), stateCell(row));
  return element;
}

function heatCell(row) {
  const { score, doubt } = row;
  const leads = score.heat > -1;
  const label = `Expected heat ${number(score.heat_expected)}, ${heats(doubt)}; label ${leads ? number(score.heat) : "−1: does not lead"}`;
  return h("span", { role: "gridcell", class: `heat number${leads ? "" : " none"}`, title: label },
    h("b", { text: number(score.heat_expected), "aria-label": label }),
    h("small", { text: leads ? `label ${number(score.heat)}` : "does not lead", "aria-hidden": true }),
    bar(doubt.heat_low, doubt.heat_high, score.heat_expected, store.scales.get(scaleOf(row)).heat));
}

function qualityCell(row) {
  const { score } = row;
  const [low, high] = [number(score.quality_low), number(score.quality_high)];
  return h("span", { role: "gridcell", class: "quality number", title: `90% interval ${low} to ${high}` },
    h("b", { text: number(score.quality), "aria-label": `Quality ${score.quality}, ${low} to ${high}` }),
    bar(score.quality_low, score.quality_high, score.quality, store.scales.get(scaleOf(row)).quality));
}

function publishedCell({ score }) {
  const label = `Probability of publication ${percent(score.published_probability)}: ${score.published ? "yes" : "no"}`;
  const meter = place(h("i", { class: "meter", "aria-hidden": true }), { value: score.published_probability, cut: threshold });
  return h("span", { role: "gridcell", class: `published number ${score.published ? "yes" : "no"}`, title: label },
    h("b", { text: percent(score.published_probability), "aria-label": label }), meter);
}

function bar(low, high, value, scale) {
  const position = (points) => Math.min(Math.max(points / scale, 0), 1);
  const element = h("i", { class: "bar", "aria-hidden": true });
  return place(element, { low: position(low), high: position(high), value: position(value) });
}

function whatCell(row) {
  const facts = [row.provider || "no provider", when(row.published_at)];
  if (row.coverage_count) facts.push(`${number(row.coverage_count)} related`);
  if (row.type && row.type !== "article") facts.push(row.type);
  const { leader } = row;
  const led = leader && `led by ${leader.title}`;
  const unknown = unknownOf(row);
  const why = suggestionOf(row)?.reasons.join("; ");
  if (why)
    return h("span", { role: "gridcell", class: "what" },
      h("span", { class: "title", text: row.title, title: row.title }),
      h("span", { class: "facts" },
        store.hasSections ? sectionTag(row) : null,
        h("span", { class: "why", text: why, title: why }),
        h("span", { text: facts.slice(0, 2).join(" · ") })));
  return h("span", { role: "gridcell", class: "what" },
    h("span", { class: "title", text: row.title, title: row.title }),
    h("span", { class: "facts" },
      h("span", { text: facts.join(" · "), title: row.published_at ? ago(row.published_at) : undefined }),
      unknown.length ? h("span", { class: "unknown-fact", text: `? ${[...new Set(unknown.map((text) => text.split(" ")[0]))].join(", ")}`, title: unknown.join("; ") }) : null,
      store.hasSections ? sectionTag(row) : null,
      row.topics?.length ? h("span", { class: "topics", text: row.topics.join(", ") }) : null,
      led ? h("span", { class: "led", text: led, title: `${led}${leader.provider ? ` (${leader.provider})` : ""}` }) : null));
}

function sectionTag(row) {
  const isKnown = row.is_section_known !== false;
  return h("span", { class: `section${isKnown ? "" : " unknown-section"}`, text: sectionText(sectionOf(row)), title: isKnown ? "section" : "The model does not know this section" });
}

function stateCell(row) {
  const { decided, decided_in, is_saved, isChanging } = states.of(row.path);
  const cell = h("span", { role: "gridcell", class: "state" });
  const suggestion = suggestionOf(row);
  if (suggestion) cell.append(chip(`label ${number(suggestion.rank)}`, "next", suggestion.reasons.join("; ")));
  const who = isMine(decided_in) ? "" : `, ${nameOf(decided_in)}`;
  if (decided && !is_saved) {
    const kind = isOutdated(row) ? "file changed" : FIELDS.every((field) => decided.labels[field] === row.score[field]) ? "accepted" : "corrected";
    cell.append(chip(isChanging === "save" ? "saving" : kind + who, kind === "file changed" ? "doubt" : "pending"), values(decided.labels));
  } else if (needsReview(row)) cell.append(chip("needs review", "doubt", row.doubt.reason));
  else if (decided && isLabelled(row)) cell.append(chip(`${row.corrected?.length ? "corrected" : "saved"}${who}`, "done"));
  else if (row.corrected?.length) cell.append(chip("corrected", "done"));
  if (!(decided && !is_saved) && isLabelled(row)) cell.append(values(row.labels));
  if (row.dropped) cell.append(chip("not saved", "soft"));
  for (const { text, kind, title } of marksOf(row)) cell.append(chip(text, kind, title));
  const others = presence.at(row.path);
  if (others.length) cell.append(chip(`${others[0]} is here`, "here", `At this record now: ${others.join(", ")}`));
  return cell;
}

const chip = (text, kind, title) => h("span", { class: `chip ${kind}`, text, title });
const values = (labels) => h("span", {
  class: "values",
  text: FIELDS.map((field) => yesNo(labels[field])).join(" · "),
  title: FIELDS.join(" · "),
});

grid.addEventListener("scroll", () => requestAnimationFrame(() => (draw(), updateActive())), { passive: true });
new ResizeObserver(() => list.lay()).observe(grid);
narrow.addEventListener("change", () => list.lay());
