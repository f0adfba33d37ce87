// The figures at the top: what was drawn, what it cost, and beside what.
import { make } from "../dom.js";
import { clock, figure, kWh } from "../figures.js";
import { t } from "../words.js";
import { label, money } from "./words.js";

export function figures(place, report) {
  place.replaceChildren(...[drawn(report), cost(report), against(report, report.before), against(report, report.year_before)].filter(Boolean));
}

function card(name, value, unit, ...notes) {
  return make(
    "div.card.pad",
    {},
    make("h2.label", {}, name),
    make("p.big", {}, value, unit ? make("span.unit", {}, ` ${unit}`) : null),
    ...notes.filter(Boolean).map((note) => make("p.muted", {}, note)),
  );
}

function drawn(report) {
  const until = report.known_until && report.running ? t("up to {time}", { time: clock(Date.parse(report.known_until)) }) : "";
  const expected = report.expected?.wh ? t("about {energy} kWh if it goes on so", { energy: kWh(report.expected.wh) }) : "";
  return card(t("Energy"), report.known_from ? kWh(report.wh) : "–", "kWh", until || (report.known_from ? "" : t("nothing is known of this time")), expected);
}

function cost(report) {
  if (!report.priced) return null;
  const value = report.amount === null ? "–" : money(report.amount, report.currency);
  const expected = report.expected ? t("about {amount} if it goes on so", { amount: money(report.expected.amount, report.currency) }) : "";
  return card(t("Cost"), value, "", expected);
}

// A running span is compared as far as it has come, a past one as a whole.
function against(report, other) {
  if (!other) return null;
  const name = t("Against {span}", { span: label({ span: report.span, first: other.first, last: other.last }, true) });
  const partly = report.running && report.so_far_wh !== null;
  const mine = partly ? report.so_far_wh : report.wh;
  const theirs = partly ? other.so_far_wh : other.wh;
  const whole = [`${kWh(other.wh)} kWh`, other.amount === null ? "" : money(other.amount, report.currency)].filter(Boolean).join(", ");
  const total = t("all of it: {whole}", { whole });
  if (!other.whole) return card(name, "–", "", t("known only in part"), total);
  if (!theirs) return card(name, "–", "", total);
  const change = Math.round((100 * (mine - theirs)) / theirs);
  const value = make("span", { dataset: { change: change > 2 ? "more" : change < -2 ? "less" : "same" } }, `${change > 0 ? "+" : ""}${figure(change)}`);
  const so = partly ? t("at the same point: {energy} kWh", { energy: kWh(theirs) }) : "";
  return card(name, value, "%", so || total, so ? total : "");
}
