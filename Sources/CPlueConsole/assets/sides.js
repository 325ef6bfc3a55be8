// Two texts side by side, with what lies between the differences left out.

import { h } from "./dom.js";
import { pair, span } from "./lines.js";
import { plural, visible } from "./words.js";

/// How many lines around a difference are shown.
const NEAR = 3;

export function sideBySide(old, now, name) {
  const a = split(old), b = split(now);
  const pairs = pair(a, b);
  const differs = pairs.map((p) => p.old === null || p.new === null || a[p.old] !== b[p.new]);
  const near = new Set(differs.flatMap((is, i) => (is ? Array.from({ length: 2 * NEAR + 1 }, (_, k) => i - NEAR + k) : [])));
  const rows = [];
  let skipped = 0;
  const gap = () => {
    if (skipped) rows.push(h("tr.gap", h("td", { colspan: "4" }, `${plural(skipped, "line")} the same`)));
    skipped = 0;
  };
  pairs.forEach((p, i) => {
    if (!near.has(i)) return (skipped += 1);
    gap();
    rows.push(row(p, a, b, differs[i]));
  });
  gap();
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": `${name}, side by side` },
    h("table.sides", h("caption.sr", `${name}, before and after`),
      h("colgroup", h("col.number"), h("col"), h("col.number"), h("col")),
      h("thead.sr", h("tr", ["line", "before", "line", "after"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", rows)));
}

const split = (text) => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));

function row(p, a, b, isDifferent) {
  const left = p.old === null ? null : a[p.old], right = p.new === null ? null : b[p.new];
  const both = isDifferent && left !== null && right !== null ? span(left, right) : null;
  const cell = (text, end, kind) => h(`td.code${isDifferent && text !== null ? `.${kind}` : ""}${text === null ? ".nothing" : ""}`,
    text === null ? "" : both ? [visible(text.slice(0, both.start)), h("mark", visible(text.slice(both.start, end))), visible(text.slice(end))] : visible(text));
  return h("tr", h("td.number", p.old === null ? "" : String(p.old + 1)), cell(left, both?.endA, "old"),
    h("td.number", p.new === null ? "" : String(p.new + 1)), cell(right, both?.endB, "new"));
}
