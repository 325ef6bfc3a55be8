// The versions, the candidates that were refused, any two side by side, and the way back.

import * as api from "./api.js";
import { diagnosticList } from "./diagnostics.js";
import { announce, fresh, h, replace, sign } from "./dom.js";
import { changeTable } from "./plan.js";
import { openReview } from "./review.js";
import { may, on, seesEverything, state } from "./state.js";
import { exact, plural, time, visible, when } from "./words.js";

const OUTCOMES = { committed: "applied", rejected: "refused", reverted: "rolled back", degraded: "degraded", unchanged: "without a change", expired: "not confirmed in time" };
export const outcomeWord = (outcome) => OUTCOMES[outcome] ?? outcome ?? "under way";

export function history(main) {
  const list = h("ol.entries");
  const older = h("button", { type: "button", hidden: true, onclick: () => more() }, "Older");
  const compare = h("button", { type: "button", disabled: true, onclick: () => {
    const [from, to] = [...chosen].sort((a, b) => a - b);
    location.hash = `#/history/diff/${from}/${to}`;
  } }, "Compare");
  const chosen = new Set();
  const note = h("p.found", { role: "status" });
  replace(main,
    h("div.head", h("h1", "History"), h("div.tools", h("span.quiet-text", "Tick any two to compare them."), compare)),
    note, list, older);
  let next, hasMore = false, isLoading = false, count = 0;

  async function more() {
    if (isLoading) return;
    isLoading = true;
    older.disabled = true;
    try {
      const page = await api.versions.page(next);
      for (const entry of page.entries) list.append(item(entry));
      count += page.entries.length;
      next = page.next ?? undefined;
      hasMore = next !== undefined;
      if (!count) replace(note, "Nothing has happened yet.");
    } catch (problem) {
      replace(note, h("span.bad", problem.message));
      hasMore = true;
    }
    older.hidden = !hasMore;
    older.disabled = false;
    isLoading = false;
  }

  function item(entry) {
    const id = fresh("entry");
    const detail = h("div.detail", { id, hidden: true });
    const isVersion = Boolean(entry.version);
    const line = h("button.line", { type: "button", "aria-expanded": "false", "aria-controls": id, onclick: () => {
      const opens = detail.hidden;
      line.setAttribute("aria-expanded", String(opens));
      detail.hidden = !opens;
      replace(detail, opens ? details(entry) : null);
    } },
    h("span.what", isVersion ? h("b.version", `v${entry.version}`) : h("span.bad", outcomeWord(entry.outcome)),
      isVersion ? h("span.flag.ok.runs", { "data-version": String(entry.version), hidden: entry.version !== state.status.version }, "runs") : null),
    h("span.reason", visible(entry.reason || entry.problem || sentence(entry))),
    h("span.who", entry.actor), h("span.at", time(entry.at)));
    const tick = isVersion ? h("label.tick", h("input", { type: "checkbox", "aria-label": `Compare version ${entry.version}`, onchange: (event) => {
      if (event.target.checked) chosen.add(entry.version);
      else chosen.delete(entry.version);
      compare.disabled = chosen.size !== 2;
      if (chosen.size === 2) announce("Two versions are ticked: Compare is ready.");
    } })) : h("span.no-tick", sign("bad"));
    return h(isVersion ? "li" : "li.refused", { "data-id": String(entry.id) }, h("div.entry", tick, line), detail);
  }

  function sentence(entry) {
    const changed = entry.changed ?? [];
    return changed.length ? `${changed.slice(0, 3).join(", ")}${changed.length > 3 ? ` and ${changed.length - 3} more` : ""}` : when(entry.trigger);
  }

  function details(entry) {
    return [
      h("dl.facts", [
        ["outcome", `${outcomeWord(entry.outcome)}${entry.phase && !entry.version ? ` while: ${entry.phase}` : ""}, in ${entry.durationMs} ms`],
        ["when", exact(entry.at)], ["asked by", `${entry.actor}, ${when(entry.trigger)}`],
        entry.reason ? ["reason", visible(entry.reason)] : null,
        entry.changed?.length ? ["changed", h("span.key", entry.changed.slice(0, 50).join(", "), entry.changed.length > 50 ? " …" : "")] : null,
        entry.parent ? ["on top of", `v${entry.parent}`] : null,
        entry.digest ? ["digest", h("span.key.long", entry.digest)] : null,
      ].filter(Boolean).map(([name, what]) => h("div", h("dt", name), h("dd", what)))),
      entry.services?.length ? h("ul.services", entry.services.map((service) => h("li", h("b", service.name), h(`span.action.${service.action}`, service.action),
        h("span.quiet-text", `${service.outcome}, ${service.durationMs} ms`), service.problem ? h("span.bad", visible(service.problem)) : null))) : null,
      entry.diagnostics?.length ? diagnosticList(entry.diagnostics) : entry.problem ? h("p.bad", visible(entry.problem)) : null,
      entry.version ? h("div.actions",
        entry.parent ? h("a.button.small", { href: `#/history/diff/${entry.parent}/${entry.version}` }, `What it changed`) : null,
        entry.version !== state.status.version ? h("a.button.small", { href: `#/history/diff/${entry.version}/${state.status.version}` }, "Beside what runs") : null,
        back(entry.version)) : null,
    ];
  }

  more();
  const ends = [on("attempt", async () => {
    // What is new goes to the top; nobody's place in the list is lost.
    try {
      const known = new Set([...list.children].map((child) => child.dataset.id));
      const page = await api.versions.page(undefined, 20);
      const fresh = page.entries.filter((entry) => !known.has(String(entry.id)));
      if (!known.size) return;
      list.prepend(...fresh.map((entry) => item(entry)));
    } catch { /* the next event tries again */ }
  }), on("status", () => {
    for (const flag of list.querySelectorAll(".runs")) flag.hidden = flag.dataset.version !== String(state.status.version);
  })];
  return () => ends.forEach((end) => end());
}

function back(version) {
  if (!may("operator") || !seesEverything() || version === state.status.version) return null;
  return h("button.small", { type: "button", onclick: () => openReview({
    title: `Roll back to version ${version}`, change: api.change.rollback(version), verb: "Roll back",
    since: state.status.version, ondone: () => (location.hash = "#/history"),
  }) }, `Roll back to v${version}`);
}

// MARK: Two side by side

export function diff(main, [from, to]) {
  const numbers = [Number(from), Number(to)];
  const body = h("div", h("p.quiet-text", "…"));
  const pick = (label, index) => {
    const id = fresh("version");
    const input = h("input", { id, type: "text", inputmode: "numeric", size: "6", value: String(numbers[index] || ""), onchange: () => {
      const number = Number(input.value.replace(/^v/, ""));
      if (!Number.isSafeInteger(number) || number < 1) return input.setAttribute("aria-invalid", "true");
      numbers[index] = number;
      location.hash = `#/history/diff/${numbers[0]}/${numbers[1]}`;
    } });
    return [h("label", { for: id }, label), input];
  };
  replace(main,
    h("p.crumb", h("a", { href: "#/history" }, "History")),
    h("div.head", h("h1", "Versions ", h("span.key", `${from}`), " and ", h("span.key", `${to}`)),
      h("form.tools", { onsubmit: (event) => event.preventDefault() }, pick("from", 0), pick("to", 1),
        h("button.small", { type: "button", onclick: () => (location.hash = `#/history/diff/${to}/${from}`) }, "Swap"),
        back(numbers[0]))),
    body);
  load();

  async function load() {
    if (!numbers.every((number) => Number.isSafeInteger(number) && number > 0)) return replace(body, h("p.bad", "Two versions are named by their numbers."));
    try {
      const [difference, left, right] = await Promise.all([api.versions.diff(...numbers), api.versions.get(numbers[0]), api.versions.get(numbers[1])]);
      replace(body,
        h("div.two", [left, right].map((entry) => h("p", h("b.version", `v${entry.version}`), " ", entry.actor ?? "", " · ", time(entry.at), entry.reason ? [" · ", visible(entry.reason)] : ""))),
        h("h2", plural(difference.changes.length, "setting")), changeTable(difference.changes, { names: [`v${numbers[0]}`, `v${numbers[1]}`] }),
        documentList(left, right));
    } catch (problem) {
      replace(body, h("p.bad", problem.message));
    }
  }
}

/// A version's documents are told apart by their fingerprints; their texts may hold what not everybody should read.
function documentList(left, right) {
  const prints = (entry) => new Map((entry.documents ?? []).map((document) => [document.name, document.fingerprint]));
  const [old, now] = [prints(left), prints(right)];
  const names = [...new Set([...old.keys(), ...now.keys()])].sort();
  const word = (name) => (!old.has(name) ? "added" : !now.has(name) ? "deleted" : old.get(name) !== now.get(name) ? "edited" : null);
  const differing = names.filter(word);
  return h("section.after", h("h2", plural(differing.length, "document")), differing.length
    ? h("ul.bare", differing.map((name) => h("li", h("span.key", name), " ", h("span.quiet-text", word(name)))))
    : h("p.quiet-text", "The documents are the same."));
}
