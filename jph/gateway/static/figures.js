// Values as people read them: sensible digits, SI prefixes, units, and the decimal comma of French.
// The same as jph/gateway/view/figures.py.

import { now } from "./clock.js";

const SPACE = "\u202f"; // the narrow space that separates thousands
const MINUS = "\u2212";
const PREFIXED = new Set(["W", "VA", "Wh", "VAh", "var", "varh"]);
const UNITS = { C: "°C", "℃": "°C", degC: "°C", "p/m": "/min", "-": "" };
const FRENCH = document.documentElement.lang === "fr";
const PLAIN = /^[\u2212-]?[\d\u202f]+(\.\d+)?(e[-+]?\d+)?$/;

// Returns a text of digits with the comma where the language wants one; other texts stay.
export function decimal(text) {
  return FRENCH && PLAIN.test(text) ? text.replace(".", ",") : text;
}

// Returns a number with three or more significant digits, thousands set apart.
/** @param {number} number @param {number} [decimals] */
export function figure(number, decimals) {
  const size = Math.abs(number);
  if (size >= 1e15) return decimal(Number(number.toPrecision(3)).toExponential().replace("-", MINUS));
  let places = decimals;
  if (places === undefined) {
    if (Number.isInteger(number)) places = 0;
    else if (size < 0.1) return decimal(String(Number(number.toPrecision(3))).replace("-", MINUS));
    else places = size < 10 ? 2 : 1;
  }
  const [whole, part] = size.toFixed(places).split(".");
  const text = whole.replace(/\B(?=(\d{3})+$)/g, SPACE) + (part ? `.${part}` : "");
  return decimal(number < 0 ? MINUS + text : text);
}

// Returns [text, unit]; `symbol` is that of the config.
export function quantity(number, symbol) {
  const unit = UNITS[symbol] ?? symbol;
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

const CLOCK = new Intl.DateTimeFormat(FRENCH ? "fr" : "en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(FRENCH ? "fr" : "en-GB", { weekday: "short", day: "numeric", month: "short" });

// What tells the gateway in which time of day it is to speak.
export const ZONE = `zone=${encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "")}`;

// The browser's local time of a moment (ms since 1970), with the day if it is not today.
export function clock(ms) {
  const then = new Date(ms);
  const day = then.toDateString() === new Date(now()).toDateString() ? "" : `${DAY.format(then)} `;
  return day + CLOCK.format(then);
}
