// Hears of every change as it happens, and says when it does not.

import * as api from "./api.js";
import { emit, refreshStatus, setLive, seesEverything, setReachable, state, takeStatus } from "./state.js";

const PAUSES = [1000, 2000, 4000, 8000, 15000];
// The server beats every 15 s in a comment, which a page cannot see; this looks after what may have been missed.
const LOOK = 30_000, LOOK_OFTEN = 5_000;

let source = null, retry = null, look = null, attempt = 0;

export function connect() {
  disconnect();
  // Events are about the whole configuration; whoever sees a part of it looks now and then.
  look = setInterval(check, seesEverything() ? LOOK : LOOK_OFTEN);
  if (seesEverything()) open();
}

export function disconnect() {
  source?.close();
  source = null;
  clearTimeout(retry);
  clearInterval(look);
  setLive(false);
}

/// The browser itself goes on after the last event it saw when a stream breaks; a stream that was refused is opened again here.
function open() {
  source?.close();
  source = new EventSource("/v1/events");
  source.addEventListener("open", () => {
    attempt = 0;
    setLive(true);
    setReachable(true);
  });
  // Every change of how things stand is told in full; the other events say what happened.
  source.addEventListener("state", (event) => {
    const status = parsed(event.data);
    if (status?.services) takeStatus(status).catch(() => {});
    else check();
  });
  for (const name of ["version", "attempt"]) source.addEventListener(name, (event) => emit("attempt", parsed(event.data)));
  // The server says why it ends the stream: it stops, the session is over, or this page was too slow.
  source.addEventListener("end", () => {
    source.close();
    setLive(false);
    again();
  });
  source.addEventListener("error", () => {
    setLive(false);
    if (source.readyState !== EventSource.CLOSED) return check();
    source.close();
    again();
  });
}

function again() {
  clearTimeout(retry);
  retry = setTimeout(async () => {
    await check();
    if (state.session) open();
  }, PAUSES[Math.min(attempt++, PAUSES.length - 1)]);
}

async function check() {
  try {
    await refreshStatus();
  } catch (problem) {
    if (!(problem instanceof api.Problem) || !problem.isUnreachable) return;
    setReachable(false);
    // A stream that seems to live beside a server that does not answer is half open.
    if (source?.readyState !== EventSource.OPEN) return;
    source.close();
    setLive(false);
    again();
  }
}

/// Now rather than at the next pause: somebody asked, or the network came back.
export function reconnect() {
  attempt = 0;
  if (!state.session) return;
  if (seesEverything()) open();
  else check();
}

// The browser may be wrong about a server on the same machine: it is tried either way.
window.addEventListener("online", reconnect);
window.addEventListener("offline", reconnect);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state.session && !state.live) reconnect();
});

function parsed(text) {
  try { return JSON.parse(text); } catch { return null; }
}
