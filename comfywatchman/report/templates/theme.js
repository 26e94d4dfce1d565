"use strict";
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
root.classList.add("scripted");

const theme = byId("theme");
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const stored = {
  get: () => { try { return localStorage.getItem("comfywatchman-theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("comfywatchman-theme", value); } catch { /* not kept */ } },
};
function showTheme(chosen) {
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  theme.setAttribute("aria-pressed", String((root.dataset.theme || (systemDark.matches ? "dark" : "light")) === "dark"));
}
theme.addEventListener("click", () => {
  const chosen = theme.getAttribute("aria-pressed") === "true" ? "light" : "dark";
  stored.set(chosen);
  showTheme(chosen);
});
systemDark.addEventListener("change", () => showTheme());
showTheme(stored.get());

