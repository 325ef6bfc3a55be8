// The page's own small way of making elements. Whatever a server says becomes text here, never markup.

const SVG = "http://www.w3.org/2000/svg";

/// `h("button.quiet", { type: "button", onclick: save, disabled: true }, "Save")`
/// Functions become listeners; true, false and null become present or absent attributes; the rest are attributes. A child may be a
/// node, a text, a list of those, or nothing.
export function h(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), classes, rest);
}

/// The same for a drawing.
export function s(tag, ...rest) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS(SVG, name), classes, rest);
}

function fill(element, classes, rest) {
  if (classes.length) element.setAttribute("class", classes.join(" "));
  if (isAttributes(rest[0])) set(element, rest.shift());
  element.append(...flat(rest));
  return element;
}

function isAttributes(value) {
  return value !== null && typeof value === "object" && !(value instanceof Node) && !Array.isArray(value);
}

export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "value" && "value" in element) element.value = value;
    else if (name === "checked") element.checked = value;
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

export function replace(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

let numbers = 0;
/// An id that no other element has.
export const fresh = (stem) => `${stem}-${++numbers}`;

/// Says something to people who listen instead of look. The same words twice are said twice.
export function announce(text, urgency = "polite") {
  const region = document.getElementById(urgency);
  region.textContent = "";
  requestAnimationFrame(() => (region.textContent = text));
}

/// The one drawing of its own: a p that is a version on its line.
export function mark(size = 24) {
  return s("svg.mark", { viewBox: "7 4 20 25", width: Math.round(size * 0.8), height: size, "aria-hidden": "true" },
    s("path", { d: "M10 13.5v13" }), s("circle", { cx: 17, cy: 13, r: 7 }), s("circle.core", { cx: 17, cy: 13, r: 2.4 }));
}

const SHAPES = {
  ok: ["M4 8.5l2.6 2.6L12 5.5"],
  bad: ["M5 5l6 6", "M11 5l-6 6"],
  wait: ["M8 4.5V8l2.4 1.6"],
  none: ["M5 8h6"],
};

/// Tells a state apart without its colour.
export function sign(kind) {
  return s("svg", { class: `sign ${kind}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    s("circle", { cx: 8, cy: 8, r: 7 }), SHAPES[kind].map((d) => s("path", { d })));
}

/// Runs after the last of many calls in a short time.
export function settled(milliseconds, work) {
  let timer;
  const call = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
  call.cancel = () => clearTimeout(timer);
  return call;
}
