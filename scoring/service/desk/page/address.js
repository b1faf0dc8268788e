// The address of the page: filter, order and grouping, so that a view can be reloaded, shared and saved.

import { store } from "./store.js";
import { h, shown } from "./format.js";

const STORAGE_KEY = "scoring.views";
const DEFAULTS = { text: "", state: "todo", section: "", topic: "", provider: "", order: "heat", group: "" };
const $ = (id) => document.getElementById(id);

const current = () => ({ ...store.filter, order: store.order, group: store.isGrouped ? "1" : "" });

function queryOf(view) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(view)) if (value !== DEFAULTS[name]) query.set(name, value);
  return query.toString();
}

/** Put what is shown into the address. */
export function updateAddress() {
  const query = queryOf(current());
  if (query !== location.search.slice(1)) history.replaceState(null, "", query ? `?${query}` : location.pathname);
}

/** Show what an address asks for; controls of filters that do not exist are left at their defaults. */
export function readAddress(search = location.search) {
  const query = new URLSearchParams(search);
  const view = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, query.get(name) ?? DEFAULTS[name]]));
  for (const name of ["state", "order"]) if (![...$(name).options].some(({ value }) => value === view[name])) view[name] = DEFAULTS[name];
  for (const name of Object.keys(store.filter)) store.filter[name] = view[name];
  store.order = view.order;
  store.isGrouped = view.group === "1";
  $("text").value = view.text;
  $("state").value = view.state;
  $("group").checked = store.isGrouped;
}

function views() {
  try {
    return Object.entries(JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}"));
  } catch {
    localStorage.removeItem(STORAGE_KEY);
    return [];
  }
}

const keep = (entries) => localStorage.setItem(STORAGE_KEY, JSON.stringify(Object.fromEntries(entries)));

/** The dialog of saved views; `open` shows one, by its query. */
export function showViews(open) {
  const item = ([name, query]) => h("li", {},
    h("button", { type: "button", class: "view", text: name, on: { click: () => ($("views").close(), open(query)) } }),
    h("button", { type: "button", class: "round", "aria-label": `Delete the view ${shown(name)}`, title: "Delete", text: "×", on: { click: () => (keep(views().filter(([other]) => other !== name)), showViews(open)) } }));
  const list = views();
  $("views-list").replaceChildren(...(list.length ? list.map(item) : [h("li", { class: "soft", text: "No view is saved in this browser yet." })]));
  $("view-form").onsubmit = (event) => {
    event.preventDefault();
    const name = $("view-name").value.trim();
    if (!name) return;
    keep([...views().filter(([other]) => other !== name), [name, queryOf(current())]]);
    $("view-name").value = "";
    showViews(open);
  };
  if (!$("views").open) $("views").showModal();
}
