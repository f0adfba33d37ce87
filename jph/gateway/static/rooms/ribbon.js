// Ribbons of a plan: height and tone mean warmth, the layer has its own pattern.
import { clock, short } from "../figures.js";
import { ORDERS } from "../board.js";

const DEGREES = { comfort: 19, "comfort-1": 18, "comfort-2": 17, eco: 15.5, frost: 7, off: 5 };
const NS = "http://www.w3.org/2000/svg";
const WIDTH = 960;
const HEIGHT = 20;
const COLD = 12; // heights are those between a cold room and a warm one
const WARM = 23;
const LEAST = 4;

/** @param {number | string | null} value */
export function degrees(value) {
  return typeof value === "string" ? (DEGREES[value] ?? COLD) : (value ?? COLD);
}

// A wish in words: "21.5°", or an order.
/** @param {number | string | null | undefined} value */
export function wished(value) {
  if (value === null || value === undefined) return "?";
  return typeof value === "string" ? (ORDERS[value] ?? value) : `${short(value, 1)}°`;
}

/** @param {string} tag @param {Record<string, any>} attributes */
export function draw(tag, attributes) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

// Which of three tones a value has.
export function tone(value, layer) {
  if (layer === "absence") return "away";
  if (layer === "hand") return "hand";
  const warmth = degrees(value);
  return warmth < 14 ? "cold" : warmth < 18.5 ? "low" : warmth < 21 ? "mid" : "high";
}

// Draws [[at, value, layer], …] from `start` to `end`; `now` draws the line of the moment.
export function ribbon(svg, changes, start, end, now) {
  svg.replaceChildren();
  if (!changes.length || end <= start) return;
  const x = (at) => (WIDTH * (Math.min(Math.max(at, start), end) - start)) / (end - start);
  changes.forEach(([at, value, layer], index) => {
    const until = changes[index + 1]?.[0] ?? end;
    const share = Math.min(Math.max((degrees(value) - COLD) / (WARM - COLD), 0), 1);
    const high = LEAST + (HEIGHT - LEAST) * share;
    const box = { x: x(at), y: HEIGHT - high, width: Math.max(x(until) - x(at), 1), height: high, class: `r ${tone(value, layer)}` };
    svg.append(draw("rect", box));
  });
  if (now > start && now < end) {
    svg.append(draw("rect", { x: 0, y: 0, width: x(now), height: HEIGHT, class: "past" }));
    svg.append(draw("rect", { x: x(now) - 3, y: 0, width: 6, height: HEIGHT, class: "now" }));
  }
  const words = changes.map(([at, value]) => `${clock(at)} ${wished(value)}`);
  svg.setAttribute("aria-label", words.join(", "));
}
