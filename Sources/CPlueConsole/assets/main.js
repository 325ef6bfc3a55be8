// The page: who is there, where they are, and what is always in sight.

import * as api from "./api.js";
import { audit } from "./audit.js";
import { watchConfirmation } from "./confirm.js";
import { documents } from "./documents.js";
import { announce, h, mark, replace } from "./dom.js";
import * as drafts from "./drafts.js";
import { help, keys } from "./help.js";
import { diff, history } from "./history.js";
import { connect, disconnect, reconnect } from "./live.js";
import { forget as forgetThat, recall, remember } from "./memory.js";
import { overview } from "./overview.js";
import { proposals } from "./proposals.js";
import { settings } from "./settings.js";
import { signIn } from "./signin.js";
import { emit, forget, loadModel, may, on, refreshConfig, refreshStatus, seesEverything, state } from "./state.js";
import { followTheme, themeSwitch } from "./theme.js";
import { tray } from "./tray.js";
import { setDirectory } from "./words.js";

const VIEWS = [
  { name: "overview", title: "Overview", show: overview },
  { name: "settings", title: "Settings", show: settings },
  { name: "documents", title: "Documents", show: documents, isWhole: true, role: "operator" },
  { name: "history", title: "History", show: history, isWhole: true },
  { name: "audit", title: "Audit", show: audit, isWhole: true },
  { name: "proposals", title: "Proposals", show: proposals, isWhole: true },
];

const app = document.getElementById("app");
let leave = () => {};
let endings = [];

followTheme();
start(takeCode());

/// A single-use code out of the address: it is gone from the address bar and the browser's history before anything is sent.
function takeCode() {
  const code = /^#code=([A-Za-z0-9_-]+)$/.exec(location.hash)?.[1];
  if (code) window.history.replaceState(null, "", "#/overview");
  return code;
}

async function start(code) {
  // Who never signed in here, or signed out, is not asked about.
  if (!code && !recall("signed-in")) return showSignIn();
  try {
    state.session = code ? await api.session.open({ code }) : await api.session.get();
    await enter();
  } catch (problem) {
    state.session = null;
    if (problem.status === 401) forgetThat("signed-in");
    showSignIn(code ? `The code does not sign in: ${problem.message}.` : problem.status === 401 ? "" : problem.message);
  }
}

function showSignIn(message = "") {
  close();
  document.title = "Sign in · Plue";
  replace(app, signIn(message, async (session) => {
    state.session = session;
    await enter();
  }));
  app.querySelector("input")?.focus();
}

async function enter() {
  close();
  remember("signed-in", "yes");
  await Promise.all([loadModel(), refreshStatus()]);
  if (!state.version) await refreshConfig();
  setDirectory(state.status.directory);
  shell();
  connect();
  endings.push(on("config", drafts.recheck));
  show();
}

/// Leaves nothing running of what was there.
function close() {
  leave();
  leave = () => {};
  for (const end of endings) end();
  endings = [];
  disconnect();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

api.onSignedOut(() => {
  if (!state.session) return;
  state.session = null;
  showSignIn("The session is over. What you had not applied yet is kept while this page stays open.");
});

async function signOut() {
  try { await api.session.close(); } catch { /* the cookie is short-lived; the page forgets either way */ }
  forgetThat("signed-in");
  drafts.clear();
  forget();
  showSignIn("Signed out.");
}

// MARK: What is always in sight

function shell() {
  const links = VIEWS.map((view) => h("a", { href: `#/${view.name}`, "data-view": view.name }, view.title));
  const drawLinks = () => {
    for (const link of links) link.hidden = !isOffered(VIEWS.find((view) => view.name === link.dataset.view));
  };
  drawLinks();
  endings.push(on("config", drawLinks));
  const ribbon = h("div.ribbon");
  const offline = h("div.banner.offline", { role: "status", hidden: true },
    h("span", "Not connected. What you see may be old."),
    h("button.small", { type: "button", onclick: reconnect }, "Try now"));
  const waits = h("div.waits-place");
  const content = h("main", { id: "main", tabindex: "-1" });

  replace(app,
    h("div.frame",
      h("header.top",
        h("a.brand", { href: "#/overview", "aria-label": "Plue, overview" }, mark(26), h("span.word", "plue")),
        h("nav", { "aria-label": "Main" }, links),
        h("div.self",
          h("span.actor", { title: state.session.expires ? `until ${new Date(state.session.expires).toLocaleString()}` : "" },
            h("span.who", state.session.actor), h("span.role", state.session.role)),
          h("div.tools",
            themeSwitch(),
            h("button.quiet", { type: "button", onclick: help, "aria-haspopup": "dialog" }, h("span", { "aria-hidden": "true" }, "?"), h("span.sr", "Help and keyboard")),
            h("button.quiet", { type: "button", onclick: signOut }, "Sign out")))),
      h("div.page", ribbon, offline, waits, content),
      tray()));

  const drawRibbon = () => replace(ribbon, ribbonParts());
  drawRibbon();
  const drawLive = () => {
    offline.hidden = isCurrent() || !state.lost;
    drawRibbon();
  };
  let lost;
  endings.push(on("status", drawRibbon));
  endings.push(on("live", () => {
    clearTimeout(lost);
    if (isCurrent()) {
      if (state.lost) announce("Connected again.");
      state.lost = false;
    } else {
      lost = setTimeout(() => {
        if (isCurrent() || !state.session) return;
        state.lost = true;
        announce("Not connected.", "assertive");
        drawLive();
      }, 1500);
    }
    drawLive();
  }));
  endings.push(() => clearTimeout(lost));
  endings.push(watchConfirmation(waits));
  endings.push(announceVersions());
}

const isCurrent = () => (seesEverything() ? state.live : state.reachable);

/// A part of the settings has no documents or history of its own; proposals are there where changes take two.
function isOffered(view) {
  if (view.isWhole && !seesEverything() || view.role && !may(view.role)) return false;
  return view.name !== "proposals" || state.settings.get("security.require_approval")?.value === true || location.hash.startsWith("#/proposals");
}

function ribbonParts() {
  const status = state.status;
  const words = { running: "running", applying: "applying…", "awaiting-confirm": "waits to be confirmed", rejected: "last change refused", degraded: "degraded" };
  const kind = { running: "ok", applying: "wait", "awaiting-confirm": "wait", rejected: "bad", degraded: "bad" }[status.state] ?? "wait";
  return [
    h(`span.state.${kind}`, h("span.dot", { "aria-hidden": "true" }), words[status.state] ?? status.state),
    h("span", h("span.sr", "version "), h("b.version", `v${status.version}`)),
    h("span", status.environment),
    status.drift ? h("span.flag.warn", "drift") : null,
    status.pendingRestart.length ? h("span.flag.warn", `${status.pendingRestart.length} after a restart`) : null,
    h(`span.link.${isCurrent() ? "on" : "off"}`, seesEverything() ? (state.live ? "live" : "not live") : "looks every 5 s"),
  ];
}

function announceVersions() {
  let version = state.status.version, phase = state.status.state;
  return on("status", () => {
    const status = state.status;
    if (status.version !== version) announce(`Version ${status.version} runs.`);
    else if (status.state !== phase && status.state === "rejected") announce("A change was refused.", "assertive");
    version = status.version;
    phase = status.state;
  });
}

// MARK: Where they are

function show() {
  if (!state.session) return;
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const isDiff = name === "history" && rest[0] === "diff";
  const wanted = VIEWS.find((view) => view.name === name);
  const view = wanted && isOffered(wanted) ? wanted : VIEWS[0];
  const main = document.getElementById("main");
  leave();
  for (const link of app.querySelectorAll("nav a")) {
    if (link.dataset.view === view.name) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    else link.removeAttribute("aria-current");
  }
  document.title = `${view.title} · ${state.status.environment} · Plue`;
  main.replaceChildren();
  window.scrollTo(0, 0);
  leave = (isDiff ? diff(main, rest.slice(1)) : view.show(main, rest)) ?? (() => {});
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

window.addEventListener("hashchange", () => {
  const code = takeCode();
  if (code) return start(code);
  show();
  // Who moves by keyboard goes on from the new page's title.
  const title = document.querySelector("main h1");
  title?.setAttribute("tabindex", "-1");
  title?.focus({ preventScroll: true });
  emit("shown");
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});

keys({
  o: () => (location.hash = "#/overview"),
  s: () => (location.hash = "#/settings"),
  d: () => (location.hash = "#/documents"),
  h: () => (location.hash = "#/history"),
  a: () => (location.hash = "#/audit"),
});

window.addEventListener("beforeunload", (event) => {
  if (drafts.count()) event.preventDefault();
});
