// What pages do without: the scheme that was chosen by hand, and filters that are asked as soon as they are chosen.
"use strict";

// Before anything is drawn, so that no page flashes in the other scheme. Storage may be forbidden: then nothing is kept.
const kept = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
const keep = (theme) => { try { localStorage.setItem("theme", theme); } catch { /* for this page only */ } };
const dark = matchMedia("(prefers-color-scheme: dark)");
const shown = () => document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
if (["light", "dark"].includes(kept())) document.documentElement.dataset.theme = kept();

document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  if (button) {
    const name = () => { button.textContent = shown() === "dark" ? "Light colours" : "Dark colours"; };
    button.addEventListener("click", () => {
      document.documentElement.dataset.theme = shown() === "dark" ? "light" : "dark";
      keep(shown());
      name();
    });
    dark.addEventListener("change", name);
    name();
    button.hidden = false;
  }
  for (const select of document.querySelectorAll("form.asks select")) {
    // Not while somebody steps through the choices with the keyboard: each step would load a page.
    let byKey = false;
    select.addEventListener("keydown", () => { byKey = true; });
    select.addEventListener("pointerdown", () => { byKey = false; });
    select.addEventListener("change", () => { if (!byKey) select.form.requestSubmit(); });
  }
});
