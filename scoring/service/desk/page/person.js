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

/** Id of the browser, which tells people without a name apart. */
export const CLIENT = client();

/** Whether a step was taken by this person. */
export const isMine = (author) => Boolean(author) && (author.client === CLIENT || (Boolean(author.by) && author.by === by.get()));

/** Name of who took a step. */
export const nameOf = (author) => author?.by || "Somebody";
