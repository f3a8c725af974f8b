// Asks for the parts of a page that change, every few seconds, as long as somebody can see it.
// A page says where in data-live of a line that is hidden as long as all is well.
"use strict";

(() => {
  const line = document.querySelector("[data-live]");
  if (!line) return;
  const EVERY_MS = 5000;
  const LONGEST_MS = 60000;
  let etag = null;
  let failures = 0;
  let timer = 0;

  const say = (words) => {
    if (line.textContent !== words) line.textContent = words;
    line.hidden = !words;
  };

  const say_signed_out = () => {
    if (!line.hidden && line.querySelector("a")) return;
    const link = document.createElement("a");
    link.href = line.dataset.signIn;
    link.textContent = "Sign in again";
    line.replaceChildren("You are signed out, and what you see may be out of date. ", link);
    line.hidden = false;
  };

  const fill = (place, html) => {
    // Whoever stands on a link in the part with the keyboard stays on it.
    const focused = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    place.innerHTML = html;
    if (focused) [...place.querySelectorAll("[href]")].find((one) => one.getAttribute("href") === focused)?.focus();
  };

  const show = (answer) => {
    for (const [id, html] of Object.entries(answer.parts)) {
      const place = document.getElementById(id);
      if (place) fill(place, html);
    }
    document.dispatchEvent(new CustomEvent("gridroll:live", { detail: answer }));
  };

  const ask = async () => {
    timer = 0;
    try {
      const headers = { Accept: "application/json" };
      if (etag) headers["If-None-Match"] = etag;
      const response = await fetch(line.dataset.live, { headers, cache: "no-store", redirect: "manual" });
      // Who is signed out is led to the sign-in page, or told 401 the first time.
      if (response.type === "opaqueredirect" || response.status === 401) {
        say_signed_out();
        return;
      }
      if (response.status === 404) {
        say("This is no longer yours to see. Load the page again.");
        return;
      }
      if (response.status !== 304) {
        if (!response.ok) throw new Error(String(response.status));
        const answer = await response.json();
        etag = response.headers.get("ETag");
        show(answer);
      }
      failures = 0;
      say("");
    } catch {
      failures += 1;
      say("Connection lost, trying again. What you see may be out of date.");
    }
    wait();
  };

  const wait = () => {
    if (timer || document.hidden) return;
    timer = window.setTimeout(ask, Math.min(EVERY_MS * 2 ** Math.min(failures, 4), LONGEST_MS));
  };

  document.addEventListener("visibilitychange", () => {
    window.clearTimeout(timer);
    timer = 0;
    if (!document.hidden) ask();
  });
  wait();
})();
