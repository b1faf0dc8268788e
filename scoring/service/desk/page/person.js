// The person at this page: a name as they give it, and an id of the browser.

const NAME = "scoring.by";
const BROWSER = "scoring.client";

/** Name of the person: stored by the browser, sent with every action. */
export const by = {
  get: () => localStorage.getItem(NAME) ?? "",
  set: (name) => localStorage.setItem(NAME, name.trim()),
};

/** A random id. */
export const newId = (bytes = 8) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Id of this page, until it is left. */
export const PAGE = newId();

function client() {
  const known = localStorage.getItem(BROWSER);
  if (known) return known;
  const id = newId();
  localStorage.setItem(BROWSER, id);
  return id;
}

/** Id of the browser, which distinguishes people without a name. */
export const CLIENT = client();

/** Whether a step was taken by this person. */
export const isMine = (author) => Boolean(author) && (author.client === CLIENT || (Boolean(author.by) && author.by === by.get()));

let unnamed = []; // ids of the browsers of people without a name, the same on all pages

/** Set the browsers of people without a name. */
export const setUnnamed = (clients) => (unnamed = clients);

/** Name of who took a step; people without one are numbered. */
export function nameOf(author) {
  const number = unnamed.indexOf(author?.client) + 1;
  return author?.by || (number > 1 ? `Somebody (${number})` : "Somebody");
}
