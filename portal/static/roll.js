// The attendance table: filtered as one types, edited in its rows, and ticked to be edited together.
"use strict";

(() => {
  const table = document.getElementById("roll-table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = () => [...body.rows].filter((row) => row.dataset.entry);

  // ------------------------------------------------------------------ filter
  const filter = document.querySelector(".roll-filter");
  const bulk = document.getElementById("bulk");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  filter.querySelector("button").hidden = true;

  const show = () => {
    const status = filter.elements.status.value;
    const words = plain(filter.elements.q.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows()) {
      const text = plain(`${row.cells[1].querySelector("a").textContent} ${row.cells[2].textContent}`);
      const fits = (!status || row.dataset.status === status) && words.every((word) => text.includes(word));
      // A row that is ticked or being edited is never out of sight.
      row.hidden = !fits && !tick(row).checked && !isOpen(row);
      count += row.hidden ? 0 : 1;
    }
    filter.querySelector(".shown").textContent = `${count} of ${rows().length} students`;
    document.getElementById("none-shown").hidden = count > 0;
    const query = new URLSearchParams();
    if (status) query.set("status", status);
    if (filter.elements.q.value.trim()) query.set("q", filter.elements.q.value.trim());
    const search = query.size ? `?${query}` : "";
    if (window.location.pathname === new URL(filter.action).pathname && window.location.search !== search) {
      window.history.replaceState(null, "", window.location.pathname + search + window.location.hash);
    }
    bulk.action = `${new URL(bulk.action).pathname}${search}#attendance`;
    count_ticked();
  };

  // -------------------------------------------------------------------- tick
  const tick = (row) => row.cells[0].querySelector("input");
  const all = document.getElementById("tick-all");
  all.closest("label").hidden = false;

  const count_ticked = () => {
    const shown = rows().filter((row) => !row.hidden);
    const ticked = shown.filter((row) => tick(row).checked).length;
    document.getElementById("tick-count").textContent = ticked ? ` ${ticked} ticked` : "";
    bulk.classList.toggle("is-wanted", ticked > 0);
    bulk.hidden = ticked === 0;
    all.checked = ticked > 0 && ticked === shown.length;
    all.indeterminate = ticked > 0 && ticked < shown.length;
  };

  all.addEventListener("change", () => {
    for (const row of rows()) if (!row.hidden) tick(row).checked = all.checked;
    count_ticked();
  });
  body.addEventListener("change", (event) => {
    if (event.target.name === "row") count_ticked();
  });

  // ---------------------------------------------------------------- in place
  const template = document.getElementById("edit-in-place");
  const isOpen = (row) => row.nextElementSibling?.matches(".in-place") ?? false;

  const uid = () =>
    [...window.crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  const close = (row) => {
    row.nextElementSibling.remove();
    row.classList.remove("is-open");
    row.querySelector(".edit-row").setAttribute("aria-expanded", "false");
  };

  const open = (row) => {
    const editor = template.content.firstElementChild.cloneNode(true);
    const form = editor.querySelector("form");
    const name = row.cells[1].querySelector("a").textContent;
    form.action = row.dataset.entry;
    form.setAttribute("aria-label", `Edit the entry of ${name}`);
    form.elements.version.value = row.dataset.version;
    form.elements.uid.value = uid();
    form.elements.status.options[0].textContent = `As Gridroll says (${row.dataset.machine})`;
    form.elements.status.value = row.dataset.said;
    form.querySelector(".all-of-it").href = `${row.dataset.entry}#edit`;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      save(row, form);
    });
    form.querySelector("[data-cancel]").addEventListener("click", () => {
      close(row);
      row.querySelector(".edit-row").focus();
    });
    row.after(editor);
    row.classList.add("is-open");
    row.querySelector(".edit-row").setAttribute("aria-expanded", "true");
    form.elements.status.focus();
  };

  const tell = (form, words) => {
    const place = form.querySelector(".row-told");
    place.replaceChildren();
    const line = document.createElement("p");
    line.className = "refused";
    line.textContent = words;
    place.append(line);
  };

  const tell_signed_out = (form) => {
    tell(form, "Your sign-in has ended and nothing was saved. ");
    const link = document.createElement("a");
    link.href = table.dataset.signIn;
    link.target = "_blank";
    link.textContent = "Sign in again in another window";
    form.querySelector(".row-told .refused").append(link, ", then press Save here. What you typed stays.");
  };

  // A form is good for the sign-in that its page was loaded with; after another one, all of the page's forms get its token.
  let renewing = false;
  const renewed = async () => {
    const response = await fetch(window.location.pathname, { cache: "no-store", redirect: "manual" });
    if (!response.ok) throw new Error(String(response.status));
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const token = fresh.querySelector("#bulk [name=csrf_token]").value;
    for (const place of [document, template.content]) {
      for (const field of place.querySelectorAll("[name=csrf_token]")) field.value = token;
    }
    renewing = false;
    return token;
  };

  const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1).replace(/\.$/, "")}.`;

  const save = async (row, form) => {
    const button = form.querySelector("[type=submit]");
    const sent = new FormData(form);
    // A field that is not sent stays as staff said.
    if (form.elements.status.value === row.dataset.said) sent.delete("status");
    button.disabled = true;
    try {
      if (renewing) sent.set("csrf_token", await renewed());
      const response = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(sent),
        headers: { Accept: "application/json" },
        redirect: "manual",
      });
      const type = response.headers.get("Content-Type") ?? "";
      if (!type.startsWith("application/json")) throw new Error(String(response.status));
      const answer = await response.json();
      if (response.ok) saved(row, answer);
      else if (response.status === 409) conflict(row, form, answer);
      else tell(form, sentence(answer.refused));
    } catch (error) {
      renewing = true;
      if (error.message === "401" || error.message === "0") tell_signed_out(form);
      else tell(form, "It could not be sent. Nothing was saved, and what you typed is still here. Press Save once more.");
    }
    button.disabled = false;
  };

  const saved = (row, answer) => {
    for (const [id, html] of Object.entries(answer.parts)) document.getElementById(id).innerHTML = html;
    close(row);
    const holder = document.createElement("template");
    holder.innerHTML = answer.row;
    const fresh = holder.content.querySelector("tr");
    tick(fresh).checked = tick(row).checked;
    row.replaceWith(fresh);
    prepare(fresh);
    told(fresh, answer.told);
    fresh.classList.add("just-saved");
    fresh.querySelector(".edit-row").focus();
    show();
  };

  // What was saved stands below its row, with the button that takes it back; what was told before goes.
  const told = (row, html) => {
    forget();
    const line = document.createElement("tr");
    line.className = "told-row";
    line.dataset.withPrevious = "";
    const cell = document.createElement("td");
    cell.colSpan = row.cells.length;
    cell.innerHTML = html;
    line.append(cell);
    row.after(line);
    line.scrollIntoView({ block: "nearest" });
  };

  const forget = () => body.querySelector(".told-row")?.remove();

  const conflict = (row, form, answer) => {
    const place = form.querySelector(".row-told");
    place.innerHTML = answer.told;
    const head = document.createElement("p");
    head.className = "row-told-head";
    head.textContent = "This entry was edited while you had it open. Your values are not stored; Save again outranks this:";
    place.prepend(head);
    place.classList.add("told", "told-conflict");
    form.elements.version.value = answer.version;
    form.elements.uid.value = uid();
    form.querySelector("[type=submit]").textContent = "Save again";
  };

  const prepare = (row) => row.querySelector(".edit-row").setAttribute("aria-expanded", "false");
  rows().forEach(prepare);
  body.addEventListener("click", (event) => {
    const link = event.target.closest(".edit-row");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const row = link.closest("tr");
    forget();
    if (isOpen(row)) close(row);
    else open(row);
  });
  body.addEventListener("keydown", (event) => {
    const editor = event.target.closest(".in-place");
    if (event.key !== "Escape" || !editor) return;
    const row = editor.previousElementSibling;
    close(row);
    row.querySelector(".edit-row").focus();
  });

  filter.addEventListener("input", () => {
    forget();
    show();
  });
  filter.addEventListener("submit", (event) => event.preventDefault());
  show();

  // What a running session saw since the table was loaded.
  const stale = document.getElementById("stale");
  const looks = Number(document.querySelector("[data-live]")?.dataset.looks);
  document.addEventListener("gridroll:live", (event) => {
    if (stale && event.detail.looks !== looks) stale.hidden = false;
  });
})();
