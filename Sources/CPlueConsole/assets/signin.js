// Who is there?

import * as api from "./api.js";
import { announce, h, mark, replace } from "./dom.js";

export function signIn(message, entered) {
  const note = h("p.note", { id: "sign-in-note" });
  const say = (text, isBad) => {
    replace(note, text);
    note.className = isBad ? "note bad" : "note";
    if (text) announce(text, isBad ? "assertive" : "polite");
  };
  const token = h("input", {
    id: "token", type: "password", name: "token", autocomplete: "current-password", spellcheck: "false", required: true,
    autocapitalize: "off", "aria-describedby": "sign-in-note",
  });
  const button = h("button.primary", { type: "submit" }, "Sign in");
  const form = h("form.sign-in", {
    onsubmit: async (event) => {
      event.preventDefault();
      const secret = token.value.trim();
      if (!secret) return;
      button.disabled = true;
      say("Signing in…");
      try {
        const session = await api.session.open({ token: secret });
        token.value = "";
        await entered(session);
      } catch (problem) {
        button.disabled = false;
        token.setAttribute("aria-invalid", "true");
        say(problem.status === 401 ? "This token does not sign in: it is not known, or no longer." : `${capital(problem.message)}.`, true);
        token.select();
      }
    },
  }, h("label", { for: "token" }, "Token"), h("div.row", token, button), note);
  if (message) say(message, message.includes("does not") || message.includes("cannot"));
  return h("main.door", { id: "main", tabindex: "-1" },
    h("div.card",
      h("div.brand", mark(44), h("span.word", "plue")),
      h("h1", "Sign in"),
      form,
      h("p.hint", "Or print an address that signs in by itself, on the machine that Plue runs on:"),
      h("pre.command", h("code", "plue console"))));
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
