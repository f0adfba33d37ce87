// The points of a graph as a table, for who reads rather than sees.
import { make } from "../dom.js";
import { t } from "../words.js";
import { below } from "./series.js";
import { pointText } from "./times.js";
import { valueTexts } from "./tooltip.js";

const MOST = 300;

// Fills `place` with what is seen now: a row a moment, a column a line.
export function fillTable(place, graph) {
  const { from, to } = graph.view;
  const lines = graph.lines.filter((line) => line.shown && !line.dashed && line.curve);
  const moments = [...new Set(lines.flatMap(({ curve }) => curve.t.slice(below(curve.t, from), below(curve.t, to + 1))))];
  moments.sort((a, b) => b - a);
  const shown = moments.slice(0, MOST);
  const places = new Map(lines.map((line) => [line, new Map(line.curve.t.map((ms, at) => [ms, at]))]));
  const cell = (line, ms) => {
    const at = places.get(line).get(ms);
    return make("td.right", {}, at === undefined ? "" : text(line, at));
  };
  const step = Math.max(0, ...lines.map((line) => line.curve.step));
  const rows = shown.map((ms) => make("tr", {}, make("th", { scope: "row" }, pointText(ms, step)), ...lines.map((line) => cell(line, ms))));
  const caption = moments.length > MOST
    ? t("The newest {some} of {all} points", { some: MOST, all: moments.length })
    : t("{all} points, newest first", { all: moments.length });
  const heads = lines.map((line) => make("th.right", { scope: "col" }, `${line.code} ${line.label}`));
  place.replaceChildren(make("table.list", {},
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, t("Time")), ...heads)),
    make("tbody", {}, ...rows)));
}

function text(line, at) {
  const [value, range] = valueTexts(line, at);
  return range ? `${value} (${range})` : value;
}
