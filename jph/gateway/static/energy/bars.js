// Stacked bars by tariff period, drawn as SVG; the same as a table for who does not see them.
import { make, put } from "../dom.js";
import { figure, kWh } from "../figures.js";
import { t } from "../words.js";
import { barLabel, barName, dayName, inOrder, money, period } from "./words.js";

const HEIGHT = 260;
const LEFT = 46;
const BOTTOM = 24;
const TOP = 10;

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// Returns round steps for an axis up to `most`.
export function ticks(most, wanted = 4) {
  if (!(most > 0)) return [0, 1];
  const raw = most / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const found = [];
  for (let n = 0; n < most + step * 0.999; n += step) found.push(Number(n.toPrecision(6)));
  return found;
}

export function bars(place, legend, caption, report, unit, open) {
  if (isEmpty(report)) {
    legend.replaceChildren();
    put(caption, "");
    place.replaceChildren(make("p", {}, hint(report)));
    return;
  }
  const asMoney = unit === "money";
  const values = report.bars.map((bar) => (asMoney ? scaled(bar.cents, 100) : scaled(bar.wh, 1000)));
  const codes = inOrder(new Set(values.flatMap((each) => Object.keys(each))));
  const ghosts = asMoney ? [] : report.bars.map((bar) => (bar.before_wh ?? 0) / 1000);
  const most = Math.max(0, ...values.map((each) => sum(each)), ...ghosts);
  key(legend, codes, ghosts.some((each) => each > 0));
  const width = Math.max(260, place.clientWidth);
  const steps = ticks(most);
  const top = steps.at(-1);
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const pitch = (width - LEFT) / report.bars.length;
  const thick = Math.min(46, pitch * 0.72);
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "group", tabindex: "0",
    "aria-label": t("Bars; arrow keys go from one to the next"),
  });
  picture.append(...steps.flatMap((step) => line(step, y(step), width)));
  const everyLabel = Math.ceil(34 / pitch);
  const groups = report.bars.map((bar, index) => {
    const x = LEFT + pitch * index + (pitch - thick) / 2;
    const group = svg("g", { class: "bar" }, svg("rect", { class: "hit", x: LEFT + pitch * index, y: TOP, width: pitch, height: HEIGHT - TOP - BOTTOM }));
    let base = 0;
    for (const code of codes) {
      const value = values[index][code] ?? 0;
      if (value <= 0) continue;
      group.append(svg("rect", { class: `part p-${code || "rest"}`, x, width: thick, y: y(base + value), height: Math.max(0.6, y(base) - y(base + value)) }));
      base += value;
    }
    if (ghosts[index] > 0) group.append(svg("path", { class: "ghost", d: `M${x - 2} ${y(ghosts[index])}h${thick + 4}` }));
    if (index % everyLabel === 0) {
      const text = svg("text", { x: x + thick / 2, y: HEIGHT - 7, "text-anchor": "middle" });
      text.textContent = barLabel(report.span, bar.at);
      group.append(text);
    }
    picture.append(group);
    return group;
  });
  const tell = (index) => put(caption, caption.dataset.at === undefined || index < 0 ? hint(report) : words(report, report.bars[index], asMoney));
  point(picture, groups, (index) => { caption.dataset.at = index; tell(index); }, (index) => open(report.bars[index]));
  const kept = Number(caption.dataset.at ?? -1);
  if (caption.dataset.of !== report.name) delete caption.dataset.at;
  caption.dataset.of = report.name;
  tell(caption.dataset.at === undefined ? -1 : Math.min(kept, report.bars.length - 1));
  place.replaceChildren(picture);
}

function point(picture, groups, caption, open) {
  let at = -1;
  const choose = (index) => {
    groups[at]?.classList.remove("chosen");
    at = Math.max(0, Math.min(groups.length - 1, index));
    groups[at].classList.add("chosen");
    caption(at);
  };
  groups.forEach((group, index) => {
    group.addEventListener("pointerenter", () => choose(index));
    group.addEventListener("click", () => { choose(index); open(index); });
  });
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -999, End: 999 }[event.key];
    if (step) choose(at + step);
    else if (event.key === "Enter" && at >= 0) open(at);
    else return;
    event.preventDefault();
  });
}

const isEmpty = (report) => report.bars.every((bar) => !Object.keys(bar.wh).length);

function hint(report) {
  const { first_day: start } = report;
  if (start && start > report.last) return t("no data before {date}", { date: dayName(start) });
  if (isEmpty(report)) return t("Nothing is known of this time; energy is counted every 10 minutes.");
  return report.span === "day" ? t("Point at a bar for its figures.") : t("Point at a bar for its figures, click to open it.");
}

function words(report, bar, asMoney) {
  const parts = inOrder(Object.keys(asMoney ? bar.cents : bar.wh)).map((code) =>
    `${period(code)} ${asMoney ? money(bar.cents[code] / 100, report.currency) : `${kWh(bar.wh[code])} kWh`}`);
  const whole = [`${kWh(sum(bar.wh))} kWh`];
  if (Object.keys(bar.cents).length) whole.push(money(sum(bar.cents) / 100, report.currency));
  if (bar.before_wh) whole.push(t("before: {energy} kWh", { energy: kWh(bar.before_wh) }));
  return `${barName(report.span, bar.at)}: ${whole.join(", ")}${parts.length > 1 ? ` (${parts.join("; ")})` : ""}`;
}

export function table(place, report) {
  const codes = inOrder(new Set(report.bars.flatMap((bar) => Object.keys(bar.wh))));
  const head = make("tr", {}, ...["", ...codes.map(period), "kWh", ...(report.priced ? [report.currency] : [])].map((word, index) =>
    index ? make("th.right", { scope: "col" }, word) : make("td", {}, "")));
  const rows = report.bars.filter((bar) => Object.keys(bar.wh).length).map((bar) =>
    make("tr", {}, make("th", { scope: "row" }, barName(report.span, bar.at)),
      ...codes.map((code) => make("td.right", {}, code in bar.wh ? kWh(bar.wh[code]) : "")),
      make("td.right", {}, kWh(sum(bar.wh))),
      ...(report.priced ? [make("td.right", {}, Object.keys(bar.cents).length ? figure(sum(bar.cents) / 100, 2) : "")] : [])));
  place.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function key(place, codes, ghost) {
  const entries = codes.map((code) => make("li", {}, make(`span.swatch.p-${code || "rest"}`), period(code)));
  if (ghost) entries.push(make("li", {}, make("span.swatch.was"), t("the one before")));
  place.replaceChildren(...entries);
}

function line(step, y, width) {
  const text = svg("text", { x: LEFT - 7, y: y + 4, "text-anchor": "end" });
  text.textContent = figure(step);
  return [svg("path", { class: step ? "grid" : "axis", d: `M${LEFT} ${y}H${width}` }), text];
}

const sum = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);
const scaled = (parts, by) => Object.fromEntries(Object.entries(parts).map(([code, value]) => [code, value / by]));
