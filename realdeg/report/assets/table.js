"use strict";
// Sorting by the heads of the table, and one box that filters gallery, table and refusals.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    head.textContent.split(" ").forEach((word, i) => {  // lines break between words, not at PSNR-Y's hyphen
      const span = document.createElement("span");
      span.textContent = word;
      button.append(i ? " " : "", span);
    });
    head.textContent = "";
    head.append(button);
    const value = row => {
      const cell = row.cells[column];
      return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent;
    };
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      body.append(...rows.map(row => [value(row), row]).sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === "");  // what is missing comes last, both ways
        if (typeof a === "number" && typeof b === "number") return sign * (a - b);
        return sign * String(a).localeCompare(String(b), undefined, {numeric: true});
      }).map(([, row]) => row));
    });
  });
}
const find = document.querySelector(".find");
if (find) {
  const items = [...document.querySelectorAll("#gallery .findable, #table .findable, #problems .findable")];
  const texts = items.map(item => item.textContent.toLowerCase());
  const kinds = [...document.querySelectorAll(".kind")];
  find.closest(".filter").hidden = false;
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    items.forEach((item, i) => { item.hidden = !words.every(word => texts[i].includes(word)); });
    for (const kind of kinds) kind.hidden = !kind.querySelector(".findable:not([hidden])");
    const rows = items.filter(item => item.tagName === "TR");
    document.querySelector(".found").textContent = words.length ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
}
