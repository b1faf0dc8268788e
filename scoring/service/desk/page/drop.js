// Files that are dropped or chosen: read as text in the browser, handed over some at a time.

const $ = (id) => document.getElementById(id);
const RECORDS = /\.(md|jsonl|ndjson)$/i;
const MOST = 200; // files of one request

/** Have `take` called with files as {name, text, line}, and `complain` with what cannot be taken. */
export function dropped(take, complain) {
  let depth = 0; // an event comes for every element that is passed
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
    if (records.length < files.length) complain(`${files.length - records.length} of ${files.length} files are no Markdown and no JSON lines`);
    const read = [];
    for (const file of records) {
      try {
        read.push(...parts(file.name, new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer())));
      } catch {
        complain(`${file.name}: bytes that are no UTF-8`);
      }
    }
    for (let begin = 0; begin < read.length; begin += MOST) await take(read.slice(begin, begin + MOST));
  }
}

function parts(name, text) {
  if (/\.md$/i.test(name)) return [{ name: `dropped:${name}`, text }];
  return text.split("\n").map((line, at) => ({ name: `dropped:${name}`, text: line, line: at + 1 })).filter((part) => part.text.trim());
}
