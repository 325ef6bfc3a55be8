// Plan, reason, apply: the one way in which the console changes anything.

import * as api from "./api.js";
import { refusal } from "./diagnostics.js";
import { openDialog } from "./dialog.js";
import { announce, fresh, h, replace } from "./dom.js";
import { changeTable, planView } from "./plan.js";
import { milliseconds } from "./schema.js";
import { refreshStatus, state } from "./state.js";
import { plural, time } from "./words.js";

const TIMES = [["", "keeps it at once"], ["30s", "30 s"], ["60s", "1 min"], ["5m", "5 min"]];

/// - Parameters:
///   - change: of `api.change`
///   - since: The version that the person looked at when they made the change.
///   - beside: An element that is shown with the plan, such as a text's two sides.
///   - keys: The settings that they edited, to tell which of them moved meanwhile.
///   - ondone: Called when it is applied.
export function openReview({ title, change, verb = "Apply", reason = "", since = state.version, keys = [], beside = null, replacesPending = false, ondone }) {
  let base = since, address = null, isReplacing = replacesPending, key = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  const plan = h("div.plan", h("p.quiet-text", "Planning…"));
  const outcome = h("div.outcome", { role: "alert" });
  const reasonId = fresh("reason"), noteId = fresh("note");
  const why = h("input", { id: reasonId, type: "text", maxlength: "300", autocomplete: "off", required: true, value: reason, "aria-describedby": noteId });
  const note = h("p.note", { id: noteId }, "Stands in the history and the audit log.");
  const own = h("input.own", { type: "text", "aria-label": "Time to confirm, such as 90s", placeholder: "90s", hidden: true, size: "6", spellcheck: "false" });
  const group = fresh("within");
  const choices = [...TIMES, ["own", "other"]].map(([span, label]) => h("label",
    h("input", { type: "radio", name: group, value: span, checked: span === "", onchange: () => {
      own.hidden = span !== "own";
      if (span === "own") own.focus();
    } }), h("span", label)));
  const apply = h("button.primary", { type: "submit", disabled: true }, verb);
  const form = h("form.decision", { onsubmit: (event) => {
    event.preventDefault();
    submit();
  } },
  h("div.field", h("label", { for: reasonId }, "Reason"), why, note),
  h("fieldset", h("legend", "Takes it back unless confirmed within"), h("div.choices", choices, own)));

  const dialog = openDialog(title, (close) => [plan, outcome, form,
    h("div.actions", h("button", { type: "button", onclick: close }, "Not now"), apply)], { wide: true });
  const formId = fresh("decision");
  form.id = formId;
  apply.setAttribute("form", formId);

  async function ask() {
    apply.disabled = true;
    try {
      const answer = await change.plan();
      // That one waits, and what can be done about it, is said below in the page's own way.
      const isInTheWay = answer.warnings?.some((warning) => warning.code === "refused-now") && !isReplacing;
      answer.warnings = answer.warnings?.filter((warning) => warning.code !== "refused-now");
      replace(plan, beside, planView(answer));
      if (isInTheWay && state.status?.confirm) replace(outcome, h("div.banner.waits-note", takesPlace(state.status.confirm.version)));
      address = newAddress(answer.changes ?? []);
      const touched = (answer.services ?? []).filter((service) => service.action !== "none").map((service) => service.name);
      announce(`The plan: ${plural(answer.changes?.length ?? 0, "setting")}${touched.length ? `, services ${touched.join(", ")}` : ""}.`);
      const isEmpty = !answer.changes?.length && !answer.documents?.length;
      if (isEmpty) replace(plan, h("p", "Nothing would change: this is what runs."));
      apply.disabled = isEmpty;
      // A move of the listener may cut off who asked for it; then the way back should not depend on them.
      if (!dialog.dataset.asked && answer.changes?.some((change) => /^server\.(host|port|tls_)/.test(change.key))) {
        const minute = choices[2].querySelector("input");
        minute.checked = true;
        replace(note, "Stands in the history and the audit log. This moves the address you are connected to, so a minute to confirm is chosen.");
      }
      dialog.dataset.asked = "yes";
    } catch (problem) {
      replace(plan, refusal(problem));
    }
  }

  function chosen() {
    const span = choices.map((choice) => choice.querySelector("input")).find((input) => input.checked).value;
    return span === "own" ? own.value.trim() : span;
  }

  async function submit() {
    const within = chosen();
    if (!why.value.trim()) return complain(why, "Say why: whoever reads the history will ask.");
    if (within && !milliseconds(within)) return complain(own, "The time to confirm is a duration such as 90s.");
    if (own.checkVisibility() && !within) return complain(own, "The time to confirm is a duration such as 90s.");
    why.removeAttribute("aria-invalid");
    own.removeAttribute("aria-invalid");
    apply.disabled = true;
    const before = apply.textContent;
    apply.textContent = "Working…";
    try {
      const answer = await change.apply({ reason: why.value.trim(), confirmWithin: within, match: api.tag(base), key, replacePending: isReplacing });
      ondone?.(answer);
      dialog.close();
      if (answer.proposal) return waits(answer);
      say(answer, address);
      refreshStatus().catch(() => {});
    } catch (problem) {
      apply.textContent = before;
      apply.disabled = false;
      // The same key twice means the same answer twice. A no is asked for anew; what got no answer may have been done, and is not done twice.
      if (!problem.isUnreachable) key = `${key.slice(0, 36)}-${Date.now()}`;
      await refused(problem);
    }
  }

  function complain(input, text) {
    input.setAttribute("aria-invalid", "true");
    replace(note, h("span.bad", text));
    announce(text, "assertive");
    input.focus();
  }

  async function refused(problem) {
    if (problem.status === 412) return moved(problem.body.version ?? state.status?.version);
    const confirmation = problem.status === 409 && problem.body.confirm;
    replace(outcome, refusal(problem), confirmation ? takesPlace(confirmation.version) : null);
    outcome.scrollIntoView({ block: "nearest" });
  }

  const takesPlace = (version) => h("label.check", h("input", { type: "checkbox", checked: isReplacing, onchange: (event) => (isReplacing = event.target.checked) }),
    h("span", `Take the place of version ${version}, which waits to be confirmed`));

  /// Somebody else was first: what they did, and the same change on top of it.
  async function moved(to) {
    apply.disabled = true;
    const again = h("button.primary", { type: "button", onclick: async () => {
      base = to;
      replace(outcome);
      await ask();
      why.focus();
    } }, `Plan again on version ${to}`);
    const story = h("div");
    replace(outcome, h("div.refusal", h("p.bad", h("b", `The configuration moved: version ${to} runs, and this was made for version ${base}.`)), story, again));
    again.focus();
    try {
      const [entry, difference] = await Promise.all([api.versions.get(to), api.versions.diff(base, to)]);
      const both = difference.changes.filter((change) => keys.includes(change.key)).map((change) => change.key);
      replace(story,
        h("p", entry.actor ?? "", " ", time(entry.at), entry.reason ? `: “${entry.reason}”` : ""),
        both.length ? h("p.bad", `You both changed ${both.join(", ")}.`) : h("p", "None of your settings is among them."),
        changeTable(difference.changes, { caption: "What moved", names: [`v${base}`, `v${to}`] }));
    } catch { /* who moved it cannot be told; that it moved stands there */ }
  }

  ask();
  return dialog;
}

/// It takes two: nothing is changed until somebody else approves it.
function waits({ proposal, sections }) {
  announce(`Proposal ${proposal.id} waits for somebody's approval.`);
  openDialog("It takes two", (close) => [
    h("p", `Changes of ${sections.join(", ") || "this"} are approved by somebody else. Proposal ${proposal.id} waits for that; nothing is changed yet.`),
    h("div.actions", h("button", { type: "button", onclick: close }, "Close"), h("a.button.primary", { href: "#/proposals", onclick: close }, "To the proposals"))]);
}

/// What came of it, and where to find the server when it moved.
function say(answer, address) {
  const changed = answer.changed ?? [];
  announce(answer.committed === false ? "Nothing changed." : `Version ${answer.version} runs: ${changed.join(", ") || "the same values"}.`);
  if (!address || address.startsWith(location.origin)) return;
  openDialog("The server moved", (close) => [
    h("p", "It now answers at"), h("p", h("a.address", { href: address }, address.replace(/#.*/, ""))),
    h("p.quiet-text", "The sign-in holds there too. The old address stops answering when its connections are done."),
    h("div.actions", h("button", { type: "button", onclick: close }, "Stay"), h("a.button.primary", { href: address }, "Go there"))]);
}

/// The listener's new address, from the plan's values; null when it stays, or takes a port that nobody knows yet.
function newAddress(changes) {
  const planned = (key) => changes.find((change) => change.key === key)?.new ?? state.settings.get(key)?.value;
  if (!changes.some((change) => ["server.host", "server.port"].includes(change.key))) return null;
  const port = planned("server.port"), wanted = planned("server.host");
  if (!port) return null;
  const host = wanted && !["0.0.0.0", "::"].includes(wanted) ? wanted : location.hostname;
  return `${location.protocol}//${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}/${location.hash}`;
}
