// How things stand, in one look.

import * as api from "./api.js";
import { diagnosticList } from "./diagnostics.js";
import { h, replace, sign } from "./dom.js";
import { may, on, refreshStatus, seesEverything, state } from "./state.js";
import { plural, time, visible, when } from "./words.js";
import { outcomeWord } from "./history.js";

export function overview(main) {
  const title = h("h1"), lead = h("p.lead"), trouble = h("div"), services = h("div.panel"), facts = h("div.panel"), recent = h("div.panel");
  replace(main, h("div.statement", title, lead), trouble, h("div.grid", services, facts, recent));

  function draw() {
    const status = state.status;
    replace(title, h("span.key", `Version ${status.version}`), status.state === "degraded" ? " is degraded in " : " runs in ", h("b", status.environment), ".");
    drawTrouble(status);
    replace(services, h("h2", "Services"), status.services.length
      ? h("ul.plain", status.services.map((service) => h("li",
        sign(service.state === "running" ? "ok" : service.state === "failed" || service.state === "degraded" ? "bad" : "wait"),
        h("b", service.name), h("span", service.state), h("span.quiet-text", `v${service.version}`),
        service.draining ? h("span.flag", `${service.draining} draining`) : null)))
      : h("p.quiet-text", "None is registered."));
    replace(facts, h("h2", "Configuration"), h("dl.facts", [
      ["files", status.drift ? h("span.warn", "say something else than what runs (drift)") : "are what runs"],
      ["watched by", [status.watch.mode, status.watch.reason ? ` (${status.watch.reason})` : ""]],
      ["after a restart", status.pendingRestart.length ? h("ul.bare", status.pendingRestart.map((key) => h("li", h("a", { href: `#/settings/${key}` }, key)))) : "nothing"],
      status.directory ? ["directory", h("span.key", status.directory)] : null,
      ["digest", h("span.key", { title: status.digest }, status.digest.slice(0, 19))],
    ].filter(Boolean).map(([name, what]) => h("div", h("dt", name), h("dd", what)))),
    may("operator") && seesEverything() ? h("div.actions", readAgain()) : null);
  }

  function readAgain() {
    const says = h("span.note", { role: "status" });
    const button = h("button.small", { type: "button", onclick: async () => {
      button.disabled = true;
      try {
        const answer = await api.reload();
        replace(says, answer.changed.length ? `Version ${answer.version}: ${answer.changed.join(", ")}` : "Nothing changed.");
        await refreshStatus();
      } catch (problem) {
        replace(says, h("span.bad", problem.message));
      }
      button.disabled = false;
    } }, "Read the files again");
    return [button, says];
  }

  function drawTrouble(status) {
    const attempt = status.lastAttempt;
    const isBad = attempt?.outcome && !["committed", "unchanged", "confirmed"].includes(attempt.outcome);
    replace(trouble,
      status.lastKnownGood ? h("section.banner.bad", h("p", "The files were invalid at the start: the last known good version runs.")) : null,
      isBad ? h("section.panel.trouble", { "aria-labelledby": "trouble" },
        h("h2", { id: "trouble" }, sign("bad"), `The last attempt was ${outcomeWord(attempt.outcome)}`),
        h("p.quiet-text", attempt.actor, " · ", when(attempt.trigger), " · ", time(attempt.at), " · ", `while: ${attempt.phase}`, attempt.reason ? ` · “${visible(attempt.reason)}”` : ""),
        attempt.diagnostics?.length ? diagnosticList(attempt.diagnostics) : h("p", visible(attempt.problem ?? "")),
        (attempt.services ?? []).filter((service) => service.problem).map((service) => h("p", h("b", service.name), ": ", visible(service.problem)))) : null);
  }

  async function drawRecent() {
    if (!seesEverything()) return replace(recent, h("h2", "Yours"), h("p", "You see and change ", h("span.key", state.session.sections.map((section) => `[${section}]`).join(", ")), "."));
    try {
      const page = await api.versions.page(undefined, 6);
      const newest = page.entries.find((entry) => entry.version === state.status.version);
      replace(lead, newest ? ["Applied ", time(newest.at), " by ", h("b", newest.actor), newest.reason ? [": ", h("q", visible(newest.reason))] : "", "."] : "");
      replace(recent, h("h2", "Lately"), h("ol.timeline", page.entries.slice(0, 6).map((entry) => h("li",
        sign(entry.version ? "ok" : "bad"),
        h("div", h("p", entry.version ? h("a.version", { href: entry.parent ? `#/history/diff/${entry.parent}/${entry.version}` : "#/history" }, `v${entry.version}`) : h("span.bad", outcomeWord(entry.outcome)),
          " ", visible(entry.reason || (entry.version ? (entry.changed ?? []).slice(0, 3).join(", ") : entry.problem) || when(entry.trigger))),
        h("p.quiet-text", entry.actor, " · ", time(entry.at), entry.changed?.length ? ` · ${plural(entry.changed.length, "setting")}` : ""))))),
      h("p", h("a", { href: "#/history" }, "All of the history")));
    } catch (problem) {
      replace(recent, h("h2", "Lately"), h("p.quiet-text", problem.message));
    }
  }

  draw();
  drawRecent();
  const clock = setInterval(drawRecent, 60_000);
  let version = state.status.version, attempt = state.status.lastAttempt?.at;
  const end = on("status", () => {
    draw();
    if (state.status.version === version && state.status.lastAttempt?.at === attempt) return;
    version = state.status.version;
    attempt = state.status.lastAttempt?.at;
    drawRecent();
  });
  return () => {
    end();
    clearInterval(clock);
  };
}
