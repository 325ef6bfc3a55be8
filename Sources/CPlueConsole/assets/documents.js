// The INI texts as they are, with their lines; and an editor that says at the line what is wrong.

import * as api from "./api.js";
import { diagnosticList, frame } from "./diagnostics.js";
import { announce, fresh, h, replace, settled } from "./dom.js";
import { gist } from "./plan.js";
import { openReview } from "./review.js";
import { sideBySide } from "./sides.js";
import { may, on, seesEverything, state } from "./state.js";
import { plural, short } from "./words.js";

/// name → text that nobody has applied yet. In this page's memory only.
const texts = new Map();

export function documents(main, path) {
  const wanted = path.join("/");
  const list = h("ul"), place = h("div.document", h("p.quiet-text", "…"));
  const ends = [];
  let editor = null;
  replace(main, h("div.head", h("h1", "Documents")), h("div.indexed.documents", h("nav.index", { "aria-label": "Documents" }, list), place));

  async function load() {
    try {
      const answer = await api.documents.list();
      const names = (answer.documents ?? answer).map((document) => document.name ?? document);
      replace(list, names.map((name) => h("li", h("a", { href: `#/documents/${name.split("/").map(encodeURIComponent).join("/")}`, "aria-current": name === (wanted || names[0]) ? "true" : null },
        h("span.key", name), texts.has(name) ? h("span.flag.edit", "edited") : null))));
      const name = wanted || names.find((name) => name === `${state.status.environment}.ini`) || names[0];
      if (!name) return replace(place, h("p", "There is no document."));
      if (!wanted) for (const link of list.querySelectorAll("a")) {
        if (link.textContent.startsWith(name)) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      const text = names.includes(name) ? (await api.documents.get(name)).text : "";
      editor?.end();
      editor = openEditor(place, name, text);
    } catch (problem) {
      replace(place, h("p.bad", problem.message));
    }
  }

  load();
  ends.push(on("config", async () => {
    if (!editor) return load();
    try { editor.moved((await api.documents.get(editor.name)).text); } catch { /* shown again at the next version */ }
  }));
  return () => {
    editor?.end();
    for (const end of ends) end();
  };
}

/// Beyond this colour is not worth the time it takes.
const MOST_COLOURED = 4000;

function openEditor(place, name, text) {
  const isEditable = may("operator") && seesEverything();
  let original = text, verdict = null, since = state.version;
  const id = fresh("text"), says = fresh("says");
  const paint = h("pre.paint", { "aria-hidden": "true" }), gutter = h("div.gutter", { "aria-hidden": "true" });
  const area = h("textarea", { id, spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off", readonly: !isEditable, "aria-describedby": says,
    value: texts.get(name) ?? text, oninput: typed, onkeydown: (event) => {
      // Tab leaves, as everywhere: a text nobody can leave by keyboard is a trap.
      if ((event.ctrlKey || event.metaKey) && event.key === "s") {
        event.preventDefault();
        if (!review.disabled) review.click();
      }
    } });
  const found = h("div.found-list", { id: says, role: "status" });
  const review = h("button.primary", { type: "button", disabled: true, onclick: () => openReview({
    title: `Apply ${name}`, change: api.change.document(name, area.value), since, beside: sideBySide(original, area.value, name),
    ondone: () => {
      texts.delete(name);
      original = area.value;
      draw();
      replace(found);
      review.disabled = true;
    },
  }) }, "Review…");
  const discard = h("button", { type: "button", disabled: true, onclick: () => {
    texts.delete(name);
    area.value = original;
    typed();
    area.focus();
  } }, "Discard");
  const moved = h("div");
  replace(place,
    h("div.document-head", h("h2", h("label.key", { for: id }, name)), isEditable ? h("div.actions", discard, review) : h("span.quiet-text", "read only")),
    moved, found, h("div.sheet", h("div.inside", gutter, h("div.stack", paint, area))));

  const ask = settled(350, async (asked) => {
    const answer = await api.examine(api.change.document(name, asked), true);
    if (asked !== area.value || !place.contains(area)) return;
    verdict = answer;
    say();
  });

  function typed() {
    const isChanged = area.value !== original, wasChanged = texts.has(name);
    if (isChanged) texts.set(name, area.value);
    else texts.delete(name);
    if (isChanged && !wasChanged) since = state.version;
    discard.disabled = !isChanged;
    review.disabled = true;
    verdict = null;
    draw();
    if (isChanged) {
      replace(found, h("p.quiet-text", "checking…"));
      ask(area.value);
    } else {
      ask.cancel();
      replace(found);
    }
  }

  const errors = () => (verdict?.errors ?? verdict?.plan?.warnings ?? []);
  const isHere = (diagnostic) => diagnostic.line && short(diagnostic.file ?? "").endsWith(name);

  function say() {
    review.disabled = !verdict?.plan;
    if (verdict?.plan) replace(found, h("p.ok", `Valid: ${gist(verdict.plan)}.`), errors().length ? diagnosticList(errors()) : null);
    else if (errors().length) replace(found, h("p.bad", h("b", plural(errors().length, "error"))), h("ul.diagnostics", errors().map((diagnostic) => h("li", frame(diagnostic),
      isHere(diagnostic) ? h("button.small", { type: "button", onclick: () => jump(diagnostic) }, `To line ${diagnostic.line}`) : null))));
    else replace(found, h("p.bad", verdict.detail));
    draw();
  }

  function jump({ line, column }) {
    const lines = area.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0) + Math.max(0, (column ?? 1) - 1);
    area.focus();
    area.setSelectionRange(start, start);
    gutter.children[line - 1]?.scrollIntoView({ block: "center" });
  }

  function draw() {
    const lines = area.value.split("\n");
    const marks = new Map(errors().filter(isHere).map((diagnostic) => [diagnostic.line, diagnostic.severity === "warning" ? "warning" : "error"]));
    const longest = lines.reduce((most, line) => Math.max(most, line.length), 0);
    area.rows = lines.length;
    area.cols = Math.max(20, longest + 2);
    replace(gutter, lines.map((_, i) => h(`span${marks.has(i + 1) ? `.${marks.get(i + 1)}` : ""}`, String(i + 1))));
    paint.replaceChildren(...(lines.length > MOST_COLOURED ? [document.createTextNode(area.value)] : lines.map((line, i) => h(`span.row${marks.has(i + 1) ? `.${marks.get(i + 1)}` : ""}`, coloured(line)))));
  }

  draw();
  if (texts.has(name)) typed();
  return {
    name,
    moved(now) {
      if (now === original) return;
      const wasEdited = texts.has(name);
      original = now;
      if (!wasEdited) {
        area.value = now;
        return draw();
      }
      if (area.value === now) return typed();
      replace(moved, h("div.banner", { role: "status" }, h("p", "This document changed on the server while you were editing it."),
        h("button.small", { type: "button", onclick: () => {
          texts.delete(name);
          area.value = now;
          replace(moved);
          typed();
        } }, "Take theirs")));
      announce("This document changed on the server while you were editing it.");
    },
    end: () => ask.cancel(),
  };
}

/// A line as INI: what it is can be seen, whatever is in it.
function coloured(line) {
  if (/^\s*[#;]/.test(line)) return h("span.comment", line);
  if (/^\s*\[.*\]\s*$/.test(line)) return h("span.section", line);
  const equals = line.indexOf("=");
  if (equals < 0) return line;
  return [h("span.name", line.slice(0, equals)), h("span.sign", "="), h("span.text", line.slice(equals + 1))];
}
