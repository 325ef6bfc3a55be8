// Light, dark, or as the system has it. One attribute; the colours are the style sheet's.

import { h } from "./dom.js";
import { recall, remember } from "./memory.js";

const THEMES = ["auto", "light", "dark"];
const NAMES = { auto: "as the system", light: "light", dark: "dark" };
const SIGNS = { auto: "◐", light: "○", dark: "●" };

export function followTheme() {
  const theme = recall("theme");
  document.documentElement.dataset.theme = THEMES.includes(theme) ? theme : "auto";
}

export function nextTheme() {
  const root = document.documentElement;
  root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  remember("theme", root.dataset.theme);
  for (const button of document.querySelectorAll("button.theme")) draw(button);
}

export function themeSwitch() {
  const button = h("button.quiet.theme", { type: "button", onclick: nextTheme });
  draw(button);
  return button;
}

function draw(button) {
  const theme = document.documentElement.dataset.theme;
  button.replaceChildren(h("span", { "aria-hidden": "true" }, SIGNS[theme]), h("span.sr", `Colours: ${NAMES[theme]}`));
  button.title = `Colours: ${NAMES[theme]}`;
}
