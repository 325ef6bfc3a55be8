// Changes that take two: what waits, and the plan that is approved, exactly as it stands there.

import * as api from "./api.js";
import { refusal } from "./diagnostics.js";
import { openDialog } from "./dialog.js";
import { announce, fresh, h, replace } from "./dom.js";
import { planView } from "./plan.js";
import { may, on, refreshStatus, state } from "./state.js";
import { plural, time, visible } from "./words.js";

/// No event tells of a new proposal.
const LOOK = 10_000;

export function proposals(main) {
  const note = h("p.found", { role: "status" }), list = h("ol.proposals");
  replace(main, h("div.head", h("h1", "Proposals")), note, list);
  let shown = "";

  async function load() {
    try {
      const answer = await api.proposals.list();
      // Nobody's reading is disturbed when nothing is new.
      const now = JSON.stringify([answer.proposals, state.session?.actor]);
      if (now === shown) return;
      shown = now;
      note.textContent = answer.proposals.length ? `${plural(answer.proposals.length, "change waits", "changes wait")} for approval` : "Nothing waits for approval.";
      replace(list, answer.proposals.map(item));
    } catch (problem) {
      replace(note, h("span.bad", problem.message));
    }
  }

  function item(proposal) {
    const isOwn = proposal.actor === state.session.actor;
    const approve = h("button.primary", { type: "button", onclick: () => decide(proposal, "Approve", api.proposals.approve) }, "Approve…");
    const withdraw = h("button", { type: "button", onclick: () => decide(proposal, "Withdraw", api.proposals.withdraw) }, isOwn ? "Withdraw…" : "Reject…");
    return h("li.panel", h("h2", `Proposal ${proposal.id}`, proposal.stale ? h("span.flag.warn", "outdated") : null),
      h("p", h("span.key", proposal.actor), " · ", time(proposal.at), proposal.reason ? [" · ", h("q", visible(proposal.reason))] : ""),
      h("p.quiet-text", `made for version ${proposal.version}, expires `, time(proposal.expires)),
      proposal.stale ? h("p.warn", "Another version runs by now: it has to be asked for again.") : null,
      proposal.plan ? planView(proposal.plan) : null,
      h("p.key.long", proposal.hash),
      may("operator") ? h("div.actions", isOwn || proposal.stale ? null : approve, isOwn || may("admin") ? withdraw : null,
        isOwn && !proposal.stale ? h("span.quiet-text", "It takes somebody else to approve it.") : null) : null);
  }

  function decide(proposal, verb, call) {
    const id = fresh("reason");
    const why = h("input", { id, type: "text", maxlength: "300", autocomplete: "off" });
    const outcome = h("div.outcome", { role: "alert" });
    const go = h("button.primary", { type: "submit" }, verb);
    openDialog(`${verb} proposal ${proposal.id}`, (close) => [h("form.decision", { onsubmit: async (event) => {
      event.preventDefault();
      go.disabled = true;
      try {
        const answer = await call(proposal, why.value.trim());
        close();
        announce(answer.version ? `Version ${answer.version} runs.` : `Proposal ${proposal.id} is withdrawn.`);
        refreshStatus().catch(() => {});
        load();
      } catch (problem) {
        go.disabled = false;
        replace(outcome, refusal(problem));
      }
    } }, h("div.field", h("label", { for: id }, "Reason, if any"), why), outcome,
    h("div.actions", h("button", { type: "button", onclick: close }, "Not now"), go))]);
    why.focus();
  }

  load();
  const clock = setInterval(load, LOOK);
  const end = on("status", load);
  return () => {
    clearInterval(clock);
    end();
  };
}
