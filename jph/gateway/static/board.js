// The board of the house as the stream tells it: rows go into the elements that carry their
// codifier (data-code), and to listeners. Text goes in as text, never as markup.
import { at, mark, put, write } from "./dom.js";
import { figure, quantity, short, span } from "./figures.js";
import { follow } from "./live.js";
import { isUnknown, showUnknown } from "./unknown.js";
import { t } from "./words.js";

export const STATES = {
  alive: t("alive"), late: t("late"), halted: t("halted"), dead: t("dead"), silent: t("silent"),
};
export const ORDERS = {
  comfort: t("comfort"), "comfort-1": t("comfort-1"), "comfort-2": t("comfort-2"),
  eco: t("eco"), frost: t("frost"), off: t("off"),
};
const DOUBTS = { stale: t("stale"), implausible: t("implausible"), estimated: t("estimated") };
// Words of values, said in the language of the page by `worded`.
export const WORDS = [
  t("all hours"), t("off-peak"), t("peak"), t("normal"), t("moving peak"), t("on"), t("none"),
  t("blue day"), t("white day"), t("red day"),
];
const NEWS = ["state", "value", "unit", "number", "words", "losses", "quality", "order", "shed", "limit", "level", "trip", "host", "wire"];
const SCALE = 1.25; // a gauge ends a quarter above the limit, so that an overload can be seen

/** @type {Map<string, BoardRow>} */
export const rows = new Map(); // codifier -> its row
const places = new Map(); // codifier -> the elements that show it
const born = new Map(); // codifier -> when its last sign of life was, on the clock of performance.now

// Finds the elements again, after some were made or removed.
export function place(root = document) {
  places.clear();
  for (const element of root.querySelectorAll("[data-code]")) {
    const known = places.get(element.dataset.code) ?? [];
    known.push(element);
    places.set(element.dataset.code, known);
  }
}

// Follows the stream; `changed(codifiers, board)` gets the codifiers with news, after all
// that came has been painted. A row that only shows that its codifier lives says nothing new.
/** @param {(codifiers: string[], board: BoardEvent) => void} changed */
export function watch(changed = () => {}) {
  place();
  at("link").hidden = false;
  follow("/events", {
    onLink: (word, mood) => write(at("link"), t(word), mood),
    onBoard(board) {
      if (document.body.dataset.layout && board.layout !== document.body.dataset.layout) {
        location.reload();
        return;
      }
      const news = Object.entries(board.rows).filter(([code, row]) => take(code, row));
      if (at("cache")) at("cache").hidden = board.summary.redis;
      const other = showUnknown(board.unknown ?? []);
      if (other) for (const [code, row] of rows) for (const element of places.get(code) ?? []) paint(element, row);
      tick();
      changed(news.map(([code]) => code), board);
    },
  });
  setInterval(tick, 1000);
}

// A value in the page's language: [text, unit].
/** @param {BoardRow | undefined} row @returns {[string, string]} */
export function worded(row) {
  if (!row) return ["–", ""];
  if (row.order) return [row.shed ? t("{order}, shed", { order: ORDERS[row.order] }) : ORDERS[row.order], ""];
  const text = row.value ?? "–";
  if (row.number !== undefined && !row.words) return quantity(row.number, row.unit ?? "");
  return [text.split(", ").map((word) => t(word)).join(", "), row.unit ?? ""];
}

export function age(code) {
  const since = born.get(code);
  return since === undefined ? undefined : (performance.now() - since) / 1000;
}

// Takes a row; returns whether it says something new.
function take(code, row) {
  const before = rows.get(code);
  rows.set(code, row);
  if (row.age === undefined) born.delete(code);
  else born.set(code, performance.now() - 1000 * row.age);
  const same = before && NEWS.every((name) => before[name] === row[name]);
  if (!same) for (const element of places.get(code) ?? []) paint(element, row);
  return !same;
}

// Ages grow by themselves; every other text changes only when it is new.
function tick() {
  for (const [code, elements] of places) {
    for (const element of elements) {
      const cell = element.querySelector('[data-part="age"]');
      if (!cell) continue;
      const seconds = age(code);
      put(cell, seconds === undefined ? t("never") : span(seconds));
    }
  }
}

export function paint(element, row) {
  for (const name of ["state", "order", "level", "quality"]) mark(element, name, row[name]);
  element.toggleAttribute("data-shed", row.shed === true);
  const unsure = element.hasAttribute("data-now") && (row.state !== "alive" || isUnknown(element.dataset.code));
  element.toggleAttribute("data-unknown", unsure);
  const [value, unit] = unsure ? ["?", ""] : worded(row);
  part(element, "value", value);
  part(element, "unit", unit);
  part(element, "order", ORDERS[row.order] ?? "–");
  part(element, "quality", unsure ? t("not known") : DOUBTS[row.quality] ?? "");
  part(element, "losses", row.losses ? String(row.losses) : "");
  part(element, "trip", trip(row));
  part(element, "host", row.host ?? "");
  part(element, "wire", row.wire === undefined ? "" : row.wire === 0 ? t("original") : String(row.wire));
  if (!element.hasAttribute("data-quiet")) part(element, "state", STATES[row.state]);
  if (element.classList.contains("gauge")) gauge(element, unsure ? { ...row, number: undefined, value: "?", unit: "" } : row);
}

function gauge(element, row) {
  const { number, limit } = row;
  const [value, unit] = worded(row);
  const most = limit ? short(limit, 1) : "";
  part(element, "limit", limit ? t("of {limit} A", { limit: most }) : "");
  const share = limit && number > 0 ? Math.min(number / (limit * SCALE), 1) : 0;
  const arc = element.querySelector('[data-part="arc"]');
  arc.setAttribute("stroke-dasharray", `${(100 * share).toFixed(1)} 100`);
  if (number !== undefined) element.setAttribute("aria-valuenow", String(number));
  else element.setAttribute("aria-valuenow", "0");
  if (limit) element.setAttribute("aria-valuemax", String(limit));
  const words = element.hasAttribute("data-unknown") ? t("not known") : `${value} ${unit}`;
  element.setAttribute("aria-valuetext", limit ? `${words} ${t("of {limit} A", { limit: most })}` : words);
}

function part(element, name, text) {
  put(element.querySelector(`[data-part="${name}"]`), text);
}

/** @param {BoardRow} row */
export function trip(row) {
  if (row.trip === undefined) return "";
  return row.trip < 1 ? "< 1" : figure(row.trip, row.trip < 10 ? 1 : 0);
}

// What stands beside an order: whether the wire carries it. [text, kind, words for who cannot see]
export function wire(order, applied, verified) {
  if (!applied) return ["", "", ""];
  if (verified && verified !== applied) {
    const read = ORDERS[verified];
    return [`⚠ ${read}`, "fault", t("set to {applied}, but reads back {read}", { applied: ORDERS[applied], read })];
  }
  if (order && applied !== order) {
    return [`→ ${ORDERS[applied]}`, "held", t("the wire carries {applied}", { applied: ORDERS[applied] })];
  }
  if (!verified) return ["…", "unsure", t("applied, not verified yet")];
  return ["✓", "good", t("applied and verified")];
}

const NUMBERS = ["comfort", "off", "frost", "eco", "comfort-1", "comfort-2"];

// The order that an element about a wire tells, from its row.
export function orderOf(code) {
  const number = rows.get(code)?.number;
  return number === undefined ? undefined : NUMBERS[number];
}
