// A version that waits: how long still, and the two ways out.

import * as api from "./api.js";
import { announce, h, replace } from "./dom.js";
import { openReview } from "./review.js";
import { may, on, refreshStatus, seesEverything, state } from "./state.js";

const clock = (seconds) => (seconds >= 60 ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : `${seconds} s`);
const remaining = () => Math.max(0, Math.ceil((state.deadline - performance.now()) / 1000));

/// Draws the countdown while one waits. Returns what ends it.
export function watchConfirmation(place) {
  let ticking, shown = null, total = 0, counter, bar;

  function draw() {
    const waiting = state.status?.confirm;
    if (!waiting) {
      clearInterval(ticking);
      ticking = undefined;
      shown = null;
      return replace(place);
    }
    if (shown === waiting.version) return tick();
    shown = waiting.version;
    total = Math.max(1, remaining());
    counter = h("b.counter");
    bar = h("progress", { max: String(total), "aria-hidden": "true" });
    const problem = h("p.bad", { role: "alert" });
    const keep = h("button.primary", {
      type: "button", onclick: async () => {
        keep.disabled = true;
        try {
          await api.confirm();
          announce(`Version ${waiting.version} is confirmed.`);
          await refreshStatus();
          document.getElementById("main")?.focus();
        } catch (error) {
          keep.disabled = false;
          replace(problem, error.message);
        }
      },
    }, "Confirm");
    const back = h("button", {
      type: "button", onclick: () => openReview({
        title: `Back to version ${waiting.fallback} now`, change: api.change.rollback(waiting.fallback), verb: "Revert now",
        reason: `version ${waiting.version} taken back`, since: waiting.version, replacesPending: true,
      }),
    }, "Revert now");
    replace(place, h("section.banner.waits", { "aria-label": "Confirmation" },
      h("div.words",
        h("p", h("b", `Version ${waiting.version}`), " runs on trial. Version ", String(waiting.fallback), " comes back in ", counter),
        problem),
      may("operator") && seesEverything() ? h("div.actions", keep, back) : null, bar));
    announce(`Version ${waiting.version} waits to be confirmed within ${remaining()} seconds.`, "assertive");
    tick();
    ticking ??= setInterval(tick, 500);
  }

  function tick() {
    if (state.deadline === null || !counter) return;
    const left = remaining();
    const text = left ? clock(left) : "a moment";
    if (counter.textContent === text) return;
    counter.textContent = text;
    bar.value = left;
    if (left === 10) announce("Ten seconds are left to confirm.", "assertive");
    if (left === 0) setTimeout(() => refreshStatus().catch(() => {}), 1000);
  }

  const end = on("status", draw);
  draw();
  return () => {
    end();
    clearInterval(ticking);
  };
}
