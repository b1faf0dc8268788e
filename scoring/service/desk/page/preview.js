// The preview of a record: what a reader of the site would see of it.

import * as api from "./api.js";
import { h, linkOf, when } from "./format.js";

const dialog = document.getElementById("preview");
const body = document.getElementById("preview-body");
let latest = 0; // number of the latest request

export const preview = {
  /** Show the title at once, then excerpt and image. */
  async open(row) {
    const request = ++latest;
    const facts = [row.provider, row.published_at && when(row.published_at), (row.topics ?? []).join(", ")].filter(Boolean).join(" · ");
    const head = [h("h2", { id: "preview-title" }, linkOf(row)), h("p", { class: "soft", text: row.fault || facts })];
    body.replaceChildren(...head);
    if (!dialog.open) dialog.showModal();
    if (row.fault) return;
    try {
      const { excerpt, image } = await api.details(row);
      if (request !== latest) return;
      const picture = image && document.body.classList.contains("with-images") ? h("img", { src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" }) : null;
      body.replaceChildren(...head, ...[picture, h("p", { class: "excerpt", text: excerpt || "The record has no excerpt." })].filter(Boolean));
    } catch (error) {
      if (request === latest) body.append(h("p", { class: "fault", text: `The preview is not available: ${error.message}` }));
    }
  },
};
