// What a change would do: setting by setting, document by document, service by service.

import { diagnosticList } from "./diagnostics.js";
import { h } from "./dom.js";
import { place, plural, value } from "./words.js";

export function changeTable(changes, { caption = "Settings", names = ["old", "new"] } = {}) {
  if (!changes.length) return h("p.quiet-text", "No setting's value differs.");
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": caption },
    h("table.changes", h("caption.sr", caption),
      h("thead", h("tr", h("th", { scope: "col" }, "setting"), h("th", { scope: "col" }, names[0]), h("th", { scope: "col" }, names[1]))),
      h("tbody", changes.map((change) => h("tr",
        h("th", { scope: "row" }, h("span.key", wrapping(change.key)), change.effect === "restart" ? h("span.flag.warn", "after a restart") : null,
          change.contentOnly ? h("span.flag", "the file’s content") : null),
        h("td.old", value(change.old), origin(change.oldOrigin)),
        h("td.new", value(change.new), origin(change.newOrigin)))))));
}

const origin = (text) => (text ? h("span.origin", place(text)) : null);

/// A key that may break after its dots and underscores.
export const wrapping = (key) => key.split(/(?<=[._])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));

const ACTIONS = {
  none: "not touched", live: "takes it live", swap: "is swapped: the new one serves before the old one goes", restart: "after a restart",
};

export function serviceList(services) {
  if (!services.length) return null;
  return h("ul.services", services.map((service) => h("li",
    h("b", service.name), h(`span.action.${service.action}`, service.action),
    h("span.quiet-text", ACTIONS[service.action] ?? "", service.verify && service.verify !== "none" && service.action !== "none" ? `; then verified by ${service.verify}` : ""))));
}

export function planView(plan) {
  const changes = plan.changes ?? [], documents = plan.documents ?? [], warnings = plan.warnings ?? [];
  return [
    warnings.length ? diagnosticList(warnings) : null,
    changeTable(changes),
    h("div.plan-foot",
      plan.services?.length ? h("section", h("h3", "Services"), serviceList(plan.services)) : null,
      documents.length ? h("section", h("h3", "Documents"),
        h("ul.bare", documents.map((document) => h("li", h("span.key", document.name), " ", h("span.quiet-text", document.change))))) : null),
  ];
}

/// One line of what a plan comes to.
export function gist(plan) {
  const parts = [plural(plan.changes.length, "setting")];
  const busy = (plan.services ?? []).filter((service) => service.action !== "none");
  for (const service of busy) parts.push(`${service.name}: ${service.action}`);
  if (plan.pendingRestart?.length) parts.push(`${plan.pendingRestart.length} after a restart`);
  return parts.join(" · ");
}
