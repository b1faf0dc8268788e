// Dropped or chosen files: decoded in the browser, passed on in batches.

const $ = (id) => document.getElementById(id);
const RECORDS = /\.(md|jsonl|ndjson)$/i;
const MAX_FILES = 200; // per request

/** Call `take` with batches of {name, text, line}, and `complain` with a message for files that cannot be read. */
export function dropped(take, complain) {
  let depth = 0; // dragenter and dragleave fire for every element
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (isFiles(event)) $("drop").hidden = ++depth === 0;
  });
  addEventListener("dragleave", (event) => {
    if (isFiles(event) && --depth <= 0) hide();
  });
  addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    hide();
    receive([...event.dataTransfer.files]);
  });
  for (const id of ["add", "choose"]) $(id).addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", ({ target }) => {
    receive([...target.files]);
    target.value = "";
  });

  function hide() {
    depth = 0;
    $("drop").hidden = true;
  }

  async function receive(files) {
    const records = files.filter((file) => RECORDS.test(file.name));
    if (records.length < files.length) complain(`${files.length - records.length} of ${files.length} files are neither Markdown nor JSON lines`);
    const read = [];
    for (const file of records) {
      try {
        read.push(...parts(file.name, new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer())));
      } catch {
        complain(`${file.name}: not valid UTF-8`);
      }
    }
    for (let begin = 0; begin < read.length; begin += MAX_FILES) await take(read.slice(begin, begin + MAX_FILES));
  }
}

function parts(name, text) {
  if (/\.(md|markdown|mdx|qmd)$/i.test(name)) return [{ name: `dropped:${name}`, text }];
  return text.split("\n").map((line, index) => ({ name: `dropped:${name}`, text: line, line: index + 1 })).filter((part) => part.text.trim());
}
