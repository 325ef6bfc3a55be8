// The control of one setting: its kind chooses the form, what is typed is looked at as it is typed.

import { announce, fresh, h, replace } from "./dom.js";
import * as drafts from "./drafts.js";
import { configured, on, state } from "./state.js";
import { isSecretValue } from "./words.js";

/// - Returns: the element and what ends it.
export function field(key) {
  const model = state.model.setting(key);
  const id = fresh("value"), says = fresh("says"), form = fresh("form");
  const current = () => configured(key);
  const draft = () => drafts.get(key);
  const text = () => (draft()?.kind === "set" ? draft().text : model.isSecret ? "" : model.text(current()));
  const message = h("div.says", { id: says });
  const about = [model.rules.join(" · "), model.example].filter(Boolean).join(" · ");
  const shape = h("p.shape", { id: form }, about);
  const control = build();
  const undo = h("button.small", { type: "button", onclick: () => {
    drafts.drop(key);
    write();
    control.focus();
  } }, "Undo");
  const isSet = () => state.settings.get(key)?.origin?.file !== undefined;
  const fall = h("button.small", { type: "button", onclick: () => {
    drafts.remove(key);
    write();
    announce(`${key}: the line goes, and the layer below shows.`);
  } }, "Remove the line");
  const box = h("div.field", h("label", { for: id }, model.kind === "switch" ? model.name : "New value"),
    h("div.row", control, undo, fall), shape, message);

  function build() {
    const common = { id, "aria-describedby": `${says} ${form}`, spellcheck: "false", autocomplete: "off", autocapitalize: "off" };
    const typed = (event) => drafts.set(key, event.target.value);
    switch (true) {
      case model.isSecret:
        return h("input", { ...common, type: "password", autocomplete: "new-password", oninput: typed,
          placeholder: isSecretValue(current()) && current().set ? "set; type to replace it" : "not set" });
      case model.kind === "switch":
        return h("input", { ...common, type: "checkbox", role: "switch", onchange: (event) => drafts.set(key, String(event.target.checked)) });
      case model.kind === "choice":
        return h("select", { ...common, onchange: typed }, current() === null ? h("option", { value: "" }, "unset") : null,
          model.choices.map((choice) => h("option", { value: choice }, choice)));
      case model.kind === "list":
        return h("textarea", { ...common, rows: Math.min(8, Math.max(2, text().split("\n").length + 1)), oninput: typed });
      case model.text(current()).includes("\n"):
        return h("textarea", { ...common, rows: 6, oninput: typed });
      default:
        return h("input", { ...common, type: "text", inputmode: model.kind === "integer" ? "numeric" : null, oninput: typed });
    }
  }

  /// The form shows what there is: never while somebody types in it.
  function write() {
    const now = draft()?.kind === "remove" ? "" : text();
    if (model.kind === "switch") control.checked = now === "true";
    else control.value = now;
    draw();
  }

  function draw() {
    const edit = draft();
    undo.hidden = !edit;
    fall.hidden = edit?.kind === "remove" || !isSet();
    box.classList.toggle("edited", Boolean(edit));
    const found = edit ? drafts.diagnostics(key) : [];
    const isBad = found.some((diagnostic) => diagnostic.severity !== "warning");
    if (isBad) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
    const echo = edit?.kind === "set" ? model.echo(edit.text) : "";
    const lines = [
      found.map((diagnostic) => h(`p.${diagnostic.severity === "warning" ? "warn" : "bad"}`, diagnostic.message, diagnostic.hint ? ` — ${diagnostic.hint}` : "")),
      edit?.kind === "remove" ? h("p", "The line goes; the layer below shows.") : null,
      !found.length && echo ? h("p.quiet-text", echo) : null,
    ];
    const before = message.textContent;
    replace(message, lines);
    if (isBad && message.textContent !== before && box.contains(document.activeElement)) speak(message.textContent);
  }

  write();
  const ends = [on("drafts", draw), on("config", () => {
    if (!draft() && document.activeElement !== control) write();
    else draw();
  })];
  return { element: box, control, end: () => ends.forEach((end) => end()) };
}

let speaking;
/// After the typing, not at each letter of it.
function speak(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => announce(text), 700);
}
