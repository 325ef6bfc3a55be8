// Edits that nobody has applied yet. They live in this page's memory only: a secret is among them.

import * as api from "./api.js";
import { settled } from "./dom.js";
import { configured, emit, seesEverything, state } from "./state.js";
import { isSecretValue } from "./words.js";

/// key → {kind: "set", text, value, problem} or {kind: "remove"}
const edits = new Map();

/// What the server says of all of them together: {plan} or {errors, detail}; null while it is being asked or there is nothing to ask.
export let verdict = null;
export let isChecking = false;

export const all = () => edits;
export const get = (key) => edits.get(key);
export const count = () => edits.size;

export function set(key, text) {
  const model = state.model.setting(key);
  const now = configured(key);
  const isSame = model.isSecret ? text === "" : now !== null && now !== undefined && !isSecretValue(now) && text === model.text(now);
  if (isSame) edits.delete(key);
  else edits.set(key, { kind: "set", text, ...model.read(text) });
  changed();
}

/// The key's line goes, and the layer below shows.
export function remove(key) {
  edits.set(key, { kind: "remove" });
  changed();
}

export function drop(key) {
  if (edits.delete(key)) changed();
}

export function clear() {
  edits.clear();
  changed();
}

/// What the page itself found.
export const problems = () => [...edits].filter(([, edit]) => edit.problem).map(([key]) => key);

/// The edits as a merge patch: objects inside each other, null for a line that goes.
export function patch() {
  const root = {};
  for (const [key, edit] of edits) {
    if (edit.problem) continue;
    const path = key.split(".");
    let node = root;
    for (const name of path.slice(0, -1)) node = node[name] ??= {};
    node[path.at(-1)] = edit.kind === "remove" ? null : edit.value;
  }
  return root;
}

/// What is to be said at a field: the page's own finding first, then the server's.
export function diagnostics(key) {
  const edit = edits.get(key);
  if (edit?.problem) return [{ severity: "error", message: `${key} ${edit.problem}` }];
  const found = verdict?.errors ?? verdict?.plan?.warnings ?? [];
  return found.filter((diagnostic) => diagnostic.key === key);
}

let turn = 0;

const ask = settled(300, async () => {
  const mine = ++turn;
  const body = patch();
  if (!Object.keys(body).length) return finish(mine, null);
  finish(mine, await api.examine(api.change.patch(body), seesEverything()));
});

function finish(mine, answer) {
  if (mine !== turn) return;
  verdict = answer;
  isChecking = false;
  emit("drafts");
}

function changed() {
  turn += 1;
  verdict = null;
  isChecking = edits.size > 0;
  if (edits.size) ask();
  else ask.cancel();
  emit("drafts");
}

/// The configuration moved: what was said of the edits may no longer hold.
export function recheck() {
  if (!edits.size) return;
  for (const [key, edit] of edits) if (edit.kind === "set") edits.set(key, { kind: "set", text: edit.text, ...state.model.setting(key).read(edit.text) });
  changed();
}
