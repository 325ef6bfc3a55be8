// Every effective value, what it means and where it comes from; and the form for each.

import * as api from "./api.js";
import { fresh, h, replace, settled } from "./dom.js";
import * as drafts from "./drafts.js";
import { field } from "./field.js";
import { wrapping } from "./plan.js";
import { mayChange, on, state } from "./state.js";
import { origin, place, plain, plural, time, value } from "./words.js";

const FILTERS = [
  ["all", "all", () => true],
  ["set", "set here", (setting) => setting && !setting.origin?.default],
  ["edited", "edited", (setting, key) => drafts.get(key) !== undefined],
  ["secret", "secret", (setting, key) => setting?.secret || state.model.setting(key).isSecret],
];

export function settings(main, [wanted]) {
  const lines = new Map();
  const ends = [];
  let filter = "all";

  const search = h("input", { type: "search", id: "search", placeholder: "Name, value or description", autocomplete: "off", spellcheck: "false",
    oninput: settled(60, () => sift()), onkeydown: (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault();
        [...main.querySelectorAll(".line")].find((line) => line.checkVisibility())?.focus();
      }
    } });
  const chips = h("div.chips", { role: "group", "aria-label": "Show" }, FILTERS.map(([name, label]) => h("button.chip", {
    type: "button", "aria-pressed": String(name === filter), onclick: (event) => {
      filter = name;
      for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip === event.currentTarget));
      sift();
    } }, label)));
  const found = h("p.found", { role: "status" });
  const index = h("nav.index", { "aria-label": "Sections" });
  const list = h("div.sections");
  replace(main,
    h("div.head", h("h1", "Settings"), h("div.tools", h("label.sr", { for: "search" }, "Search the settings"), search, chips)),
    found, h("div.indexed", index, list));

  function keys() {
    const all = new Set([...state.model.settings.keys()].filter((key) => state.settings.has(key)));
    for (const key of state.settings.keys()) all.add(key);
    for (const key of drafts.all().keys()) all.add(key);
    return all;
  }

  function build() {
    for (const line of lines.values()) line.end();
    lines.clear();
    const sections = new Map();
    for (const key of keys()) {
      const section = key.slice(0, key.lastIndexOf("."));
      if (!sections.has(section)) sections.set(section, []);
      sections.get(section).push(key);
    }
    replace(list, [...sections].map(([section, members]) => {
      const id = `section-${section}`;
      return h("section.settings", { "aria-label": section, "data-section": section },
        h("h2", { id }, h("span.key", wrapping(section)), h("small", state.model.describe(section))),
        h("ul.lines", members.map((key) => {
          const line = settingLine(key);
          lines.set(key, line);
          return line.element;
        })));
    }), families());
    replace(index, h("ul", [...sections.keys()].map((section) => h("li", h("a", { href: `#/settings/${section}`, onclick: (event) => {
      event.preventDefault();
      const heading = document.getElementById(`section-${section}`);
      heading.setAttribute("tabindex", "-1");
      heading.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
      heading.focus({ preventScroll: true });
    } }, section)))));
    sift();
  }

  /// Sections of which there may be more: a name makes a new one.
  function families() {
    return [...state.model.families].filter(([family]) => mayChange(`${family}.x`)).map(([family]) => {
      const id = fresh("name");
      const name = h("input", { id, type: "text", placeholder: "name", spellcheck: "false", autocomplete: "off", size: "14" });
      const note = h("span.note");
      return h("form.family", { onsubmit: (event) => {
        event.preventDefault();
        const word = name.value.trim();
        if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(word)) {
          replace(note, h("span.bad", "A name is letters, digits, _ and -."));
          return name.focus();
        }
        const members = state.model.members(family, word);
        for (const member of members) if (member.isRequired && !state.settings.has(member.key)) drafts.set(member.key, "");
        if (!members.some((member) => member.isRequired) && members[0]) drafts.set(members[0].key, "");
        build();
        lines.get(members[0]?.key)?.open(true);
      } }, h("label", { for: id }, "New ", h("span.key", `${family}.`)), name, h("button.small", { type: "submit" }, "Add"), note);
    });
  }

  function sift() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const test = FILTERS.find(([name]) => name === filter)[2];
    let count = 0;
    for (const section of list.querySelectorAll("section.settings")) {
      let shown = 0;
      for (const element of section.querySelectorAll("li.setting")) {
        const line = lines.get(element.dataset.key);
        const fits = test(state.settings.get(line.key), line.key) && words.every((word) => line.haystack.includes(word));
        element.hidden = !fits;
        if (fits) shown += 1;
      }
      section.hidden = shown === 0;
      count += shown;
    }
    for (const form of list.querySelectorAll("form.family")) form.hidden = words.length > 0 || filter !== "all";
    found.textContent = words.length || filter !== "all" ? (count ? plural(count, "setting") : "No setting is like that.") : plural(count, "setting");
  }

  build();
  ends.push(on("config", () => {
    const now = keys();
    if (now.size !== lines.size || [...now].some((key) => !lines.has(key))) build();
    else for (const line of lines.values()) line.follow();
  }));
  ends.push(on("drafts", () => {
    for (const line of lines.values()) line.mark();
    if (filter === "edited") sift();
  }));
  if (wanted && lines.has(wanted)) lines.get(wanted).open(true);
  else if (wanted) document.getElementById(`section-${wanted}`)?.scrollIntoView();
  return () => {
    for (const end of ends) end();
    for (const line of lines.values()) line.end();
  };
}

/// One line, and behind it the form and the layers.
function settingLine(key) {
  const model = state.model.setting(key);
  const id = fresh("setting");
  const shown = h("span.is"), from = h("span.from"), flags = h("span.flags");
  const detail = h("div.detail", { id, hidden: true });
  const button = h("button.line", { type: "button", "aria-expanded": "false", "aria-controls": id, onclick: () => line.open() },
    h("span.name", wrapping(model.name)), shown, from, flags);
  const element = h("li.setting", { "data-key": key }, button, detail);
  let form = null, layers = null;
  const line = {
    key, element, haystack: "",
    draw() {
      const setting = state.settings.get(key);
      replace(from, setting ? origin(setting.origin) : "new");
      from.classList.toggle("default", Boolean(setting?.origin?.default));
      line.haystack = `${key} ${plain(setting?.value)} ${model.description} ${origin(setting?.origin)}`.toLowerCase();
      line.mark();
    },
    mark() {
      const setting = state.settings.get(key), edit = drafts.get(key);
      replace(shown, value(setting?.value), edit?.kind === "set" && !model.isSecret ? h("span.to", " → ", plain(edit.value ?? edit.text)) : null);
      const isBad = edit && drafts.diagnostics(key).some((diagnostic) => diagnostic.severity !== "warning");
      element.classList.toggle("edited", Boolean(edit));
      replace(flags,
        edit ? h(`span.flag.${isBad ? "bad" : "edit"}`, isBad ? "invalid" : edit.kind === "remove" ? "line goes" : "edited") : null,
        setting?.pending !== undefined ? h("span.flag.warn", "after a restart: ", plain(setting.pending)) : null,
        setting?.pending === undefined && model.needsRestart ? h("span.flag", "restart") : null,
        model.isDeprecated ? h("span.flag.warn", "deprecated") : null);
    },
    open(isSure) {
      const opens = isSure || detail.hidden;
      button.setAttribute("aria-expanded", String(opens));
      detail.hidden = !opens;
      element.classList.toggle("open", opens);
      form?.end();
      form = null;
      if (!opens) return replace(detail);
      fillDetail();
      if (isSure) element.scrollIntoView({ block: "center" });
    },
    /// Another version runs: the value may be another, and so may what it overrides.
    follow() {
      line.draw();
      if (!detail.hidden && layers) showLayers(layers);
    },
    end: () => form?.end(),
  };

  function fillDetail() {
    layers = h("div.layers", h("p.quiet-text", "…"));
    const setting = state.settings.get(key);
    form = mayChange(key) ? field(key) : null;
    replace(detail,
      h("div.about",
        model.description ? h("p", model.description) : null,
        h("dl.facts", [
          ["type", model.isSecret ? "secret" : model.type],
          ["default", model.default === undefined ? (model.isRequired ? "none: required" : "unset") : plain(model.default)],
          model.needsRestart ? ["takes effect", "at the next start"] : null,
          model.schema["x-plue-use"] ? ["instead", model.schema["x-plue-use"]] : null,
          setting?.pending !== undefined ? ["after a restart", plain(setting.pending)] : null,
        ].filter(Boolean).map(([name, text]) => h("div", h("dt", name), h("dd", text)))),
        form ? null : h("p.full", value(setting?.value)), form?.element),
      layers);
    if (state.settings.has(key)) showLayers(layers);
    else replace(layers);
  }

  async function showLayers(into) {
    try {
      const story = await api.explain(key);
      replace(into, h("h3", "Where it comes from"), h("ol", story.layers.toReversed().map((layer) => h(layer.wins ? "li.wins" : "li",
        h("span.place", layer.place === "default" ? "default" : place(layer.place)), h("span.written", layer.written),
        layer.wins ? h("span.sr", "this one counts") : null,
        layer.since ? h("span.since", layer.since.exact ? `v${layer.since.version}` : `v${layer.since.version} or before`, " · ", layer.since.actor, " · ", time(layer.since.at),
          layer.since.reason ? ` · ${layer.since.reason}` : "") : null))));
    } catch (problem) {
      replace(into, h("p.quiet-text", problem.message));
    }
  }

  line.draw();
  return line;
}
