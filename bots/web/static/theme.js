// Runs before anything is drawn: the choice between dark and light, and the sign that scripts run at all.
"use strict";

(() => {
  const root = document.documentElement;
  const NAME = "linkferry.theme";

  function remembered() {
    try {
      return localStorage.getItem(NAME);
    } catch {
      return null; // a browser that keeps nothing for us
    }
  }

  const choice = remembered();
  root.classList.add("scripted");
  if (choice === "dark" || choice === "light") root.dataset.theme = choice;

  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
      root.dataset.theme = next;
      try {
        localStorage.setItem(NAME, next);
      } catch {
        // then it lasts as long as the page
      }
    });
  });
})();
