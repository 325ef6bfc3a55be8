// What this browser remembers: tastes, and the last checkpoint it saw. Never anything secret. A browser that keeps nothing is all right.

export function recall(name) {
  try { return localStorage.getItem(`plue.${name}`); } catch { return null; }
}

export function remember(name, value) {
  try { localStorage.setItem(`plue.${name}`, value); } catch { /* it is asked again next time */ }
}

export function forget(name) {
  try { localStorage.removeItem(`plue.${name}`); } catch { /* it was not kept either */ }
}
