// Values, times and places as people read them.

import { h } from "./dom.js";

const units = [["day", 86_400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function ago(iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (Math.abs(seconds) < 45) return "just now";
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length * 0.95) return relative.format(-Math.round(seconds / length), unit);
  }
  return relative.format(-1, "minute");
}

/// A time in words, with the exact one behind it.
export function time(iso) {
  if (!iso) return null;
  const date = new Date(iso);
  return h("time", { datetime: iso, title: Number.isNaN(date.valueOf()) ? iso : absolute.format(date) }, ago(iso));
}

export function exact(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.valueOf())) return h("time", {}, iso ?? "");
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return h("time", { datetime: iso, title: iso }, day, " ", `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`);
}

export const isSecretValue = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && "secret" in value;

/// A value as one line of text.
export function plain(value) {
  if (value === null || value === undefined) return "unset";
  if (isSecretValue(value)) return value.set ? `secret ${value.fingerprint ?? ""}` : "unset";
  if (Array.isArray(value)) return value.length ? value.map(plain).join(", ") : "empty list";
  if (typeof value === "object") return JSON.stringify(value);
  return value === "" ? "\"\"" : visible(String(value));
}

/// A value as an element; a secret shows what equality can be told by, and nothing else.
export function value(value) {
  if (value === null || value === undefined) return h("span.value.unset", "unset");
  if (isSecretValue(value)) {
    return value.set
      ? h("span.value.secret", { title: "A secret. The fingerprint tells whether two are the same, and nothing else." }, h("span.dots", { "aria-hidden": "true" }, "••••"), " ", h("span", value.fingerprint ?? "set"))
      : h("span.value.unset", "unset");
  }
  if (Array.isArray(value)) return value.length ? h("span.value", value.map(plain).join(", ")) : h("span.value.unset", "empty list");
  if (value === "") return h("span.value.unset", "empty");
  return h(`span.value.${typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "string"}`, plain(value));
}

/// Control and direction characters as what they are, so that a value cannot pose as another.
export const visible = (text) =>
  text.replace(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u206F\uFEFF]/g, (character) =>
    `\\u{${character.codePointAt(0).toString(16).toUpperCase()}}`);

let directory = "";
export const setDirectory = (path) => (directory = path ? `${path}/` : "");
export const short = (file) => (directory && file?.startsWith(directory) ? file.slice(directory.length) : file ?? "");

/// Where a value comes from, for people: `production.ini:4`.
export function origin(origin) {
  if (!origin) return "";
  if (origin.file) return `${short(origin.file)}:${origin.line}`;
  if (origin.variable) return `$${origin.variable}`;
  if (origin.flag) return origin.flag;
  return "default";
}

/// A place as the API writes it in one text: shortened to the document's name, without the column.
export const place = (text) => (text ? short(text).replace(/^((?:[^:]+):\d+):\d+$/, "$1") : "");

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

export const when = (trigger) => ({ api: "API", file: "file", start: "start", hangup: "SIGHUP", signal: "SIGHUP", rollback: "rollback", timer: "timer" }[trigger] ?? trigger ?? "");
