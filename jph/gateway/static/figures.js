// Numbers and times as people of the page's language read them; the server sends number and unit.

import { now } from "./clock.js";

const SPACE = "\u202f"; // the narrow space that separates thousands
const MINUS = "\u2212";
const PREFIXED = new Set(["W", "VA", "Wh", "VAh", "var", "varh"]);
const FRENCH = document.documentElement.lang === "fr";
const LANGUAGE = FRENCH ? "fr" : "en-GB";
const formats = new Map(); // options as JSON -> the format: making one is slow

/** @param {number} number @param {Intl.NumberFormatOptions} options */
function formatted(number, options) {
  const key = JSON.stringify(options);
  // Rounded as the server does: a text must not change when the page's script begins.
  const all = /** @type {any} */ ({ ...options, roundingMode: "halfEven" });
  const format = formats.get(key) ?? new Intl.NumberFormat(LANGUAGE, all);
  formats.set(key, format);
  const signs = { group: SPACE, minusSign: MINUS };
  return format.formatToParts(number).map(({ type, value }) => signs[type] ?? value).join("");
}

// Returns a number with three or more significant digits, thousands set apart.
/** @param {number} number @param {number} [decimals] */
export function figure(number, decimals) {
  const size = Math.abs(number);
  if (size >= 1e15) return formatted(number, { notation: "scientific", maximumSignificantDigits: 3 });
  let places = decimals;
  if (places === undefined) {
    if (Number.isInteger(number)) places = 0;
    else if (size < 0.1) return formatted(number, { maximumSignificantDigits: 3 });
    else places = size < 10 ? 2 : 1;
  }
  return formatted(number, { minimumFractionDigits: places, maximumFractionDigits: places });
}

// Returns a number with the digits it has, at most `decimals` after the comma.
export function short(number, decimals = 3) {
  return formatted(number, { maximumFractionDigits: decimals });
}

// Returns [text, unit] with a prefix where the number is large.
/** @param {number} number @param {string} unit @returns {[string, string]} */
export function quantity(number, unit) {
  if (unit === "°C") return [figure(number, 1), unit];
  if (PREFIXED.has(unit) && Math.abs(number) >= 1e7) return [figure(number / 1e6), `M${unit}`];
  if (PREFIXED.has(unit) && Math.abs(number) >= 10000) return [figure(number / 1000), `k${unit}`];
  return [figure(number), unit];
}

// Energy is shown in kWh with as many digits as matter.
export function kWh(wh) {
  const kilo = wh / 1000;
  return figure(kilo, Math.abs(kilo) < 10 ? 2 : Math.abs(kilo) < 1000 ? 1 : 0);
}

// How long ago or how long still: "45 s", "12 min", "3 h 20", "2 d".
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 100) return `${whole}\u00a0s`;
  if (whole < 6000) return `${Math.floor(whole / 60)}\u00a0min`;
  if (whole < 36000) {
    const minutes = Math.floor((whole % 3600) / 60);
    return `${Math.floor(whole / 3600)}\u00a0h${minutes ? ` ${String(minutes).padStart(2, "0")}` : ""}`;
  }
  if (whole < 172800) return `${Math.floor(whole / 3600)}\u00a0h`;
  return `${Math.floor(whole / 86400)}\u00a0${FRENCH ? "j" : "d"}`;
}

const CLOCK = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(LANGUAGE, { weekday: "short", day: "numeric", month: "short" });

// What tells the gateway in which time of day it is to speak.
export const ZONE = `zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "")}`;

// The browser's local time of a moment (ms since 1970), with the day if it is not today.
export function clock(ms) {
  const then = new Date(ms);
  const day = then.toDateString() === new Date(now()).toDateString() ? "" : `${DAY.format(then)} `;
  return day + CLOCK.format(then);
}
