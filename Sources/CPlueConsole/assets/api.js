// Everything the console does is a call of the public API.

/// What the server said no with: RFC 9457, with the diagnostics as `errors`.
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.detail || body.title || (status ? `the server answered ${status}` : "the server cannot be reached"));
    this.status = status;
    this.body = body;
  }
  get errors() { return this.body.errors ?? []; }
  get isUnreachable() { return this.status === 0; }
}

/// Called when the session is over; the sign-in asks again.
let whenSignedOut = () => {};
export const onSignedOut = (work) => (whenSignedOut = work);

const DEADLINE = 60_000;

export async function call(method, path, { query = {}, body, type = "application/json", match, accept = "json", key, quiet } = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  // A space as %20: a + is a plus.
  const parameters = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = type;
  if (match) headers["If-Match"] = match;
  if (key) headers["Idempotency-Key"] = key;
  let response, text;
  try {
    response = await fetch(`${path}${parameters ? `?${parameters}` : ""}`, {
      method, headers, body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
      credentials: "same-origin", redirect: "error", cache: "no-cache", signal: AbortSignal.timeout(DEADLINE),
    });
    text = await response.text();
  } catch {
    throw new Problem(0);
  }
  if (!response.ok) {
    if (response.status === 401 && !quiet) whenSignedOut();
    throw new Problem(response.status, parsed(text) ?? {});
  }
  if (accept === "text") return { text, tag: response.headers.get("ETag") };
  return parsed(text);
}

function parsed(text) {
  try { return text ? JSON.parse(text) : null; } catch { return null; }
}

const PATCH = "application/merge-patch+json";
const path = (name) => name.split("/").map(encodeURIComponent).join("/");

/// The tag of a version, as `If-Match` names it.
export const tag = (version) => `"v${version}"`;

export const session = {
  get: () => call("GET", "/v1/session", { quiet: true }),
  open: (body) => call("POST", "/v1/session", { body, quiet: true }),
  close: () => call("DELETE", "/v1/session", { quiet: true }),
};

export const status = () => call("GET", "/v1/status");
export const config = () => call("GET", "/v1/config", { query: { origins: "true" } });
export const schema = () => call("GET", "/v1/schema");
export const explain = (key) => call("GET", `/v1/explain/${path(key.replaceAll(".", "/"))}`);
export const confirm = () => call("POST", "/v1/confirm", { body: {} });
export const reload = () => call("POST", "/v1/reload", { body: {} });

const asked = ({ reason, confirmWithin, replacePending }) => ({ reason, confirmWithin, replacePending: replacePending ? "true" : undefined });

/// Asked for while somebody types: what is wrong is an answer here, not a refusal; what is right is planned as well.
/// - Returns: `{plan}`, or `{errors, detail}`.
export async function examine(change, mayCheck) {
  try {
    const report = mayCheck ? await change.check() : null;
    if (report?.valid === false) return { errors: report.diagnostics, detail: report.diagnostics[0]?.message ?? "invalid" };
    return { plan: await change.plan() };
  } catch (problem) {
    return { errors: problem.errors ?? [], detail: problem.message };
  }
}

/// A change that can be planned and made: of settings, of a document, or back to a version.
export const change = {
  patch: (patch) => ({
    check: () => call("POST", "/v1/check", { body: patch, type: PATCH }),
    plan: () => call("POST", "/v1/plan", { body: patch, type: PATCH }),
    apply: (options) => call("PATCH", "/v1/config", { body: patch, type: PATCH, match: options.match, key: options.key, query: asked(options) }),
  }),
  document: (name, text) => ({
    check: () => call("POST", "/v1/check", { body: { documents: { [name]: text } } }),
    plan: () => call("POST", "/v1/plan", { body: { documents: { [name]: text } } }),
    apply: (options) => call("PUT", `/v1/documents/${path(name)}`, {
      body: text, type: "text/plain; charset=utf-8", match: options.match, key: options.key, query: asked(options) }),
  }),
  removal: (name) => ({
    plan: () => call("POST", "/v1/plan", { body: { documents: { [name]: null } } }),
    apply: (options) => call("DELETE", `/v1/documents/${path(name)}`, { match: options.match, key: options.key, query: asked(options) }),
  }),
  rollback: (version) => ({
    plan: () => call("POST", "/v1/rollback", { body: { version }, match: "*", query: { dryRun: "true" } }),
    apply: (options) => call("POST", "/v1/rollback", { body: { version }, match: options.match, key: options.key, query: asked(options) }),
  }),
};

export const documents = {
  list: () => call("GET", "/v1/documents"),
  get: (name) => call("GET", `/v1/documents/${path(name)}`, { accept: "text" }),
};

export const versions = {
  page: (before, limit = 50) => call("GET", "/v1/versions", { query: { before, limit, rejected: "true" } }),
  get: (version) => call("GET", `/v1/versions/${version}`),
  diff: (from, to) => call("GET", `/v1/versions/${from}/diff/${to}`),
};

export const proposals = {
  list: () => call("GET", "/v1/proposals"),
  approve: ({ id, hash }, reason) => call("POST", `/v1/proposals/${id}/approve`, { body: { hash }, query: { reason } }),
  withdraw: ({ id }, reason) => call("DELETE", `/v1/proposals/${id}`, { query: { reason } }),
};

export const audit = {
  page: (query) => call("GET", "/v1/audit", { query }),
  verify: () => call("GET", "/v1/audit/verify"),
};
