// What is under the pointer: the time and each value, beside it.
import { make, put } from "../dom.js";
import { quantity } from "../figures.js";
import { t } from "../words.js";
import { nearest } from "./series.js";
import { hourMinute, pointText } from "./times.js";

const AWAY = 14;

export class Tooltip {
  constructor() {
    this.time = make("p.when");
    this.rows = make("ul");
    this.box = make("div.tip", { hidden: true, "aria-hidden": "true" }, this.time, this.rows);
  }

  hide() {
    this.box.hidden = true;
  }

  // Shows the values of `lines` at a moment, at (x, y) of a `panel`.
  show(panel, x, y, at, lines) {
    const rows = lines.filter((line) => line.shown).map((line) => rowOf(line, at)).filter(Boolean);
    if (!rows.length) return this.hide();
    const found = rows.find((row) => row.at !== undefined);
    put(this.time, found ? pointText(found.at, found.step) : pointText(at, 0));
    this.rows.replaceChildren(...rows.map((row) => row.element));
    if (this.box.parentElement !== panel) panel.append(this.box);
    this.box.hidden = false;
    const [wide, high] = [this.box.offsetWidth, this.box.offsetHeight];
    const left = x + AWAY + wide > panel.clientWidth ? Math.max(0, x - AWAY - wide) : x + AWAY;
    const top = Math.max(0, Math.min(y - high / 2, panel.clientHeight - high));
    this.box.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}

function rowOf(line, at) {
  const { curve, tone, label } = line;
  if (!curve) return null;
  const moment = at - (line.shift ?? 0);
  const place = nearest(curve, moment);
  const swatch = make("span.swatch", { dataset: { tone: tone + 1, ...(line.dashed ? { dashed: "" } : {}) } });
  const name = make("span.name", {}, label);
  const gap = curve.gaps.find(([from, to]) => from <= moment && to >= moment);
  if (place < 0 && !gap) return null;
  const words = [];
  if (place >= 0) {
    const [value, range] = valueTexts(line, place);
    words.push(make("strong", {}, value));
    if (range) words.push(make("small", {}, range));
  }
  if (gap) words.push(make("small.lost", {}, lostText(gap)));
  const element = make("li", {}, swatch, name, make("span.numbers", {}, ...words));
  return place < 0 ? { element } : { element, at: curve.t[place] + (line.shift ?? 0), step: curve.step };
}

// Returns a value of a line: the word of an order, else the number with its unit.
export function valueText(value, { words, symbol }) {
  return words?.[value] ?? quantityText(value, symbol);
}

// Returns a point of a line: its value, and from least to most if it stands for several. What lies
// between two orders is none.
export function valueTexts(line, at) {
  const { v, lo, hi } = line.curve;
  if (lo[at] === hi[at]) return [valueText(v[at], line), ""];
  const range = `${valueText(lo[at], line)} … ${valueText(hi[at], line)}`;
  return line.words ? [range, ""] : [valueText(v[at], line), range];
}

// Returns a value with its unit; of a mean, four digits say enough.
export function quantityText(value, symbol) {
  if (value === null || value === undefined) return "–";
  const digits = Number.isInteger(value) || Math.abs(value) < 100 ? value : Number(value.toPrecision(4));
  const [text, unit] = quantity(digits, symbol);
  return unit ? `${text}\u00a0${unit}` : text;
}

function lostText([from, to, why, many]) {
  const when = `${hourMinute(from)} – ${hourMinute(to)}`;
  const count = many === null ? t("readings missing") : many === 1 ? t("1 reading missing") : t("{count} readings missing", { count: many });
  return `${when}: ${count}, ${t(why)}`;
}
