// The keyboard: single keys, for who wants them, and the page that lists them.

import { h } from "./dom.js";
import { openDialog } from "./dialog.js";
import { recall, remember } from "./memory.js";
import { on } from "./state.js";
import { nextTheme } from "./theme.js";

const LISTED = [
  [["/"], "search the settings"],
  [["g", "o"], "overview"], [["g", "s"], "settings"], [["g", "d"], "documents"], [["g", "h"], "history"], [["g", "a"], "audit"],
  [["j"], "next line of a list"], [["k"], "line before"], [["Enter"], "open or close it"],
  [["r"], "review the pending edits"], [["t"], "colours: system, light, dark"], [["?"], "this page"], [["Esc"], "close, or leave a field"],
];

const areOn = () => recall("keys") !== "off";

export function help() {
  const toggle = h("input", { type: "checkbox", role: "switch", checked: areOn(), onchange: () => remember("keys", toggle.checked ? "on" : "off") });
  const commands = [
    ["plue status", "how things stand"], ["plue plan --set server.port=8443", "what a change would do"],
    ["plue apply --set … --reason … --confirm-within 60s", "one transaction"], ["plue history · rollback N", "and back"], ["plue audit verify", "whether the record is as it was written"],
  ];
  openDialog("Help", (close) => [
    h("p", "A change is a transaction: checked, planned, applied whole or not at all, recorded, and reversible. Edit settings one by one, then review them together; or edit a document's text."),
    h("h3", "Keyboard"),
    h("dl.keys", LISTED.map(([keys, what]) => h("div", h("dt", keys.map((key) => h("kbd", key))), h("dd", what)))),
    h("label.check", toggle, h("span", "Single keys do what the list says")),
    h("h3", "The same from a terminal"),
    h("dl.commands", commands.map(([command, what]) => h("div", h("dt", h("code", command)), h("dd", what)))),
    h("div.actions", h("button.primary", { type: "button", onclick: close }, "Close")),
  ]);
}

/// - Parameter places: what follows `g`.
export function keys(places) {
  let isGoing = false, forgetting;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.target.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
    if (event.key === "Escape" && field && !event.target.closest("dialog")) return field.blur();
    if (field || !areOn() || document.querySelector("dialog[open]")) return;
    if (isGoing) {
      isGoing = false;
      clearTimeout(forgetting);
      if (places[event.key]) {
        event.preventDefault();
        places[event.key]();
      }
      return;
    }
    const work = {
      g: () => {
        isGoing = true;
        forgetting = setTimeout(() => (isGoing = false), 1500);
      },
      "?": help, t: nextTheme,
      "/": search,
      r: () => document.querySelector(".tray:not([hidden]) button.review:not(:disabled)")?.click(),
      j: () => step(1), k: () => step(-1),
    }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
}

function search() {
  const field = document.querySelector("main input[type=search]");
  if (field) return field.focus();
  const end = on("shown", () => {
    end();
    document.querySelector("main input[type=search]")?.focus();
  });
  location.hash = "#/settings";
}

function step(by) {
  const lines = [...document.querySelectorAll("main .line")].filter((line) => line.checkVisibility());
  if (!lines.length) return;
  const now = lines.findIndex((line) => line === document.activeElement || line.parentElement.contains(document.activeElement));
  lines[Math.max(0, Math.min(lines.length - 1, now + by))].focus();
}
