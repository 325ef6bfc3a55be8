// Which lines two texts share: Myers' shortest edit script ("An O(ND) Difference Algorithm", 1986), with a bound.

/// Beyond so many differences the texts are shown whole, one beside the other.
const MOST = 1000;

/// - Returns: pairs `{old, new}` of line numbers from 0; null where a side has no line.
export function pair(a, b) {
  let start = 0, endA = a.length, endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start += 1;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  const pairs = [];
  for (let i = 0; i < start; i += 1) pairs.push({ old: i, new: i });
  pairs.push(...beside(middle(a.slice(start, endA), b.slice(start, endB)).map((p) => ({
    old: p.old === null ? null : p.old + start, new: p.new === null ? null : p.new + start }))));
  for (let i = 0; endA + i < a.length; i += 1) pairs.push({ old: endA + i, new: endB + i });
  return pairs;
}

function middle(a, b) {
  const trace = shortest(a, b);
  if (!trace) return [...a.map((_, i) => ({ old: i, new: null })), ...b.map((_, i) => ({ old: null, new: i }))];
  const pairs = [];
  let x = a.length, y = b.length;
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const v = trace[d], k = x - y;
    const before = k === -d || (k !== d && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1)) ? k + 1 : k - 1;
    const startX = d === 0 ? 0 : v.get(before), startY = d === 0 ? 0 : startX - before;
    while (x > startX && y > startY && x > 0 && y > 0) pairs.push({ old: --x, new: --y });
    if (d === 0) break;
    if (before === k + 1) pairs.push({ old: null, new: --y });
    else pairs.push({ old: --x, new: null });
  }
  return pairs.reverse();
}

/// The furthest points reached before each step; null when the texts differ too much.
function shortest(a, b) {
  const trace = [];
  let v = new Map([[1, 0]]);
  for (let d = 0; d <= Math.min(a.length + b.length, MOST); d += 1) {
    trace.push(new Map(v));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1)) ? v.get(k + 1) ?? 0 : v.get(k - 1) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      v.set(k, x);
      if (x >= a.length && y >= b.length) return trace;
    }
  }
  return null;
}

/// Lines that went and lines that came stand beside each other.
function beside(pairs) {
  const result = [];
  let gone = [], come = [];
  const settle = () => {
    for (let i = 0; i < Math.max(gone.length, come.length); i += 1) result.push({ old: gone[i] ?? null, new: come[i] ?? null });
    gone = [];
    come = [];
  };
  for (const p of pairs) {
    if (p.old !== null && p.new !== null) {
      settle();
      result.push(p);
    } else if (p.old !== null) gone.push(p.old);
    else come.push(p.new);
  }
  settle();
  return result;
}

/// The part in which two lines differ: [start, end) on each side.
export function span(a, b) {
  let start = 0, endA = a.length, endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start += 1;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  return { start, endA, endB };
}
