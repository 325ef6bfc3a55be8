// Who did what, when and why; and whether that is what was written.

import * as api from "./api.js";
import { announce, fresh, h, replace, settled, sign } from "./dom.js";
import { recall, remember } from "./memory.js";
import { may, on } from "./state.js";
import { exact, plural, visible } from "./words.js";

const PAGE = 200;

export function audit(main) {
  const body = h("tbody"), note = h("p.found", { role: "status" }), result = h("div.verification", { role: "status" });
  const older = h("button", { type: "button", hidden: true, onclick: () => load(true) }, "Older");
  const input = (label, placeholder) => {
    const id = fresh("filter");
    const field = h("input", { id, type: "search", placeholder, size: "16", spellcheck: "false", autocomplete: "off", oninput: again });
    return { field, element: [h("label.sr", { for: id }, label), field] };
  };
  const again = settled(250, () => load(false));
  const key = input("Key", "key, such as server.port"), actor = input("Actor", "actor, such as token:ada");
  const check = h("button.primary", { type: "button", hidden: !may("operator"), onclick: verify }, "Verify");
  replace(main,
    h("div.head", h("h1", "Audit"), h("div.tools", key.element, actor.element, check)),
    result, note,
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Entries" }, h("table.log", h("caption.sr", "Audit entries"),
      h("thead", h("tr", ["entry", "when", "who", "what", "why"].map((name) => h("th", { scope: "col" }, name)))), body)), older);
  let oldest = 1, isFiltered = false, turn = 0;

  async function load(isMore) {
    const mine = ++turn;
    older.disabled = true;
    try {
      const filter = { key: key.field.value.trim(), actor: actor.field.value.trim(), limit: PAGE };
      // The newest come first; what is before them is asked for by number.
      const page = await api.audit.page(isMore ? { ...filter, after: Math.max(0, oldest - 1 - PAGE), limit: Math.min(PAGE, oldest - 1) } : filter);
      if (mine !== turn) return;
      if (!isMore) body.replaceChildren();
      body.append(...page.entries.toReversed().map(row));
      oldest = page.entries[0]?.seq ?? 1;
      isFiltered = Boolean(filter.key || filter.actor);
      note.textContent = body.children.length
        ? `${isFiltered && page.entries.length === PAGE ? "The newest " : ""}${plural(body.children.length, "entry", "entries")}` : "No entry is like that.";
    } catch (problem) {
      if (mine === turn) replace(note, h("span.bad", problem.message));
      oldest = 1;
    }
    older.hidden = oldest <= 1 || isFiltered;
    older.disabled = false;
  }

  async function verify() {
    check.disabled = true;
    replace(result, h("p.quiet-text", "Reading all of it again…"));
    try {
      show(await api.audit.verify());
    } catch (problem) {
      replace(result, h("div.banner.bad", sign("bad"), h("p", problem.message)));
      announce(problem.message, "assertive");
    }
    check.disabled = false;
  }

  /// This browser is a witness too: a record that became shorter than it has seen is not the record it saw.
  function show(answer) {
    const isIntact = answer.verdict === "intact";
    const size = answer.checkpoint?.size ?? answer.entries;
    const seen = witness();
    const isShorter = seen && Number.isSafeInteger(size) && size < seen.size;
    const isOther = seen && answer.checkpoint?.root && seen.size === size && seen.root && seen.root !== answer.checkpoint.root;
    const isGood = isIntact && !isShorter && !isOther;
    replace(result, h(`div.banner.${isGood ? "good" : "bad"}`, sign(isGood ? "ok" : "bad"), h("div",
      h("p", h("b", isGood ? "The record is as it was written." : isShorter || isOther ? "This is not the record that this browser saw before." : `The record cannot be trusted: ${answer.verdict}.`)),
      h("p.quiet-text", visible(answer.finding ?? "")),
      isShorter ? h("p", `It had ${seen.size.toLocaleString("en")} entries on ${seen.at}; now it has ${size.toLocaleString("en")}.`) : seen && isGood ? h("p.quiet-text", `This browser has seen it grow since ${seen.at}.`) : null)));
    announce(isGood ? "The record is as it was written." : "The record cannot be trusted.", isGood ? "polite" : "assertive");
    if (isGood && Number.isSafeInteger(size)) remember("witness", JSON.stringify({ size, root: answer.checkpoint?.root ?? null, at: seen?.at ?? new Date().toISOString().slice(0, 10) }));
  }

  load(false);
  const end = on("attempt", () => again());
  return () => {
    again.cancel();
    end();
  };
}

function witness() {
  try {
    const seen = JSON.parse(recall("witness") ?? "null");
    return seen && Number.isSafeInteger(seen.size) ? seen : null;
  } catch {
    return null;
  }
}

/// Shown at their own places, or of use to the verifier only.
const KNOWN = new Set(["digest", "writes", "seq", "time", "monotonic", "boot", "host", "action", "actor", "reason", "record", "change", "outcome", "version", "key", "attempt", "trigger"]);

function row(entry) {
  const rest = Object.entries(entry).filter(([name, value]) => !KNOWN.has(name) && value !== null && value !== "");
  const changes = Array.isArray(entry.change) ? entry.change : entry.change ? [entry.change] : [];
  const isBad = ["rejected", "reverted", "degraded", "denied"].includes(entry.outcome) || ["rejection", "denial", "failed-login"].includes(entry.action);
  return h("tr", h("td.number", String(entry.seq)), h("td.at", exact(entry.time)), h("td.who", visible(entry.actor ?? "")),
    h("td.what", h("p", h(isBad ? "b.bad" : "b", entry.action), entry.outcome && entry.outcome !== entry.action ? ` ${entry.outcome}` : "", entry.version ? h("span.version", ` v${entry.version}`) : "", entry.key ? [" ", h("span.key", entry.key)] : ""),
      changes.map((change) => h("p.change", visible(String(change)))),
      rest.length ? h("p.rest", rest.map(([name, value]) => h("span", `${name} `, h("span.text", visible(typeof value === "object" ? JSON.stringify(value) : String(value)))))) : null),
    h("td.why", visible(entry.reason ?? "")));
}
