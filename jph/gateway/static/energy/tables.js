// The bill, the phases, the heaters that were held back, and the peaks.
import { BASE, at, make, put } from "../dom.js";
import { clock, figure, kWh } from "../figures.js";
import { t } from "../words.js";
import { svg, ticks } from "./bars.js";
import { barLabel, barName, minutes, money, period } from "./words.js";

const MOST_HEATERS = 24;

export function bill(report) {
  at("bill").hidden = !report.priced && !report.estimated_wh;
  let tariff = "";
  const rows = report.lines.flatMap((line) => {
    const rows = [];
    if (line.tariff !== tariff) rows.push(make("tr.head", {}, make("th", { colSpan: 3, scope: "rowgroup" }, (tariff = line.tariff) || t("without a tariff"))));
    rows.push(make("tr", {}, make("th", { scope: "row" }, period(line.what)), make("td.right", {}, line.wh === null ? "" : kWh(line.wh)), make("td.right", {}, line.amount === null ? t("not priced") : money(line.amount, report.currency))));
    return rows;
  });
  if (report.amount !== null) {
    rows.push(make("tr.sum", {}, make("th", { scope: "row" }, t("total")), make("td.right", {}, kWh(report.wh)), make("td.right", {}, money(report.amount, report.currency))));
  }
  const head = make("tr", {}, make("td"), make("th.right", { scope: "col" }, "kWh"), make("th.right", { scope: "col" }, report.currency));
  at("lines").replaceChildren(...(rows.length ? [make("thead", {}, head), make("tbody", {}, ...rows)] : []));
  const notes = Object.entries(report.unpriced_wh).filter(([, wh]) => wh && report.priced).map(([code, wh]) =>
    t("not priced: {energy} kWh {period} (no tariff has a price)", { energy: kWh(wh), period: period(code) }));
  if (report.estimated_wh) notes.push(t("{energy} kWh of it are estimated: no plausible reading came for a time", { energy: kWh(report.estimated_wh) }));
  at("notes").replaceChildren(...notes.map((note) => make("li", {}, note)));
}

export function phases(report) {
  at("sheds").hidden = !report.phases.length;
  const head = [t("Phase"), t("Shed"), t("Overruns"), t("Peak"), t("When")];
  const rows = report.phases.map((phase) =>
    make("tr", {}, make("th", { scope: "row" }, String(phase.phase)),
      make("td", {}, minutes(phase.shed_minutes)),
      make("td", {}, phase.overruns ? `${phase.overruns} (${figure(phase.overrun_s, 0)} s)` : "0"),
      make("td", {}, phase.peak_a === null ? "–" : `${figure(phase.peak_a)} A`),
      make("td.muted.when-peak", {}, phase.peak_time ? clock(Date.parse(phase.peak_time)) : "")));
  at("phases").replaceChildren(make("thead", {}, make("tr", {}, ...head.map((word, index) => make(index === 4 ? "th.when-peak" : "th", { scope: "col" }, word)))), make("tbody", {}, ...rows));
}

export function heaters(report) {
  const held = report.heaters.map((each) => ({ ...each, all: each.shed_minutes + each.eco_minutes })).filter((each) => each.all >= 0.1);
  held.sort((a, b) => b.all - a.all);
  at("held").hidden = !report.heaters.length;
  if (!held.length) {
    at("heaters").replaceChildren(make("li.muted", {}, t("No heater was held back.")));
    return;
  }
  const most = held[0].all;
  at("heaters").replaceChildren(...held.slice(0, MOST_HEATERS).map((each) => {
    const bar = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "shed", width: (100 * each.shed_minutes) / most, height: 8 }),
      svg("rect", { class: "eco", x: (100 * each.shed_minutes) / most, width: (100 * each.eco_minutes) / most, height: 8 }));
    const caption = [each.shed_minutes >= 0.1 ? t("off {time}", { time: minutes(each.shed_minutes) }) : "", each.eco_minutes >= 0.1 ? t("eco {time}", { time: minutes(each.eco_minutes) }) : ""].filter(Boolean).join(", ");
    return make("li", {}, make("a", { href: `${BASE}/codifier/${each.code}` }, `${each.code} ${each.name}`), make("span.muted", {}, caption), bar);
  }));
}

const HEIGHT = 150;
const LEFT = 46;

// A dot for each phase and day: a crowd of lines says less.
export function peaks(place, caption, report) {
  const card = at("peaks-card");
  const days = [...new Set(report.peaks.map((each) => each.day))];
  card.hidden = days.length < 2;
  if (card.hidden) return;
  const width = Math.max(260, place.clientWidth || at("chart").clientWidth);
  const most = Math.max(...report.peaks.map((each) => each.peak_a ?? 0));
  const steps = ticks(most, 3);
  const pitch = (width - LEFT) / days.length;
  const y = (value) => 8 + (HEIGHT - 30) * (1 - value / steps.at(-1));
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": summary(report, most) });
  for (const step of steps) {
    const text = svg("text", { x: LEFT - 7, y: y(step) + 4, "text-anchor": "end" });
    text.textContent = figure(step);
    picture.append(svg("path", { class: step ? "grid" : "axis", d: `M${LEFT} ${y(step)}H${width}` }), text);
  }
  const every = Math.ceil(34 / pitch);
  days.forEach((day, index) => {
    const x = LEFT + pitch * (index + 0.5);
    const mine = report.peaks.filter((each) => each.day === day && each.peak_a !== null);
    const group = svg("g", { class: "day" }, svg("rect", { class: "hit", x: LEFT + pitch * index, y: 0, width: pitch, height: HEIGHT }));
    const values = mine.map((each) => each.peak_a);
    if (values.length > 1) group.append(svg("path", { class: "reach", d: `M${x} ${y(Math.min(...values))}V${y(Math.max(...values))}` }));
    for (const each of mine) {
      group.append(svg("circle", { class: `phase-${each.phase}${each.overruns ? " over" : ""}`, cx: x + (each.phase - 2) * Math.min(4, pitch / 5), cy: y(each.peak_a), r: 3.6 }));
    }
    if (index % every === 0) {
      const text = svg("text", { x, y: HEIGHT - 5, "text-anchor": "middle" });
      text.textContent = barLabel(report.span === "year" ? "year" : report.span === "week" ? "week" : "month", day);
      group.append(text);
    }
    group.addEventListener("pointerenter", () => put(caption, `${barName(report.span === "year" ? "year" : "month", day)}: ${mine.map((each) => t("phase {phase} {current} A", { phase: each.phase, current: figure(each.peak_a) })).join(", ")}`));
    picture.append(group);
  });
  put(caption, summary(report, most));
  place.replaceChildren(picture);
}

function summary(report, most) {
  const over = report.phases.reduce((sum, each) => sum + each.overruns, 0);
  const text = t("The highest was {current} A.", { current: figure(most) });
  return over ? `${text} ${over === 1 ? t("1 overrun in all.") : t("{count} overruns in all.", { count: figure(over) })}` : `${text} ${t("No overrun.")}`;
}
