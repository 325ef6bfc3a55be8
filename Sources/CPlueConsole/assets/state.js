// What the page knows of the server, and who wants to hear when that changes.

import * as api from "./api.js";
import { Model } from "./schema.js";

export const state = {
  /// `{actor, role, sections, expires}`; null for nobody.
  session: null,
  status: null,
  /// The performance clock's time at which the waiting version goes back; null when none waits.
  deadline: null,
  version: 0,
  /// "server.port" → {key, value, secret, origin, pending}
  settings: new Map(),
  model: new Model({}),
  /// Whether events arrive.
  live: false,
  reachable: true,
};

const listeners = new Map();

/// Topics: `session`, `status`, `config`, `live`, `drafts`, `attempt`. Returns what ends it.
export function on(topic, work) {
  if (!listeners.has(topic)) listeners.set(topic, new Set());
  listeners.get(topic).add(work);
  return () => listeners.get(topic).delete(work);
}

export function emit(topic, value) {
  for (const work of [...(listeners.get(topic) ?? [])]) work(value);
}

/// What the documents say: after a change that waits for a restart that is not what runs.
export function configured(key) {
  const setting = state.settings.get(key);
  return setting?.pending !== undefined ? setting.pending : setting?.value;
}

const RANKS = ["viewer", "operator", "admin"];

/// Whether who is signed in has at least this role. The server decides; the page only does not offer what would be refused.
export const may = (role) => RANKS.indexOf(state.session?.role) >= RANKS.indexOf(role);

export function mayChange(key) {
  if (!may("operator")) return false;
  const sections = state.session.sections;
  return !sections || sections.some((section) => key.startsWith(`${section}.`));
}

/// Whether the whole configuration is theirs, and not some sections only.
export const seesEverything = () => !state.session?.sections;

/// At most one of a kind at a time; what is asked for meanwhile runs once more after it.
function single(work) {
  let running = null, again = false;
  return async function run() {
    if (running) {
      again = true;
      return running;
    }
    running = (async () => {
      do {
        again = false;
        await work();
      } while (again);
    })();
    try { await running; } finally { running = null; }
  };
}

export const refreshStatus = single(async () => takeStatus(await api.status()));

/// How things stand, whoever said it: the answer to a question, or an event.
export async function takeStatus(status) {
  state.status = status;
  state.deadline = status.confirm ? performance.now() + status.confirm.remainingSeconds * 1000 : null;
  setReachable(true);
  emit("status");
  if (status.version !== state.version || pendingChanged(status)) await refreshConfig();
}

const pendingChanged = (status) =>
  status.pendingRestart.length !== [...state.settings.values()].filter((setting) => setting.pending !== undefined).length;

export const refreshConfig = single(async () => {
  const answer = await api.config();
  const settings = new Map();
  collect(answer.values, settings);
  state.settings = settings;
  state.version = answer.version;
  emit("config");
});

export async function loadModel() {
  state.model = new Model(await api.schema());
}

function collect(tree, into) {
  for (const value of Object.values(tree ?? {})) {
    if (value === null || typeof value !== "object") continue;
    if (typeof value.key === "string" && "origin" in value) into.set(value.key, value);
    else collect(value, into);
  }
}

export function setReachable(reachable) {
  if (state.reachable === reachable) return;
  state.reachable = reachable;
  emit("live");
}

export function setLive(live) {
  if (state.live === live) return;
  state.live = live;
  emit("live");
}

export function forget() {
  Object.assign(state, { session: null, status: null, deadline: null, version: 0, settings: new Map(), model: new Model({}), live: false });
}
