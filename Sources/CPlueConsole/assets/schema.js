// The server's JSON Schema as what the form needs: for each setting its kind, its rules in words, and a first look at what is typed.
// The server's own check decides; this one answers at once.

const DURATION = /^(0|(?=\d)(\d+d)?(\d+h)?(\d+m(?!s))?(\d+s)?(\d+ms)?)$/;
const SIZE = /^(\d+) *([KMGT]i?B|B)?$/;
const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

export function milliseconds(text) {
  if (!DURATION.test(text)) return null;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[dhms])/g)) sum += Number(count) * UNITS[unit];
  return sum;
}

export function bytes(text) {
  const match = SIZE.exec(text.trim());
  if (!match) return null;
  const unit = match[2] ?? "B";
  const power = "BKMGT".indexOf(unit[0]);
  return Number(match[1]) * (unit.includes("i") ? 1024 : 1000) ** power;
}

/// Parts of a list, as people write it: a line each.
export const items = (text) => text.split("\n").map((line) => line.trim()).filter((line) => line !== "");

export class SettingModel {
  constructor(key, schema, required) {
    this.key = key;
    this.schema = schema;
    this.isRequired = required;
    this.section = key.slice(0, key.lastIndexOf("."));
    this.name = key.slice(key.lastIndexOf(".") + 1);
    this.description = schema.description ?? "";
    this.isSecret = schema.writeOnly === true;
    this.isDeprecated = schema.deprecated === true;
    this.needsRestart = schema["x-plue-restart"] === true;
    this.default = schema.default;
    this.kind = kind(schema);
  }

  /// `switch`, `choice`, `integer`, `number`, `duration`, `size`, `list`, `text`; for people in words.
  get type() {
    return {
      switch: "yes or no", choice: "one of several", integer: "whole number", number: "number", duration: "duration", size: "size",
      list: "list", path: "path", text: "text",
    }[this.kind];
  }

  get choices() { return this.schema.enum ?? []; }

  /// The rules in words, in the order in which they are read.
  get rules() {
    const { schema } = this;
    const rules = [];
    const low = schema["x-plue-minimum"] ?? schema.minimum, high = schema["x-plue-maximum"] ?? schema.maximum;
    if (low !== undefined && high !== undefined) rules.push(`${grouped(low)} to ${grouped(high)}`);
    else if (low !== undefined) rules.push(`at least ${grouped(low)}`);
    else if (high !== undefined) rules.push(`at most ${grouped(high)}`);
    if (schema.minLength === 1 && schema.maxLength === undefined) rules.push("not empty");
    else if (schema.maxLength !== undefined) rules.push(`${schema.minLength ?? 0} to ${grouped(schema.maxLength)} characters`);
    if (schema.uniqueItems) rules.push("no item twice");
    if (schema.minItems !== undefined) rules.push(`at least ${schema.minItems} items`);
    if (schema.maxItems !== undefined) rules.push(`at most ${schema.maxItems} items`);
    if (schema.pattern && this.kind === "text") rules.push(`matches ${schema.pattern}`);
    if (this.isRequired) rules.push("required");
    return rules;
  }

  /// An example where the form is not plain from the value.
  get example() {
    return { duration: "for example 30s, 5m, 1h30m", size: "for example 64KB, 16MiB", list: "one item a line" }[this.kind] ?? "";
  }

  /// A value as the form's text.
  text(value) {
    if (value === null || value === undefined || typeof value === "object" && !Array.isArray(value)) return "";
    return Array.isArray(value) ? value.join("\n") : String(value);
  }

  /// `{value}` as it is sent, or `{problem}` in words.
  read(text) {
    if (this.isSecret) return this.kind === "list" ? { value: items(text) } : { value: text };
    const { schema } = this;
    switch (this.kind) {
      case "switch": return { value: text === "true" };
      case "choice": return schema.enum.includes(text) ? { value: text } : { problem: `is one of ${schema.enum.join(", ")}` };
      case "integer": {
        const clean = text.trim();
        if (!/^[+-]?\d+$/.test(clean)) return { problem: "is a whole number" };
        const number = Number(clean);
        if (!Number.isSafeInteger(number)) return { value: clean };
        return bounded(number, number, schema.minimum, schema.maximum);
      }
      case "number": {
        const number = Number(text.trim());
        if (text.trim() === "" || !Number.isFinite(number)) return { problem: "is a number" };
        return bounded(number, number, schema.minimum, schema.maximum);
      }
      case "duration": {
        const clean = text.trim();
        const length = milliseconds(clean);
        if (length === null) return { problem: "is a duration such as 250ms, 30s, 5m or 1h30m" };
        return bounded(clean, length, schema["x-plue-minimum"], schema["x-plue-maximum"], milliseconds);
      }
      case "size": {
        const clean = text.trim();
        const size = bytes(clean);
        if (size === null) return { problem: "is a size such as 512, 64KB or 16MiB" };
        return bounded(clean, size, schema["x-plue-minimum"], schema["x-plue-maximum"], bytes);
      }
      case "list": {
        const list = items(text);
        if (schema.uniqueItems) {
          const twice = list.find((item, index) => list.indexOf(item) !== index);
          if (twice !== undefined) return { problem: `has ${twice} twice` };
        }
        if (schema.minItems !== undefined && list.length < schema.minItems) return { problem: `has at least ${schema.minItems} items` };
        if (schema.maxItems !== undefined && list.length > schema.maxItems) return { problem: `has at most ${schema.maxItems} items` };
        return { value: list };
      }
      default: {
        const length = [...text].length;
        if (length < (schema.minLength ?? 0)) return { problem: schema.minLength === 1 ? "must not be empty" : `has at least ${schema.minLength} characters` };
        if (length > (schema.maxLength ?? Infinity)) return { problem: `has at most ${schema.maxLength} characters` };
        return { value: text };
      }
    }
  }

  /// What a typed duration or size comes to, where that is not what it says; and that a reference is none here.
  echo(text) {
    if (text.includes("${")) return "${…} is kept as text here; a reference is written in the document.";
    if (this.kind === "duration") {
      const length = milliseconds(text.trim());
      return length >= 60_000 ? `= ${grouped(length / 1000)} seconds` : "";
    }
    if (this.kind === "size") {
      const size = bytes(text);
      return size >= 1000 ? `= ${grouped(size)} bytes` : "";
    }
    return "";
  }
}

function bounded(value, measure, low, high, measured = (bound) => bound) {
  if (low !== undefined && measure < measured(String(low)) || high !== undefined && measure > measured(String(high))) {
    return { problem: low === undefined ? `is at most ${grouped(high)}` : high === undefined ? `is at least ${grouped(low)}` : `is between ${grouped(low)} and ${grouped(high)}` };
  }
  return { value };
}

function kind(schema) {
  if (Array.isArray(schema.enum) && schema.type !== "array") return "choice";
  if (schema.format === "plue-duration") return "duration";
  if (schema.format === "plue-byte-size") return "size";
  if (schema.format === "plue-path") return "path";
  return { boolean: "switch", integer: "integer", number: "number", array: "list" }[schema.type] ?? "text";
}

const grouped = (value) => (typeof value === "number" ? value.toLocaleString("en") : value);

/// All settings that the schema names, and how to make one for a key that it only has a pattern for.
export class Model {
  constructor(schema) {
    this.schema = schema;
    this.settings = new Map();
    /// "server" → its description
    this.sections = new Map();
    /// Sections of which there may be any number, by a name of their own: "daemon" → the schema of one
    this.families = new Map();
    this.#walk(schema, "");
  }

  #walk(schema, prefix) {
    const required = new Set(schema.required ?? []);
    for (const [name, node] of Object.entries(schema.properties ?? {})) {
      const key = prefix ? `${prefix}.${name}` : name;
      if (isSection(node)) {
        this.sections.set(key, node.description ?? "");
        this.#walk(node, key);
      } else if (prefix) {
        this.settings.set(key, new SettingModel(key, node, required.has(name)));
      }
    }
    if (prefix && isSection(schema.additionalProperties)) this.families.set(prefix, schema.additionalProperties);
  }

  /// The setting of a key that is there, whatever the schema calls it.
  setting(key) {
    const known = this.settings.get(key);
    if (known) return known;
    let node = this.schema, required = false;
    for (const name of key.split(".")) {
      required = (node?.required ?? []).includes(name);
      node = node?.properties?.[name] ?? pattern(node, name) ?? (typeof node?.additionalProperties === "object" ? node.additionalProperties : undefined);
    }
    const setting = new SettingModel(key, node && !isSection(node) ? node : {}, required);
    this.settings.set(key, setting);
    return setting;
  }

  /// The settings that a new member of a family has.
  members(family, name) {
    const schema = this.families.get(family);
    return Object.keys(schema?.properties ?? {}).map((member) => this.setting(`${family}.${name}.${member}`));
  }

  describe(section) {
    if (this.sections.has(section)) return this.sections.get(section);
    const parent = section.slice(0, section.lastIndexOf("."));
    return this.families.get(parent)?.description ?? "";
  }
}

function isSection(node) {
  return node !== null && typeof node === "object" && node.type === "object";
}

function pattern(node, name) {
  for (const [source, schema] of Object.entries(node?.patternProperties ?? {})) {
    try { if (new RegExp(source, "u").test(name)) return schema; } catch { /* a pattern of another dialect says nothing here */ }
  }
  return undefined;
}
