// The page of one codifier: live above, and what the history has of it.
import { ask } from "./ask.js";
import { worded } from "./board.js";
import { now } from "./clock.js";
import { BASE, at, make, put } from "./dom.js";
import { figure, span } from "./figures.js";
import { Graph } from "./graphs/graph.js";
import { format, parse } from "./graphs/state.js";
import { hourMinute, hourSecond, fullDay, pointText, spanText } from "./graphs/times.js";
import { quantityText } from "./graphs/tooltip.js";
import { follow } from "./live.js";
import { t } from "./words.js";

const SPANS = { "10min": 600e3, hour: 3600e3, day: 86400e3 };
const LAST = { "10min": 36, hour: 48, day: 31 };
const MOST_HEARD = 20;
const AGAIN_MS = 60e3;
const ROUNDED_MS = 200; // ages come in tenths of a second

const facts = JSON.parse(at("facts").textContent);
const { code } = facts;
const [own] = facts.codifiers;
const graph = facts.kept ? new Graph(at("graph"), {
  codifiers: new Map([[code, own]]),
  orders: facts.orders,
  height: () => (innerWidth < 600 ? 260 : 320),
  changed: show,
}) : null;
let born; // when its last sign of life was, on the clock of performance.now

function show(state) {
  const query = format(state).replace(/^codes=[^&]*&?/, "");
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  at("more-graph").href = `${BASE}/graphs?${format(state)}`;
  for (const button of at("lasts").children) button.setAttribute("aria-pressed", String(button.dataset.last === state.last));
}

function choose(last) {
  graph.set({ ...graph.state, last, from: 0, to: 0 });
  show(graph.state);
}

// Puts a row of the stream above.
function paint(row) {
  const [value, unit] = worded(row);
  put(at("value"), value);
  put(at("unit"), unit);
  put(at("state"), t(row.state));
  at("now").dataset.state = row.state;
  put(at("aloud"), row.state === "alive" ? "" : `${code}: ${t(row.state)}`);
  put(at("quality"), row.quality ? t(row.quality) : "");
  at("losses").hidden = !row.losses;
  put(at("losses"), !row.losses ? "" : row.losses === 1 ? t("1 message lost on the way to the cache") : t("{count} messages lost on the way to the cache", { count: figure(row.losses) }));
  const before = born;
  born = row.age === undefined ? undefined : performance.now() - 1000 * row.age;
  if (born !== undefined && (before === undefined || born > before + 50)) heard(row);
  tick();
}

function tick() {
  put(at("age"), born === undefined ? t("never heard") : t("{time} ago", { time: span((performance.now() - born) / 1000) }));
}

// Puts what has just come above the messages that are stored.
function heard(row) {
  const body = at("messages")?.querySelector("tbody");
  if (!body) return;
  const when = now() - (performance.now() - born);
  const value = worded(row).join(" ").trim();
  body.prepend(line(moment(when), [value, "right"], ["", "right"], row.quality ? t(row.quality) : ""));
  body.firstElementChild.className = "heard";
  Object.assign(body.firstElementChild.dataset, { at: when, came: performance.now() });
  body.parentElement.hidden = false;
  at("messages").querySelector(".empty").hidden = true;
  for (const old of [...body.querySelectorAll(".heard")].slice(MOST_HEARD)) old.remove();
}

function line(first, ...cells) {
  const parts = cells.map((cell) => (Array.isArray(cell) ? make("td", { className: cell[1] }, cell[0]) : make("td", {}, cell)));
  return make("tr", {}, make("th", { scope: "row" }, first), ...parts);
}

// Fills a table, or says that there is nothing.
function fill(id, rows) {
  at(id).querySelector("tbody").replaceChildren(...rows);
  const none = at(id).querySelector(".empty");
  if (none) none.hidden = rows.length > 0;
  at(id).querySelector("table").hidden = !rows.length;
}

function moment(ms) {
  const today = new Date(ms).toDateString() === new Date(now()).toDateString();
  return today ? hourSecond(ms) : `${fullDay(ms)} ${hourSecond(ms)}`;
}

// What came while the answer was on its way may not be stored yet: it stays above.
function unstored(asked, newest) {
  const rows = [...at("messages").querySelectorAll(".heard")];
  return rows.filter(({ dataset }) => Number(dataset.came) > asked && Number(dataset.at) > newest + ROUNDED_MS);
}

async function messages() {
  const asked = performance.now();
  const stored = await ask("GET", `/api/codifier/${code}/messages?last=50`);
  const number = (value) => (own.unit && Number.isFinite(Number(value)) ? quantityText(Number(value), own.unit) : value);
  const words = ({ value }) => (own.order ? facts.orders[value] ?? value : number(value));
  const rows = stored.map((each) => line(moment(each.t), [words(each), "right"], [String(each.sequence), "right"], each.quality ? t(each.quality) : ""));
  fill("messages", [...unstored(asked, stored[0]?.t ?? 0), ...rows]);
}

async function statistics() {
  const every = at("widths").querySelector('[aria-pressed="true"]').dataset.every;
  const buckets = await ask("GET", `/api/codifier/${code}/statistics?every=${every}&last=${LAST[every]}`);
  const number = (value) => [quantityText(value, own.unit), "right"];
  fill("statistics", buckets.map((each) => line(
    shortened(each.t, every),
    ...["mean", "median", "mode", "min", "max", "stdev"].map((part) => number(each[part])),
    [figure(each.readings), "right"], [`${figure(each.coverage, each.coverage > 99 && each.coverage < 100 ? 1 : 0)}\u00a0%`, "right"],
  )));
}

function shortened(end, every) {
  const start = end - SPANS[every];
  if (every === "day") return pointText(end, SPANS.day);
  const day = new Date(start).toDateString() === new Date(now()).toDateString() ? "" : `${fullDay(start)} `;
  return `${day}${hourMinute(start)} – ${hourMinute(end)}`;
}

async function gaps() {
  const found = await ask("GET", `/gaps?code=${code}`);
  fill("gaps", found.map((each) => line(
    gapSpan(each),
    [each.Missing === null ? "?" : figure(each.Missing), "right"], t(each.Why),
  )));
}

// A gap without an end was noticed, but no reading came since; without both, it lies before it was noticed.
function gapSpan({ From, To, Noticed }) {
  if (From && To) return spanText(Date.parse(From), Date.parse(To));
  return From ? t("after {time}", { time: moment(Date.parse(From)) }) : t("before {time}", { time: moment(Date.parse(To ?? Noticed)) });
}

// A codifier without numbers has a list of changes instead of a graph.
function changes() {
  const curve = graph.data.curves.get(code);
  if (!curve) return;
  const words = curve.changes.slice().reverse();
  at("changes").hidden = !words.length;
  fill("changes", words.map(([when, value]) => line(moment(when), value)));
}

// A history of less than an hour is a dot on a day: the first time it is shown as an hour.
function young() {
  const curve = graph.data.curves.get(code);
  if (!curve) return;
  at("graph").removeEventListener("drawn", young);
  if (graph.state.last === "24h" && curve.t.length && curve.now - curve.t[0] < SPANS.hour) choose("1h");
}

async function read() {
  if (document.hidden) return;
  await Promise.allSettled([messages(), statistics(), gaps()]);
}

if (graph) {
  at("graph").addEventListener("drawn", changes);
  if (!new URLSearchParams(location.search).size) at("graph").addEventListener("drawn", young);
  for (const button of at("lasts").children) button.addEventListener("click", () => choose(button.dataset.last));
  for (const button of at("widths").children) {
    button.addEventListener("click", () => {
      for (const each of at("widths").children) each.setAttribute("aria-pressed", String(each === button));
      statistics().catch(() => null);
    });
  }
  graph.set({ ...parse(location.search), codes: [code], hidden: [] });
  show(graph.state);
  read();
  setInterval(read, AGAIN_MS);
}
setInterval(tick, 1000);
follow("/events", {
  onLink: (word, mood) => {
    at("link").hidden = false;
    put(at("link"), t(word));
    at("link").dataset.mood = mood;
  },
  onBoard: ({ rows }) => {
    if (rows[code]) paint(rows[code]);
    graph?.hear(rows);
  },
});
