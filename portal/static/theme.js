// Loaded before the page is painted, so that nobody sees the wrong colours flash.
"use strict";

(() => {
  const root = document.documentElement;
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try {
      return window.localStorage.getItem("gridroll-theme");
    } catch {
      return null;
    }
  };

  const show = () => {
    const chosen = stored();
    const dark = chosen ? chosen === "dark" : prefersDark.matches;
    root.dataset.bsTheme = dark ? "dark" : "light";
    const button = document.getElementById("theme");
    if (button) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(dark));
    }
  };

  const toggle = () => {
    const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      window.localStorage.setItem("gridroll-theme", next);
    } catch {
      root.dataset.bsTheme = next;
      return;
    }
    show();
  };

  show();
  prefersDark.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme")?.addEventListener("click", toggle);
  });
})();
