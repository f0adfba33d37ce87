// One panel: lines with their bands on a canvas. uPlot (window.uPlot) draws; this says what.
import { figure, quantity } from "../figures.js";
import { ticks } from "./times.js";

const NULLS_SPREAD = 2; // of uPlot.join: a cut reaches to the line's own next points, not to another's
const GAP_ALPHA = 0.14;
const BAND_ALPHA = 0.2;
const AXIS_FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

// Returns the colours of the page as it is now, in the light or in the dark.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    ink: of("--ink"), soft: of("--soft"), line: of("--line"), card: of("--card"), bad: of("--bad"),
    tones: Array.from({ length: 8 }, (_, at) => of(`--tone-${at + 1}`)),
  };
}

// Makes a panel in `host` for lines {code, unit, symbol, words, tone, stepped, dashed, band, shown}.
// `view()` is what is seen: {from, to}. `hooks`: select(from, to), cursor(plot), drawn(), marks().
export function makePlot(host, lines, { width, height, view, paint, sync, hooks }) {
  const units = [...new Set(lines.map((line) => line.unit))];
  const options = {
    width, height, ms: 1, pxAlign: 0,
    padding: [18, units.length > 1 ? null : 26, null, null],
    series: [{}, ...lines.flatMap((line) => seriesOf(line, paint))],
    bands: bandsOf(lines, paint),
    scales: {
      x: { time: true, range: () => [view().from, view().to] },
      ...Object.fromEntries(units.map((unit) => [scaleOf(unit), { auto: true, range: around }])),
    },
    axes: [timeAxis(paint), ...units.map((unit, at) => valueAxis(unit, at, lines, paint, width))],
    cursor: {
      sync: { key: sync, scales: ["x", null] },
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
      focus: { prox: -1 },
      bind: { dblclick: () => null },
    },
    legend: { show: false },
    select: { show: true },
    hooks: {
      setSelect: [(plot) => hooks.select(plot)],
      setCursor: [(plot) => hooks.cursor(plot)],
      drawClear: [(plot) => shade(plot, lines, paint, hooks.marks())],
      draw: [(plot) => { unitNames(plot, units, paint); hooks.drawn(); }],
    },
  };
  return new window.uPlot(options, columnsOf(lines, []), host);
}

// Returns what uPlot wants for lines and their columns [t, v, hi, lo] by code.
export function columnsOf(lines, columns) {
  const empty = [[], [], [], []];
  const tables = lines.map((line) => {
    const all = columns[line.key] ?? empty;
    return line.band ? all : all.slice(0, 2);
  });
  const [first] = tables;
  if (!first) return [[]];
  const alike = tables.every((table) => same(table[0], first[0]));
  if (alike) return [first[0], ...tables.flatMap((table) => table.slice(1))];
  return window.uPlot.join(tables, tables.map((table) => table.map(() => NULLS_SPREAD)));
}

function same(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

function seriesOf(line, { tones }) {
  const colour = tones[line.tone];
  const path = line.stepped ? window.uPlot.paths.stepped({ align: 1 }) : window.uPlot.paths.linear();
  const common = { scale: scaleOf(line.unit), show: line.shown, paths: path, spanGaps: false };
  const value = {
    ...common, stroke: line.dashed ? faded(colour, 0.75) : colour, width: line.dashed ? 1.4 : 1.8,
    dash: line.dashed ? [6, 4] : undefined,
    points: { show: sparse, size: 5, fill: colour, stroke: colour },
  };
  const edge = { ...common, stroke: "transparent", width: 0, points: { show: false } };
  return line.band ? [value, edge, edge] : [value];
}

// Points are drawn where they are few: a reading between two gaps has no line.
function sparse(plot, _at, from, to) {
  return to - from < plot.bbox.width / window.devicePixelRatio / 14;
}

function bandsOf(lines, { tones }) {
  const bands = [];
  let at = 1;
  for (const line of lines) {
    if (line.band) bands.push({ series: [at + 1, at + 2], fill: faded(tones[line.tone], BAND_ALPHA) });
    at += line.band ? 3 : 1;
  }
  return bands;
}

function scaleOf(unit) {
  return `y ${unit}`;
}

// A scale with a little room; a line that never changes lies in the middle.
function around(_plot, least, most) {
  if (least === null || most === null) return [0, 1];
  if (least === most) {
    const room = Math.abs(least) * 0.1 || 1;
    return [least - room, most + room];
  }
  const room = (most - least) * 0.06;
  const low = least >= 0 && least < (most - least) * 0.25 ? 0 : least - room;
  return [low, most + room];
}

function timeAxis({ soft, line }) {
  return {
    stroke: soft, font: AXIS_FONT, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 },
    space: 64, size: 40, values: (_plot, splits, _axis, _space, step) => ticks(splits, step),
  };
}

function valueAxis(unit, at, lines, { soft, line, tones }, width) {
  const own = lines.filter((each) => each.unit === unit && !each.dashed);
  const { words } = own[0];
  return {
    scale: scaleOf(unit), side: at % 2 ? 1 : 3,
    stroke: own.length === 1 && at > 0 ? tones[own[0].tone] : soft,
    font: AXIS_FONT, grid: { show: at === 0, stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 },
    space: 34, gap: 4,
    size: (_plot, values) => axisSize(values, width),
    values: (_plot, splits) => words ? splits.map((value) => words[value]) : labels(splits, symbolOf(lines, unit)),
    ...(words && { splits: (_plot, _axis, least, most) => Object.keys(words).map(Number).filter((value) => value >= least && value <= most) }),
  };
}

function axisSize(values, width) {
  if (!values?.length) return 40;
  const longest = values.reduce((most, text) => Math.max(most, text?.length ?? 0), 0);
  return Math.ceil(Math.max(width < 500 ? 30 : 38, 7 * longest + 12));
}

function labels(splits, symbol) {
  const [, unit] = quantity(Math.max(...splits.map(Math.abs)), symbol);
  const scaled = unit !== quantity(0, symbol)[1];
  const by = scaled && unit.startsWith("M") ? 1e6 : scaled ? 1e3 : 1;
  const step = Math.abs((splits[1] ?? splits[0] + 1) - splits[0]) / by;
  return splits.map((value) => figure(value / by, placesOf(step)));
}

// Returns how many decimals tell multiples of a step apart.
function placesOf(step) {
  let places = 0;
  while (places < 9 && Math.abs(step * 10 ** places - Math.round(step * 10 ** places)) > 1e-6) places++;
  return places;
}

function symbolOf(lines, unit) {
  return lines.find((line) => line.unit === unit)?.symbol ?? unit;
}

// Writes each unit above its axis.
function unitNames(plot, units, { soft }) {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.font = AXIS_FONT.replace("12px", `${12 * ratio}px`);
  ctx.fillStyle = soft;
  ctx.textBaseline = "bottom";
  for (const [at, unit] of units.entries()) {
    const axis = plot.axes[at + 1];
    const { min, max } = plot.scales[scaleOf(unit)];
    if (!unit || min === undefined || min === null) continue;
    const [, name] = quantity(Math.max(Math.abs(min), Math.abs(max)), plot.symbols?.[unit] ?? unit);
    const right = at % 2 === 1;
    ctx.textAlign = right ? "left" : "right";
    const offset = (axis._pos ?? 0) * ratio;
    const edge = right ? bbox.left + bbox.width : bbox.left;
    const x = axis._pos === undefined ? edge : offset;
    ctx.fillText(name, right ? x + 8 * ratio : x - 8 * ratio, bbox.top - 5 * ratio);
  }
  ctx.restore();
}

// Shades the times of which readings are lost for good, each in the colour of its line.
function shade(plot, lines, { tones, bad }, marks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.globalAlpha = GAP_ALPHA;
  const alone = lines.filter((line) => line.shown && !line.dashed).length === 1;
  for (const [code, gaps] of marks) {
    const line = lines.find((each) => each.code === code && !each.dashed);
    if (!line?.shown) continue;
    ctx.fillStyle = alone ? bad : tones[line.tone];
    for (const [from, to] of gaps) {
      const start = Math.max(plot.valToPos(from, "x", true), bbox.left);
      const end = Math.min(plot.valToPos(to, "x", true), bbox.left + bbox.width);
      if (end >= bbox.left && start <= bbox.left + bbox.width) {
        ctx.fillRect(start, bbox.top, Math.max(end - start, 1), bbox.height);
      }
    }
  }
  ctx.restore();
}

// Returns a colour (#rrggbb) that lets through what is behind it.
function faded(colour, alpha) {
  return colour + Math.round(alpha * 255).toString(16).padStart(2, "0");
}
