// A graph: panels, what is under the pointer, and the legend, for a state (see state.js). It has
// histories loaded as they are needed, goes on with the time, and says what it is changed to.
import { now } from "../clock.js";
import { make, put } from "../dom.js";
import { clock } from "../figures.js";
import { t } from "../words.js";
import { Data, levelWord } from "./data.js";
import { Gestures } from "./gestures.js";
import { Legend } from "./legend.js";
import { colours, columnsOf, makePlot } from "./plot.js";
import { append, broken } from "./series.js";
import { LASTS, before, resolve } from "./state.js";
import { spanText } from "./times.js";
import { Tooltip } from "./tooltip.js";

const AGAIN_MS = 30e3;
const TONES = 8;
const NARROW = 560; // px; three axes leave no room for the lines then
let made = 0;

export class Graph {
  // `codifiers` are what may be drawn, by code; `orders` are the words of orders, by number;
  // `changed(state, how)` is handlers of every new state, `how` being "time" or "lines"; `removable`
  // gives lines a button to take them away.
  constructor(root, { codifiers, orders, changed, removable = false, height = (_many) => 380 }) {
    this.root = root;
    this.codifiers = codifiers;
    this.orders = orders;
    this.changed = changed;
    this.height = height;
    this.sync = `graph ${++made}`;
    this.plots = [];
    const handlers = { changed: () => this.arrived(), say: (text) => this.trouble(text) };
    this.data = new Data(handlers);
    this.past = new Data(handlers);
    this.gestures = new Gestures({
      view: () => this.view,
      move: (from, to) => this.move(from, to),
      settle: () => this.settle(),
      back: () => this.back(),
    });
    this.trail = [];
    this.tooltip = new Tooltip();
    this.legend = new Legend({ toggle: (code) => this.toggle(code), remove: removable ? (code) => this.remove(code) : null });
    this.lay();
    this.timer = setInterval(() => this.tick(), 1000);
  }

  lay() {
    const help = make("p.hidden", { id: `${this.sync}-help`.replace(" ", "-") },
      t("Arrow keys move the time, plus and minus zoom, Escape undoes. The same values are in the table below."));
    this.panels = make("div.plots", { tabIndex: 0, role: "group", "aria-label": t("Graph"), "aria-describedby": help.id });
    this.said = make("p.state", { role: "status" });
    this.wrong = make("p.banner", { role: "alert", hidden: true });
    this.root.append(help, this.wrong, this.panels, this.said, make("div.scroll", {}, this.legend.table));
    this.panels.addEventListener("keydown", (event) => this.gestures.key(event));
    this.panels.addEventListener("pointerleave", () => this.tooltip.hide());
    new ResizeObserver(() => this.resize()).observe(this.panels);
    const anew = () => this.state && this.build();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
    new MutationObserver(anew).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // Shows another state.
  set(state) {
    this.state = state;
    const { from, to, live } = resolve(state, this.now());
    this.view = { from, to };
    this.live = live;
    this.build();
    this.load();
  }

  now() {
    return now();
  }

  // How many points a line may have: between one and two for each pixel it is wide.
  points() {
    const width = this.plots[0]?.bbox.width / devicePixelRatio || this.panels.clientWidth - 60;
    return Math.max(150, Math.floor((1.5 * width) / 50) * 50);
  }

  // Has what is seen here; the same stretch of time of before too if that is compared.
  load(options) {
    this.loaded = Date.now();
    const { codes, every, show, against } = this.state;
    const common = { codes, every, show, points: this.points() };
    if (!codes.length) return;
    this.data.load({ ...common, ...this.view }, options);
    if (against) this.past.load({ ...common, ...before(this.view, against) }, options);
  }

  arrived() {
    this.bind();
    this.refresh();
    const levels = [...new Set(this.lines.filter((line) => line.curve && !line.dashed).map((line) => levelWord(line.curve)))];
    const empty = this.state.codes.filter((code) => this.data.curves.get(code)?.t.length === 0);
    const texts = [spanText(this.view.from, this.view.to), levels.join(", ")];
    if (this.state.against) texts.push(t("dashed: {what}", { what: earlier(this.state.against) }));
    this.panels.hidden = empty.length > 0 && empty.length === this.state.codes.length && !this.state.against;
    if (empty.length) texts.push(t("nothing stored of {codes} in this time", { codes: empty.join(", ") }));
    const firsts = empty.map((code) => this.data.curves.get(code)?.first).filter(Boolean);
    if (firsts.length && Math.min(...firsts) > this.view.to) texts.push(t("no data before {date}", { date: clock(Math.min(...firsts)) }));
    put(this.said, texts.filter(Boolean).join(" · "));
  }

  trouble(text) {
    const ours = text ? t("{what}. What is here stays; asking again.", { what: text }) : "";
    put(this.wrong, ours && ours[0].toUpperCase() + ours.slice(1));
    this.wrong.hidden = !text;
  }

  // The lines of the state, with the colour of the place at which they stand.
  makeLines() {
    const { codes, hidden, band, against } = this.state;
    const now = codes.map((code, at) => this.line(code, at, { key: code, band, shown: !hidden.includes(code) }));
    if (!against) return now;
    const label = earlier(against);
    return [...now, ...now.map((line) => ({ ...line, key: `${line.code} before`, band: false, dashed: true, label: `${line.label}, ${label}` }))];
  }

  line(code, at, more) {
    const known = this.codifiers.get(code) ?? { short: code, unit: "" };
    const words = known.order ? this.orders : null;
    const unit = words ? "order" : known.unit; // an axis of their own
    return { code, tone: at % TONES, label: known.short, unit, symbol: known.unit, words, stepped: Boolean(words) || !unit, ...more };
  }

  build() {
    for (const plot of this.plots) plot.destroy();
    this.tooltip.hide();
    this.lines = this.makeLines();
    const groups = new Map();
    const units = new Set(this.lines.map((line) => line.unit));
    const split = this.state.split || (units.size > 2 && this.panels.clientWidth < NARROW);
    for (const line of this.lines) {
      const unit = split ? line.unit : "";
      groups.set(unit, [...(groups.get(unit) ?? []), line]);
    }
    const paint = colours();
    this.plots = [...groups.values()].map((lines) => this.panel(lines, paint, groups.size));
    this.legend.draw(this.lines);
    this.refresh();
  }

  panel(lines, paint, many) {
    const host = make("div.panel");
    this.panels.append(host);
    const plot = makePlot(host, lines, {
      width: Math.max(200, this.panels.clientWidth), height: this.height(many), paint, sync: this.sync,
      view: () => this.view,
      hooks: {
        select: (each) => this.select(each),
        cursor: (each) => this.point(each),
        drawn: () => this.root.dispatchEvent(new CustomEvent("drawn")),
        marks: () => lines.map((line) => [line.code, line.curve?.gaps ?? []]),
      },
    });
    plot.lines = lines;
    plot.symbols = Object.fromEntries(lines.map((line) => [line.unit, line.symbol]));
    const destroy = plot.destroy;
    plot.destroy = () => { destroy(); host.remove(); };
    plot.over.addEventListener("pointerenter", () => { this.hovered = plot; });
    this.gestures.wire(plot.over);
    return plot;
  }

  // Draws what has come, in the next frame.
  refresh() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  // Gives each line what is here of it.
  bind() {
    const { against } = this.state;
    const shift = against ? before(this.view, against).shift : 0;
    for (const line of this.lines) {
      line.curve = (line.dashed ? this.past : this.data).curves.get(line.code);
      line.shift = line.dashed ? shift : 0;
    }
  }

  draw() {
    this.bind();
    const columns = {};
    for (const { key, curve, shift } of this.lines) {
      if (!curve) continue;
      const [at, ...rest] = broken(curve);
      columns[key] = [shift ? at.map((ms) => ms + shift) : at, ...rest];
    }
    for (const plot of this.plots) {
      plot.batch(() => {
        plot.setData(columnsOf(plot.lines, columns), false);
        this.scale(plot);
      });
    }
    this.legend.count(this.lines, this.view);
  }

  scale(plot) {
    plot.setScale("x", { min: this.view.from, max: this.view.to });
  }

  // Shows another time with what is already here. Parts of a ms would have uPlot mark 02:29:59.999.
  move(from, to) {
    this.live = false;
    this.view = { from: Math.round(from), to: Math.round(to) };
    for (const plot of this.plots) this.scale(plot);
    this.tooltip.hide();
  }

  // Has the rest loaded, and says the new time.
  settle() {
    const { from, to } = this.view;
    if (this.state.last || this.state.from !== from || this.state.to !== to) {
      this.trail.push({ last: this.state.last, from: this.state.from, to: this.state.to });
      this.state = { ...this.state, last: "", from, to };
      this.changed(this.state, "time");
    }
    this.legend.count(this.lines, this.view);
    this.load();
  }

  back() {
    const earlier = this.trail.pop();
    if (!earlier) return;
    this.set({ ...this.state, ...earlier });
    this.changed(this.state, "time");
  }

  select(plot) {
    const { left, width } = plot.select;
    if (width > 4) this.gestures.show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  point(plot) {
    if (plot !== this.hovered) return;
    const { left, top } = plot.cursor;
    if (left === undefined || left < 0) return this.tooltip.hide();
    const x = left + plot.over.offsetLeft;
    this.tooltip.show(plot.root.parentElement, x, top + plot.over.offsetTop, plot.posToVal(left, "x"), this.lines);
  }

  toggle(code) {
    const { hidden } = this.state;
    const now = hidden.includes(code) ? hidden.filter((each) => each !== code) : [...hidden, code];
    this.change({ hidden: now });
  }

  remove(code) {
    this.change({ codes: this.state.codes.filter((each) => each !== code) });
  }

  // Shows the state with something else, and says so.
  change(more) {
    this.set({ ...this.state, ...more });
    this.changed(this.state, "lines");
  }

  // Takes rows of the stream: {code: {number, age}}.
  hear(rows) {
    if (!this.state) return;
    let more = false;
    for (const code of this.state.codes) {
      const row = rows[code];
      const curve = this.data.curves.get(code);
      if (!curve || row?.number === undefined || row.age === undefined) continue;
      more = append(curve, Math.round(this.now() - 1000 * row.age), row.number) || more;
    }
    if (!more || !this.live) return;
    this.follow();
    this.refresh();
  }

  // Has the view end now, so that what has just come is in it.
  follow() {
    if (!(this.state.last in LASTS) || this.gestures.wanted) return;
    const { from, to } = resolve(this.state, this.now());
    this.view = { from, to };
  }

  // Goes on with the time, once a second at most and only if that can be seen.
  tick() {
    if (!this.live || document.hidden || !this.plots.length || this.gestures.wanted) return;
    const { from, to, live } = resolve(this.state, this.now());
    this.live = live;
    const pixel = (1.5 * (to - from)) / this.points();
    if (this.state.last in LASTS && to - this.view.to >= pixel) {
      this.view = { from, to };
      for (const plot of this.plots) this.scale(plot);
      this.legend.count(this.lines, this.view);
    }
    if (Date.now() - this.loaded > AGAIN_MS) this.load({ again: true });
  }

  resize() {
    if (!this.state) return;
    const width = this.panels.clientWidth;
    if (!width || width === this.wide) return;
    const turned = this.wide < NARROW !== width < NARROW;
    this.wide = width;
    if (turned) this.build();
    for (const plot of this.plots) plot.setSize({ width, height: this.height(this.plots.length) });
    this.load();
  }
}

function earlier(against) {
  return { day: t("the day before"), week: t("the week before"), year: t("the year before") }[against];
}
