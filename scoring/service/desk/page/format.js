// Formatting of text and numbers, and creation of elements.

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

// Control and bidirectional characters, and lone surrogates; line breaks and tabs are white space in a page.
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;

/** Text with those characters escaped; all text of records is shown this way. */
export const shown = (text) => String(text).replace(HIDDEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** An element with attributes (`class`, `text`, `on`, or any name; false omits one) and children. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") element.textContent = shown(value);
    else if (name === "title" || name === "aria-label") element.setAttribute(name, shown(value));
    else if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set custom properties; the content security policy forbids style attributes. */
export function place(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(`--${name}`, value);
  return element;
}

export const number = (value) => NUMBER.format(value).replace("-", "−");
export const percent = (ratio) => `${Math.round(100 * ratio)}%`;
export const signed = (value, digits = 1) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
export const yesNo = (value) => (value === true ? "yes" : value === false ? "no" : value === null || value === undefined ? "none" : number(value));
export const many = (count, singular, plural = `${singular}s`) => `${number(count)} ${count === 1 ? singular : plural}`;

/** Interval of the heat; below 0 another record leads, and there is no heat. */
export function heats({ heat_low, heat_high }) {
  if (heat_high < 0) return "none";
  return `${heat_low < 0 ? "none" : number(heat_low)} to ${number(heat_high)}`;
}

/** Age, in the largest suitable unit. */
export function age(moment, now = Date.now()) {
  if (!moment) return "no date";
  const passed = now - new Date(moment).getTime();
  const [size, before] = [Math.abs(passed), passed < 0 ? "in " : ""];
  if (size < HOUR) return `${before}${Math.round(size / MINUTE)} min`;
  if (size < 2 * DAY) return `${before}${Math.round(size / HOUR)} h`;
  if (size < 730 * DAY) return `${before}${Math.round(size / DAY)} d`;
  return `${before}${Math.round(size / (365.25 * DAY))} y`;
}

/** Age in words, also of a moment to come. */
export const ago = (moment) => (moment && new Date(moment) <= Date.now() ? `${age(moment)} ago` : age(moment));

/** Date and hour, the same for all readers. */
export const when = (moment) => (moment ? new Date(moment).toISOString().slice(0, 16).replace("T", " ") + " UTC" : "no date");

/** The URL if it is safe to link to, else an empty string. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/** The title of a record, as a link if its address is safe. */
export function linkOf({ url, title }) {
  const href = safeUrl(url);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer", text: title }) : h("span", { text: title });
}
