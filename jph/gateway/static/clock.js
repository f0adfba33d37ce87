// The gateway's clock. That of a tablet on a wall may be hours off: times of day, "until" and "last
// hour" follow the gateway, from the page's first second on.

const LEAST_MS = 2000; // the Date header has whole seconds, and an answer takes a while

const server = Number(document.documentElement.dataset.now);
let offset = server ? server - Date.now() : 0; // ms to add to the browser's clock

// The time now, ms since 1970.
export function now() {
  return Date.now() + offset;
}

// Takes the Date header of an answer: the browser's clock may have been set meanwhile.
export function correct(date) {
  const time = Date.parse(date ?? "");
  if (Number.isFinite(time) && Math.abs(time - now()) > LEAST_MS) offset = time - Date.now();
}
