"use strict";
// The page is whole without this: it adds sorting and filtering to the tables.
document.querySelectorAll("table[data-sortable]").forEach((table) => {
  const body = table.tBodies[0];
  const heads = Array.from(table.tHead.rows[0].cells);
  const value = (row, index) => row.cells[index].dataset.sort ?? row.cells[index].textContent.trim().toLowerCase();
  heads.forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("number") || head.dataset.kind === "number";
      const descending = head.ariaSort ? head.ariaSort === "ascending" : numeric;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.ariaSort = descending ? "descending" : "ascending";
      const order = descending ? -1 : 1;
      const compare = (a, b) => numeric ? Number(a) - Number(b) : a.localeCompare(b);
      const rows = Array.from(body.rows).map((row) => [value(row, index), row]);
      rows.sort((a, b) => order * compare(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  });
  const total = body.rows.length;
  if (Math.max(total, 10) === 10) return;
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  const bar = document.createElement("div");
  input.type = "search";
  input.id = table.id + "-filter";
  label.htmlFor = input.id;
  label.textContent = "Show rows with";
  count.setAttribute("role", "status");
  count.className = "soft";
  bar.className = "filter";
  bar.append(label, input, count);
  table.parentElement.before(bar);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    Array.from(body.rows).forEach((row) => {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = words.length ? shown + " of " + total + " rows" : "";
  });
});
