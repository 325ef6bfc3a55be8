// What can be told about a page without anybody's help: names, contrast, ids, headings, landmarks, sizes, and that nothing sticks out.
(() => {
  const complaints = [];
  const visible = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const told = (element) => `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}">${(element.textContent ?? "").trim().slice(0, 40)}`;
  const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
  const scope = dialog ?? document.body;

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) complaints.push(`the id ${id} is there twice`);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      for (const id of element.getAttribute(name).split(/\s+/)) if (!document.getElementById(id)) complaints.push(`${told(element)} ${name} names ${id}, which is not there`);
    }
  }
  for (const element of document.querySelectorAll("[tabindex]")) if (element.tabIndex > 0) complaints.push(`${told(element)} has an order of its own`);
  for (const element of document.querySelectorAll("[style]")) if (element.getAttribute("style")) complaints.push(`${told(element)} has a style attribute`);
  if ([...document.querySelectorAll("main")].filter(visible).length !== 1) complaints.push("there is not one main");
  if ([...document.querySelectorAll("h1")].filter(visible).length !== 1) complaints.push("there is not one h1");
  if (document.documentElement.lang !== "en") complaints.push("the language is not told");
  let level = 0;
  for (const heading of [...scope.querySelectorAll("h1, h2, h3, h4")].filter((heading) => visible(heading) && (dialog || !heading.closest("dialog")))) {
    const own = Number(heading.tagName[1]);
    if (level && own > level + 1) complaints.push(`${told(heading)} skips a level after h${level}`);
    level = own;
  }

  for (const element of [...scope.querySelectorAll("button, a[href], input, select, textarea, summary")].filter(visible)) {
    const box = element.getBoundingClientRect();
    const isInText = element.tagName === "A" && getComputedStyle(element).display === "inline";
    const isLabelled = element.closest("label") || element.labels?.length;
    if (!isInText && !isLabelled && !element.matches(".sr, .skip") && (box.width < 24 || box.height < 23.5)) complaints.push(`${told(element)} is ${Math.round(box.width)} by ${Math.round(box.height)}`);
  }

  for (const field of [...scope.querySelectorAll("input, select, textarea")].filter(visible)) {
    const isNamed = [...(field.labels ?? [])].some((label) => label.textContent.trim()) || field.getAttribute("aria-label");
    if (!isNamed) complaints.push(`${told(field)} is named by what goes once something is typed, or not at all`);
  }

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = ([r, g, b]) => [r, g, b].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const layers = [];
    for (let node = element; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !visible(element) || element.closest(".sr, .skip, :disabled, option, textarea, noscript, svg") || seen.has(element)) continue;
    if (!dialog && element.closest("dialog")) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    let alpha = 1;
    for (let ancestor = element; ancestor; ancestor = ancestor.parentElement) alpha *= Number(getComputedStyle(ancestor).opacity);
    const back = ground(element), ink = rgba(style.color);
    const front = over([ink[0], ink[1], ink[2], ink[3] * alpha], back);
    const [a, b] = [luminance(front), luminance(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    if (ratio < needed) complaints.push(`${told(element)} has a contrast of ${ratio.toFixed(2)} only`);
  }
  for (const field of [...scope.querySelectorAll("input:not([type=checkbox], [type=radio]), select, textarea")].filter(visible)) {
    if (field.closest(".sheet")) continue;
    const [a, b] = [luminance(over(rgba(getComputedStyle(field).borderTopColor), ground(field.parentElement))), luminance(ground(field.parentElement))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 3) complaints.push(`the edge of ${told(field)} has a contrast of ${((a + 0.05) / (b + 0.05)).toFixed(2)} only`);
  }

  if (document.scrollingElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((element) => visible(element) && element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, .sheet, .excerpt, nav, dialog"));
    complaints.push(`the page is ${document.scrollingElement.scrollWidth} wide on ${innerWidth}: ${wide.slice(0, 3).map(told).join("; ")}`);
  }
  return complaints;
})()
