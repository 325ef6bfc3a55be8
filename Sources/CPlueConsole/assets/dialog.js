// A dialog that is the platform's own: it holds the focus, closes on Escape, and gives the focus back.

import { fresh, h } from "./dom.js";

/// - Parameter build: Gets what closes the dialog; returns its content.
export function openDialog(title, build, { wide = false, onclose } = {}) {
  const id = fresh("title");
  const before = document.activeElement;
  const dialog = h(wide ? "dialog.wide" : "dialog", { "aria-labelledby": id });
  const close = () => dialog.close();
  const heading = h("h2", { id, tabindex: "-1" }, title);
  dialog.append(
    h("div.dialog-head", heading, h("button.quiet", { type: "button", onclick: close }, h("span", { "aria-hidden": "true" }, "✕"), h("span.sr", "Close"))),
    h("div.dialog-body", build(close)));
  dialog.addEventListener("close", () => {
    dialog.remove();
    onclose?.();
    if (before?.isConnected) before.focus();
    else document.getElementById("main")?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  heading.focus();
  return dialog;
}
