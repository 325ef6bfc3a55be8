// A diagnostic as the command line frames it: what, where, the line itself, and what to do.

import { h } from "./dom.js";
import { short, visible } from "./words.js";

export function diagnosticList(diagnostics) {
  return h("ul.diagnostics", diagnostics.map((diagnostic) => h("li", frame(diagnostic))));
}

export function frame(diagnostic) {
  const place = diagnostic.file ? `${short(diagnostic.file)}${diagnostic.line ? `:${diagnostic.line}:${diagnostic.column}` : ""}` : "";
  return h(`div.diagnostic.${diagnostic.severity === "warning" ? "warning" : "error"}`,
    h("p", h("b", `${diagnostic.severity ?? "error"}${diagnostic.code ? ` ${diagnostic.code}` : ""}`), " ", visible(diagnostic.message ?? "")),
    place ? h("p.place", place) : null,
    diagnostic.excerpt ? excerpt(diagnostic) : null,
    diagnostic.hint ? h("p.hint", diagnostic.hint) : null,
    (diagnostic.related ?? []).map((related) => h("p.place", visible(related.message))));
}

function excerpt(diagnostic) {
  const isOneLine = diagnostic.endLine === undefined || diagnostic.endLine === diagnostic.line;
  const length = Math.max(1, isOneLine ? (diagnostic.endColumn ?? diagnostic.column + 1) - diagnostic.column : 1);
  const number = String(diagnostic.line ?? "");
  return h("pre.excerpt", { tabindex: "0", role: "group", "aria-label": "The line" },
    h("span.number", `${number} │ `), visible(diagnostic.excerpt), "\n",
    h("span.number", `${" ".repeat(number.length)} │ `), " ".repeat(Math.max(0, (diagnostic.column ?? 1) - 1)),
    h("span.carets", "^".repeat(Math.min(length, 200))), diagnostic.label ? h("span.carets", ` ${diagnostic.label}`) : null);
}

/// A refusal as a whole: the sentence, and every diagnostic.
export function refusal(problem) {
  const errors = problem.errors ?? [];
  return h("div.refusal", { role: "group", "aria-label": "Refusal" },
    h("p.bad", h("b", title(problem.status))),
    errors.length ? diagnosticList(errors) : h("p", visible(problem.message)),
    problem.body?.service ? h("p.place", `service ${problem.body.service}${problem.body.phase ? `, while ${problem.body.phase}` : ""}`) : null,
    problem.body?.rolledBack === true ? h("p.hint", "Everything is as it was before.") : problem.body?.rolledBack === false ? h("p.bad", "The way back failed too: the configuration is degraded.") : null);
}

function title(status) {
  return {
    0: "The server cannot be reached", 403: "Not permitted", 409: "In conflict with what is going on", 412: "The configuration moved",
    413: "Too large", 422: "Invalid: nothing has changed", 429: "Too many requests", 500: "A service refused: nothing has changed",
    503: "It could not be done",
  }[status] ?? "Refused";
}
