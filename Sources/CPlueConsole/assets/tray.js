// The edits that wait, at the foot of every page.

import * as api from "./api.js";
import { announce, h, replace } from "./dom.js";
import * as drafts from "./drafts.js";
import { gist } from "./plan.js";
import { openReview } from "./review.js";
import { on, state } from "./state.js";
import { plural } from "./words.js";

let made = null;
/// One for the page's whole life: the edits outlive a session.
export const tray = () => (made ??= make());

function make() {
  const verdict = h("span.verdict");
  const count = h("b");
  const review = h("button.primary.review", { type: "button", onclick: open }, "Review…");
  const bar = h("section.tray", { "aria-label": "Pending edits", hidden: true },
    h("div.words", count, verdict),
    h("div.actions", h("button", { type: "button", onclick: discard }, "Discard"), review));

  function draw() {
    bar.hidden = drafts.count() === 0;
    if (bar.hidden) return;
    count.textContent = plural(drafts.count(), "edit");
    const own = drafts.problems().length;
    const errors = drafts.verdict?.errors?.filter((diagnostic) => diagnostic.severity !== "warning").length ?? 0;
    review.disabled = own > 0 || drafts.isChecking || !drafts.verdict?.plan;
    if (own || drafts.verdict?.errors) {
      const elsewhere = (drafts.verdict?.errors ?? []).find((diagnostic) => !drafts.get(diagnostic.key));
      replace(verdict, h("span.bad", own + errors ? plural(own + errors, "error") : drafts.verdict.detail), elsewhere ? ` · ${elsewhere.message}` : "");
    } else if (drafts.isChecking) {
      replace(verdict, h("span.quiet-text", "checking…"));
    } else if (drafts.verdict?.plan) {
      replace(verdict, gist(drafts.verdict.plan));
    } else {
      replace(verdict);
    }
  }

  function open() {
    const keys = [...drafts.all().keys()];
    openReview({ title: "Apply these edits", change: api.change.patch(drafts.patch()), keys, since: state.version, ondone: drafts.clear });
  }

  function discard() {
    const left = plural(drafts.count(), "edit");
    drafts.clear();
    announce(`${left} discarded.`);
    document.getElementById("main")?.focus();
  }

  on("drafts", draw);
  draw();
  return bar;
}
