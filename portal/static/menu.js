// On a narrow screen the places fold into a menu. Without this script they stand below each other.
"use strict";

(() => {
  const button = document.getElementById("menu");
  const places = document.getElementById("places");
  if (!button || !places) return;
  document.documentElement.classList.add("has-menu");
  button.hidden = false;

  const show = (open) => {
    button.setAttribute("aria-expanded", String(open));
    places.classList.toggle("open", open);
  };

  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && button.getAttribute("aria-expanded") === "true") {
      show(false);
      button.focus();
    }
  });
})();
