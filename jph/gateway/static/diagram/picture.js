// The picture: two buses as bands, nodes above and below them, lines as thick as what they carry.
// On a narrow screen the buses stand upright on the left and the nodes are one under the other.
import { BASE, mark } from "../dom.js";
import { figure, span } from "../figures.js";
import { t } from "../words.js";

const WIDE = 720;
const WALL = 1300; // from this width on it is looked at from afar
const LARGER = 1.35;
const BOX = { width: 128, height: 66 };
const DOT = 9;
const MOST_DOTS = 40;

export class Picture {
  constructor(place) {
    this.place = place;
    this.shape = "";
    this.parts = new Map();
  }

  draw(found) {
    const room = Math.max(280, Math.floor(this.place.clientWidth));
    const width = room > WALL ? Math.floor(room / LARGER) : room;
    const shape = `${found.layout}:${room}`;
    if (shape !== this.shape) {
      this.shape = shape;
      this.parts.clear();
      const picture = width < WIDE ? this.upright(found, width) : this.level(found, width);
      if (room > WALL) {
        picture.setAttribute("width", room);
        picture.setAttribute("height", picture.viewBox.baseVal.height * LARGER);
      }
      this.place.replaceChildren(picture);
    }
    this.paint(found);
  }

  // Nodes that measure and act above the buses, those that keep and show below. Those of outer rows
  // reach the buses through the gaps between the inner ones.
  level(found, width) {
    const above = found.members.filter((each) => ["source", "actor"].includes(each.role));
    const below = found.members.filter((each) => !["source", "actor"].includes(each.role));
    const most = Math.max(1, Math.floor((width - 20) / (BOX.width + 34)));
    const columns = Math.ceil(Math.max(...[above, below].map((some) => some.length / Math.max(1, Math.ceil(some.length / most)))));
    const pitch = (width - 36) / columns;
    const [upper, lower] = [chunks(above, columns), chunks(below, columns)];
    const reach = (row) => BOX.height + 30 + Math.max(0, ...row.map((each) => dotRows(each, BOX.width) * (DOT + 3)));
    const places = [];
    let y = 16;
    for (const row of upper) {
      row.forEach((each, c) => places.push({ each, c, y, inner: row === upper.at(-1), down: true }));
      y += reach(row);
    }
    const control = y + 12;
    const data = control + 44;
    y = data + 38;
    for (const row of lower) {
      row.forEach((each, c) => places.push({ each, c, y, inner: row === lower[0], down: false }));
      y += reach(row);
    }
    const picture = canvas(width, y);
    const lines = svg("g");
    picture.append(band(0, control, width, "control", t("control bus")), band(0, data, width, "data", t("data bus")), lines);
    for (const { each, c, y: top, inner, down } of places) {
      const x = Math.round(10 + pitch * (c + 0.5) - BOX.width / 2);
      const node = box(each, x, top);
      picture.append(node.group);
      const from = down ? top + BOX.height + node.extra : top;
      const gap = 10 + pitch * (c + 1);
      const wires = inner
        ? [wire(x + BOX.width * 0.32, from, control, "control"), wire(x + BOX.width * 0.68, from, data, "data")]
        : [around(x + BOX.width, top + 24, gap - 5, control, "control"), around(x + BOX.width, top + 42, gap + 5, data, "data")];
      lines.append(...wires);
      this.parts.set(each.code, { ...node, wires });
    }
    return picture;
  }

  // On a narrow screen.
  upright(found, width) {
    const [control, data, left] = [22, 66, 98];
    const size = { width: width - left - 10, height: 52 };
    let y = 30;
    const nodes = found.members.map((each) => {
      const placed = { each, y };
      y += size.height + 14 + dotRows(each, size.width) * (DOT + 3);
      return placed;
    });
    const picture = canvas(width, y + 8);
    picture.append(rail(control, y, "control"), rail(data, y, "data"), caption(4, t("control"), "start"), caption(data - 4, t("data"), "start"));
    for (const { each, y: top } of nodes) {
      const node = box(each, left, top, size);
      const wires = [across(control, left, top + 16, "control"), across(data, left, top + 34, "data")];
      picture.append(...wires, node.group);
      this.parts.set(each.code, { ...node, wires });
    }
    return picture;
  }

  paint({ members, counting }) {
    for (const each of members) {
      const part = this.parts.get(each.code);
      if (!part) continue;
      const state = each.expected || each.state === "alive" ? each.state : "quiet";
      mark(part.group, "state", state);
      const rate = each.data + each.control;
      let label = state === "quiet" ? t("not expected") : t(each.state);
      if (state === "alive" && counting) label = rate ? t("{rate} messages/s", { rate: figure(rate) }) : t("{span} ago", { span: span(each.age ?? 0) });
      if (part.rate.textContent !== label) part.rate.textContent = label;
      [each.control, each.data].forEach((value, index) => flow(part.wires[index], value));
      each.elements.forEach((element, index) => mark(part.dots[index], "state", element.state));
    }
  }
}

// A line's width tells how much, its dashes move while there is something: faster with more.
function flow(wire, rate) {
  wire.setAttribute("stroke-width", rate > 0 ? (1.5 + Math.min(5.5, 1.6 * Math.log10(1 + rate * 4))).toFixed(1) : "1.2");
  mark(wire, "flow", rate <= 0 ? "none" : rate < 1 ? "slow" : rate < 20 ? "some" : "fast");
}

function box(each, x, y, size = BOX) {
  const group = svg("g", { class: "node" });
  const link = svg("a", { href: `${BASE}/codifier/${each.code}`, tabindex: "-1" });
  const title = svg("title");
  title.textContent = `${each.code} ${each.name} (${each.kind})`;
  const rate = text(x + 12, y + size.height - 11, "", "rate");
  link.append(title, svg("rect", { class: "body", x, y, width: size.width, height: size.height, rx: 11 }),
    svg("circle", { class: "lamp", cx: x + size.width - 14, cy: y + 15, r: 5 }),
    text(x + 12, y + 20, each.code, "code"), text(x + (size.height < 60 ? 44 : 12), y + (size.height < 60 ? 20 : 38), shorter(each.name, Math.floor((size.width - (size.height < 60 ? 70 : 22)) / 7.4)), "name"), rate);
  const across = Math.floor((size.width - 8) / (DOT + 3));
  const dots = each.elements.slice(0, MOST_DOTS).map((element, index) => {
    const dot = svg("rect", { class: "dot", x: x + 6 + (index % across) * (DOT + 3), y: y + size.height + 4 + Math.floor(index / across) * (DOT + 3), width: DOT, height: DOT, rx: 2.5 });
    const name = svg("title");
    name.textContent = `${element.code} ${element.name}`;
    dot.append(name);
    group.append(svg("a", { href: `${BASE}/codifier/${element.code}`, tabindex: "-1" }, dot));
    return dot;
  });
  group.prepend(link);
  return { group, rate, dots, extra: Math.ceil(dots.length / across) * (DOT + 3) + (dots.length ? 4 : 0) };
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function text(x, y, words, kind) {
  const element = svg("text", { x, y, class: kind });
  element.textContent = words;
  return element;
}

function caption(x, words, anchor) {
  const element = text(x, 16, words, "bus");
  element.setAttribute("text-anchor", anchor);
  return element;
}

const canvas = (width, height) => svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height });
const dotRows = (each, width) => Math.ceil(Math.min(each.elements.length, MOST_DOTS) / Math.floor((width - 8) / (DOT + 3)));
const around = (x, y, gap, to, kind) => svg("path", { class: `wire ${kind}`, d: `M${x} ${y}H${gap}V${to}` });
const wire = (x, from, to, kind) => svg("path", { class: `wire ${kind}`, d: `M${x} ${from}V${to}` });
const across = (from, to, y, kind) => svg("path", { class: `wire ${kind}`, d: `M${to} ${y}H${from}` });
const rail = (x, height, kind) => svg("path", { class: `rail ${kind}`, d: `M${x} 26V${height - 4}` });

function band(x, y, width, kind, words) {
  return svg("g", {}, svg("path", { class: `rail ${kind}`, d: `M${x + 12} ${y}H${width - 12}` }), text(x + 16, y - 7, words, "bus"));
}

function chunks(some, size) {
  const found = [];
  for (let index = 0; index < some.length; index += size) found.push(some.slice(index, index + size));
  return found;
}

const shorter = (name, most) => (name.length <= most ? name : `${name.slice(0, most - 1)}…`);
