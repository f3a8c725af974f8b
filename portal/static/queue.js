// The review queue by keyboard, and without loading the page anew: an answer is sent, and what comes back takes the
// place of what was there. The server makes the same page either way.

import { typeAheads } from "./type-ahead.js";

const queue = document.getElementById("queue");
const outcome = document.getElementById("outcome");
const keys = document.getElementById("keys");
const keysOn = document.getElementById("keys-on");
const OFF = "gridroll-queue-keys-off";
const ticked = new Set();
let busy = false;
let saying;

const stored = () => {
  try {
    return window.localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
};

const ticks = () => [...queue.querySelectorAll("[name=tick]")];

const countTicks = () => {
  const count = ticks().filter((tick) => tick.checked).length;
  const button = document.getElementById("confirm-ticked");
  if (!button) return;
  button.disabled = !count;
  button.textContent = count ? `Confirm the ${count === 1 ? "ticked one" : `${count} ticked ones`}` : "Confirm the ticked ones";
};

const dress = () => {
  typeAheads(queue);
  for (const tick of ticks()) tick.checked ||= ticked.has(tick.value);
  countTicks();
  const list = queue.querySelector(".waiting");
  const here = list?.querySelector(".here");
  if (here) list.scrollTop = here.offsetTop - list.offsetTop - list.clientHeight / 3;
};

const say = (text) => {
  // Emptied first: the same outcome twice in a row is news as well.
  outcome.textContent = "";
  window.clearTimeout(saying);
  saying = window.setTimeout(() => { outcome.textContent = text; }, 60);
};

const words = (element) => element.textContent.replace(/\s+/g, " ").trim();

const fail = (text) => {
  say("");
  const line = document.createElement("p");
  line.className = "refused";
  line.setAttribute("role", "alert");
  line.textContent = text;
  queue.querySelector(".refused")?.remove();
  queue.querySelector(".page-head").after(line);
  line.scrollIntoView({ block: "nearest" });
};

const show = (text, address, remember) => {
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("queue");
  if (!fresh) {
    const title = page.querySelector("main h1");
    fail(title ? `${words(title)}. Nothing was stored; load the page again and try once more.` : "The portal gave no answer that could be read. Load the page again.");
    return;
  }
  queue.replaceChildren(...fresh.childNodes);
  if (remember) window.history.pushState(null, "", address);
  dress();
  const said = queue.querySelector("[data-outcome]");
  // What was said of the page before is no word on this one.
  say(said ? words(said) : "");
  const doubt = document.getElementById("doubt");
  doubt?.focus({ preventScroll: true });
  const top = queue.querySelector(".told, .refused, .case");
  if (top && (top.getBoundingClientRect().top < 0 || top.getBoundingClientRect().top > window.innerHeight / 2)) {
    top.scrollIntoView({ block: "start" });
  }
};

const load = async (address, options = {}, remember = true, arrived = () => {}) => {
  if (busy) return;
  busy = true;
  queue.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, options);
    const text = await answer.text();
    arrived();
    // A refusal has the address of the form, which cannot be loaded: the page keeps the one it has.
    show(text, answer.url, remember && answer.ok);
  } catch {
    fail("The portal does not answer. What you typed is still here; try again in a moment.");
  } finally {
    busy = false;
    queue.removeAttribute("aria-busy");
  }
};

const send = (form, button) => {
  const data = new URLSearchParams(new FormData(form));
  if (button?.name) data.set(button.name, button.value);
  load(form.action, { method: "POST", body: data }, true, () => {
    if (form.id === "bulk") ticked.clear();
  });
};

queue.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  event.preventDefault();
  send(event.target, event.submitter);
});

queue.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button) return;
  event.preventDefault();
  load(link.href);
});

queue.addEventListener("change", (event) => {
  if (event.target.name !== "tick") return;
  ticked[event.target.checked ? "add" : "delete"](event.target.value);
  countTicks();
});

window.addEventListener("popstate", () => load(window.location.href, {}, false));

// ------------------------------------------------------------------- keys

const types = (element) => element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]") !== null;

const press = (selector) => {
  const target = queue.querySelector(selector);
  if (target && !busy) target.click();
  return target !== null;
};

const reach = (id) => {
  const field = document.getElementById(id);
  field?.focus();
  return field !== null;
};

const refuse = (text) => say(queue.querySelector(".case") ? text : "There is no review to answer.");

const tick = () => {
  const box = queue.querySelector(".here [name=tick]");
  if (!box) refuse("This one cannot be ticked: answer it by itself.");
  else {
    box.click();
    say(box.checked ? "Ticked" : "Not ticked any more");
  }
  return true;
};

const showKeys = () => {
  keys.open = !keys.open;
  if (keys.open) keys.scrollIntoView({ block: "nearest" });
  return true;
};

const ACTIONS = { r: () => reach("student-no"), g: () => reach("guest"), x: tick, "?": showKeys };

const inField = (event) => {
  const field = event.target;
  if (event.key === "Escape") field.blur();
  if (event.key !== "Enter" || !field.value.trim()) return;
  // Enter sends what the field is for: the student who was taken, the guest who was named.
  const answer = { "student-no": "other", guest: "guest" }[field.id];
  if (answer) {
    event.preventDefault();
    press(`[name=answer][value=${answer}]`);
  }
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (types(event.target)) {
    if (queue.contains(event.target)) inField(event);
    return;
  }
  if (!keysOn.checked || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const done = ACTIONS[key] ? ACTIONS[key]() : /^[a-z]$/.test(key) && press(`[data-key="${key}"]`);
  if (done) event.preventDefault();
  else if (/^[cognrd]$/.test(key)) refuse("This review has no such answer.");
});

keysOn.checked = !stored();
const showState = () => document.documentElement.classList.toggle("has-keys", keysOn.checked);
keysOn.addEventListener("change", () => {
  showState();
  try {
    window.localStorage.setItem(OFF, keysOn.checked ? "0" : "1");
  } catch {
    // Then it holds for this page only.
  }
});

keys.hidden = false;
keys.open = window.matchMedia("(min-width: 901px) and (hover: hover)").matches;
showState();
dress();
