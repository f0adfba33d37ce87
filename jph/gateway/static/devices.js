// Devices: values as they come, orders with the answer of the node, the last hundred readings.
import { ask } from "./ask.js";
import { rows, watch } from "./board.js";
import { now } from "./clock.js";
import { at, make, put, write } from "./dom.js";
import { clock, quantity, span } from "./figures.js";
import { t } from "./words.js";

const LINES = ["line-0", "line-1", "line-2", "line-3"];
const LAST = 100;
const WIDE = 600;
const HIGH = 220;
const TICK_MS = 5000;
const devices = JSON.parse(at("devices").textContent); // codifier -> how it is shown and set
const moved = new Map(); // codifier -> time of the last motion, ms since 1970
const busy = new Set(); // codifiers whose order waits for its answer

watch((changed) => {
  for (const code of changed) show(code);
});
setInterval(() => [...moved.keys()].forEach(motion), TICK_MS);
if ("kept" in document.body.dataset) {
  for (const [code, device] of Object.entries(devices)) if (device.widget === "motion") before(code);
}

document.addEventListener("change", (event) => {
  const input = /** @type {any} */ (event.target).closest("[data-set]");
  if (input) order(input.closest("[data-code]"), input.type === "checkbox" ? Number(input.checked) : Number(input.value));
});
document.addEventListener("submit", (event) => {
  const form = /** @type {any} */ (event.target).closest("[data-number]");
  if (!form) return;
  event.preventDefault();
  order(form.closest("[data-code]"), Number(form.elements[0].value));
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-last]");
  if (button) last(button.closest("[data-group]"));
});

function show(code) {
  const device = devices[code];
  const place = document.querySelector(`.device[data-code="${code}"]`);
  const number = rows.get(code)?.number;
  if (!device || !place || number === undefined) return;
  if (device.widget === "gauge") bar(place, device, number);
  if (device.widget === "motion" && number) {
    moved.set(code, now() - 1000 * (rows.get(code).age ?? 0));
    motion(code);
  }
  const input = place.querySelector("[data-set]");
  if (!input || busy.has(code) || input === document.activeElement) return;
  if (input.type === "checkbox") input.checked = number !== 0;
  else input.value = number;
}

function bar(place, device, number) {
  const share = Math.min(Math.max((number - device.min) / (device.max - device.min), 0), 1);
  const meter = place.querySelector(".bar");
  meter.setAttribute("aria-valuenow", String(number));
  meter.querySelector("i").style.width = `${(100 * share).toFixed(1)}%`;
}

function motion(code) {
  const cell = document.querySelector(`.device[data-code="${code}"] [data-part="motion"]`);
  const seconds = (now() - moved.get(code)) / 1000;
  put(cell, seconds < 10 ? t("motion now") : t("{span} ago", { span: span(seconds) }));
}

// The last motion before the page was opened, where readings are stored.
async function before(code) {
  try {
    const found = await ask("GET", `/api/codifier/${code}/messages?last=200`);
    const newest = found.find((each) => Number(each.value) > 0);
    if (!newest || moved.has(code)) return;
    moved.set(code, newest.t);
    motion(code);
  } catch {
    // while the history is away only motions from now on are known
  }
}

async function order(place, number) {
  const { code } = place.dataset;
  const answer = place.querySelector(".answer");
  busy.add(code);
  write(answer, t("waiting for the node…"), "");
  try {
    const taken = await ask("PUT", `/api/values/${code}`, { number });
    write(answer, taken.text, taken.done ? "good" : "bad");
  } catch (error) {
    write(answer, error.message, "bad");
  }
  busy.delete(code);
  const input = place.querySelector("[data-set]");
  if (input) input.blur();
  show(code);
}

async function last(group) {
  const codes = [...group.querySelectorAll(".device")]
    .filter((each) => ["number", "gauge", "slider"].includes(each.dataset.widget))
    .map((each) => each.dataset.code)
    .slice(0, LINES.length);
  put(at("last-title"), group.querySelector("h2").textContent);
  at("last-graph").replaceChildren();
  at("last-key").replaceChildren(make("li", {}, t("looking")));
  at("last-more").href = `${document.documentElement.dataset.base ?? ""}/graphs?codes=${codes.join(",")}`;
  at("last").showModal();
  const lines = [];
  for (const code of codes) {
    try {
      const found = await ask("GET", `/api/codifier/${code}/messages?last=${LAST}`);
      const points = found.map((each) => [each.t, Number(each.value)]).filter((each) => Number.isFinite(each[1])).reverse();
      lines.push({ code, points });
    } catch (error) {
      at("last-key").replaceChildren(make("li", {}, error.message));
      return;
    }
  }
  draw(lines);
}

// Each line has a scale of its own: the key names its ends.
function draw(lines) {
  const times = lines.flatMap(({ points }) => points.map((each) => each[0]));
  const [start, end] = [Math.min(...times), Math.max(...times)];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  svg.setAttribute("role", "img");
  const key = lines.map(({ code, points }, index) => {
    const values = points.map((each) => each[1]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const x = (time) => (WIDE * (time - start)) / Math.max(end - start, 1);
    const y = (value) => HIGH - 5 - ((HIGH - 10) * (value - low)) / Math.max(high - low, 1e-9);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", LINES[index]);
    path.setAttribute("d", points.map((each, at) => `${at ? "L" : "M"}${x(each[0]).toFixed(1)} ${y(each[1]).toFixed(1)}`).join(""));
    svg.append(path);
    const unit = rows.get(code)?.unit ?? "";
    const words = points.length
      ? t("{name}: {low} to {high}", { name: devices[code].name, low: quantity(low, unit).join(" "), high: quantity(high, unit).join(" ") })
      : t("{name}: nothing is stored yet", { name: devices[code].name });
    return make("li", {}, make(`i.${LINES[index]}`), words);
  });
  const when = times.length ? t("{start} to {end}", { start: clock(start), end: clock(end) }) : "";
  svg.setAttribute("aria-label", when);
  at("last-graph").replaceChildren(...(times.length ? [svg, make("p.muted", {}, when)] : []));
  at("last-key").replaceChildren(...key);
}
