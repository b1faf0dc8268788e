// A question that has to be answered before something is done.

import { shown } from "./format.js";

const dialog = document.getElementById("ask");

/** Ask whether to go on; resolves to false if the person would rather change something. */
export function ask(text, yes) {
  document.getElementById("ask-text").textContent = shown(text);
  document.getElementById("ask-yes").textContent = shown(yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
