// Tables marked data-sortable get a button in each heading. A cell sorts by its data-value, else by its text.
"use strict";

(() => {
  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent.trim();
  };

  const compare = (one, other) => {
    // What is missing comes last whichever way the rest is sorted; see the caller.
    const numbers = [Number(one), Number(other)];
    return numbers.some(Number.isNaN) ? collator.compare(one, other) : numbers[0] - numbers[1];
  };

  const sort = (table, heading) => {
    const upwards = heading.getAttribute("aria-sort") !== "ascending";
    const column = heading.cellIndex;
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", upwards ? "ascending" : "descending");
    const body = table.tBodies[0];
    // A row that belongs to the one before it stays with it.
    const groups = [];
    for (const row of body.rows) {
      if ("withPrevious" in row.dataset) groups.at(-1).push(row);
      else groups.push([row]);
    }
    groups.sort(([a], [b]) => {
      const [one, other] = [key(a, column), key(b, column)];
      if (one === "" || other === "") return (one === "") - (other === "");
      return upwards ? compare(one, other) : compare(other, one);
    });
    body.append(...groups.flat());
  };

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    // A column of buttons has no heading, and nothing to sort by.
    for (const heading of table.tHead.querySelectorAll("th")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, heading));
    }
    table.classList.add("is-sortable");
  }
})();
