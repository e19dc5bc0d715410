"use strict";
// A list of marked pairs: kept in this browser for this report, written as marked.csv, read back.
const markBar = document.querySelector(".marks");
if (markBar) {
  // A report's pages share one list; another report, in another folder, has another.
  const store = `realdeg marks ${new URL(markBar.dataset.index || location.href, location.href).pathname}`;
  const tell = text => { markBar.querySelector(".told").textContent = text; };
  let marks = new Set(), onlyMarked = false;
  const read = () => {
    try { marks = new Set(JSON.parse(localStorage.getItem(store) ?? "[]")); } catch { tell("This browser keeps marks only while the page is open."); }
  };
  const keep = () => {
    try { localStorage.setItem(store, JSON.stringify(sorted())); } catch { tell("This browser keeps marks only while the page is open."); }
  };
  const sorted = () => [...marks].sort((a, b) => a < b ? -1 : a > b ? 1 : 0);
  const places = [...document.querySelectorAll("[data-key]")];
  const known = new Set();
  const buttons = places.map(place => {
    if (place.dataset.key) known.add(place.dataset.key);
    const button = place.querySelector(":scope .mark") ?? document.createElement("button");
    button.type = "button";
    button.className = "mark";
    button.addEventListener("click", event => { event.stopPropagation(); turn(place.dataset.key); });
    if (!button.isConnected) (place.querySelector(".markplace") ?? place).append(button);
    return [place, button];
  });
  const show = () => {
    for (const [place, button] of buttons) {
      const key = place.dataset.key, on = marks.has(key);
      button.setAttribute("aria-pressed", String(on));
      button.setAttribute("aria-label", on ? `unmark ${key}` : `mark ${key}`);
      button.title = on ? "unmark (m)" : "mark (m)";
      place.classList.toggle("marked", on);
    }
    markBar.querySelector(".number").textContent = marks.size ? `${marks.size} marked` : "Mark pairs by their stars";
    markBar.classList.toggle("some", marks.size > 0);
    markBar.querySelector(".only").setAttribute("aria-pressed", String(onlyMarked));
    for (const button of markBar.querySelectorAll(".save, .clear, .only")) button.disabled = !marks.size;
    for (const part of document.querySelectorAll("[data-key].findable, .item[data-key]")) part.classList.toggle("unmarked", onlyMarked && !marks.has(part.dataset.key));
  };
  const changed = () => { if (!marks.size) onlyMarked = false; keep(); show(); };
  const turn = key => {
    if (!key) return;
    if (!marks.delete(key)) marks.add(key);
    changed();
  };
  markBar.querySelector(".save").addEventListener("click", () => {
    const cell = key => /[",\r\n]/.test(key) || key !== key.trim() ? `"${key.replaceAll('"', '""')}"` : key;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([["key", ...sorted().map(cell)].join("\n") + "\n"], {type: "text/csv"}));
    link.download = "marked.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    tell(`marked.csv: for --only marked.csv, or --except marked.csv, of realdeg`);
  });
  markBar.querySelector(".clear").addEventListener("click", () => { marks.clear(); changed(); tell(""); });
  markBar.querySelector(".only").addEventListener("click", () => { onlyMarked = !onlyMarked; show(); });
  const rowsOf = text => {  // of a CSV file, as spreadsheets write it: , or ; or tab
    const first = text.split(/[\r\n]/, 1)[0], between = [",", ";", "\t"].find(sign => first.includes(sign)) ?? ",";
    const rows = [[""]];
    let quoted = false;
    for (let i = 0; i < text.length; i++) {
      const row = rows.at(-1), letter = text[i];
      if (quoted) {
        if (letter !== '"') row[row.length - 1] += letter;
        else if (text[i + 1] === '"') { row[row.length - 1] += letter; i++; }
        else quoted = false;
      } else if (letter === '"' && row.at(-1) === "") quoted = true;
      else if (letter === between) row.push("");
      else if (letter === "\n") rows.push([""]);
      else if (letter !== "\r") row[row.length - 1] += letter;
    }
    return rows.filter(row => row.some(Boolean));
  };
  markBar.querySelector(".load").addEventListener("change", async event => {
    const file = event.target.files[0];
    if (!file) return;
    const [head, ...rows] = rowsOf((await file.text()).replace(/^\ufeff/, ""));
    const column = (head ?? []).indexOf("key");
    event.target.value = "";
    if (column < 0) return tell(`${file.name} has no column key`);
    const keys = rows.map(row => row[column]).filter(Boolean), strange = keys.filter(key => !known.has(key));
    for (const key of keys) marks.add(key);
    changed();
    tell(`${keys.length} read from ${file.name}${strange.length ? `, ${strange.length} of them not on this page` : ""}`);
  });
  addEventListener("storage", event => { if (event.key === store) { read(); show(); } });
  document.querySelector(".viewer")?.addEventListener("shown", show);
  document.addEventListener("keydown", event => {
    if (event.key !== "m" || event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("select, textarea, input:not([type=range])")) return;
    const viewer = document.querySelector(".viewer"), card = document.activeElement?.closest?.("[data-key]");
    const box = viewer?.getBoundingClientRect();
    const seen = box && box.bottom > 0 && box.top < innerHeight;
    turn(card?.dataset.key || seen && viewer.dataset.key || document.querySelector("h1[data-key]")?.dataset.key);
  });
  markBar.hidden = false;
  read();
  show();
}
